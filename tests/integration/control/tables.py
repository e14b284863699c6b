"""Datasets for the tests of the control plane, made as the job makes them, but in this process.

Imports of Django's models are within the functions: pytest may read this file before Django is set up.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelyard.control.registry.models import Dataset
    from modelyard.control.tenancy.services import Actor

FLIGHTS = b"carrier,delay,when\nUA,2,2013-01-01\nAA,,2013-01-02\nUA,33,2013-01-03\n"


def register(actor: Actor, content: bytes = FLIGHTS, filename: str = "flights.csv", **said: Any) -> Dataset:
    """A dataset that is `checking`."""
    from modelyard.control.registry import datasets, uploads

    upload = uploads.keep_upload(actor=actor, filename=filename, chunks=[content])
    return datasets.register_dataset(actor=actor, upload=upload, **{"name": "flights", **said})[0]


def ready(actor: Actor, content: bytes = FLIGHTS, **said: Any) -> Dataset:
    """A dataset made `ready`, read in this process and not in the sandbox."""
    import msgspec

    from modelyard.control.jobs.services import claim
    from modelyard.control.registry import dataset_examination, uploads
    from modelyard.control.registry.storage import store
    from modelyard.tables.examining import TABLE, examine
    from modelyard.tables.facts import Examined

    dataset = register(actor, content, **said)
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / "given"
        given.write_bytes(content)
        found = msgspec.convert(examine(str(given), "csv", dataset.given, folder), Examined)
        stored = store().put(str(actor.tenant.pk), [(Path(folder) / TABLE).read_bytes()], 1 << 20)
    uploads.keep_stored(actor, stored)
    job = claim(dataset.job_id, "test")
    assert job is not None
    dataset_examination._make_ready(job, dataset, found, stored)
    dataset.refresh_from_db()
    return dataset
