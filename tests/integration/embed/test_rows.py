"""From tables to rows: of which fields, in how many queries, and what is said where one is missing."""

import datetime
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.db.models import Count, F, Value

from modelyard.control.registry.models import Model
from modelyard.control.tenancy.models import ApiKey, Tenant
from modelyard.core.errors import InvalidInput, TooLarge
from modelyard.core.signature import Column, DataType, Output, Signature
from modelyard.embed.rows import _value, body_for

pytestmark = pytest.mark.django_db
Queries = Callable[[int], Any]


def signature(*names: str, optional: tuple[str, ...] = ()) -> Signature:
    columns = tuple(Column(name, DataType.STRING, optional=name in optional) for name in names)
    return Signature(columns, (Output("prediction", DataType.STRING),))


def body(rows: Any, *names: str, fields: dict[str, str] | None = None, most: int = 100, **more: Any) -> dict[str, Any]:
    return body_for(rows, lambda: signature(*names, **more), fields, most)


@pytest.fixture
def models(tenant: Tenant, person: User) -> list[Model]:
    return [
        Model.objects.create(tenant=tenant, name=name, owner=owner, created_by="x", problem=problem)
        for name, owner, problem in (("iris", person, "which"), ("churn", None, "who"))
    ]


def test_fields_become_columns_in_one_query(models: list[Model], django_assert_num_queries: Queries) -> None:
    with django_assert_num_queries(1):
        found = body(Model.objects.order_by("-name"), "name", "problem", "last_number")
    assert found == {"columns": ["name", "problem", "last_number"], "data": [["iris", "which", 0], ["churn", "who", 0]]}


def test_a_manager_an_instance_and_a_list_are_taken(models: list[Model], django_assert_num_queries: Queries) -> None:
    with django_assert_num_queries(0):
        assert body(models, "name")["data"] == [["iris"], ["churn"]]
        assert body(models[0], "name")["data"] == [["iris"]]
        assert body(Model(name="new"), "name")["data"] == [["new"]]
    assert len(body(Model.objects, "name")["data"]) == 2
    assert len(body(Model.objects.raw("SELECT * FROM modelyard_registry_model"), "name")["data"]) == 2


def test_no_instances_are_no_rows_and_fields_may_be_named_for_them() -> None:
    """What a view made of a QuerySet without rows: `list(queryset)`."""
    assert body([], "name")["data"] == []
    assert body((), "name", fields={"name": "title"})["data"] == []
    with pytest.raises(InvalidInput, match="did you mean `name`"):
        body([], "name", fields={"nam": "title"})


def test_a_model_itself_is_no_rows() -> None:
    with pytest.raises(
        InvalidInput, match=r"the model Model itself was given: expected rows, as Model\.objects\.all\(\)"
    ):
        body(Model, "name")


def test_related_lookups(models: list[Model], tenant: Tenant, django_assert_num_queries: Queries) -> None:
    names = ("tenant__name", "who", "tenant", "year")
    fields = {"who": "owner__username", "year": "created_at__year"}
    year = models[0].created_at.year
    expected = [[tenant.name, None, tenant.pk, year], [tenant.name, "ada", tenant.pk, year]]
    with django_assert_num_queries(1):
        assert body(Model.objects.order_by("name"), *names, fields=fields)["data"] == expected
    fresh = list(Model.objects.order_by("name"))
    with django_assert_num_queries(2):  # one for each relation, however many rows
        assert body(fresh, *names, fields=fields)["data"] == expected


def test_rows_that_are_alike_stay_as_many_as_they_are(tenant: Tenant, django_assert_num_queries: Queries) -> None:
    """Of the columns alone the database would make them one, and predictions would not be in the order of the rows."""
    for name in ("iris", "churn", "late"):
        Model.objects.create(tenant=tenant, name=name, created_by="x", problem="which")
    own = Model.objects.order_by()
    with django_assert_num_queries(1):
        assert body(own.filter(tenant__name=tenant.name).distinct(), "problem")["data"] == [["which"]] * 3
    both = own.filter(name="iris").union(own.exclude(name="iris"))
    assert body(both, "problem", "tenant")["data"] == [["which", tenant.pk]] * 3
    assert body(own.distinct(), "tenant__name")["data"] == [[tenant.name]] * 3


