"""How a choice and a comparison are printed."""

from typing import Any

import pytest

from modelyard.cli.choosing import SHOWN_ROWS, _cut, _once, _show_comparison, _text, _undo
from modelyard.client.choosing import Comparison, side, wish
from modelyard.core.errors import InvalidInput
from modelyard.core.reference import parse_reference


def compared(**more: Any) -> Comparison:
    known: dict[str, Any] = {
        "model": "iris", "left": {"reference": "iris:1"}, "right": {"reference": "iris:2"}, "same": False,
        "differences": {}, "steps": {"rows": [], "known": True, "reordered": False},
        "signature": {"columns": [], "outputs": [], "reordered": False},
        "features": {"added": [], "dropped": [], "same": 0},
    }  # fmt: skip
    return Comparison(**{**known, **more})


def row(name: str, left: Any, right: Any, change: str = "changed", **more: Any) -> dict[str, Any]:
    return {"name": name, "change": change, "left": left, "right": right, **more}


def test_a_long_part_is_cut_and_a_short_one_whole() -> None:
    rows = [("signature", f"c{number}", "", "", "") for number in range(SHOWN_ROWS + 5)]
    told = _cut([*rows, ("data", "digest", "a", "b", "changed")])
    assert len(told) == SHOWN_ROWS + 2
    assert told[SHOWN_ROWS][:2] == ("signature", "and 5 more")
    assert [line[0] for line in _once(told)].count("signature") == 1


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (None, None),
        ({"verb": "alias", "method": "DELETE", "path": "/ml/api/v1/models/iris/aliases/best/", "body": None},
         "modelyard aliases remove iris best"),
        ({"verb": "alias", "method": "PUT", "path": "/api/v1/models/iris/aliases/best/", "body": {"version": 2}},
         "modelyard aliases set iris best 2"),
        ({"verb": "deactivate", "method": "POST", "path": "/api/v1/models/iris/deactivate"},
         "modelyard deactivate iris"),
        ({"verb": "rollback", "method": "POST", "path": "/api/v1/models/iris/rollback", "body": {}},
         "modelyard rollback iris"),
    ],
)  # fmt: skip
def test_the_undo_of_a_choice_is_a_command(call: dict[str, Any] | None, expected: str | None) -> None:
    assert _undo("iris", "best", call) == expected


def test_what_differs_is_printed_and_the_same_only_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    weighed = {"difference": -0.001, "direction": "minimize", "better": "right"}
    found = compared(
        measured=[row("p95_seconds", 0.005, 0.004, **weighed)],
        packages=[row("numpy", "2.0", "2.1"), row("scipy", "1.0", "1.0", "same")],
        features={"added": ["a"] * 12, "dropped": [], "same": 3},
    )
    _show_comparison(found, everything=False)
    shown = capsys.readouterr().out
    for said in ("5 ms", "4 ms", "-1 ms, right is better", "numpy", "and 2 more", "12 added"):
        assert said in shown
    assert "scipy" not in shown
    _show_comparison(found, everything=True)
    assert "scipy" in capsys.readouterr().out


def test_values_are_short_texts() -> None:
    assert [_text(value) for value in (None, "a", 1.5, [1, "b"], True)] == ["", "a", "1.5", '[1, "b"]', "true"]
    assert len(_text("x" * 500)) == 100


def test_sides_are_asked_for_by_number_alias_or_what_serves() -> None:
    assert side("iris", 3) == "3"
    assert side("iris", "candidate") == "candidate"
    assert [side("iris", parse_reference(text)) for text in ("iris:3", "iris@best", "iris")] == [
        "3",
        "best",
        "champion",
    ]
    with pytest.raises(InvalidInput, match="of another model"):
        side("iris", parse_reference("churn:1"))
    with pytest.raises(InvalidInput):
        side("iris", "No Name")


def test_only_what_was_said_is_sent() -> None:
    body = wish(metric="f1", direction="", constraints=[], alias="", activate=False, pool_from=None, reason="")
    assert body == {"metric": "f1"}
