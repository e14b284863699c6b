"""Whether a table's columns fit a signature, as their names and types alone tell it: before a row is read."""

from collections.abc import Mapping
from difflib import get_close_matches

from modelyard.core.errors import InvalidInput
from modelyard.core.signature import Column, DataType, Signature

NAMED = 10


def check_columns(signature: Signature, types: Mapping[str, str], place: str = "dataset") -> None:
    """Let pass a table whose columns (name to one of `core.table.TYPES`) the signature takes.

    Columns that are optional may lack, but not all, and others may be there. Values are looked at when they are scored.

    Raises:
        InvalidInput: naming what lacks, and what is of a wrong kind.
    """
    lacking = [one for one in signature.columns if one.name not in types and not one.optional]
    wrong = [one for one in signature.columns if one.name in types and not _fits(one, types[one.name])]
    if not lacking and not wrong:
        _check_any(signature, types, place)
        return
    said = [f"column `{one.name}` is missing, expected {_expected(one)}{_near(one, types)}" for one in lacking[:NAMED]]
    said += [f"column `{one.name}` holds {types[one.name]}, expected {_expected(one)}" for one in wrong[:NAMED]]
    more = len(lacking) + len(wrong) - len(said)
    rest = f"; and {more} more" if more else ""
    raise InvalidInput(
        f"`{place}`: {'; '.join(said)}{rest}",
        field=place,
        missing=[one.name for one in lacking],
        wrong=[one.name for one in wrong],
    )


def _check_any(signature: Signature, types: Mapping[str, str], place: str) -> None:
    """Refuse a table that has nothing of what a version takes, which is another's table: all may lack in a row, but
    from nothing nothing can be told."""
    if not any(one.name in types for one in signature.columns):
        named = ", ".join(f"`{one.name}`" for one in signature.columns[:NAMED])
        raise InvalidInput(
            f"`{place}`: it has none of the columns that the version takes: expected some of {named}",
            field=place,
            missing=[one.name for one in signature.columns],
        )


def _fits(column: Column, word: str) -> bool:
    if column.shape:
        return False
    if column.type is DataType.STRING or column.type is DataType.BOOL:
        return word == column.type.value
    return word.startswith(("int", "uint", "float"))


def _expected(column: Column) -> str:
    if column.shape:
        return f"{column.type.value} of shape {list(column.shape)}, which no column of a table is"
    return column.type.value


def _near(column: Column, types: Mapping[str, str]) -> str:
    near = get_close_matches(column.name, list(types)[:300], 1)
    return f" (there is `{near[0]}`)" if near else ""
