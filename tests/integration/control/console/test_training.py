"""Training from the console: the form that follows what is chosen in it, and what it asks for."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from palmerpenguins import load_penguins

from modelyard.control.jobs.models import Job
from modelyard.control.registry.models import Dataset, Model
from modelyard.control.schedules.models import Schedule
from modelyard.control.tenancy.models import AuditEntry
from modelyard.control.tenancy.services import Actor
from tests.integration.control import tables, versions
from tests.integration.control.console.reading import HOSTILE, HTMX, text_of

TRAIN, FIELDS = "/t/yard/train/", "/t/yard/train/fields/"
WEEKLY = {"name": "weekly", "when": "dataset", "overlap": "", "max_failures": "3"}
COLUMNS = ["island", "bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g", "sex"]


@pytest.fixture
def penguins(admin: Actor) -> Dataset:
    content = load_penguins().to_csv(index=False).encode()
    return tables.ready(admin, content, name="penguins", filename="penguins.csv")


def given(**more: Any) -> dict[str, Any]:
    """What a browser sends, all columns but the year ticked."""
    usual = {"trainer": "tabular", "dataset": "penguins:1", "model": "penguins", "p-target": "species"}
    return {**usual, "columns-of": "penguins:1", "columns": COLUMNS, **more}


def test_without_a_dataset_the_form_says_what_it_needs(editor: Client) -> None:
    shown = text_of(editor.get(TRAIN))
    assert "There is nothing to learn from yet" in shown
    assert "/t/yard/datasets/new/" in shown


def test_the_form_is_made_of_what_the_trainer_states(editor: Client, penguins: Dataset) -> None:
    shown = text_of(editor.get(f"{TRAIN}?dataset=penguins"))
    for said in (
        "species (string: 3 distinct, none missing)",
        "float64: 32.1 to 59.6, 2 missing",
        "Share of the rows that the metrics are measured on. 0.01 to 0.9.",
        'placeholder="0.2"',
        '<optgroup label="Regression">',
        "modelyard train your-model --dataset penguins:1",
    ):
        assert said in shown, said
    assert shown.count('name="columns"') == 8
    assert 'name="p-parameters"' not in shown


def test_a_choice_brings_its_own_fields(editor: Client, penguins: Dataset) -> None:
    chosen = given(**{"p-estimator": "LogisticRegression", "search-method": "random", "p-holdout": "0.3"})
    shown = text_of(editor.post(FIELDS, chosen, headers=HTMX))
    assert "<html" not in shown
    assert "Inverse of the strength of the regularisation. 1e-06 to 1,000,000." in shown
    assert 'name="s-C"' in shown
    assert 'value="0.3"' in shown, "what was typed is kept"
    assert '<optgroup label="Regression">' not in shown, "texts are classes"
    assert shown.count("checked") == len(COLUMNS)
    other = given(**{"p-estimator": "SVC", "estimator-of": "LogisticRegression", "e-C": "9", "e-tol": "0.5"})
    assert 'value="9"' not in text_of(editor.post(FIELDS, other, headers=HTMX)), "that was of another estimator"
    plain = editor.post(FIELDS, chosen)
    assert "<html" in text_of(plain), "without htmx it is the whole page"


def test_the_commands_follow_what_is_typed(editor: Client, penguins: Dataset) -> None:
    chosen = given(model="o'hara", way="curl", **{"p-estimator": "SVC", "estimator-of": "SVC", "e-C": "2"})
    shown = text_of(editor.post(FIELDS, chosen, headers={**HTMX, "HX-Target": "train-lines"}))
    assert "<form" not in shown
    assert "--set target=species" in shown
    assert "estimator=SVC" in shown
    assert "{&quot;C&quot;: 2}" in shown
    assert "--set &#x27;exclude=[&quot;year&quot;]&#x27;" in shown
    assert 'id="train-way-curl" data-choice="2" checked' in shown


@pytest.mark.parametrize("more", [{}, {"model": "iris", "description": "more rows"}])
def test_it_is_asked_for_and_led_to_its_job(editor: Client, penguins: Dataset, model: Model, more: Any) -> None:
    own = {"p-estimator": "LogisticRegression", "estimator-of": "LogisticRegression", "e-C": "0.5", "e-solver": "lbfgs"}
    answer = editor.post(TRAIN, given(**own, **{"p-folds": "4", "p-scale": "robust"}, **more))
    job = Job.objects.get(kind="training")
    assert answer["Location"] == f"/t/yard/jobs/{job.pk}/"
    assert job.payload.pop("makes_model", False) == ("model" not in more)
    assert job.payload == {
        "trainer": "tabular",
        "model": more.get("model", "penguins"),
        "dataset": "penguins:1",
        "description": more.get("description", ""),
        "parameters": {
            "target": "species",
            "estimator": "LogisticRegression",
            "parameters": {"C": 0.5},
            "exclude": ["year"],
            "folds": 4,
            "scale": "robust",
        },
    }
    assert job.created_by == "user:editor"
    assert AuditEntry.objects.filter(verb="model.train").exists()
    assert text_of(editor.get(answer["Location"]))


def test_a_search_is_made_of_values_to_try(editor: Client, penguins: Dataset) -> None:
    own = {"p-estimator": "RandomForestClassifier", "estimator-of": "RandomForestClassifier", "e-n_estimators": "20"}
    tried = {"s-max_depth": "3, null", "s-max_features": "0.1 to 1 log", "s-bootstrap": "true, false"}
    search = {"search-method": "random", "search-count": "5"}
    answer = editor.post(TRAIN, given(**own, **tried, **search))
    assert answer.status_code == 302, text_of(answer)
    asked = Job.objects.get(kind="training").payload["parameters"]
    assert asked["parameters"] == {"n_estimators": 20}
    assert asked["search"] == {
        "method": "random",
        "count": 5,
        "space": {
            "max_depth": [3, None],
            "max_features": {"low": 0.1, "high": 1, "log": True},
            "bootstrap": [True, False],
        },
    }


@pytest.mark.parametrize(
    ("wrong", "field", "said"),
    [
        ({"p-target": ""}, "p-target", "Choose one"),
        ({"p-target": "spezies"}, "p-target", "did you mean `species`?"),
        ({"p-estimator": "LogisticRegresion"}, "p-estimator", "did you mean `LogisticRegression`?"),
        ({"trainer": "tabluar"}, "trainer", "There is no such trainer"),
        ({"p-holdout": "2"}, "p-holdout", "0.9"),
        ({"p-holdout": "a lot"}, "p-holdout", "expected a number"),
        ({"p-estimator": "SVC", "estimator-of": "SVC", "e-C": "-1"}, "e-C", "expected a number, 1e-06 to 1e+06"),
        ({"p-estimator": "SVC", "estimator-of": "SVC", "search-method": "grid"}, "search-method", "Say values to try"),
        (
            {"p-estimator": "SVC", "estimator-of": "SVC", "search-method": "grid", "s-C": "0.1 to 1"},
            "s-C",
            "a grid has no ranges",
        ),
        ({"p-task": "regression"}, "p-target", "is it a classification?"),
        ({"columns": []}, "columns", "no column is left"),
        ({"model": "Penguins!"}, "model", "name a model"),
        ({"model": ""}, "model", "Say which model"),
        ({"dataset": "nothing"}, "dataset", "dataset"),
        ({"dataset": ""}, "dataset", "Choose what it learns from"),
        ({"trainer": "function"}, "p-function", "Choose one"),
    ],
)
def test_what_does_not_fit_is_said_beside_its_field_and_nothing_is_lost(
    editor: Client, penguins: Dataset, wrong: dict[str, Any], field: str, said: str
) -> None:
    answer = editor.post(TRAIN, given(**{"p-seed": "77", "description": HOSTILE, **wrong}))
    shown = text_of(answer)
    assert answer.status_code == 422
    error = shown.partition(f'id="train-{field}_error"')[2].partition("</p>")[0]
    assert said.lower() in error.lower().replace("&#x27;", "'"), error or shown
    assert "Nothing was started" in shown
    assert 'value="77"' in shown
    assert "<script>alert" not in shown
    assert not Job.objects.filter(kind="training").exists()
    assert not Model.objects.exists()


def test_the_function_trainer_says_which_setting_allows_functions(editor: Client, penguins: Dataset) -> None:
    assert "MODELYARD_TRAINING_FUNCTIONS" in text_of(editor.get(f"{TRAIN}?trainer=function&dataset=penguins:1"))


def test_pages_lead_to_the_form(editor: Client, viewer: Client, penguins: Dataset, model: Model) -> None:
    for path, address in (
        ("/t/yard/datasets/penguins:1/", f"{TRAIN}?dataset=penguins%3A1"),
        ("/t/yard/models/iris/", f"{TRAIN}?model=iris"),
    ):
        assert address in text_of(editor.get(path))
        assert TRAIN not in text_of(viewer.get(path))
    model.delete()
    assert TRAIN in text_of(editor.get("/t/yard/"))
    for odd in ("like=iris:99", "like=x", "dataset=%00", "model=" + "x" * 300, "like=iris:1:2"):
        assert editor.get(f"{TRAIN}?{odd}").status_code in (200, 404)


def test_a_wide_table_is_asked_for_by_name(editor: Client, admin: Actor) -> None:
    names = [f"c{place}" for place in range(150)]
    rows = "\n".join(",".join(str((place * row) % 7) for place in range(150)) for row in range(3))
    tables.ready(admin, f"{','.join(names)}\n{rows}\n".encode(), name="wide", filename="wide.csv")
    shown = text_of(editor.get(f"{TRAIN}?dataset=wide"))
    assert 'name="columns-text"' in shown
    chosen = {"trainer": "tabular", "dataset": "wide:1", "model": "wide", "p-target": "c2", "columns-of": "wide:1"}
    answer = editor.post(TRAIN, {**chosen, "columns-text": "c7\nc9"})
    assert answer.status_code == 302, text_of(answer)
    assert Job.objects.get(kind="training").payload["parameters"] == {"target": "c2", "exclude": ["c7", "c9"]}


def test_a_column_is_named_with_its_blanks(editor: Client, admin: Actor) -> None:
    """As of a CSV with blanks after its commas."""
    tables.ready(admin, b"size, late\n1, a\n2, b\n3, a\n4, b\n", name="blanks", filename="blanks.csv")
    chosen = {
        "trainer": "tabular",
        "dataset": "blanks:1",
        "model": "late",
        "p-target": " late",
        "columns-of": "blanks:1",
    }
    assert '<option value=" late" selected>' in text_of(editor.post(FIELDS, chosen, headers=HTMX))
    answer = editor.post(TRAIN, {**chosen, "columns": ["size"]})
    assert answer.status_code == 302, text_of(answer)
    assert Job.objects.get(kind="training").payload["parameters"] == {"target": " late"}


def test_a_search_over_lists_is_filled_in_again(editor: Client, admin: Actor, penguins: Dataset, model: Model) -> None:
    space = {"hidden_layer_sizes": [[50, 50], [100]], "alpha": [0.1, 1]}
    asked = {"target": "species", "estimator": "MLPClassifier", "search": {"method": "grid", "space": space}}
    kept = {"trainer": "tabular", "version": "1", "report": {}}
    versions.ready(admin, model, dataset=penguins, training=kept, manifest={"parameters": asked})
    shown = text_of(editor.get(f"{TRAIN}?like=iris:1"))
    assert 'value="50, 50; 100"' in shown
    assert 'value="0.1, 1"' in shown


def test_it_is_repeated_by_a_schedule(editor: Client, penguins: Dataset) -> None:
    wrong = editor.post(TRAIN, given(repeat="1", **{"p-target": "spezies"}))
    assert (wrong.status_code, "did you mean" in text_of(wrong)) == (422, True)
    page = editor.post(TRAIN, given(repeat="1", **{"p-folds": "4"}))
    shown = text_of(page)
    assert "Each run trains penguins on the newest penguins." in shown
    assert 'action="/t/yard/new-schedule/"' in shown
    assert not Job.objects.filter(kind="training").exists()
    filled = page.context["form"].initial
    answer = editor.post("/t/yard/new-schedule/", {**filled, **WEEKLY})
    assert answer["Location"] == "/t/yard/schedules/weekly/", text_of(answer)
    parameters = {"target": "species", "exclude": ["year"], "folds": 4}
    schedule = Schedule.objects.get()
    assert (schedule.on_dataset, schedule.overlap) == ("penguins", "queue"), "a dataset waits unless told"
    assert schedule.body == {
        "trainer": "tabular", "model": "penguins", "dataset": "penguins", "parameters": parameters, "description": "",
    }  # fmt: skip
