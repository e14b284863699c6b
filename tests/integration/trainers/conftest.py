"""Real tables, and a training of one in a folder of its own."""

import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from palmerpenguins import load_penguins
from pyarrow import parquet
from sklearn import datasets

from modelyard.trainers.parameters import read
from modelyard.trainers.schema import Schema
from modelyard.trainers.tabular.trainer import TabularTrainer
from modelyard.trainers.trainer import Fitted

LOADERS: dict[str, Callable[..., Any]] = {
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
    "breast cancer": datasets.load_breast_cancer,
    "diabetes": datasets.load_diabetes,
}


def real(name: str) -> Any:
    """Return a real table as a DataFrame; the target is `target`, of the penguins `species`."""
    return load_penguins() if name == "penguins" else LOADERS[name](as_frame=True).frame


def write(frame: Any, path: Path, rows_per_group: int = 100) -> Path:
    """Write a DataFrame as a dataset is kept: plain types, missing values as nulls."""
    table = frame if isinstance(frame, pa.Table) else pa.Table.from_pandas(frame, preserve_index=False)
    plain = [field.with_type(pa.string()) if pa.types.is_large_string(field.type) else field for field in table.schema]
    parquet.write_table(table.cast(pa.schema(plain)), path, row_group_size=rows_per_group, store_schema=False)
    return path


@dataclass
class Trained:
    """What a training has left."""

    fitted: Fitted
    out: Path
    said: list[tuple[float, str, dict[str, float]]] = field(default_factory=list)

    @property
    def model(self) -> Any:
        return pickle.loads((self.out / self.fitted.files[0]).read_bytes())

    @property
    def sample(self) -> Any:
        assert self.fitted.sample is not None
        return parquet.read_table(self.out / self.fitted.sample).to_pandas()

    @property
    def codes(self) -> dict[str, str | None]:
        return {warning.code: warning.column for warning in self.fitted.warnings}


Train = Callable[..., Trained]


@pytest.fixture
def train(tmp_path: Path) -> Train:
    """Train on a DataFrame or a real table's name; `check` is asked first, with what little is known without rows."""
    trainer = TabularTrainer()

    def call(data: Any, **given: Any) -> Trained:
        frame = real(data) if isinstance(data, str) else data
        folder = tmp_path / f"training-{len(list(tmp_path.iterdir()))}"
        (folder / "out").mkdir(parents=True)
        dataset = write(frame, folder / "data.parquet")
        parameters = read(trainer.Parameters, given)
        trainer.check(parameters, known(dataset))
        trained = Trained(None, folder / "out")  # type: ignore[arg-type]
        trained.fitted = trainer.fit(
            dataset, parameters, lambda at, words, **metrics: trained.said.append((at, words, metrics)), folder / "out"
        )
        return trained

    return call


def known(dataset: Path) -> Schema:
    """Return the least that is known of a dataset: names, types, and how much is missing."""
    table = parquet.read_table(dataset)
    summary = [
        {
            "name": name,
            "type": "timestamp" if pa.types.is_temporal(column.type) else WORDS.get(str(column.type), str(column.type)),
            "count": len(column) - column.null_count,
            "missing": column.null_count,
        }
        for name, column in zip(table.column_names, table.columns, strict=True)
    ]
    return Schema.of(table.num_rows, summary)


WORDS = {"double": "float64", "float": "float32", "halffloat": "float16"}


@pytest.fixture
def tickets() -> Any:
    """Made-up rows with a column of each kind, and missing values of each."""
    random = np.random.default_rng(5)
    rows = 200
    price = random.normal(50, 10, rows).round(2)
    kind = random.choice(["day", "week", "year"], rows)
    paid = random.random(rows) < 0.5
    return pd.DataFrame(
        {
            "price": np.where(random.random(rows) < 0.1, np.nan, price),
            "rides": random.integers(0, 100, rows),
            "kind": pd.Series(kind, dtype=object).where(random.random(rows) > 0.1, None),
            "paid": pd.Series(paid, dtype=object).where(random.random(rows) > 0.1, None),
            "member": paid ^ (random.random(rows) < 0.2),
            "late": np.where(price + 5 * paid + random.normal(0, 3, rows) > 52, "yes", "no"),
        }
    )
