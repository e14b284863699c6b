"""Two versions beside one another, as the API gives them."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from modelyard.control.deployments.services import activate
from modelyard.control.registry.comparison import PARTS, compare
from modelyard.control.registry.models import Model, Version
from modelyard.control.registry.services import move_alias
from modelyard.control.tenancy.models import Tenant
from modelyard.control.tenancy.services import Actor
from modelyard.core.signature import Column, DataType, Output, Signature
from tests.integration.control import tables, versions

pytestmark = pytest.mark.django_db

COMPARE = "/api/v1/models/iris/compare"
OUTPUT = Output("label", DataType.INT64, classes=(0, 1))


def step(name: str, **parameters: Any) -> dict[str, Any]:
    return {"name": name, "class": f"x.{name.title()}", "parameters": parameters}


@pytest.fixture
def two(admin: Actor, model: Model) -> tuple[Version, Version]:
    """Two that differ in everything."""
    old = Signature(
        (
            Column("age", DataType.INT64, minimum=1, maximum=9), Column("plan", DataType.STRING, optional=True),
            Column("gone", DataType.FLOAT64), Column("same", DataType.BOOL),
        ),
        (OUTPUT,),
    )  # fmt: skip
    new = Signature(
        (
            Column("same", DataType.BOOL), Column("age", DataType.FLOAT64, minimum=1, maximum=12),
            Column("plan", DataType.STRING), Column("must", DataType.FLOAT64),
            Column("may", DataType.FLOAT64, optional=True),
        ),
        (Output("label", DataType.INT64, classes=(0, 1, 2)),),
    )  # fmt: skip
    digests = ["sha256:" + letter * 64 for letter in "ab"]
    first = versions.ready(
        admin, model, b"1", metrics={"accuracy": 0.9, "loss": 0.5, "profit": 3, "only": 1}, serving=b"12345",
        manifest={"parameters": {"C": 1, "tol": 0.1, "flag": 1}, "seed": 1, "data_digest": digests[0],
                  "python": "3.11"},
        found={
            "signature": old, "measured": {"p95_seconds": 0.004, "calls": 400, "rows": 8},
            "packages": {"numpy": "2.0", "old": "1"},
            "report": {"outline": [step("scale", mean=True), step("model", C=1, tol=0.1)], "features": ["a", "b"]},
        },
    )  # fmt: skip
    second = versions.ready(
        admin, model, b"2", metrics={"accuracy": 0.95, "loss": 0.6, "profit": 4}, serving=b"123",
        manifest={"parameters": {"C": 2, "tol": 0.1, "flag": True}, "seed": 1, "data_digest": digests[1]},
        found={
            "signature": new, "measured": {"p95_seconds": 0.005, "calls": 400, "rows": 8}, "packages": {"numpy": "2.1"},
            "report": {"outline": [step("impute"), step("scale", mean=True), step("model", C=2, tol=0.1)],
                       "features": ["b", "c"]},
        },
    )  # fmt: skip
    return first, second


def by_name(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {row["name"]: row for row in rows}


@pytest.fixture
def found(two: tuple[Version, Version]) -> dict[str, Any]:
    return compare(*two)


def test_columns_added_dropped_retyped_and_required(found: dict[str, Any]) -> None:
    told = by_name(found["signature"]["columns"])
    assert {name: (row["change"], row["what"], row["breaks"]) for name, row in told.items()} == {
        "age": ("changed", ["type", "range"], True),
        "plan": ("changed", ["required"], True),
        "gone": ("dropped", [], True),
        "must": ("added", [], True),
        "may": ("added", [], False),
    }
    assert (found["signature"]["same_columns"], found["signature"]["reordered"]) == (1, True)
    assert [(row["what"], row["breaks"]) for row in found["signature"]["outputs"]] == [(["classes"], True)]


def test_metrics_say_by_how_much_and_which_is_better(found: dict[str, Any]) -> None:
    told = by_name(found["metrics"])
    assert {name: (row["better"], row["direction"]) for name, row in told.items()} == {
        "accuracy": ("right", "maximize"), "loss": ("left", "minimize"), "profit": (None, None), "only": (None, None),
    }  # fmt: skip
    assert told["accuracy"]["difference"] == pytest.approx(0.05)
    assert (told["only"]["change"], told["only"]["difference"]) == ("dropped", None)
    measured = by_name(found["measured"])
    assert (measured["p95_seconds"]["better"], measured["size_bytes"]["better"]) == ("left", "right")
    assert measured["size_bytes"]["difference"] == -2


def test_steps_features_parameters_packages_data_and_manifest(found: dict[str, Any]) -> None:
    assert [(row["name"], row["change"]) for row in found["steps"]["rows"]] == [
        ("impute", "added"), ("scale", "same"), ("model", "changed"),
    ]  # fmt: skip
    assert found["steps"]["rows"][2]["parameters"] == [{"name": "C", "change": "changed", "left": 1, "right": 2}]
    assert found["features"] == {"known": True, "where": "predictor", "added": ["c"], "dropped": ["a"], "same": 1}
    assert {name: row["change"] for name, row in by_name(found["parameters"]).items()} == {
        "C": "changed", "tol": "same", "flag": "changed",
    }  # fmt: skip
    assert {name: row["change"] for name, row in by_name(found["packages"]).items()} == {
        "numpy": "changed", "old": "dropped",
    }  # fmt: skip
    assert by_name(found["data"])["data_digest"]["change"] == "changed"
    assert {name: row["change"] for name, row in by_name(found["manifest"]).items()} == {
        "seed": "same", "python": "dropped",
    }  # fmt: skip
    assert set(found["differences"]) == set(PARTS)
    assert (found["differences"]["signature"], found["same"]) == (7, False)


def test_turned_round_it_is_the_mirror(two: tuple[Version, Version], found: dict[str, Any]) -> None:
    back = compare(two[1], two[0])
    assert back["features"]["added"] == found["features"]["dropped"]
    assert {row["better"] for row in back["metrics"]} == {"left", "right", None}
    turned = {"added": "dropped", "dropped": "added", "changed": "changed", "same": "same"}
    assert by_name(back["packages"])["old"]["change"] == turned["dropped"]


def test_a_version_is_the_same_as_itself(two: tuple[Version, Version]) -> None:
    found = compare(two[0], two[0])
    assert found["same"]
    assert set(found["differences"].values()) == {0}


def test_what_is_not_known_is_said(admin: Actor, model: Model, two: tuple[Version, Version]) -> None:
    checking = versions.register(admin, model, b"3")
    found = compare(two[0], checking)
    assert (found["signature"]["known"], found["steps"]["known"], found["features"]["known"]) == (False, False, False)
    assert found["signature"]["columns"] == []
    assert by_name(found["measured"])["p95_seconds"]["change"] == "dropped"
    older = versions.ready(admin, model, b"4", found={"report": {"steps": ["StandardScaler", "Perceptron"]}})
    found = compare(two[0], older)
    assert found["features"]["where"] == "inputs"
    assert "Perceptron" in [row["right"] for row in found["steps"]["rows"]]


def test_ten_thousand_columns_turned_round_take_no_long_time(admin: Actor, model: Model) -> None:
    columns = tuple(Column(f"c{number}", DataType.FLOAT64) for number in range(10_000))
    sides = [
        versions.ready(admin, model, b"%d" % index, found={"signature": Signature(each, (OUTPUT,))})
        for index, each in enumerate((columns, columns[::-1]))
    ]
    found = compare(*sides)
    assert (found["signature"]["same_columns"], found["signature"]["reordered"]) == (10_000, True)


class TestRest:
    @pytest.fixture
    def client(self, caller: Callable[..., APIClient], tenant: Tenant) -> APIClient:
        return caller(tenant, "read")

    def test_sides_are_numbers_aliases_or_what_serves(
        self, client: APIClient, admin: Actor, model: Model, two: tuple[Version, Version]
    ) -> None:
        move_alias(actor=admin, model=model, name="candidate", version=two[1])
        assert client.get(f"{COMPARE}?left=champion&right=1").status_code == 400
        activate(actor=admin, version=two[0])
        for query in ("left=1&right=2", "left=champion&right=candidate"):
            answer = client.get(f"{COMPARE}?{query}")
            assert answer.status_code == 200, answer.content
            sides = answer.json()["left"], answer.json()["right"]
            assert [side["reference"] for side in sides] == ["iris:1", "iris:2"]
        assert client.get(f"{COMPARE}/?left=1&right=1").json()["same"] is True

    @pytest.mark.parametrize(
        "query",
        ["left=1&right=9", "left=0&right=1", "left=1&right=99999999999", "left=1&right=nobody",
         "left=%00&right=1", "left=1&right=" + "x" * 300],
    )  # fmt: skip
    def test_what_names_no_version_is_refused(
        self, client: APIClient, two: tuple[Version, Version], query: str
    ) -> None:
        refused = client.get(f"{COMPARE}?{query}")
        assert refused.status_code == 400
        assert (
            "names no version of iris: expected a number, an alias or `champion`" in refused.json()["error"]["message"]
        )

    @pytest.mark.parametrize(
        ("query", "said"),
        [
            ("", "left: got nothing: expected a number, an alias or `champion`"),
            ("left=1", "right: got nothing: expected a number, an alias or `champion`"),
            ("left=champion&right=1", "left: nothing answers for iris now: expected a number or an alias"),
            ("left=1&right=candidat", "'candidat' names no version of iris: did you mean `candidate`?"),
            ("left=1&right=champian", "'champian' names no version of iris: did you mean `champion`?"),
        ],
    )
    def test_what_is_meant_is_guessed_and_what_was_not_typed_is_not_quoted(
        self, client: APIClient, admin: Actor, two: tuple[Version, Version], query: str, said: str
    ) -> None:
        move_alias(actor=admin, model=two[1].model, name="candidate", version=two[1])
        refused = client.get(f"{COMPARE}?{query}")
        assert refused.status_code == 400
        assert said in refused.json()["error"]["message"]

    def test_it_costs_few_queries(
        self, client: APIClient, two: tuple[Version, Version], django_assert_max_num_queries: Any
    ) -> None:
        with django_assert_max_num_queries(12):
            client.get(f"{COMPARE}?left=1&right=2")

    def test_a_version_tells_what_was_measured(self, client: APIClient, two: tuple[Version, Version]) -> None:
        shown = client.get("/api/v1/models/iris/versions/1/").json()["measured"]
        assert (shown["p95_seconds"], shown["calls"], shown["rows"], shown["size_bytes"]) == (0.004, 400, 8, 5)


def test_what_they_were_trained_on_is_compared(caller: Callable[..., APIClient], admin: Actor, model: Model) -> None:
    first, second = (tables.ready(admin, tables.FLIGHTS + b"DL,%d,2013-01-04\n" % n) for n in range(2))
    for place, dataset in enumerate((first, second, second)):
        versions.ready(admin, model, b"%d" % place, dataset=dataset)
    client = caller(admin.tenant, "read")
    changed = client.get(f"{COMPARE}?left=1&right=2").json()
    assert changed["data"] == [{"name": "dataset", "change": "changed", "left": "flights:1", "right": "flights:2"}]
    assert client.get(f"{COMPARE}?left=2&right=3").json()["differences"]["data"] == 0
