"""What a caller pushes, as files to send."""

import io
import os
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from modelyard.core.errors import InvalidInput

SAMPLE_ROWS = 1_000
PICKLE_PROTOCOL = 4

Report = Callable[[int], None]
"""Told how many bytes of a file were read."""


def model_files(models: Sequence[Any], scratch: Path) -> list[Path]:
    """Return a file for each of `models`; a fitted estimator is pickled into `scratch`.

    Raises:
        InvalidInput: when there is none, a file is missing, or an object cannot be pickled.
    """
    if not models:
        raise InvalidInput("nothing to push: expected files, or a fitted estimator")
    return [_model_file(model, scratch / str(position)) for position, model in enumerate(models)]


def _model_file(model: Any, folder: Path) -> Path:
    if isinstance(model, (str, Path)):
        return existing(Path(model))
    if isinstance(model, type) or not any(callable(getattr(model, verb, None)) for verb in ("predict", "transform")):
        raise InvalidInput(
            f"a value of type {type(model).__name__} was given: expected files, or fitted estimators, which have "
            "`predict` or `transform`"
        )
    folder.mkdir()
    path = folder / f"{type(model).__name__.lower()}.pkl"
    try:
        with path.open("wb") as file:
            pickle.dump(model, file, protocol=PICKLE_PROTOCOL)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise InvalidInput(f"the {type(model).__name__} cannot be pickled: {error}") from error
    return path


def existing(path: Path, *, what: str = "a model's file, or several") -> Path:
    """Return `path`.

    Raises:
        InvalidInput: when it is not a file that can be read.
    """
    path = path.expanduser()
    if path.is_dir():
        raise InvalidInput(f"{path} is a folder: expected {what}")
    if not path.is_file():
        raise InvalidInput(f"there is no file {path}")
    if not os.access(path, os.R_OK):
        raise InvalidInput(f"you may not read the file {path}: chmod u+r, or ask its owner")
    return path


def sample_file(sample: Any, scratch: Path) -> Path:
    """Return a file of sample rows: the one named, or a Parquet (frames, tables) or npy (arrays) made in `scratch`.

    Of more than 1,000 rows, 1,000 at even distances are taken, so that a sorted table still shows all its classes.

    Raises:
        InvalidInput: when `sample` is no table.
    """
    if isinstance(sample, (str, Path)):
        return existing(Path(sample))
    if not hasattr(sample, "shape") or len(sample.shape) != 2:
        raise InvalidInput(
            f"a sample of type {type(sample).__name__} was given: "
            "expected a DataFrame, a two-dimensional array, or a file of .csv, .parquet, .json or .npy"
        )
    rows = _spread(sample.shape[0])
    if hasattr(sample, "iloc"):
        return _frame_file(sample.iloc[rows], scratch / "sample.parquet")
    if hasattr(sample, "to_arrow"):
        sample = sample.to_arrow()
    if hasattr(sample, "schema"):
        import pyarrow.parquet

        path = scratch / "sample.parquet"
        pyarrow.parquet.write_table(sample.take(rows), path)
        return path
    return _array_file(sample, rows, scratch / "sample.npy")


def table_file(table: Any, scratch: Path) -> Path:
    """Return a file of a whole table: the one named, or a Parquet made in `scratch`.

    Raises:
        InvalidInput: when it is no file and no table.
    """
    if isinstance(table, (str, Path)):
        return existing(Path(table), what="a table's file")
    path = scratch / "table.parquet"
    if hasattr(table, "iloc") and hasattr(table, "columns"):
        return _frame_file(table, path)
    if hasattr(table, "to_arrow"):
        table = table.to_arrow()
    if not hasattr(table, "schema"):
        raise InvalidInput(f"a value of type {type(table).__name__} was given: expected a file, a DataFrame or a Table")
    import pyarrow.parquet

    pyarrow.parquet.write_table(table, path)
    return path


def _spread(n_rows: int) -> list[int]:
    if n_rows <= SAMPLE_ROWS:
        return list(range(n_rows))
    return [position * n_rows // SAMPLE_ROWS for position in range(SAMPLE_ROWS)]


def _frame_file(frame: Any, path: Path) -> Path:
    try:
        frame.set_axis([str(name) for name in frame.columns], axis=1).to_parquet(path, index=False)
    except (ValueError, TypeError) as error:
        raise InvalidInput(f"the frame cannot be written as a table: {error}") from error
    return path


def _array_file(array: Any, rows: list[int], path: Path) -> Path:
    import numpy as np

    chosen = np.asarray(array)[rows]
    if chosen.dtype.kind not in "biuf":
        raise InvalidInput(
            f"a sample array of {chosen.dtype} was given: expected numbers; give columns of text as a DataFrame"
        )
    np.save(path, chosen, allow_pickle=False)
    return path


class Counted(io.FileIO):
    """A file that tells how much of it was read, for a progress bar."""

    def __init__(self, path: Path, report: Report) -> None:
        super().__init__(path, "rb")
        self._report = report

    def read(self, size: int | None = -1) -> bytes:
        """Return at most `size` bytes."""
        chunk = super().read(-1 if size is None else size) or b""
        self._report(len(chunk))
        return chunk
