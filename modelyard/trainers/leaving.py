"""The files that a fit leaves."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from modelyard.trainers.size import PROTOCOL
from modelyard.trainers.trainer import PIPELINE, REPORT, SAMPLE, SAMPLE_ROWS


def leave_pipeline(estimator: Any, out: Path) -> str:
    """Write a fitted estimator, and return the file's name."""
    (out / PIPELINE).write_bytes(pickle.dumps(estimator, protocol=PROTOCOL))
    return PIPELINE


def leave_sample(table: Any, places: np.ndarray, out: Path) -> str:
    """Write at most `SAMPLE_ROWS` of the rows `places` of an Arrow table, evenly spread, and return the file's name."""
    from pyarrow import parquet

    if len(places) > SAMPLE_ROWS:
        places = places[np.linspace(0, len(places) - 1, SAMPLE_ROWS).astype(np.int64)]
    parquet.write_table(table.take(places), out / SAMPLE, compression="zstd", store_schema=False)
    return SAMPLE


def leave_report(report: dict[str, Any], out: Path) -> None:
    """Write the report as JSON."""
    text = json.dumps(report, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    (out / REPORT).write_text(text, encoding="utf-8")
