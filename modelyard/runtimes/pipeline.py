"""One predictor from what a user's files hold: several are joined into one pipeline, in the order given."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from modelyard.core.errors import ModelRefused

_FITTED_WIDTH = "n_features_in_"


def join(parts: Sequence[tuple[str, Any]]) -> Any:
    """Return the estimator that `parts`, (filename, fitted object) each, make together.

    Raises:
        ModelRefused: something is no fitted estimator, the last does not predict, one before it does not transform,
            or one gives another number of features than the next takes.
    """
    for filename, part in parts:
        _check_estimator(filename, part)
    filename, last = parts[-1]
    if not hasattr(last, "predict"):
        raise ModelRefused(_no_predictor(filename, last, parts))
    for filename, part in parts[:-1]:
        if not hasattr(part, "transform"):
            raise ModelRefused(
                f"`{filename}` holds a {_kind(part)}, which transforms nothing, but is followed by `{parts[-1][0]}`: "
                "expected the files in the order in which a row passes through them, the predictor last"
            )
    for (before, first), (after, second) in pairwise(parts):
        _check_widths(before, first, after, second)
    if len(parts) == 1:
        return last
    from sklearn.pipeline import Pipeline

    return Pipeline([(f"step{number}", part) for number, (_, part) in enumerate(parts, 1)])


def _kind(part: Any) -> str:
    return type(part).__name__


def _check_estimator(filename: str, part: Any) -> None:
    if isinstance(part, type):
        raise ModelRefused(
            f"`{filename}` holds the class {part.__name__}: expected a fitted estimator, an object of it"
        )
    if not (hasattr(part, "fit") and (hasattr(part, "predict") or hasattr(part, "transform"))):
        hint = "; save the estimator itself, not the container" if isinstance(part, dict | list | tuple) else ""
        raise ModelRefused(f"`{filename}` holds a {_kind(part)}: expected a fitted scikit-learn estimator{hint}")
    from sklearn.exceptions import NotFittedError  # seconds of imports, which most refusals above need not wait for
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(part)
    except NotFittedError:
        raise ModelRefused(f"`{filename}` holds a {_kind(part)} that is not fitted: call `fit`, then save it") from None
    except (TypeError, AttributeError):
        pass  # an estimator of another library, which scikit-learn cannot judge


def _no_predictor(filename: str, last: Any, parts: Sequence[tuple[str, Any]]) -> str:
    earlier = [name for name, part in parts[:-1] if hasattr(part, "predict")]
    if earlier:
        return (
            f"the last file, `{filename}`, holds a {_kind(last)}, which predicts nothing, "
            f"but `{earlier[0]}` before it does: "
            "expected the files in the order in which a row passes through them, the predictor last"
        )
    return (
        f"`{filename}` holds a {_kind(last)}, which transforms but predicts nothing: "
        "add the file of the predictor that follows it"
    )


def _check_widths(before: str, first: Any, after: str, second: Any) -> None:
    taken = getattr(second, _FITTED_WIDTH, None)
    given = _width_out(first)
    if taken is not None and given is not None and taken != given:
        raise ModelRefused(
            f"`{before}` gives {given} features, but `{after}` takes {taken}: expected files that were fitted together",
            gives=given,
            takes=int(taken),
        )


def _width_out(part: Any) -> int | None:
    try:
        return len(part.get_feature_names_out())
    except Exception:
        return None
