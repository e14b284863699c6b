"""`modelyard datasets`: immutable tables, to train on and to score."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelyard.cli.connection import Connection, connected
from modelyard.cli.options import Json, Url, Yes
from modelyard.cli.output import Done, curl, print_json, print_table
from modelyard.cli.progress import progress_bar
from modelyard.cli.tables import read_types
from modelyard.cli.usage import NotUnderstood, dataset_name, dataset_reference
from modelyard.core.errors import DatasetRefused
from modelyard.core.table import parse_dataset

if TYPE_CHECKING:
    from modelyard.client import Dataset

app = typer.Typer(help="Push tables, and look at them.", no_args_is_help=True)
Reference = Annotated[
    str,
    typer.Argument(
        help="As flights, the newest that is ready, or flights:2.", show_default=False, callback=dataset_reference
    ),
]

Name = Annotated[
    str, typer.Option("--name", "-n", help="The dataset's name.", show_default=False, callback=dataset_name)
]
Types = Annotated[
    list[str] | None,
    typer.Option("--type", help="Of a column, as zip=string; may be repeated.", show_default=False),
]


@app.command("list")
def list_datasets(
    search: Annotated[str, typer.Option(help="Only those whose name or description holds this.")] = "",
    url: Url = None,
    json: Json = False,
) -> None:
    """List the datasets, by name, the newest first."""
    with connected(url) as yard:
        found = yard.client.datasets(**({"search": search} if search else {}))
    if json:
        print_json(found)
        return
    empty = f"no dataset's name or description holds {search!r}" if search else ""
    columns = ["dataset", "state", "rows", "bytes", "source", "who", "when"]
    print_table(
        "Datasets",
        columns,
        [_cells(dataset) for dataset in found],
        empty=empty or "no datasets yet: `modelyard datasets push FILE --name NAME` makes one",
    )


def _cells(dataset: "Dataset") -> list[Any]:
    state = dataset.state if not dataset.refusal else f"{dataset.state}: {dataset.refusal.get('message', '')}"
    when = (dataset.created_at or "")[:16].replace("T", " ")
    return [dataset, state, dataset.n_rows, dataset.n_bytes, _source(dataset), dataset.created_by, when]


def _source(dataset: "Dataset") -> str:
    said = dataset.source
    return " ".join(str(said[key]) for key in ("kind", "place", "filename") if said.get(key))


@app.command()
def push(
    file: Annotated[Path, typer.Argument(help="A table: .csv or .parquet.", show_default=False)],
    name: Name,
    column_type: Types = None,
    description: Annotated[str, typer.Option(help="What it holds.", show_default=False)] = "",
    wait: Annotated[bool, typer.Option(help="Wait until it was examined.")] = True,
    url: Url = None,
    json: Json = False,
) -> None:
    """Upload a table as a new dataset; the same file again is the dataset that there is."""
    types = read_types(column_type or [])
    with connected(url) as yard, progress_bar(json) as progress:
        from modelyard.client.pushing import form

        try:
            dataset = yard.client.push_dataset(
                file, name=name, types=types, description=description, wait=wait, progress=progress
            )
        except DatasetRefused as error:
            raise _with_its_page(yard, error) from None
        texts = form(name=name, types=types or None, description=description)
        request = curl("POST", yard.api("datasets/"), forms=[("file", f"@{file}")], texts=list(texts.items()))
        done = _made(yard, dataset, request)
    done.show(json)


@app.command()
def fetch(
    kind: Annotated[str, typer.Argument(help="folder, bucket or sql.", show_default=False)],
    place: Annotated[str, typer.Argument(help="As the operator named it.", show_default=False)],
    name: Name,
    file: Annotated[str, typer.Option(help="Of a folder or bucket.", show_default=False)] = "",
    query: Annotated[str, typer.Option(help="Of a database: one SELECT.", show_default=False)] = "",
    column_type: Types = None,
    description: Annotated[str, typer.Option(help="What it holds.", show_default=False)] = "",
    wait: Annotated[bool, typer.Option(help="Wait until it was examined.")] = True,
    url: Url = None,
    json: Json = False,
) -> None:
    """Have the server fetch a table from a place that its operator allowed; `sources` lists them."""
    types = read_types(column_type or [])
    if bool(file) == bool(query):
        raise NotUnderstood("expected either --file or --query")
    source = {"kind": kind, "place": place, **({"file": file} if file else {"query": query})}
    with connected(url) as yard, progress_bar(json) as progress:
        try:
            dataset = yard.client.fetch_dataset(
                source, name=name, types=types, description=description, wait=wait, progress=progress
            )
        except DatasetRefused as error:
            raise _with_its_page(yard, error) from None
        body: dict[str, Any] = {"name": name, "source": source}
        body |= {key: given for key, given in (("types", types), ("description", description)) if given}
        done = _made(yard, dataset, curl("POST", yard.api("datasets/"), json_body=body))
    done.show(json)


@app.command()
def sources(url: Url = None, json: Json = False) -> None:
    """List where datasets may come from."""
    with connected(url) as yard:
        found = yard.client.dataset_sources()
    if json:
        print_json(found)
        return
    rows = [(one["kind"], ", ".join(one["places"]) or "none", one["field"], one["scope"]) for one in found]
    print_table("Sources", ["kind", "places", "asks for", "scope"], rows, empty="")


def _made(yard: Connection, dataset: "Dataset", request: str) -> Done:
    rows = "" if dataset.n_rows is None else f": {dataset.n_rows:,} rows, {len(dataset.columns)} columns"
    found = "was there already, of the same file, and " * dataset.already
    return Done(
        f"{dataset} {found}is {dataset.state}{rows}",
        result=dataset,
        console=yard.dataset(str(dataset)),
        curl=request,
        undo=None if dataset.already else f"modelyard datasets delete {dataset}",
    )


def _with_its_page(yard: Connection, error: DatasetRefused) -> DatasetRefused:
    """Add where the refused dataset is seen, and how it goes."""
    if named := error.details.get("dataset"):
        page = yard.dataset(str(named))
        error.details["notes"] = {"console": page, "undo": f"modelyard datasets delete {named}"}
    return error


@app.command()
def show(
    reference: Reference,
    rows: Annotated[int, typer.Option(min=0, max=1000, help="First rows to show too.")] = 0,
    url: Url = None,
    json: Json = False,
) -> None:
    """Show a dataset's columns, and what each holds."""
    with connected(url) as yard:
        dataset = yard.client.dataset(reference)
        first = yard.client.preview_dataset(dataset, rows=rows) if rows and dataset.state == "ready" else None
    if json:
        shown = {"dataset": dataset, **({"preview": first} if first else {})}
        print_json(shown if first else dataset)
        return
    title = f"{dataset}: {dataset.n_rows:,} rows" if dataset.n_rows is not None else f"{dataset} is {dataset.state}"
    reason = (dataset.refusal or {}).get("message", "its columns are not known yet")
    columns = ["column", "type", "missing", "least", "median", "most", "distinct", "most frequent"]
    print_table(
        title, columns, [_column(one) for one in dataset.summary], empty=f"{dataset} is {dataset.state}: {reason}"
    )
    if first is not None:
        print_table(f"First rows of {dataset}", first.columns, first.data, empty="")


