"""How the command speaks: results on stdout, everything else on stderr; tables for people, JSON for programs."""

import json
import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from modelyard.cli.project import spelled
from modelyard.core.errors import ModelyardError

WIDTH_WITHOUT_TERMINAL = 200

HINTS = {
    "unauthenticated": "`modelyard login` keeps a key; `modelyard keys create` makes one on the server's own machine",
    "forbidden": "a key with a larger scope may do this: `modelyard keys create --scope write`",
    "unavailable": "`modelyard doctor` looks for the cause on this machine",
    "has_consumers": "once they were told, --despite-consumers says so; `modelyard consumers list MODEL` shows them",
    "in_use": "`modelyard deactivate MODEL`, and deleting its aliases, frees a version",
}
"""Error code to what helps, where the message itself does not say it."""


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
        print(spelled(empty))
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
    """

    text: str
    result: Any = None
    console: str | None = None
    curl: str | None = None
    undo: str | None = None
    more: dict[str, str] = field(default_factory=dict)

    def show(self, as_json: bool) -> None:
        notes = {"console": self.console, "curl": self.curl, "undo": self.undo, **self.more}
        if as_json:
            shown = msgspec.to_builtins(self.result)
            print_json({"result": shown, **{name: note for name, note in notes.items() if note}})
            return
        print(spelled(self.text))
        for name, note in notes.items():
            if note:
                print(f"  {name:8} {spelled(note)}")


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
        parts += ["-F", shlex.quote(f"{name}={value}")]
    for name, value in texts:
        parts += ["--form-string", shlex.quote(f"{name}={value}")]
    return " ".join([*parts, shlex.quote(url)])


def print_error(error: ModelyardError, as_json: bool) -> None:
    """Print an error on stderr: the message, and what helps."""
    hint = HINTS.get(error.code)
    if as_json:
        body: dict[str, Any] = {"code": error.code, "message": error.message}
        if error.details:
            body["details"] = error.details
        if hint:
            body["hint"] = hint
        print(json.dumps({"error": body}, default=str), file=sys.stderr)
        return
    print(f"error: {spelled(error.message)}", file=sys.stderr)
    if hint:
        print(f"hint: {spelled(hint)}", file=sys.stderr)
