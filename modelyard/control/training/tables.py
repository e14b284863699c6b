"""The table of a dataset, as a file at hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modelyard.control.registry.models import Dataset
from modelyard.control.registry.storage import store
from modelyard.core.errors import ModelRefused


@contextmanager
def table_of(dataset: Dataset) -> Iterator[Path]:
    """Give the Parquet file of a dataset, for as long as the block lasts.

    Raises:
        ModelRefused: it has none.
    """
    if dataset.artifact is None:
        raise ModelRefused(f"the table of {dataset} is not there")
    with store().local(str(dataset.tenant_id), dataset.artifact.digest) as path:
        yield path
