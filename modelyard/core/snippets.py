"""Code that asks a model for a prediction, ready to be copied: made from a signature and sample rows."""

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelyard.core.schema import example_row
from modelyard.core.signature import Signature

KEY_VARIABLE = "MODELYARD_KEY"
LINE_LENGTH = 88


@dataclass(frozen=True, slots=True)
class Snippet:
    """`language` is for programs (curl, python, javascript), `title` for people."""

    language: str
    title: str
    code: str


def snippets(
    *, url: str, reference: str, signature: Signature, sample: Sequence[Mapping[str, Any]] = (), key: str = ""
) -> tuple[Snippet, ...]:
    """Return the same request in each language.

    Args:
        url: of the data plane, without a path.
        reference: `iris`, `iris:3` or `iris@candidate`.
        sample: rows; the first is used. Without one, a row is made from the signature.
        key: where it is not given, the code reads it from the environment.
    """
    row = dict(sample[0]) if sample else example_row(signature)
    url = url.rstrip("/")
    return (
        Snippet("curl", "curl", curl(url, reference, row, key)),
        Snippet("python", "Python", python(url, reference, row, key)),
        Snippet("javascript", "JavaScript", javascript(url, reference, row, key)),
    )


def curl(url: str, reference: str, row: Mapping[str, Any], key: str = "") -> str:
    """Return a command for a POSIX shell."""
    bearer = shlex.quote(f"Authorization: Bearer {key}") if key else f'"Authorization: Bearer ${KEY_VARIABLE}"'
    body = shlex.quote(f'{{"rows": [{_literal(row, json.dumps, comma="")}]}}')
    return (
        f"curl --fail-with-body {shlex.quote(f'{url}/predict/{reference}')} \\\n"
        f"  -H {bearer} \\\n"
        f"  -H 'Content-Type: application/json' \\\n"
        f"  -d {body}"
    )


def python(url: str, reference: str, row: Mapping[str, Any], key: str = "") -> str:
    """Return a script that uses Modelyard's client."""
    imports = "from modelyard import Client" if key else "import os\n\nfrom modelyard import Client"
    bearer = repr(key) if key else f'os.environ["{KEY_VARIABLE}"]'
    return (
        f"{imports}\n\n"
        f"yard = Client({json.dumps(url)}, key={bearer})\n"
        f"answer = yard.predict({json.dumps(reference)}, [{_literal(row, python_value)}])\n"
        "print(answer.predictions)"
    )


def javascript(url: str, reference: str, row: Mapping[str, Any], key: str = "") -> str:
    """Return a module for Node or a trusted server; a key has no place in a public page."""
    bearer = json.dumps(f"Bearer {key}") if key else f"`Bearer ${{process.env.{KEY_VARIABLE}}}`"
    return (
        f"const response = await fetch({json.dumps(f'{url}/predict/{reference}')}, {{\n"
        '  method: "POST",\n'
        "  headers: {\n"
        f"    Authorization: {bearer},\n"
        '    "Content-Type": "application/json",\n'
        "  },\n"
        f"  body: JSON.stringify({{ rows: [{_literal(row, json.dumps)}] }}),\n"
        "});\n"
        "console.log(await response.json());"
    )


def python_value(value: Any) -> str:
    """Return a JSON value as Python writes it: None, True, and texts with double quotes."""
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(str(name))}: {python_value(item)}" for name, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(python_value, value)) + "]"
    return repr(value)


def _literal(row: Mapping[str, Any], write: Callable[[Any], str], comma: str = ",") -> str:
    """Write a row on one line where it fits, else folded over several; `comma` follows the last value then."""
    parts = [f"{json.dumps(str(name))}: {write(value)}" for name, value in row.items()]
    line = "{" + ", ".join(parts) + "}"
    if len(line) <= LINE_LENGTH - 24:
        return line
    lines = [""]
    for part in parts:
        if lines[-1] and len(lines[-1]) + len(part) > LINE_LENGTH - 8:
            lines.append("")
        lines[-1] += ("" if not lines[-1] else " ") + part + ","
    lines[-1] = lines[-1][:-1] + comma
    return "{\n" + "\n".join(f"    {line}" for line in lines) + "\n}"
