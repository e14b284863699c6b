"""From a QuerySet, or from instances of a Django model, to the rows of a prediction: fields become columns."""

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches
from typing import Any
from uuid import UUID

from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist
from django.db.models import Manager, Model, QuerySet, prefetch_related_objects
from django.db.models.constants import LOOKUP_SEP
from django.db.models.query import ModelIterable, RawQuerySet

from modelyard.client.rows import body_of, plain
from modelyard.core.errors import InvalidInput, TooLarge
from modelyard.core.signature import Column, Signature


def body_for(
    rows: Any, signature: Callable[[], Signature], fields: Mapping[str, str] | None, max_rows: int
) -> dict[str, Any]:
    """Return the body of a prediction request.

    Args:
        rows: whatever `client.rows.body_of` takes, a QuerySet, a manager, or instances of one Django model.
        signature: asked only for a QuerySet or instances: it says which fields are needed.
        fields: column to field, for columns that are not called like one.
        max_rows: a QuerySet that holds more is refused, and not read to its end.

    Raises:
        InvalidInput: when a needed field is missing, before any query is run.
        TooLarge: when there are too many rows.
    """
    if isinstance(rows, type) and issubclass(rows, Model):
        name = rows.__name__
        raise InvalidInput(f"the model {name} itself was given: expected rows, as {name}.objects.all()")
    if isinstance(rows, Manager):
        rows = rows.all()
    if isinstance(rows, Model):
        rows = [rows]
    if isinstance(rows, RawQuerySet):
        rows = list(rows)
    if isinstance(rows, QuerySet):
        if issubclass(rows._iterable_class, ModelIterable):
            return _of_queryset(rows, _lookups(signature(), fields), max_rows)
        if fields:
            raise InvalidInput(
                "`fields` is for a QuerySet of instances: this one gives values, whose names are columns"
            )
        return _of_values(_bounded(rows, max_rows))
    if isinstance(rows, (list, tuple)) and (not rows or isinstance(rows[0], Model)):
        return _of_instances(rows, _lookups(signature(), fields))
    if fields:
        raise InvalidInput(f"`fields` is for a QuerySet or model instances: got {type(rows).__name__}")
    return body_of(rows)


def _lookups(signature: Signature, fields: Mapping[str, str] | None) -> list[tuple[Column, str]]:
    """Return what each column is read from."""
    given = dict(fields or {})
    unknown = [name for name in given if name not in signature.names]
    if unknown:
        near = get_close_matches(unknown[0], signature.names, 1)
        hint = f"did you mean `{near[0]}`?" if near else f"it takes {', '.join(signature.names[:10])}"
        raise InvalidInput(f"`fields` names the column `{unknown[0]}`, which the model does not take; {hint}")
    return [(column, given.get(column.name, column.name)) for column in signature.columns]


def _of_queryset(rows: QuerySet[Any], wanted: list[tuple[Column, str]], max_rows: int) -> dict[str, Any]:
    made = {*rows.query.annotations, *rows.query.extra}
    wanted = [(column, lookup) for column, lookup in wanted if _is_there(rows.model, column, lookup, made)]
    lookups = [lookup for _, lookup in wanted]
    # Of columns alone, DISTINCT and UNION would make one row of those that are alike.
    if rows.query.distinct or rows.query.combinator or any(_is_attribute(rows.model, each, made) for each in lookups):
        return _of_instances(_bounded(rows, max_rows), wanted, made)
    found = _bounded(rows.values_list(*lookups), max_rows)
    return _body(wanted, [[_value(value) for value in row] for row in found])


def _of_instances(
    rows: Sequence[Model], wanted: list[tuple[Column, str]], made: Iterable[str] | None = None
) -> dict[str, Any]:
    model = type(rows[0]) if rows else None
    other = next((row for row in rows if type(row) is not model), None)
    if other is not None:
        raise InvalidInput(
            f"the rows are of {_called(type(rows[0]))} and of {type(other).__name__}: expected instances of one model"
        )
    if model is not None and made is None:
        own = [name for name in vars(rows[0]) if not name.startswith("_") and _field(model, name) is None]
        wanted = [(column, lookup) for column, lookup in wanted if _is_there(model, column, lookup, own)]
    related = {path for _, lookup in wanted if (path := _relations(model, lookup))}
    if rows and related:
        prefetch_related_objects([row for row in rows if row.pk is not None], *sorted(related))
    return _body(wanted, [[_value(_read(row, lookup)) for _, lookup in wanted] for row in rows])


