"""Writes the pages that come from tables in the code: `settings.md`, `command.md` and `estimators.md`.

With `--check` nothing is written; the pages that are out of date are named, and the exit code is 1.
"""

import json
import sys
from pathlib import Path
from typing import Any

import typer

from modelyard.cli.main import app
from modelyard.core.settings import TABLE, Setting, Settings
from modelyard.trainers.tabular.boosting import EXTRAS
from modelyard.trainers.tabular.estimators import Parameter, Task
from modelyard.trainers.tabular.listed import DEFAULT
from modelyard.trainers.tabular.listed import TABLE as TABLE_OF_ESTIMATORS

FOLDER = Path(__file__).parent


def settings_page() -> str:
    """Return the table of settings, in its own order."""
    rows = [f"| `{setting.variable}` | {_default(setting)} | {setting.help} |" for setting in TABLE]
    return "\n".join(
        [
            "# Settings",
            "",
            "Environment variables, read once when a process starts. A value that does not fit, or a variable that",
            "begins with `MODELYARD_` and is no setting, stops the start with a message that names it. `PORT` stands",
            "in for `MODELYARD_PORT`, as platforms that start a `Procfile` expect. This page is written from the",
            "table in `modelyard/core/settings.py` by `make docs`.",
            "",
            "| variable | default | what it is |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


DERIVED = {
    "home": "`./var`",
    "serve_port": "`MODELYARD_PORT` + 1",
    "serving_artifacts": "the store's folder, or `artifacts` in `MODELYARD_EXCHANGE` where the store is the database",
    "public_url": "`http://HOST:PORT`",
    "predict_url": "`MODELYARD_PUBLIC_URL`; when not embedded, `http://HOST:SERVE_PORT`",
}


def _default(setting: Setting) -> str:
    if setting.name in DERIVED:
        return DERIVED[setting.name]
    value = getattr(Settings.read({}), setting.name)
    if value in (None, {}, ()):
        return "none"
    if isinstance(value, Path):
        return f"`{setting.name}` in the home folder"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`{','.join(value)}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def command_page() -> str:
    """Return every verb with its arguments and options."""
    root: Any = typer.main.get_command(app)
    lines = [
        "# The command",
        "",
        "`modelyard VERB --help` says the same in the terminal. Exit codes: 0 done; 1 refused or failed, the reason is",
        "on standard error; 2 not understood (an unknown verb or option, or a value that cannot be read as what it",
        "stands for: nothing was asked of a server then). Verbs that talk to a server use the address and key of",
        "`modelyard login`, or `MODELYARD_URL` and `MODELYARD_KEY`. Written from the code by `make docs`.",
        "",
    ]
    for name, verb in root.commands.items():
        for path, command in _leaves(f"modelyard {name}", verb):
            lines += _verb(path, command)
    return "\n".join(lines)


def _leaves(path: str, command: Any) -> list[tuple[str, Any]]:
    below = getattr(command, "commands", None)
    if below is None:
        return [(path, command)]
    return [leaf for name, child in below.items() for leaf in _leaves(f"{path} {name}", child)]


def _verb(path: str, command: Any) -> list[str]:
    arguments = [part for part in command.params if part.param_type_name == "argument"]
    options = [part for part in command.params if part.param_type_name == "option" and part.name != "help"]
    usage = " ".join([path, *(_placeholder(part) for part in arguments), *(["[OPTIONS]"] if options else [])])
    rows = [(f"`{_placeholder(part)}`", part.help) for part in arguments]
    rows += [(f"`{', '.join([*part.opts, *part.secondary_opts])}`", part.help) for part in options]
    table = [f"| {name} | {' '.join((help or '').split())} |" for name, help in rows]
    text = [" ".join(block.split()) for block in (command.help or "").split("\n\n")]
    body = [part for block in text if block for part in (block, "")]
    return [f"## `{usage}`", "", *body, *(["| | |", "|---|---|", *table, ""] if table else [])]


def _placeholder(part: Any) -> str:
    name = part.name.upper()
    name = f"{name}..." if part.nargs == -1 else name
    return name if part.required else f"[{name}]"


def estimators_page() -> str:
    """Return the estimators of the trainer of tables, each with its parameters."""
    lines = [
        "# Estimators",
        "",
        "What the trainer `tabular` trains, estimators of scikit-learn, XGBoost and LightGBM;",
        "[training](training.md) says how.",
        "Parameters that are not listed keep their packages' own defaults. Written from the tables in",
        "`modelyard/trainers/tabular/listed.py` and `boosting.py` by `make docs`.",
        "",
    ]
    for task in Task:
        lines += [f"## For a {task.value}", ""]
        for estimator in (one for one in TABLE_OF_ESTIMATORS.values() if one.task is task):
            default = ", which is trained where none is named" if estimator.name == DEFAULT[task] else ""
            missing = "; takes missing numbers as they are" if estimator.takes_missing else ""
            extra = f"; needs `modelyard[{EXTRAS[estimator.name]}]`" if estimator.name in EXTRAS else ""
            place = f"`{estimator.module}.{estimator.name}`"
            lines += [f"### {estimator.name}", "", f"{place}{default}{missing}{extra}.", ""]
            lines += ["| parameter | default | what it may be | what it is |", "|---|---|---|---|"]
            lines += [_parameter(parameter) for parameter in estimator.parameters] + [""]
    return "\n".join(lines)


def _parameter(parameter: Parameter) -> str:
    default = json.dumps(parameter.default)
    return f"| `{parameter.name}` | `{default}` | {parameter.expected} | {parameter.help} |"


PAGES = {"settings.md": settings_page, "command.md": command_page, "estimators.md": estimators_page}


def main(arguments: list[str]) -> int:
    stale = []
    for name, page in PAGES.items():
        path = FOLDER / name
        if not path.exists() or path.read_text(encoding="utf-8") != page():
            stale.append(name)
            if "--check" not in arguments:
                path.write_text(page(), encoding="utf-8")
    if stale and "--check" in arguments:
        print("out of date, `make docs` writes them anew:", *stale, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