def _column(summary: dict[str, Any]) -> list[Any]:
    about = "" if summary.get("exact", True) else "about "
    median = (summary.get("quantiles") or {}).get("0.5")
    top = ", ".join(f"{one['value']} ({one['count']})" for one in (summary.get("top") or [])[:3])
    distinct = summary.get("distinct")
    return [
        summary["name"], summary["type"], summary["missing"] or "", _short(summary.get("min")), _short(median),
        _short(summary.get("max")), "" if distinct is None else f"{about}{distinct:,}", top[:80],
    ]  # fmt: skip


def _short(value: Any) -> str:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


@app.command()
def download(
    reference: Reference,
    to: Annotated[Path, typer.Option(help="A folder, or the file's name.")] = Path(),
    form: Annotated[
        str, typer.Option("--format", help="parquet or csv; else as --to is called.", show_default=False)
    ] = "",
    url: Url = None,
    json: Json = False,
) -> None:
    """Write a dataset to this machine."""
    with connected(url) as yard, progress_bar(json) as progress:
        path = yard.client.download_dataset(reference, to=to, format=form, progress=progress)
    if json:
        print_json({"file": str(path), "size_bytes": path.stat().st_size})
    else:
        print(f"{path} holds {path.stat().st_size:,} bytes")


@app.command()
def delete(reference: Reference, yes: Yes = False, url: Url = None, json: Json = False) -> None:
    """Delete a dataset, named with its number; one that a version was trained on is not deleted."""
    named = parse_dataset(reference)
    if not named.version:
        raise NotUnderstood(f"{reference!r} may be another one tomorrow: name the number, as in '{reference}:1'")
    with connected(url) as yard:
        if not yes and not json:
            yard.client.dataset(reference)
            typer.confirm(f"Delete {reference} with all its rows? This cannot be undone.", abort=True, err=True)
        yard.client.delete_dataset(reference)
        Done(
            f"{reference} is deleted",
            result={"deleted": reference},
            console=yard.dataset(),
            curl=curl("DELETE", yard.api(f"datasets/{reference}/")),
            undo="there is no way back; push the file again, as a new dataset",
        ).show(json)
