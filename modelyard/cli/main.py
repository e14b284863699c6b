"""The command's entry: the table of verbs."""

from collections.abc import Callable
from typing import Annotated

import typer

import modelyard
from modelyard.cli import (
    aliases,
    artifacts,
    charters,
    choosing,
    consumers,
    datasets,
    doctor,
    home,
    jobs,
    keys,
    login,
    members,
    models,
    origins,
    precomputed,
    predictions,
    processes,
    pushing,
    reproducing,
    schedules,
    scoring,
    tenants,
    trained,
    training,
    up,
    versions,
)
from modelyard.cli.ending import run

app = typer.Typer(
    name="modelyard",
    help="Turns trained Python models into governed, monitored prediction services.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

VERBS: tuple[Callable[..., None], ...] = (
    up.up,
    processes.web,
    processes.serve,
    processes.worker,
    processes.tend,
    home.init,
    doctor.doctor,
    login.login,
    pushing.push,
    training.train,
    training.trainers,
    trained.training,
    reproducing.reproduce,
    scoring.score,
    predictions.predict,
    models.models,
    versions.versions,
    choosing.select,
    choosing.compare,
    versions.promote,
    versions.rollback,
    versions.deactivate,
    versions.delete,
    versions.download,
)
NOUNS = (
    ("aliases", aliases.app),
    ("jobs", jobs.app),
    ("keys", keys.app),
    ("tenants", tenants.app),
    ("members", members.app),
    ("artifacts", artifacts.app),
    ("charter", charters.app),
    ("consumers", consumers.app),
    ("datasets", datasets.app),
    ("precomputed", precomputed.app),
    ("schedules", schedules.app),
)
NOT_IN_A_PROJECT = {
    "up": "the project's own server answers: `runserver`, gunicorn or uvicorn; beside it run `worker` and `tend`",
    "web": "the project's own server answers: `runserver`, gunicorn or uvicorn",
    "init": "`python manage.py migrate` makes the tables, and `tenants create` a tenant",
    "login": "the command talks to the project itself",
}
"""Verbs of the stand-alone product, and what stands for them in a project."""
for _verb in VERBS:
    app.command()(_verb)
for _noun, _app in NOUNS:
    app.add_typer(_app, name=_noun)
tenants.app.add_typer(origins.app, name="origins")


def project_app() -> typer.Typer:
    """Return the command as `manage.py modelyard` has it: the same verbs, but those that a project does itself."""
    made = typer.Typer(
        help="Turns trained Python models into governed, monitored predictions of this project.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for verb in VERBS:
        if verb.__name__ not in NOT_IN_A_PROJECT:
            made.command()(verb)
    for noun, below in NOUNS:
        made.add_typer(below, name=noun)
    return made


def _version(wanted: bool) -> None:
    if wanted:
        print(f"modelyard {modelyard.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Tell the version.")
    ] = False,
) -> None:
    """Turns trained Python models into governed, monitored prediction services."""


def main() -> None:
    """Run the command. Exit code 0: done; 1: refused or failed, the reason is on stderr; 2: not understood."""
    run(app)


if __name__ == "__main__":
    main()
