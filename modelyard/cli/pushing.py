"""`modelyard push`: uploads a model as a new version, and says what became of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelyard.cli.connection import Connection, connected
from modelyard.cli.options import Json, Url
from modelyard.cli.output import Done, curl
from modelyard.cli.progress import progress_bar
from modelyard.cli.tables import is_inline, read_metrics, read_object
from modelyard.cli.usage import dataset_or_none, model_name
from modelyard.core.errors import ModelRefused
from modelyard.core.reference import parse_reference

if TYPE_CHECKING:
    from modelyard.client import Version

SHOWN_COLUMNS = 10


def push(
    files: Annotated[
        list[Path], typer.Argument(help="Files; several are joined into one pipeline.", show_default=False)
    ],
    name: Annotated[str, typer.Option("--name", "-n", help="The model.", show_default=False, callback=model_name)],
    sample: Annotated[
        Path | None, typer.Option(help="Rows that it can predict: .csv, .parquet, .json or .npy.", show_default=False)
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option(help="As accuracy=0.97; may be repeated.", show_default=False)
    ] = None,
    description: Annotated[str, typer.Option(help="What is new.", show_default=False)] = "",
    parent: Annotated[
        int | None, typer.Option(help="Number of the version it was made from.", show_default=False)
    ] = None,
    dataset: Annotated[
        str, typer.Option(help="What it was trained on, as flights:2.", show_default=False, callback=dataset_or_none)
    ] = "",
    manifest: Annotated[
        str | None, typer.Option(help="JSON that wins over what is captured: a file, or {...}.", show_default=False)
    ] = None,
    signature: Annotated[
        str | None, typer.Option(help="JSON, instead of an inferred one: a file, or {...}.", show_default=False)
    ] = None,
    environment: Annotated[
        str,
        typer.Option(
            help="The server's Python environment that opens and serves it, for an old pickle.", show_default=False
        ),
    ] = "",
    wait: Annotated[bool, typer.Option(help="Wait until it was examined.")] = True,
    url: Url = None,
    json: Json = False,
) -> None:
    """Upload a model as a new version.

    Once it is ready it answers those who ask for it by number, as iris:3; those who ask for iris, once it is promoted.
    """
    about: dict[str, Any] = {
        "metrics": read_metrics(metric or []), "description": description, "environment": environment, "parent": parent,
        "dataset": dataset,
    }  # fmt: skip
    objects = {"manifest": manifest, "signature": signature}
    read: dict[str, Any] = {field: read_object(given, f"--{field}") for field, given in objects.items()}
    with connected(url) as yard, progress_bar(json) as progress:
        try:
            version = yard.client.push(*files, name=name, sample=sample, **about, **read, wait=wait, progress=progress)
        except ModelRefused as error:
            raise _with_its_page(yard, error) from None
        done = _done(yard, version, _same_request(yard, name, files, sample, about, objects))
    done.show(json)


def _done(yard: Connection, version: "Version", same: str) -> Done:
    """Return what is told of a version that was uploaded."""
    report = version.report or {}
    told = {"why": report.get("reason"), "ignored": _ignored(report.get("ignored_columns") or [])}
    return Done(
        f"{version} is {version.state}"
        + (f": {version.format}, runs as {version.runtime}" if version.runtime else "")
        + (f" in the environment {version.environment}" if version.environment else ""),
        result=version,
        console=yard.console(version.model, version.number),
        curl=same,
        undo=f"modelyard delete {version}",
        more={**{key: str(text) for key, text in told.items() if text}, "next": f"modelyard promote {version}"},
    )


def _same_request(
    yard: Connection,
    name: str,
    files: list[Path],
    sample: Path | None,
    about: dict[str, Any],
    objects: dict[str, str | None],
) -> str:
    """Return the equal curl line; a JSON object that was given as a file stays one."""
    from modelyard.client.pushing import form

    forms = [("file", f"@{file}") for file in files] + ([("sample", f"@{sample}")] if sample else [])
    texts = form(**{**about, "metrics": about["metrics"] or None})
    for field, given in objects.items():
        if given is not None and is_inline(given):
            texts[field] = given
        elif given is not None:
            forms.append((field, f"<{given}"))
    return curl("POST", yard.api(f"models/{name}/versions/"), forms=forms, texts=list(texts.items()))


def _with_its_page(yard: Connection, error: ModelRefused) -> ModelRefused:
    """Add where the refused version is seen, and how it goes."""
    if named := error.details.get("version"):
        refused = parse_reference(str(named))
        page = yard.console(refused.model, refused.version)
        error.details["notes"] = {"console": page, "undo": f"modelyard delete {refused}"}
    return error


def _ignored(columns: list[str]) -> str:
    """Say which columns of the sample the model does not take: a request that has them is refused."""
    if not columns:
        return ""
    shown = [f"`{name}`" if name else "one without a name (the CSV's index?)" for name in columns[:SHOWN_COLUMNS]]
    more = f" and {len(columns) - SHOWN_COLUMNS} more" if len(columns) > SHOWN_COLUMNS else ""
    return (
        f"of the sample's columns {', '.join(shown)}{more}: the model does not take them, nor may a request have them"
    )
