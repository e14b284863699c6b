"""How the command speaks: results on stdout, everything else on stderr; tables for people, JSON for programs."""

import json
import re
import shlex
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from modelyard.cli import project
from modelyard.core.errors import ModelyardError

WIDTH_WITHOUT_TERMINAL = 200

HINTS = {
    "unauthenticated": "`modelyard login` keeps a key; `modelyard keys create` makes one on the server's own machine",
    "unavailable": "`modelyard doctor` looks for the cause on this machine",
    "has_consumers": "once they were told, --despite-consumers says so; `modelyard consumers list MODEL` shows them",
    "in_use": "`modelyard deactivate MODEL`, and deleting its aliases, frees a version",
}
"""Error code to what helps, where the message itself does not say it."""

OWN = re.compile(r"(^|`|&& |; )modelyard (?=[a-z-])")


def runnable(text: str) -> str:
    """Return `text` with its own commands as they are called here: by their path, off the PATH; or by `manage.py`."""
    if project.current() is not None:
        return project.spelled(text)
    own = Path(sys.executable).with_name("modelyard")
    found = shutil.which("modelyard")
    if not own.exists() or (found is not None and Path(found).resolve() == own.resolve()):
        return text
    return OWN.sub(lambda match: f"{match[1]}{shlex.quote(str(own))} ", text)


def hint_of(error: ModelyardError) -> str | None:
    """Return what helps against an error, if anything is known."""
    if error.code == "forbidden" and (scope := error.details.get("scope")):
        return f"a key with this scope may do it: `modelyard keys create --name NAME --scope {scope}`"
    if error.code == "not_found" and error.details.get("what") == "model" and "did you mean" not in error.message:
        return "`modelyard models` lists them"
    if error.code == "in_use" and error.details.get("what") in ("dataset", "tenant"):
        return None
    return HINTS.get(error.code)


def print_json(value: Any) -> None:
    """Print `value`, which may hold records, as JSON."""
    print(json.dumps(msgspec.to_builtins(value), indent=2, ensure_ascii=False))


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str) -> None:
    """Print rows under headings, or `empty` when there are none."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cells = [["" if value is None else str(value) for value in row] for row in rows]
    if not cells:
        print(runnable(empty))
        return
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in cells:
        table.add_row(*[Text(value) for value in row])
    Console(width=None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL).print(table)


def say(text: str) -> None:
    """Tell a person something that is no result."""
    print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class Done:
    """What a verb changed.

    Attributes:
        text: for people.
        result: for programs.
        console: address of the thing's page, if it has one.
        curl: the equal request, without the secret.
        undo: the command that takes it back.
        warnings: what should be known of it, a line each.
    """

    text: str
    result: Any = None
    console: str | None = None
    curl: str | None = None
    undo: str | None = None
    more: dict[str, str] = field(default_factory=dict)
    warnings: Sequence[str] = ()

    def show(self, as_json: bool) -> None:
        notes = {"console": self.console, "curl": self.curl, "undo": self.undo, **self.more}
        if as_json:
            shown = msgspec.to_builtins(self.result)
            told = {**notes, "warnings": list(self.warnings)}
            print_json({"result": shown, **{name: note for name, note in told.items() if note}})
            return
        print(runnable(self.text))
        for name, note in notes.items():
            if note:
                print(f"  {name:8} {note if name == 'curl' else runnable(note)}")
        for warning in self.warnings:
            print(f"  warning  {warning}")


def curl(
    method: str,
    url: str,
    *,
    json_body: Any = None,
    forms: Sequence[tuple[str, str]] = (),
    texts: Sequence[tuple[str, str]] = (),
) -> str:
    """Return the command line that sends the same request; the key comes from `$MODELYARD_KEY`.

    `forms` are curl's (`@file`, `<file`), `texts` are fields as they stand.
    """
    parts = ["curl", "--fail-with-body", "-H", '"Authorization: Bearer $MODELYARD_KEY"']
    if method != "GET" and not (method == "POST" and (forms or json_body is not None)):
        parts += ["-X", method]
    if json_body is not None:
        parts += [
            "-H",
            "'Content-Type: application/json'",
            "-d",
            shlex.quote(json.dumps(json_body, ensure_ascii=False)),
        ]
    for name, value in forms:
        parts += ["-F", shlex.quote(f"{name}={_whole(value)}")]
    for name, value in texts:
        parts += ["--form-string", shlex.quote(f"{name}={value}")]
    return " ".join([*parts, shlex.quote(url)])


def _whole(form: str) -> str:
    """Return `@file` or `<file` as curl reads it to its end: `,` and `;` in a name mean something to it."""
    if not set(form) & set(',;"\\'):
        return form
    return form[0] + '"' + form[1:].replace("\\", "\\\\").replace('"', '\\"') + '"'


def print_error(error: ModelyardError, as_json: bool) -> None:
    """Print an error on stderr: the message, the notes in its details (name to text), and what helps."""
    hint = hint_of(error)
    if as_json:
        body: dict[str, Any] = {"code": error.code, "message": error.message}
        if error.details:
            body["details"] = error.details
        if hint:
            body["hint"] = hint
        print(json.dumps({"error": body}, default=str), file=sys.stderr)
        return
    print(f"error: {runnable(error.message)}", file=sys.stderr)
    for name, note in error.details.get("notes", {}).items():
        print(f"  {name:8} {runnable(note)}", file=sys.stderr)
    if hint:
        print(f"hint: {runnable(hint)}", file=sys.stderr)
