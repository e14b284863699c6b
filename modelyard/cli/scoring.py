"""`modelyard score`: has all rows of a dataset scored, by a job that is followed to its end, and fetches the result."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelyard.cli.connection import Connection, connected
from modelyard.cli.jobs import console_page, follow, unended
from modelyard.cli.options import Json, Url
from modelyard.cli.output import Done, curl
from modelyard.cli.progress import progress_bar
from modelyard.cli.usage import NotUnderstood, choice, dataset_reference, in_options, reference
from modelyard.core.errors import InvalidInput, ModelyardError

if TYPE_CHECKING:
    from modelyard.client.records import Job

FORMATS = {".parquet": "parquet", ".csv": "csv"}


def score(
    model: Annotated[
        str,
        typer.Argument(
            help="As iris:3, iris@candidate, or iris, the version that answers alone.",
            show_default=False,
            callback=reference,
        ),
    ],
    dataset: Annotated[
        str, typer.Option(help="What is scored, as flights:2.", show_default=False, callback=dataset_reference)
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Write the result here: .parquet or .csv; else it stays on the server.", show_default=False),
    ] = None,
    form: Annotated[
        str, typer.Option("--format", help="parquet or csv; else as --out is called.", show_default=False)
    ] = "",
    column: Annotated[
        list[str] | None,
        typer.Option(help="Of the dataset, to stand before the predictions; may be repeated.", show_default=False),
    ] = None,
    entity: Annotated[str, typer.Option(help="The column that tells rows apart.", show_default=False)] = "",
    precompute: Annotated[
        bool, typer.Option("--precompute", help="Store the answers by entity, for `modelyard precomputed get`.")
    ] = False,
    wait: Annotated[bool, typer.Option(help="Follow the job to its end.")] = True,
    url: Url = None,
    json: Json = False,
) -> None:
    """Score all rows of a dataset with a version of a model.

    Ctrl-C only ends the watching: the job goes on.
    """
    wanted = _format(form, out)
    if out is not None and not wait:
        raise NotUnderstood("--out needs the job's end: leave --no-wait out")
    if out is not None and out.is_file():
        raise NotUnderstood(f"--out {str(out)!r} is there already: remove it, or name another file")
    if out is not None:
        _check_place(out.expanduser())
    body: dict[str, Any] = {"model": model, "format": wanted, "columns": column or [], "entity": entity}
    if precompute:
        body["precompute"] = True
    with connected(url) as yard, in_options({"columns": "--column", "entity": "--entity"}):
        kept = column or []
        job = yard.client.score(model, dataset, format=wanted, columns=kept, entity=entity, precompute=precompute)
        same = curl("POST", yard.api(f"datasets/{dataset}/score"), json_body=body)
        if wait:
            with progress_bar(json) as progress:
                follow(yard, job.id, json=False, out=sys.stderr, progress=progress)
            job = yard.client.job(job)
        done = _done(yard, job, same, out, json)
    done.show(json)


def _format(form: str, out: Path | None) -> str:
    if form:
        wanted = choice("--format", form, FORMATS.values())
        if out is not None and not out.is_dir() and FORMATS.get(out.suffix.lower(), wanted) != wanted:
            raise NotUnderstood(
                f"--out {out.name!r} would hold {wanted}: name it {out.with_suffix('.' + wanted).name!r}"
            )
        return wanted
    if out is None or out.is_dir():
        return "parquet"
    if out.suffix.lower() not in FORMATS:
        raise NotUnderstood(f"--out {out.name!r}: expected a name that ends in .parquet or .csv, or --format")
    return FORMATS[out.suffix.lower()]


def _check_place(out: Path) -> None:
    """Refuse a place that nothing can be written to, before an hour of scoring."""
    from modelyard.client.downloading import check_folder

    try:
        check_folder(out if out.is_dir() else out.parent)
    except InvalidInput as error:
        raise NotUnderstood(f"--out: {error.message}") from None


def _fetched(yard: Connection, job: "Job", out: Path, json: bool) -> str:
    """Return where the result was written.

    Raises:
        ModelyardError: why it was not, with the command that fetches it later.
    """
    try:
        with progress_bar(json) as progress:
            return str(yard.client.download_result(job, to=out, progress=progress))
    except ModelyardError as error:
        error.message = f"the scoring {job.id} has succeeded, and its result was not fetched: {error.message}"
        notes = {
            "console": console_page(yard, job.id),
            "next": f"modelyard jobs result {job.id} --to {shlex.quote(str(out))}",
        }
        error.details["notes"] = notes
        raise


def _done(yard: Connection, job: "Job", same: str, out: Path | None, json: bool) -> Done:
    """Return what is told of a scoring.

    Raises:
        ModelyardError: when it failed, with the job's own words.
    """
    if (going := unended(yard, job, "scoring", same)) is not None:
        return going
    said: dict[str, Any] = job.outcome
    more: dict[str, str] = {}
    if out is not None:
        more["file"] = _fetched(yard, job, out, json)
    else:
        more["next"] = f"modelyard jobs result {job.id} --to scored.{said['format']}"
    if said["failed_rows"]:
        more["failed"] = f"modelyard jobs result {job.id} --failed --to failed.jsonl"
    if said.get("precomputing"):
        more["storing"] = f"modelyard jobs watch {said['precomputing']}"
    if said.get("not_precomputed"):
        more["not stored"] = said["not_precomputed"]
    failed = f", {said['failed_rows']:,} of them without a prediction" if said["failed_rows"] else ""
    if said["failed_rows"] > (kept := said.get("failed_kept", said["failed_rows"])):
        failed += f" ({kept:,} of these are kept for download: 1,000 of each part at most)"
    return Done(
        f"{said['version']} has scored {said['rows']:,} rows of {said['dataset']}{failed}, "
        f"{said['rows_per_second']:,} a second",
        result=job,
        console=console_page(yard, job.id),
        curl=same,
        undo=f"modelyard jobs delete-result {job.id}",
        more=more,
    )