def test_annotations_and_properties(models: list[Model], tenant: Tenant, django_assert_num_queries: Queries) -> None:
    annotated = Model.objects.annotate(n=Count("versions"), twice=F("last_number") * 2, one=Value(1)).order_by("name")
    with django_assert_num_queries(1):
        assert body(annotated, "n", "twice", "one")["data"] == [[0, 0, 1], [0, 0, 1]]
    assert body(list(annotated), "n", "one")["data"] == [[0, 1], [0, 1]]
    with django_assert_num_queries(1):
        assert body(Tenant.objects.all(), "name", "pk")["data"] == [[tenant.name, tenant.pk]]
    ours = signature("is_live", "name")
    key = ApiKey.objects.create(tenant=tenant, name="ci", prefix="a", sha256="b", created_by="x")
    with django_assert_num_queries(1):  # a property needs whole instances
        assert body_for(ApiKey.objects.all(), lambda: ours, None, 9)["data"] == [[key.is_live, "ci"]]


def test_values_are_taken_as_they_are(models: list[Model]) -> None:
    assert body(Model.objects.order_by("name").values("name")) == {"rows": [{"name": "churn"}, {"name": "iris"}]}
    assert body(Model.objects.order_by("name").values_list("name", "last_number"))["data"] == [
        ["churn", 0],
        ["iris", 0],
    ]
    with pytest.raises(InvalidInput, match="`fields` is for a QuerySet of instances"):
        body(Model.objects.values("name"), "name", fields={"name": "problem"})


MISSING = {
    "a field": ({}, ("nam",), "the model needs the column `nam`, but modelyard_registry.Model has no field `nam`"),
    "its neighbour": ({}, ("nam",), "did you mean `name`?"),
    "beyond a relation": ({"x": "owner__usernam"}, ("x",), "auth.User has no field `usernam` (in `owner__usernam`)"),
    "many rows": ({"x": "versions__number"}, ("x",), "`versions` of modelyard_registry.Model leads to many rows"),
    "no relation": ({"x": "name__length_of"}, ("x",), "`name` is no relation"),
    "a column that is none": ({"nmae": "name"}, ("name",), "which the model does not take; did you mean `name`?"),
}


@pytest.mark.parametrize("what", MISSING)
@pytest.mark.parametrize("kind", ["queryset", "instances"])
def test_what_is_missing_is_named_before_any_query(
    models: list[Model], django_assert_num_queries: Queries, what: str, kind: str
) -> None:
    fields, names, said = MISSING[what]
    rows = Model.objects.all() if kind == "queryset" else models
    with django_assert_num_queries(0), pytest.raises(InvalidInput) as caught:
        body(rows, *names, fields=fields)
    assert said in caught.value.message


def test_an_optional_column_may_be_missing(models: list[Model]) -> None:
    assert body(models, "name", "age", optional=("age",))["columns"] == ["name"]
    with pytest.raises(InvalidInput, match="has no field `agee`"):
        body(models, "name", "age", fields={"age": "agee"}, optional=("age",))


def test_instances_of_two_models_are_refused(models: list[Model], tenant: Tenant) -> None:
    with pytest.raises(InvalidInput, match="expected instances of one model"):
        body([models[0], tenant], "name")
    with pytest.raises(InvalidInput, match="`fields` is for a QuerySet or model instances"):
        body([{"name": "x"}], "name", fields={"name": "name"})


def test_too_many_rows_are_not_read(models: list[Model], django_assert_num_queries: Queries) -> None:
    with django_assert_num_queries(1) as queries, pytest.raises(TooLarge, match="more than 1 rows"):
        body(Model.objects.all(), "name", most=1)
    assert "LIMIT 2" in queries[0]["sql"]
    assert len(body(Model.objects.order_by("name")[:1], "name", most=1)["data"]) == 1
    for sliced in (Model.objects.order_by("name")[:1000], Model.objects.order_by("name")[0:]):
        with django_assert_num_queries(1) as queries, pytest.raises(TooLarge, match="more than 1 rows"):
            body(sliced, "name", most=1)
        assert "LIMIT 2" in queries[0]["sql"]
    assert body(Model.objects.order_by("name")[1:3], "name", most=1)["data"] == [["iris"]]


def test_values_as_json_carries_them() -> None:
    number = UUID("6d1d1c40-0000-4000-8000-000000000000")
    assert _value(Decimal("3.5")) == 3.5
    assert _value(number) == str(number)
    assert _value(datetime.date(2026, 11, 21)) == "2026-11-21"
    assert _value(datetime.timedelta(minutes=2)) == 120.0
    assert _value(float("nan")) is None
    with pytest.raises(InvalidInput, match="type bytes"):
        _value(b"x")
