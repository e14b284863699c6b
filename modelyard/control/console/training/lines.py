"""The same training as a command, a request and a call."""

import json
import shlex
from collections.abc import Mapping
from typing import Any

from modelyard.control.rest.public import public_url
from modelyard.core.snippets import KEY_VARIABLE, Snippet

USUAL_TRAINER = "tabular"


def training_lines(trainer: str, model: str, dataset: str, parameters: Mapping[str, Any]) -> tuple[Snippet, ...]:
    """Return how a terminal, curl and Python ask for it; what is not chosen yet is called `your-...`."""
    model, dataset = model or "your-model", dataset or "your-dataset"
    return (
        Snippet("command", "Command", _command(trainer, model, dataset, parameters)),
        Snippet("curl", "curl", _curl(trainer, model, dataset, parameters)),
        Snippet("python", "Python", _python(trainer, model, dataset, parameters)),
    )


def _command(trainer: str, model: str, dataset: str, parameters: Mapping[str, Any]) -> str:
    parts = [f"modelyard train {shlex.quote(model)} --dataset {shlex.quote(dataset)}"]
    parts += [f"--trainer {shlex.quote(trainer)}"] if trainer != USUAL_TRAINER else []
    parts += [f"--set {shlex.quote(f'{name}={_set(value)}')}" for name, value in parameters.items()]
    return " \\\n  ".join(parts)


def _set(value: Any) -> str:
    """Write a value as `--set` reads it: a text as it stands, unless it would be read as JSON."""
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    try:
        json.loads(value)
    except ValueError:
        return value
    return json.dumps(value, ensure_ascii=False)


def _curl(trainer: str, model: str, dataset: str, parameters: Mapping[str, Any]) -> str:
    body = json.dumps({"model": model, "dataset": dataset, "parameters": parameters}, ensure_ascii=False)
    return (
        f"curl --fail-with-body {shlex.quote(f'{public_url()}/api/v1/trainers/{trainer}/train')} \\\n"
        f'  -H "Authorization: Bearer ${KEY_VARIABLE}" \\\n'
        f"  -H 'Content-Type: application/json' \\\n"
        f"  -d {shlex.quote(body)}"
    )


def _python(trainer: str, model: str, dataset: str, parameters: Mapping[str, Any]) -> str:
    given = [repr(model), repr(dataset)]
    given += [f"trainer={trainer!r}"] if trainer != USUAL_TRAINER else []
    given += [f"parameters={dict(parameters)!r}"] if parameters else []
    return (
        "import os\n\nfrom modelyard import Client\n\n"
        f'yard = Client("{public_url()}", key=os.environ["{KEY_VARIABLE}"])\n'
        f"job = yard.train({', '.join(given)})\n"
        "*_, end = yard.watch(job)\n"
        'print(end.data["outcome"])'
    )
