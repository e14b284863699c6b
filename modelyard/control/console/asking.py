"""Code to be copied that asks a model or a version for predictions."""

import math
from typing import Any

from modelyard.control.console import reads
from modelyard.control.registry.models import Model, Version
from modelyard.control.rest.public import predict_url
from modelyard.core.snippets import Snippet, snippets


def sample_of(version: Version) -> list[dict[str, Any]]:
    """Return the version's sample rows as JSON can carry them: no NaN."""
    return [{name: _clean(value) for name, value in row.items()} for row in version.sample or []]


def asking_for_version(version: Version) -> tuple[Snippet, ...]:
    """Return code that asks this version by its number, whatever is promoted."""
    return _snippets(str(version), version)


def asking_for_model(model: Model, arms: list[reads.Served]) -> tuple[Snippet, ...]:
    """Return code that asks the model by its name, with a row as the version that answers most takes it.

    There is none while nothing answers.
    """
    answering = [arm.number for arm in arms if arm.weight is not None]
    if not answering:
        return ()
    return _snippets(model.name, model.versions.only("model", "signature", "sample").get(number=answering[0]))


def _snippets(reference: str, version: Version) -> tuple[Snippet, ...]:
    signature = reads.signature_of(version)
    if signature is None:
        return ()
    url = predict_url()
    return snippets(url=url, reference=reference, signature=signature, sample=sample_of(version)[:1])


def _clean(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
