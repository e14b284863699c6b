"""What `modelyard reproduce` shows of a report, and how it ends."""

from typing import Any

import pytest
import typer

from modelyard.cli import reproducing
from modelyard.core.errors import Unavailable

EQUAL: dict[str, Any] = {"equal": True, "differences": []}
REPORT: dict[str, Any] = {
    "parameters": EQUAL,
    "data": EQUAL,
    "metrics": {"equal": False, "differences": [{"name": "accuracy", "then": 0.9, "now": None}]},
    "predictions": {"equal": False, "rows": 30, "outputs": [{"name": "p", "differing": 2, "largest": 0.25}]},
    "artifacts": {"equal": False, "differences": [{"name": "pipeline.pkl", "then": "a" * 64, "now": "b" * 64}]},
    "environment": {"equal": False, "differences": [{"name": "scikit-learn", "then": "1.0", "now": "1.9"}]},
}


def test_each_difference_is_told() -> None:
    rows = {title: (equal, said) for title, equal, said in reproducing._rows(REPORT)}
    assert rows["parameters"] == ("yes", "")
    assert rows["metrics"] == ("no", "accuracy: 0.9 -> none")
    assert rows["predictions"] == ("no", "30 rows of the kept sample\np: 2 rows differ, by 0.25 at most")
    assert rows["artifact bytes"][1].startswith("pipeline.pkl: aaaa")
    assert rows["environment"] == ("no", "scikit-learn: 1.0 -> 1.9")


@pytest.mark.parametrize(("equal", "code"), [(True, 0), (False, 1), (Unavailable("no server"), 2)])
def test_the_exit_code_tells_what_came_of_it(equal: Any, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def compared(*_: Any) -> bool:
        if isinstance(equal, Exception):
            raise equal
        return bool(equal)

    monkeypatch.setattr(reproducing, "_compared", compared)
    with pytest.raises(typer.Exit) as ended:
        reproducing.reproduce("iris:1")
    assert ended.value.exit_code == code
