"""What `modelyard training` shows, and what a training ends with."""

import json

import pytest

from modelyard.cli import trained
from modelyard.cli.output import Done
from modelyard.client.records import MeasuredMetric, Remark, Trained

ROWS = {"dataset": 500, "used": 344, "drawn": True, "trained": 275, "held_out": 69}
TOLD = Trained(
    version="late:1",
    trainer="tabular",
    estimator="SVC",
    task="classification",
    target="late",
    rows=ROWS,
    warnings=[Remark(code="leak", message="alone tells the target", column="arr_delay")],
    metrics=[
        MeasuredMetric(name="accuracy", value=0.8, baseline=0.7),
        MeasuredMetric(name="log_loss", value=0.95, baseline=0.9, no_better=True),
    ],
)


def test_warnings_rows_and_what_is_no_better_are_told() -> None:
    lines = list(trained._lines(TOLD))
    assert lines[0] == "late:1: SVC, a classification of late (trainer tabular)"
    assert "  rows     275 learnt from, 69 held out; 344 of 500 used, drawn by the seed" in lines
    assert "  warning  arr_delay: alone tells the target" in lines
    assert lines[-1] == "  warning  no better than always saying the commonest class: log_loss"
    assert list(trained._lines(Trained(version="late:2", trainer="own"))) == [
        "late:2: what its trainer told (trainer own)"
    ]


def test_what_was_not_measured_by_folds_has_no_column_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    trained._show_metrics(TOLD.metrics)
    assert "k-fold" not in capsys.readouterr().out
    folded = MeasuredMetric(name="f1", value=0.8, folds={"mean": 0.75, "std": 0.01})
    trained._show_metrics([*TOLD.metrics, folded])
    shown = capsys.readouterr().out
    assert "by k-fold" in shown
    assert "0.75 ± 0.01" in shown


def test_candidates_that_failed_say_why(capsys: pytest.CaptureFixture[str]) -> None:
    found = [{"parameters": {"C": number}, "metric": "f1", "value": 0.5, "failure": None} for number in range(11)]
    trained._show_search([*found[:9], {"parameters": {"C": 9}, "metric": "f1", "value": None, "failure": "too small"}])
    assert "failed: too small" in capsys.readouterr().out
    trained._show_search(found)
    assert "the best 10 of 11" in capsys.readouterr().out


def test_what_is_done_ends_with_its_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    done = Done("late:1 is ready", result=1, warnings=["arr_delay: alone tells the target"])
    done.show(False)
    assert capsys.readouterr().out.endswith("\n  warning  arr_delay: alone tells the target\n")
    done.show(True)
    assert json.loads(capsys.readouterr().out)["warnings"] == ["arr_delay: alone tells the target"]
