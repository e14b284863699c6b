"""What the sandbox calls: a trainer, or a part of a search, by name and with JSON values.

Progress is written as lines of JSON to a file in the folder that the child may write: it has no other way out while
it works.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from modelyard.trainers.parameters import read
from modelyard.trainers.size import MOST_BYTES
from modelyard.trainers.table import find, trainers
from modelyard.trainers.tabular.parameters import TabularParameters

PROGRESS = "progress.jsonl"
"""In the folder that the child may write: an object a line with `fraction`, `message`, `metrics`."""
SCORES = "scores.jsonl"
"""In the same folder: a `Score` a line."""
PRELOAD = ("numpy", "pyarrow.parquet", "pandas", "threadpoolctl", "sklearn.compose", "sklearn.pipeline")
_MOST_LINES = 10_000


class Progress:
    """A `Report` that writes lines; past 10,000 it says no more."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / PROGRESS
        self._lines = 0

    def __call__(self, fraction: float, message: str, **metrics: float) -> None:
        if self._lines >= _MOST_LINES:
            return
        self._lines += 1
        line = json.dumps({"fraction": fraction, "message": message, "metrics": metrics})
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def train(
    trainer: str,
    dataset: str,
    parameters: dict[str, Any],
    scratch: str,
    paths: Sequence[str] = (),
    functions: Sequence[str] = (),
    most_bytes: int = 0,
) -> dict[str, Any]:
    """Fit, leave the files in the folder `out` of `scratch`, and return what was fitted as JSON values.

    `most_bytes` is what the model may have; 0: no bound.
    """
    MOST_BYTES.set(most_bytes)
    chosen = find(trainers(paths, functions), trainer)
    out = Path(scratch) / "out"
    out.mkdir()
    given = read(chosen.Parameters, parameters)
    fitted = chosen.fit(Path(dataset), given, Progress(Path(scratch)), out)
    found: dict[str, Any] = msgspec.to_builtins(fitted)
    return found


def evaluate(dataset: str, parameters: dict[str, Any], first: int, last: int, scratch: str) -> dict[str, Any]:
    """Measure the candidates `first` to before `last` of a search, and leave each score as a line of `SCORES` as soon
    as it is there: of a child that is killed, what it had measured is not lost."""
    from modelyard.trainers.tabular.searching import candidates
    from modelyard.trainers.tabular.searching import evaluate as measure

    given = read(TabularParameters, parameters)
    count = 0
    with (Path(scratch) / SCORES).open("ab", buffering=0) as file:
        for score in measure(Path(dataset), given, candidates(given)[first:last], Progress(Path(scratch))):
            file.write(msgspec.json.encode(score) + b"\n")
            count += 1
    return {"measured": count}


def settle(dataset: str, parameters: dict[str, Any], scratch: str, most_bytes: int = 0) -> dict[str, Any]:
    """Fit with the best candidate of those whose scores are the lines of `SCORES`; as `train` does."""
    from modelyard.trainers.tabular.fitting import fit
    from modelyard.trainers.tabular.searching import Score

    MOST_BYTES.set(most_bytes)
    folder = Path(scratch)
    out = folder / "out"
    out.mkdir()
    scores = [msgspec.json.decode(line, type=Score) for line in (folder / SCORES).read_bytes().splitlines()]
    fitted = fit(Path(dataset), read(TabularParameters, parameters), Progress(folder), out, scores)
    found: dict[str, Any] = msgspec.to_builtins(fitted)
    return found
