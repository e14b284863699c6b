from collections.abc import Callable
from typing import Any

from django.db import migrations
from django.db.models import QuerySet


def forwards(apps: Any, schema_editor: Any) -> None:
    """Tell of the results that are one file that they are one piece, and of what shall be made of one the same."""
    jobs = apps.get_model("modelyard_jobs", "Job").objects.using(schema_editor.connection.alias)
    _rewrite(jobs.filter(kind="scoring", state="succeeded"), "outcome", _outcome)
    _rewrite(jobs.filter(kind="precomputing"), "payload", _in_pieces)


def backwards(apps: Any, schema_editor: Any) -> None:
    """Nothing: of a result in pieces there is no one digest."""


def _rewrite(rows: QuerySet[Any], column: str, new: Callable[[Any], Any]) -> None:
    for key, told in rows.values_list("pk", column).iterator(chunk_size=500):
        if isinstance(told, dict) and (changed := new(told)) != told:
            rows.filter(pk=key).update(**{column: changed})


def _outcome(told: dict[str, Any]) -> dict[str, Any]:
    files = told.get("files") or {}
    return {**told, "files": {role: _in_pieces(file) for role, file in files.items()}}


def _in_pieces(told: dict[str, Any]) -> dict[str, Any]:
    left = {name: value for name, value in told.items() if name != "digest"}
    return {**left, "pieces": [told["digest"]]} if "digest" in told else told


class Migration(migrations.Migration):
    dependencies = [("modelyard_scoring", "0002_pieces")]

    operations = [migrations.RunPython(forwards, backwards, elidable=True)]
