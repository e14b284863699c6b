"""What a version came of, and what was trained on a dataset: drawn, and in words."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

from django.test import Client

from modelyard.control.console import lineage, reads
from modelyard.control.jobs.models import Job
from modelyard.control.registry import services as registry
from modelyard.control.registry.models import Model, Version
from modelyard.control.tenancy.services import Actor
from modelyard.control.training.models import Reproduction
from tests.integration.control import tables, versions
from tests.integration.control.console.reading import HOSTILE, text_of


def drawings(shown: str) -> list[Any]:
    """The pictures of a page, wide and narrow."""
    return [ElementTree.fromstring(each) for each in re.findall(r'<svg class="lineage.*?</svg>', shown, re.DOTALL)]


def trained(admin: Actor, model: Model, **said: Any) -> Version:
    """A version as a training leaves it: registered by a part of its job."""
    version = versions.ready(admin, model, **said)
    job = Job.objects.create(tenant=admin.tenant, kind="training", payload={}, created_by="user:ann")
    Job.objects.filter(pk=version.job_id).update(parent=job, part=1)
    return version


def test_a_version_leads_to_all_that_it_came_of(viewer: Client, admin: Actor, model: Model) -> None:
    dataset = tables.ready(admin)
    first = versions.ready(admin, model, b"one", manifest={"data_digest": "sha256:" + "ab" * 32})
    second = trained(admin, model, content=b"two", dataset=dataset, parent=first)
    shown = text_of(viewer.get("/t/yard/models/iris/versions/2/"))
    assert second.job is not None
    training = Job.objects.get(kind="training")
    wide, narrow = drawings(shown)
    for picture in (wide, narrow):
        links = {each.get("href") for each in picture.iter("a")}
        assert links >= {
            f"/t/yard/{place}/" for place in (f"jobs/{training.pk}", "datasets/flights:1", "models/iris/versions/1")
        }
        texts = [each.text for each in picture.iter("text")]
        assert "iris:2" in texts
        digests = [dataset.artifact.digest, "ab" * 32]
        for digest, text in zip(digests, [each for each in texts if (each or "").startswith("Data")], strict=True):
            shortened = (text or "").split(" ")[1]
            assert shortened[-1] == "…"
            assert 8 <= len(shortened) <= 13
            assert digest.startswith(shortened[:-1])
        assert len(list(picture.iter("path"))) == 1 + 5, "the arrows' tip, and five arrows"
    assert "iris:2 was made of flights:1 by the job training" in shown
    assert "from iris:1" in shown
    assert dataset.artifact.digest in shown
    assert "style=" not in shown


def test_a_long_chain_is_cut_and_says_so(viewer: Client, admin: Actor, model: Model) -> None:
    parent = None
    for number in range(8):
        parent = versions.register(admin, model, b"v%d" % number, parent=parent)
    shown = text_of(viewer.get("/t/yard/models/iris/versions/8/"))
    assert "and versions before these" in shown
    (wide, _) = drawings(shown)
    assert sum((each.text or "").startswith("iris:") for each in wide.iter("text")) == lineage.MOST_EARLIER + 1


def test_a_dataset_shows_what_descends_from_it(viewer: Client, admin: Actor, model: Model) -> None:
    dataset = tables.ready(admin)
    assert "What was trained on it" not in text_of(viewer.get("/t/yard/datasets/flights:1/"))
    for number in range(14):
        trained(admin, model, content=b"v%d" % number, dataset=dataset)
    shown = text_of(viewer.get("/t/yard/datasets/flights:1/"))
    assert "What was trained on it" in shown
    assert "and 2 more versions" in shown
    assert "And 2 more. So it is not deleted." in shown
    assert ("iris:14" in shown, "iris:2<" in shown) == (True, False), "the newest are shown"
    wide, narrow = drawings(shown)
    for picture in (wide, narrow):
        assert len(list(picture.iter("a"))) == 2 * lineage.MOST_TRAINED
        _, _, width, height = map(float, picture.get("viewBox", "").split())
        for box in picture.iter("g"):
            x, y = map(float, re.findall(r"[\d.]+", box.get("transform", "")))
            assert x + float(next(box.iter("rect")).get("width", 0)) <= width
            assert y < height


def test_the_picture_costs_few_queries(admin: Actor, model: Model, django_assert_max_num_queries: Any) -> None:
    parent = None
    for number in range(6):
        parent = trained(admin, model, content=b"v%d" % number, parent=parent)
    assert parent is not None
    version = reads.find_version(admin.tenant, "iris", parent.number)
    with django_assert_max_num_queries(2):
        found = lineage.of_version(version, reads.family_of(version).parents)
    assert [step.version.name for step in found.steps] == [f"iris:{number}" for number in range(6, 0, -1)]


def test_a_training_is_told_in_words_and_a_matrix(viewer: Client, admin: Actor, model: Model) -> None:
    report = {
        "task": "classification",
        "estimator": "SVC",
        "target": "species",
        "rows": {"trained": 275, "held_out": 69},
        "features": [{"name": "sex"}],
        "baseline": {"accuracy": 0.5, "log_loss": 0.9},
        "folds": {"accuracy": {"mean": 0.97, "std": 0.01}},
        "confusion": {"classes": ["Adelie", HOSTILE], "counts": [[30, 1], [0, 38]]},
        "search": [
            {"number": 0, "parameters": {"C": 1}, "metric": "balanced_accuracy", "value": 0.9},
            {"number": 1, "parameters": {"C": 9}, "metric": "balanced_accuracy", "value": 0.95},
            {"number": 2, "parameters": {"C": 0}, "metric": "balanced_accuracy", "value": None, "failure": "too small"},
        ],
    }
    remarks = [{"code": "id_like", "message": "is it an id?", "column": f"row-{number}"} for number in range(7)]
    kept = {"trainer": "tabular", "report": report, "warnings": remarks}
    baseline = {"features": [{"name": "sex", "type": "string", "count": 3, "missing": 0, "distinct": 2, "top": []}]}
    versions.ready(admin, model, metrics={"accuracy": 0.98, "log_loss": 0.95}, training=kept, baseline=baseline)
    shown = text_of(viewer.get("/t/yard/models/iris/versions/1/"))
    for said in (
        "SVC, a classification of species",
        "is it an id?",
        "275",
        "0.97",
        "All 7 warnings",
        "row-6",
        "Confusion matrix",
        "too small",
    ):
        assert said in shown, said
    assert shown.count("no better") == 1, "the log loss is worse than that of always the commonest"
    assert '<td class="number shade-4 right">30</td><td class="number shade-1">1</td>' in shown
    assert shown.index("<code>9</code>") < shown.index("<code>1</code>"), "the best of a search is first"
    assert "Baseline that monitoring compares with" in shown
    assert "<script>alert" not in shown


def test_a_version_is_trained_again_from_its_page(boss: Client, viewer: Client, admin: Actor, model: Model) -> None:
    dataset = tables.ready(admin)
    kept = {"trainer": "tabular", "version": "1", "report": {}}
    told = {"parameters": {"target": "species"}, "data_digest": f"sha256:{dataset.artifact.digest}"}
    versions.ready(admin, model, dataset=dataset, training=kept, manifest=told)
    page = "/t/yard/models/iris/versions/1/"
    assert "Train again and compare" in text_of(boss.get(page))
    assert "Train again and compare" not in text_of(viewer.get(page))
    answer = boss.post(f"{page}reproduce/")
    job = Job.objects.get(kind="reproduction")
    assert (answer.status_code, answer["Location"]) == (302, f"/t/yard/jobs/{job.pk}/")
    assert job.payload["parameters"] == {"target": "species"}


def test_what_a_reproduction_found_is_on_its_jobs_page(viewer: Client, admin: Actor, model: Model) -> None:
    version = versions.ready(admin, model)
    payload = {"model": "iris", "number": 1, "trainer": "tabular"}
    job = Job.objects.create(
        tenant=admin.tenant, kind="reproduction", payload=payload, created_by="user:ann", state="succeeded"
    )
    same: dict[str, Any] = {"equal": True, "differences": []}
    metrics = {"equal": False, "differences": [{"name": HOSTILE, "then": 0.97, "now": None}]}
    answers = {"equal": False, "rows": 1500, "outputs": [{"name": "label", "differing": 1200, "largest": 0.5}]}
    report = {"version": "iris:1", "equal": False, "data": same, "metrics": metrics, "predictions": answers}
    Reproduction.objects.create(
        tenant=admin.tenant, version=version, job=job, equal=False, report=report, created_by="user:ann"
    )
    shown = text_of(viewer.get(f"/t/yard/jobs/{job.pk}/"))
    for said in ("Compared with iris:1", "with differences", "0.97 then, missing now", "1,200 of 1,500 rows, by 0.5"):
        assert said in shown, said
    assert shown.count("badge dot warn") == 2
    assert "<script>alert" not in shown
    assert 'href="/t/yard/models/iris/versions/1/"' in shown


def test_trainers_of_others_may_report_anything(viewer: Client, admin: Actor, model: Model) -> None:
    reports = [
        {},
        [],
        "done",
        {"confusion": [1], "search": "x", "folds": 3, "rows": None},
        {"confusion": {"classes": ["a"], "counts": "none"}, "rows": {"trained": "all"}, "features": 3},
        {"confusion": {"classes": ["a"], "counts": [1]}, "search": [{"parameters": {}, "metric": "f1", "value": "?"}]},
        {"folds": {"accuracy": 1}, "baseline": {"accuracy": "low"}, "refit": 1, "estimator_parameters": [1]},
    ]
    for report in reports:
        versions.ready(
            admin,
            model,
            content=repr(report).encode(),
            metrics={"accuracy": 1.0},
            training={"trainer": "own", "report": report},
        )
    for version in Version.objects.all():
        shown = viewer.get(f"/t/yard/models/iris/versions/{version.number}/")
        assert shown.status_code == 200
        assert "by the trainer own" in text_of(shown)
    registry.delete_model(actor=admin, model=model)
