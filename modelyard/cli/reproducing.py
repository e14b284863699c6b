"""`modelyard reproduce`: a version's training is run again, and compared with it."""

import sys
from collections.abc import Iterator
from typing import Any

import typer

from modelyard.cli.connection import connected
from modelyard.cli.jobs import console_page, follow
from modelyard.cli.options import Json, Ref, Url
from modelyard.cli.output import Done, curl, print_error, print_table, runnable, say
from modelyard.cli.progress import progress_bar
from modelyard.core.errors import ModelRefused, ModelyardError
from modelyard.core.reference import parse_reference

EQUAL, DIFFERS, NOT_COMPARED = 0, 1, 2
TITLES = {
    "parameters": "parameters",
    "data": "data digest",
    "metrics": "metrics",
    "predictions": "predictions",
    "artifacts": "artifact bytes",
    "environment": "environment",
}


def reproduce(version: Ref, url: Url = None, json: Json = False) -> None:
    """Train a version again, and tell whether the same comes of it.

    Nothing is registered. Exit code 0: all is equal, byte by byte; 1: something differs; 2: it could not be compared.
    Ctrl-C only ends the watching: the job goes on.
    """
    try:
        equal = _compared(version, url, json)
    except ModelyardError as error:
        print_error(error, json)
        raise typer.Exit(NOT_COMPARED) from None
    raise typer.Exit(EQUAL if equal else DIFFERS)


def _compared(version: str, url: str | None, json: bool) -> bool:
    with connected(url) as yard:
        job = yard.client.reproduce(version)
        page = console_page(yard, job.id)
        try:
            with progress_bar(json) as progress:
                follow(yard, job.id, json=False, out=sys.stderr, progress=progress)
        except KeyboardInterrupt:
            say(runnable(f"\nthe job goes on: `modelyard jobs watch {job.id}` follows it again"))
            raise
        job = yard.client.job(job)
        if job.state != "succeeded":
            said = (job.error or {}).get("message", "its job ended without a word")
            raise ModelRefused(f"it was not reproduced, the job is {job.state}: {said}", notes={"console": page})
        found: dict[str, Any] = job.outcome
        named = parse_reference(found["version"])
        same = curl("POST", yard.api(f"models/{named.model}/versions/{named.version}/reproduce"))
        text = f"{named} is reproduced " + ("bit-equal" if found["equal"] else "with differences")
        done = Done(text, result=job, console=yard.console(named.model, named.version), curl=same)
    if not json:
        print_table(f"{named} trained again", ["what", "equal", "then and now"], _rows(found), empty="")
    done.show(json)
    return bool(found["equal"])


def _rows(found: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name, title in TITLES.items():
        part = found[name]
        words = {True: "yes", False: "no", None: "not compared"}
        yield title, words[part["equal"]], "\n".join(_differences(name, part))


def _differences(name: str, part: dict[str, Any]) -> Iterator[str]:
    if name == "predictions":
        yield part.get("reason") or f"{part['rows']} rows of the kept sample"
        for output in part["outputs"]:
            if output["differing"]:
                apart = "" if output["largest"] is None else f", by {output['largest']:.6g} at most"
                yield f"{output['name']}: {output['differing']} rows differ{apart}"
        return
    for one in part["differences"]:
        yield f"{one['name']}: {_short(one['then'])} -> {_short(one['now'])}"


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
