"""What a training leaves, on real tables: files, metrics, warnings, columns, baseline, report."""

import json
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss, roc_auc_score

from modelyard.core.signature import DataType
from modelyard.trainers.tabular.estimators import Task
from modelyard.trainers.tabular.features import Feature, Kind
from modelyard.trainers.tabular.leakage import imbalance, leaks
from tests.integration.trainers.conftest import Train, real

QUICK = {"estimator": "DecisionTreeClassifier"}


def test_the_files_are_a_pipeline_a_sample_and_the_report(train: Train) -> None:
    trained = train("iris", target="target")
    assert sorted(path.name for path in trained.out.iterdir()) == ["pipeline.pkl", "report.json", "sample.parquet"]
    assert [name for name, _ in trained.model.steps] == ["prepare", "estimator"]
    assert json.loads((trained.out / "report.json").read_text()) == trained.fitted.report
    assert list(trained.sample) == list(real("iris"))[:4]
    assert len(trained.sample) == 30


def test_metrics_are_scikit_learns_own_on_the_rows_held_out(train: Train) -> None:
    trained = train("breast cancer", target="target", estimator="LogisticRegression", refit="training")
    frame = real("breast cancer")
    held = trained.sample
    truth = frame.merge(held, on=list(held), how="inner")["target"].to_numpy()
    held = frame.merge(held, on=list(held), how="inner")[list(held)]
    model, metrics = trained.model, trained.fitted.metrics
    assert len(truth) == 114
    assert metrics["accuracy"] == accuracy_score(truth, model.predict(held))
    assert metrics["log_loss"] == pytest.approx(log_loss(truth, model.predict_proba(held)))
    assert metrics["roc_auc"] == pytest.approx(roc_auc_score(truth, model.predict_proba(held)[:, 1]))
    assert trained.fitted.report["confusion"] == {
        "classes": [0, 1],
        "counts": confusion_matrix(truth, model.predict(held)).tolist(),
    }


def test_the_hold_out_has_each_class_in_its_share(train: Train) -> None:
    report = train("iris", target="target", holdout=0.4).fitted.report
    assert report["rows"] == {"dataset": 150, "used": 150, "drawn": False, "trained": 90, "held_out": 60}
    assert [sum(row) for row in report["confusion"]["counts"]] == [20, 20, 20]


def test_the_last_fit_is_on_all_rows_or_on_those_not_held_out(train: Train) -> None:
    everything = train("iris", target="target", estimator="KNeighborsClassifier")
    training = train("iris", target="target", estimator="KNeighborsClassifier", refit="training")
    assert everything.model["estimator"].n_samples_fit_ == 150
    assert training.model["estimator"].n_samples_fit_ == 120
    assert everything.fitted.metrics == training.fitted.metrics
    assert "all rows" in everything.fitted.report["refit"]


def test_texts_and_missing_values_are_prepared_in_the_pipeline(train: Train) -> None:
    trained = train("penguins", target="species", estimator="LogisticRegression")
    columns = {column.name: column for column in trained.fitted.columns}
    assert columns["sex"].type is DataType.STRING
    assert columns["sex"].optional
    assert columns["island"].categories == ("Biscoe", "Dream", "Torgersen")
    assert not columns["island"].optional
    assert (columns["bill_length_mm"].minimum, columns["bill_length_mm"].maximum) == (32.1, 59.6)
    row = {name: [None] for name in columns} | {"island": ["Nowhere"], "year": [2030]}
    frame = pd.DataFrame({name: pd.Series(value, dtype=object) for name, value in row.items()})
    assert trained.model.predict(frame.astype({name: float for name in columns if name.endswith(("_mm", "_g"))})) in (
        ["Adelie"], ["Chinstrap"], ["Gentoo"],
    )  # fmt: skip


@pytest.mark.parametrize("scale", ["standard", "minmax", "robust", "none"])
@pytest.mark.parametrize(
    ("numbers", "texts"),
    [("median", "constant"), ("mean", "most_frequent"), ("most_frequent", "constant"), ("constant", "constant")],
)
def test_each_way_to_prepare_gives_a_model(train: Train, tickets: Any, scale: str, numbers: str, texts: str) -> None:
    given = {"impute_numbers": numbers, "impute_texts": texts, "scale": scale, "estimator": "DecisionTreeClassifier"}
    trained = train(tickets, target="late", **given)
    assert [column.name for column in trained.fitted.columns] == ["price", "rides", "kind", "paid", "member"]
    assert set(trained.model.predict(trained.sample)) == {"yes", "no"}


