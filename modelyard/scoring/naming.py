"""What the columns of a scored table are called, as the signature alone tells it."""

from dataclasses import dataclass

from modelyard.core.errors import InvalidInput
from modelyard.core.signature import Output, Signature, label

PARQUET, CSV = "parquet", "csv"
FORMATS = (PARQUET, CSV)
PREDICTION, PROBABILITY = "prediction", "probability"
MOST_CLASSES = 2_000


@dataclass(frozen=True, slots=True)
class Written:
    """An output that is written: as one column, or as one for each place of its last axis."""

    output: Output
    names: tuple[str, ...]


def written_outputs(signature: Signature) -> list[Written]:
    """Return what is written of an answer: the prediction, and the probabilities where there are some.

    Raises:
        InvalidInput: when the prediction is no column, nor a bounded number of them.
    """
    prediction = signature.prediction
    names = _names(prediction, PREDICTION)
    if names is None:
        raise InvalidInput(
            f"the prediction `{prediction.name}` has the shape {list(prediction.shape)}: expected one value a row, or "
            f"at most {MOST_CLASSES} of them"
        )
    found = [Written(prediction, names)]
    probabilities = signature.probabilities
    if probabilities is None or probabilities is prediction or len(probabilities.shape) != 1:
        return found
    classes = probabilities.classes or prediction.classes
    if classes and (len(classes) == probabilities.shape[0] or probabilities.shape[0] < 0):
        found.append(Written(probabilities, tuple(f"{PROBABILITY}_{label(one)}" for one in classes)))
    elif (numbered := _names(probabilities, PROBABILITY)) is not None:
        found.append(Written(probabilities, numbered))
    return found


def column_names(signature: Signature) -> list[str]:
    """Return the names of the columns that scoring adds."""
    return [name for written in written_outputs(signature) for name in written.names]


def _names(output: Output, word: str) -> tuple[str, ...] | None:
    if output.shape == ():
        return (word,)
    if len(output.shape) > 1 or not 1 <= output.shape[0] <= MOST_CLASSES:
        return None
    return tuple(f"{word}_{place}" for place in range(output.shape[0]))
