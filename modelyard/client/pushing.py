"""The requests beneath a push, and how far they are."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import msgspec

from modelyard.client import manifest as manifests
from modelyard.client.rows import plain
from modelyard.client.transport import API, Transport
from modelyard.client.uploads import Counted
from modelyard.core.errors import ModelyardError
from modelyard.core.manifest import Manifest

Progress = Callable[[str, float, str], None]
"""Told a stage (`upload`, `check`, `download`), the part of it that is done (0 to 1), and a message."""


def silent(stage: str, part: float, message: str) -> None:
    """Tell nobody."""


def about(
    models: Sequence[Any],
    *,
    metrics: Mapping[str, float] | None,
    manifest: Manifest | Mapping[str, Any] | None,
    signature: Mapping[str, Any] | None,
    **texts: str | int | None,
) -> dict[str, str]:
    """Return the form fields that go with the files: what was said of them, and what this process knows."""
    return form(
        metrics=dict(metrics) if metrics else None,
        manifest=manifests.facts(models, manifest),
        signature=dict(signature) if signature else None,
        **texts,
    )


def form(**fields: Any) -> dict[str, str]:
    """Return form fields: text as it is, all else as JSON; what is None or empty is left out.

    Raises:
        InvalidInput: for what JSON has no word for; numpy's numbers have one.
    """
    given = {name: value for name, value in fields.items() if value is not None and value != ""}
    return {
        name: value if isinstance(value, str) else msgspec.json.encode(plain(value)).decode()
        for name, value in given.items()
    }


def send(
    control: Transport, path: str, files: list[tuple[str, Path]], data: dict[str, str], progress: Progress
) -> httpx2.Response:
    """Upload `files` (field and file, in this order) with `data` as one form, as a stream, and return the answer."""
    total, done = sum(file.stat().st_size for _, file in files) or 1, 0

    def report(count: int) -> None:
        nonlocal done
        done += count
        progress("upload", min(done / total, 1.0), f"{done:,} of {total:,} bytes")

    with ExitStack() as opened:
        parts = [(field, (file.name, opened.enter_context(Counted(file, report)))) for field, file in files]
        return control.send("POST", path, files=parts, data=data)


def job_progress(control: Transport, job: str | None) -> tuple[float, str]:
    """Return how far a version's examination is, and what it says; the version's own state decides when it ends."""
    if not job:
        return 0.0, "waiting"
    try:
        row = control.get(f"{API}/jobs/{job}/")
        return float(row.get("progress") or 0), str(row.get("message") or row.get("state") or "")
    except (ModelyardError, ValueError, AttributeError):
        return 0.0, "checking"