def test_a_truth_value_that_was_not_learnt_from_is_answered(train: Train, tickets: Any) -> None:
    tickets["paid"] = tickets["paid"].where(tickets["paid"] == True, None)  # noqa: E712
    trained = train(tickets, target="late", **QUICK)
    assert [column.type for column in trained.fitted.columns if column.name == "paid"] == [DataType.BOOL]
    assert len(trained.model.predict(trained.sample.assign(paid=False))) == len(trained.sample)


def test_missing_numbers_reach_an_estimator_that_takes_them(train: Train, tickets: Any) -> None:
    trained = train(tickets, target="late", estimator="HistGradientBoostingClassifier", impute_numbers="none")
    assert trained.fitted.metrics["accuracy"] > 0.6


def test_rare_texts_become_one_category(train: Train, tickets: Any) -> None:
    tickets["stop"] = [f"stop {number % 90}" for number in range(len(tickets))]
    trained = train(tickets, target="late", max_categories=10, features=["stop", "price"])
    assert len(trained.model["prepare"].get_feature_names_out()) == 11


def test_whole_numbers_of_few_values_are_classes_and_the_report_says_so(train: Train) -> None:
    inferred = train("wine", target="target").fitted.report
    assert (inferred["task"], inferred["task_inferred"]) == ("classification", True)
    told = train("wine", target="target", task="regression").fitted.report
    assert (told["task"], told["task_inferred"]) == ("regression", False)
    assert train("diabetes", target="target").fitted.report["task"] == "regression"


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_folds_are_measured_beside_the_hold_out(train: Train, task: str) -> None:
    folds = train("wine", target="target", task=task, folds=4).fitted.report["folds"]
    first = "accuracy" if task == "classification" else "r2"
    assert 0.5 < folds[first]["mean"] <= 1
    assert folds[first]["std"] > 0


def test_a_percentage_error_is_left_out_where_the_truth_has_zeros(train: Train) -> None:
    assert "mape" not in train("wine", target="target", task="regression").fitted.metrics


def test_the_baseline_of_monitoring_is_of_the_rows_learnt_from(train: Train) -> None:
    trained = train("penguins", target="species")
    features = {summary.name: summary for summary in trained.fitted.baseline.features}
    bills = features["bill_length_mm"]
    assert bills.count + bills.missing == 275
    assert bills.quantiles is not None
    assert bills.histogram is not None
    assert 40 < (bills.quantiles["0.5"] or 0) < 48
    assert sum(bills.histogram.counts) == bills.count
    assert features["island"].distinct == 3
    target, predictions = trained.fitted.baseline.target, trained.fitted.baseline.predictions
    assert target is not None
    assert target.count == 275
    assert predictions is not None
    assert predictions.top is not None
    assert sum(one.count for one in predictions.top) == 69


def test_more_rows_than_allowed_are_drawn_by_the_seed(train: Train) -> None:
    first, again = (train("breast cancer", target="target", max_rows=200, seed=3, **QUICK) for _ in range(2))
    other = train("breast cancer", target="target", max_rows=200, seed=4, **QUICK)
    assert first.fitted.report["rows"] == {
        "dataset": 569, "used": 200, "drawn": True, "trained": 160, "held_out": 40,
    }  # fmt: skip
    assert first.sample.equals(again.sample)
    assert not first.sample.equals(other.sample)


def test_progress_only_grows_and_ends_with_the_metrics(train: Train) -> None:
    trained = train("iris", target="target", folds=3, estimator="SVC", search={"space": {"C": [1, 10]}})
    fractions = [fraction for fraction, _, _ in trained.said]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert trained.said[-1][2] == trained.fitted.metrics


def test_what_does_not_converge_is_said(train: Train) -> None:
    trained = train("breast cancer", target="target", estimator="LogisticRegression", parameters={"max_iter": 2})
    assert "not_converged" in trained.codes