def _of_values(found: Sequence[Any]) -> dict[str, Any]:
    """Return the rows of `.values()` or `.values_list()`, whose names, or order, are the columns'."""
    if found and isinstance(found[0], Mapping):
        return {"rows": [{str(name): _value(value) for name, value in row.items()} for row in found]}
    return body_of([[_value(value) for value in row] if isinstance(row, tuple) else row for row in found])


def _body(wanted: list[tuple[Column, str]], data: list[list[Any]]) -> dict[str, Any]:
    return {"columns": [column.name for column, _ in wanted], "data": data}


def _bounded(rows: QuerySet[Any], max_rows: int) -> list[Any]:
    found = list(rows[: max_rows + 1])
    if len(found) > max_rows:
        raise TooLarge(
            f"the QuerySet has more than {max_rows} rows: predict for slices of it, or set MODELYARD['MAX_ROWS']",
            max_rows=max_rows,
        )
    return found


def _is_there(model: type[Model], column: Column, lookup: str, made: Iterable[str]) -> bool:
    """Tell whether the lookup leads somewhere; False for an optional column that the model has not.

    Raises:
        InvalidInput: naming the field, the model and the nearest name.
    """
    if lookup in made or _is_attribute(model, lookup, made):
        return True
    at: type[Model] = model
    parts = lookup.split(LOOKUP_SEP)
    if parts[0] in made:
        return True
    for place, part in enumerate(parts):
        field = _field(at, part)
        if field is None:
            if column.optional and lookup == column.name:
                return False
            raise InvalidInput(_missing(column, lookup, part, at, made if at is model else ()), column=column.name)
        if not field.is_relation:
            _check_transform(field, parts[place + 1 : place + 2], column, lookup)
            return True
        if field.many_to_many or field.one_to_many:
            raise InvalidInput(
                f"column `{column.name}`: `{part}` of {_called(at)} leads to many rows, "
                "and a prediction takes one value: annotate the QuerySet, as with Count or Avg",
                column=column.name,
            )
        if field.related_model is None or field.related_model == "self":
            return True
        at = field.related_model
    return True


def _missing(column: Column, lookup: str, part: str, model: type[Model], made: Iterable[str]) -> str:
    fields = [field.name for field in model._meta.get_fields() if not (field.many_to_many or field.one_to_many)]
    own = [name for name in dir(model) if name != "pk" and isinstance(getattr(model, name, None), property)]
    names = [name for name in dict.fromkeys([*fields, *made, *own]) if not name.startswith("_")]
    near = get_close_matches(part, names, 1)
    through = f" (in `{lookup}`)" if lookup != part else ""
    hint = f"did you mean `{near[0]}`?" if near else f"it has {', '.join(names[:10])};"
    mend = f"`fields={{{column.name!r}: ...}}` says where else the column comes from"
    wrong = f"the model needs the column `{column.name}`, but {_called(model)} has no field `{part}`{through}"
    return f"{wrong}; {hint} {mend}"


def _check_transform(field: Any, rest: list[str], column: Column, lookup: str) -> None:
    if rest and field.get_transform(rest[0]) is None:
        raise InvalidInput(
            f"column `{column.name}`: `{field.name}` is no relation, so `{lookup}` leads nowhere", column=column.name
        )


def _field(model: type[Model], name: str) -> Any:
    if name == "pk":
        return model._meta.pk
    try:
        return model._meta.get_field(name)
    except FieldDoesNotExist:
        return None


def _is_attribute(model: type[Model], lookup: str, made: Iterable[str]) -> bool:
    """Tell whether the name is of Python's alone: a property, say, which no query can give."""
    if LOOKUP_SEP in lookup or lookup in made or _field(model, lookup) is not None:
        return False
    found = getattr(model, lookup, None)
    return isinstance(found, property) or hasattr(found, "func")


def _relations(model: type[Model] | None, lookup: str) -> str:
    """Return the part of a lookup that leads through relations, so that they are read for all rows at once."""
    path: list[str] = []
    parts = lookup.split(LOOKUP_SEP)
    for part in parts[:-1]:
        field = _field(model, part) if model is not None else None
        if field is None or not field.is_relation:
            break
        path.append(part)
        model = field.related_model
    return LOOKUP_SEP.join(path)


def _read(row: Any, lookup: str) -> Any:
    """Follow a lookup from an instance; where a relation leads to nothing the value is missing."""
    for part in lookup.split(LOOKUP_SEP):
        if row is None:
            return None
        try:
            row = getattr(row, part)
        except ObjectDoesNotExist:
            return None
    return row.pk if isinstance(row, Model) else row


def _value(value: Any) -> Any:
    """Return a field's value as JSON can carry it: decimals as numbers, UUIDs as text, dates by ISO 8601."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    return plain(value)


def _called(model: type[Model]) -> str:
    return model._meta.label
