"""The verbs of versions: push, list, promote, roll back, deactivate, delete, download."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelyard.cli.connection import Connection, connected
from modelyard.cli.options import Despite, Json, ModelName, Reason, Ref, Url, Yes
from modelyard.cli.output import Done, curl, print_json, print_table, say
from modelyard.cli.progress import progress_bar
from modelyard.cli.tables import is_inline, read_metrics, read_object
from modelyard.cli.usage import NotUnderstood, model_name, reference
from modelyard.core.errors import ModelRefused
from modelyard.core.metrics import P95, amount
from modelyard.core.reference import Reference, parse_reference

if TYPE_CHECKING:
    from modelyard.client import Deployment, Version

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
    metrics = read_metrics(metric or [])
    manifest_object, signature_object = read_object(manifest, "--manifest"), read_object(signature, "--signature")
    with connected(url) as yard, progress_bar(json) as progress:
        from modelyard.client.pushing import form

        try:
            version = yard.client.push(
                *files,
                name=name,
                sample=sample,
                metrics=metrics,
                description=description,
                parent=parent,
                manifest=manifest_object,
                signature=signature_object,
                environment=environment,
                wait=wait,
                progress=progress,
            )
        except ModelRefused as error:
            raise _with_its_page(yard, error) from None
        forms = [("file", f"@{file}") for file in files] + ([("sample", f"@{sample}")] if sample else [])
        texts = form(metrics=metrics or None, description=description, environment=environment, parent=parent)
        for field, given in (("manifest", manifest), ("signature", signature)):
            if given is not None and is_inline(given):
                texts[field] = given
            elif given is not None:
                forms.append((field, f"<{given}"))
        report = version.report or {}
        told = {"why": report.get("reason"), "ignored": _ignored(report.get("ignored_columns") or [])}
        done = Done(
            f"{version} is {version.state}"
            + (f": {version.format}, runs as {version.runtime}" if version.runtime else "")
            + (f" in the environment {version.environment}" if version.environment else ""),
            result=version,
            console=yard.console(version.model, version.number),
            curl=curl("POST", yard.api(f"models/{name}/versions/"), forms=forms, texts=list(texts.items())),
            undo=f"modelyard delete {version}",
            more={**{key: str(text) for key, text in told.items() if text}, "next": f"modelyard promote {version}"},
        )
    done.show(json)


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


def versions(model: ModelName, url: Url = None, json: Json = False) -> None:
    """List a model's versions, the newest first."""
    with connected(url) as yard:
        found = yard.client.versions(model)
    if json:
        print_json(found)
        return
    columns = ["version", "state", "answers", "aliases", "format", "bytes", "p95", "metrics", "who", "when"]
    print_table(
        f"Versions of {model}", columns, [_cells(version) for version in found], empty=f"{model} has no versions yet"
    )


def _cells(version: "Version") -> list[Any]:
    state = version.state if not version.refusal else f"{version.state}: {version.refusal.get('message', '')}"
    metrics = ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in version.metrics.items()
    )
    weight = "" if version.weight is None else f"{version.weight:.0%}"
    when = (version.created_at or "")[:16].replace("T", " ")
    aliases = ", ".join(version.aliases)
    seconds = version.measured.get(P95)
    p95 = "" if seconds is None else amount(P95, seconds)
    size = version.size_bytes
    return [version, state, weight, aliases, version.format, size, p95, metrics, version.created_by, when]


def promote(version: Ref, reason: Reason = "", url: Url = None, json: Json = False) -> None:
    """Let a version answer all requests for its model."""
    with connected(url) as yard:
        now = yard.client.promote(version, reason=reason)
        _deployed(yard, now, "promote", {"version": now.champion, "reason": reason}, json)


def rollback(model: ModelName, reason: Reason = "", url: Url = None, json: Json = False) -> None:
    """Serve again what was served before the last change."""
    with connected(url) as yard:
        _deployed(yard, yard.client.rollback(model, reason=reason), "rollback", {"reason": reason}, json)


def deactivate(
    model: ModelName, reason: Reason = "", despite_consumers: Despite = False, url: Url = None, json: Json = False
) -> None:
    """Answer no more who asks for the model by its name alone.

    Its versions stay, and answer by number and by alias until they are deleted.
    """
    with connected(url) as yard:
        now = yard.client.deactivate(model, reason=reason, despite_consumers=despite_consumers)
        _deployed(yard, now, "deactivate", {"reason": reason, "despite_consumers": despite_consumers}, json)


def _deployed(yard: Connection, now: "Deployment", verb: str, body: dict[str, Any], json: bool) -> None:
    model = now.model
    answering = " and ".join(f"{model}:{number}" for number in now.versions)
    alone = f"{model} is not served; by number and by alias its versions answer on"
    text = f"{answering} answers for {model}" if answering else alone
    given = {key: value for key, value in body.items() if value}
    Done(
        text + ("" if now.changed else "; it was so already"),
        result=now,
        console=yard.console(model),
        curl=curl("POST", yard.api(f"models/{model}/{verb}"), json_body=given),
        undo=_undo(model, now.undo),
    ).show(json)


def _undo(model: str, call: dict[str, Any] | None) -> str | None:
    """Return the command that is the server's call to take the change back."""
    if call is None:
        return None
    number = call.get("body", {}).get("version")
    return f"modelyard {call['verb']} {model}" + (f":{number}" if number else "")


def delete(
    target: Annotated[
        str, typer.Argument(help="A version, as iris:3, or a whole model.", show_default=False, callback=reference)
    ],
    yes: Yes = False,
    despite_consumers: Despite = False,
    url: Url = None,
    json: Json = False,
) -> None:
    """Delete a version, or a whole model.

    A version that serves or has an alias is not deleted, nor a model that serves; a model's aliases, charter and
    consumers go with it.
    """
    named = parse_reference(target)
    if named.alias:
        raise NotUnderstood(f"{target!r} names an alias: expected a model, or a version as in '{named.model}:3'")
    with connected(url) as yard:
        if not yes and not json:
            _look(yard, named)
            for consumer in yard.client.consumers(named.model):
                say(f"{consumer.name} depends on {consumer.uses}" + (f": {consumer.contact}" * bool(consumer.contact)))
            whole = "all its files" if named.version else "all its versions, aliases and files"
            typer.confirm(f"Delete {target} with {whole}? This cannot be undone.", abort=True, err=True)
        yard.client.delete(target, despite_consumers=despite_consumers)
        path = f"models/{named.model}/" + (f"versions/{named.version}/" if named.version else "")
        path += "?despite_consumers=true" if despite_consumers else ""
        Done(
            f"{target} is deleted",
            result={"deleted": target},
            console=yard.console(named.model) if named.version else yard.console(),
            curl=curl("DELETE", yard.api(path)),
            undo="there is no way back; push the files again" + (" as a new version" if named.version else ""),
        ).show(json)


def _look(yard: Connection, named: Reference) -> None:
    """Ask for what is to be deleted: nobody is asked whether something may go that is not there."""
    if named.version:
        yard.client.version(str(named))
    else:
        yard.client.model(named.model)


def download(
    version: Ref,
    to: Annotated[Path, typer.Option(help="A folder, or the file's name.")] = Path(),
    url: Url = None,
    json: Json = False,
) -> None:
    """Write a version's files to this machine; several come as one zip."""
    with connected(url) as yard, progress_bar(json) as progress:
        path = yard.client.download(version, to=to, progress=progress)
    if json:
        print_json({"file": str(path), "size_bytes": path.stat().st_size})
    else:
        print(f"{path} holds {path.stat().st_size:,} bytes")
