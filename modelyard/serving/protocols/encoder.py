"""From a model's answer to the body of `/predict`, made from a signature."""

from collections.abc import Sequence
from typing import Any

import msgspec

from modelyard.core.signature import Signature, label
from modelyard.core.tensors import Answer
from modelyard.serving.protocols.decoder import Options

_encoder = msgspec.json.Encoder()


class Encoder:
    """Writes answers of one version. Numbers that JSON does not have (NaN, infinity) become null."""

    def __init__(self, model: str, number: int, signature: Signature) -> None:
        self._model = model
        self._number = number
        self._prediction = signature.prediction.name
        probabilities = signature.probabilities
        self._probabilities = probabilities.name if probabilities is not None else None
        classes = (probabilities.classes or signature.prediction.classes) if probabilities is not None else None
        self._classes = [label(one) for one in classes or ()]

    def encode(
        self,
        outputs: dict[str, list[Any]],
        prediction_ids: Sequence[str],
        options: Options,
        versions: Sequence[int] | None = None,
    ) -> bytes:
        """Return the body for one answer. Of `versions`, one for each row, several answered: `version` is null then."""
        body: dict[str, Any] = {"model": self._model, "version": self._number}
        if versions is not None:
            body = {"model": self._model, "version": None, "versions": versions}
        body["predictions"] = outputs[self._prediction]
        if self._probabilities is not None and options.probabilities:
            body["probabilities"] = self._named(outputs[self._probabilities])
        if options.outputs:
            body["outputs"] = {name: outputs[name] for name in options.outputs}
        body["prediction_ids"] = prediction_ids
        return _encoder.encode(body)

    def _named(self, rows: list[Any]) -> Sequence[Any]:
        classes = self._classes
        if not classes or not rows or not isinstance(rows[0], list) or len(rows[0]) != len(classes):
            return rows
        return [dict(zip(classes, row, strict=True)) for row in rows]


def outputs_of(answer: Answer) -> dict[str, list[Any]]:
    """Return the arrays as lists of what JSON and MessagePack can carry."""
    return {name: array.tolist() for name, array in answer.items()}
