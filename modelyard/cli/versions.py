"""The verbs of versions: list, promote, roll back, deactivate, delete, download."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelyard.cli.connection import Connection, connected
from modelyard.cli.options import Despite, Json, ModelName, Reason, Ref, Url, Yes
from modelyard.cli.output import Done, curl, print_json, print_table, say
from modelyard.cli.progress import progress_bar
from modelyard.cli.usage import NotUnderstood, reference
from modelyard.core.errors import Conflict
from modelyard.core.metrics import P95, amount
from modelyard.core.reference import Reference, parse_reference

if TYPE_CHECKING:
    from modelyard.client import Deployment, Version


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


def promote(
    version: Ref, reason: Reason = "", despite_consumers: Despite = False, url: Url = None, json: Json = False
) -> None:
    """Let a version answer all requests for its model."""
    with connected(url) as yard:
        now = yard.client.promote(version, reason=reason, despite_consumers=despite_consumers)
        body = {"version": now.champion, "reason": reason, "despite_consumers": despite_consumers}
        _deployed(yard, now, "promote", body, json)


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
        more={"note": "; ".join(now.notes), "tell": ", ".join(now.consumers)},
    ).show(json)


def _undo(model: str, call: dict[str, Any] | None) -> str | None:
    """Return the command that is the server's call to take the change back."""
    if call is None:
        return None
    number = call.get("body", {}).get("version")
    told = " --despite-consumers" if call.get("body", {}).get("despite_consumers") else ""
    return f"modelyard {call['verb']} {model}" + (f":{number}" if number else "") + told


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
            _confirm(f"Delete {target} with {whole}? This cannot be undone.")
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


def _confirm(question: str) -> None:
    try:
        typer.confirm(question, abort=True, err=True)
    except typer.Abort:
        raise Conflict("nothing was deleted: it was not agreed to; --yes agrees where nobody can be asked") from None


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