def test_texts_that_no_database_keeps_are_told_by_none(train: Train, tickets: Any) -> None:
    tickets["odd"] = ["a\0", "b"] * (len(tickets) // 2)
    trained = train(tickets, target="late", **QUICK)
    assert "\\u0000" not in msgspec.json.encode(trained.fitted).decode()
    assert "odd" in [column.name for column in trained.fitted.columns]


def test_numbers_near_the_end_of_their_range_are_measured_as_far_as_that_goes(train: Train) -> None:
    frame = real("diabetes")
    frame["target"] *= 1e200
    trained = train(frame, target="target", estimator="LinearRegression")
    assert 0 < trained.fitted.metrics["mape"] < 1
    assert "rmse" not in trained.fitted.metrics


def test_columns_of_no_use_are_dropped_and_named(train: Train, tickets: Any) -> None:
    tickets["when"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(len(tickets)), unit="h")
    tickets["same"] = 1
    tickets["empty"] = np.nan
    tickets["id"] = [f"t{number:04}" for number in range(len(tickets))]
    tickets["number"] = np.arange(len(tickets))
    trained = train(tickets, target="late", **QUICK)
    said = {warning.column: warning.code for warning in trained.fitted.warnings if warning.column}
    assert said == {
        "when": "time_column", "same": "constant", "empty": "all_missing", "id": "id_like", "number": "id_like",
    }  # fmt: skip
    assert "number" in [column.name for column in trained.fitted.columns]
    assert "id" not in [column.name for column in trained.fitted.columns]


def test_excluded_columns_are_not_learnt_from(train: Train) -> None:
    columns = train("iris", target="target", exclude=["petal width (cm)"]).fitted.columns
    assert "petal width (cm)" not in [column.name for column in columns]
    assert len(columns) == 3


def test_rows_without_a_target_are_left_out_and_counted(train: Train) -> None:
    trained = train("penguins", target="sex", exclude=["species"])
    assert trained.fitted.report["rows"]["used"] == 333
    assert trained.codes["target_missing"] == "sex"


def test_rows_are_counted_with_separators(train: Train) -> None:
    frame = pd.concat([real("iris")] * 10, ignore_index=True)
    told = [words for _, words, _ in train(frame, target="target", holdout=0.2, **QUICK).said]
    assert told[1:3] == ["1,500 rows, 4 features", "fitting on 1,200 rows"]
    told = [words for _, words, _ in train(frame, target="target", holdout=0.8, **QUICK).said]
    assert "measured on 1,200 rows held out" in told


def test_a_rare_class_is_named(train: Train) -> None:
    frame = real("iris").query("target < 2").iloc[: 50 + 2]
    assert "class_imbalance" in train(frame, target="target", holdout=0.5).codes


def test_many_classes_of_one_size_are_in_balance() -> None:
    truth = np.repeat(np.arange(25), 40)
    assert imbalance(truth) == []
    (said,) = imbalance(np.append(truth[truth != 7], [7] * 10))
    assert said.message.startswith("class `7` has 10 of 970 rows (1.0%)")
    (said,) = imbalance(np.append(np.repeat(np.arange(2), 1_200), [2] * 10))
    assert said.message.startswith("class `2` has 10 of 2,410 rows (0.4%)")


def test_a_feature_that_tells_the_target_is_named(train: Train) -> None:
    frame = real("wine")
    frame["bottle"] = frame["target"].map({0: "red", 1: "white", 2: "rose"})
    frame["copy"] = frame["target"]
    trained = train(frame, target="target", **QUICK)
    assert (trained.codes["leakage"], trained.codes["equals_target"]) == ("bottle", "copy")
    clean = train("wine", target="target", **QUICK).codes
    assert not {"leakage", "equals_target"} & set(clean)


def test_a_feature_that_tells_a_number_is_named(train: Train) -> None:
    frame = real("diabetes")
    frame["twice"] = frame["target"] * 2 + 1
    assert train(frame, target="target", estimator="Ridge").codes["leakage"] == "twice"
    assert "leakage" not in train("diabetes", target="target", estimator="Ridge").codes


def test_rows_sorted_by_the_target_accuse_no_feature() -> None:
    """The first of them, of which a feature alone is judged, would all be of one class."""
    frame = pd.DataFrame({"noise": np.random.default_rng(1).normal(size=50_000)})
    truth, places = np.repeat([0, 1], [40_000, 10_000]), np.arange(50_000)
    features = [Feature("noise", Kind.NUMBER, missing=False)]
    assert leaks(frame, features, truth, places[::2], places[1::2], Task.CLASSIFICATION) == []


def test_rows_on_both_sides_are_counted(train: Train) -> None:
    frame = pd.concat([real("wine")] * 2, ignore_index=True)
    said = [warning.message for warning in train(frame, target="target", **QUICK).fitted.warnings]
    assert any(words.endswith("are among those learnt from, value by value") for words in said)
    assert train("wine", target="target", **QUICK).codes == {}
