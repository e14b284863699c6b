"""`modelyard doctor`: what is missing or unsafe on this machine, and what mends it."""

import sys
from collections.abc import Callable, Iterator

import typer

from modelyard.cli import project
from modelyard.cli.checks import folders, machine, services
from modelyard.cli.checks.finding import Finding, State, bad, ok
from modelyard.cli.home import settings_of
from modelyard.cli.options import Home, Json
from modelyard.cli.output import print_json, runnable
from modelyard.core.errors import Misconfigured
from modelyard.core.settings import Settings

MARKS = {State.OK: "ok  ", State.WARNING: "warn", State.BAD: "BAD "}

ALONE: tuple[Callable[[], Iterator[Finding]], ...] = (
    machine.python,
    machine.packages,
    machine.sqlite,
    machine.user,
    machine.login,
)
WITH_SETTINGS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    machine.sandbox,
    machine.environments,
    folders.home,
    folders.secret_key,
    folders.disks,
    folders.clock,
    services.port,
    services.exposure,
    services.database,
    services.broker,
)
THE_PROJECTS_OWN = (folders.home, folders.secret_key, services.port, services.exposure, services.database)
"""What `manage.py check`, and the project's own server, look after in a project."""


def doctor(home: Home = None, json: Json = False) -> None:
    """Look for what is missing or unsafe on this machine, and say what mends it. Exit code 1: something is bad."""
    found = list(findings(home))
    if json:
        print_json({"healthy": not any(finding.state is State.BAD for finding in found), "findings": found})
    else:
        for finding in found:
            print(f"{MARKS[finding.state]}  {finding.check:11} {finding.text}")
            if finding.mend:
                print(f"      {'':11} mend: {runnable(finding.mend)}")
        sys.stdout.flush()
    if any(finding.state is State.BAD for finding in found):
        raise typer.Exit(1)


def findings(home: Home = None) -> Iterator[Finding]:
    """Give what each check found; those that need the settings are left out when these cannot be read."""
    for check in ALONE:
        yield from check()
    try:
        settings = settings_of(home)
    except Misconfigured as error:
        for wrong in error.details.get("settings", [error.message]):
            variable = str(wrong).partition(":")[0].partition(" ")[0]
            yield bad("settings", str(wrong), f"unset {variable}; docs/settings.md lists them all")
        return
    yield ok("settings", "all known, and they fit")
    for with_settings in WITH_SETTINGS:
        if project.current() is None or with_settings not in THE_PROJECTS_OWN:
            yield from with_settings(settings)
