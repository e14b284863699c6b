"""`manage.py modelyard VERB`: the verbs of the `modelyard` command, on this project."""

import argparse
import sys
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser, SystemCheckError

from modelyard.cli import main as command
from modelyard.cli.ending import run
from modelyard.cli.project import SPELLING, Project, enter
from modelyard.core.errors import Misconfigured, ModelyardError
from modelyard.embed.inside import client_for, tenant_name
from modelyard.embed.process import make_home

DJANGOS = ("--settings", "--pythonpath", "--traceback", "--no-color", "--force-color", "--skip-checks")
"""Options of every command of Django's, which are no words of ours."""
WITH_VALUE = ("--settings", "--pythonpath")


class Command(BaseCommand):
    help = "Push, serve and look after models: `manage.py modelyard --help` lists the verbs."

    def run_from_argv(self, argv: list[str]) -> None:
        words, skips_checks = own_words(argv[2:])
        if not skips_checks and not {"-h", "--help"} & set(words):
            try:
                self.check(include_deployment_checks=False)
            except SystemCheckError as error:
                sys.exit(f"{self.style.ERROR('SystemCheckError')}: {error}")
        run(lambda: self._perform(words, standalone=True))

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("words", nargs=argparse.REMAINDER, help="a verb and what it takes")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run a verb for `call_command("modelyard", "promote", "iris:3")`."""
        words = [str(word) for word in (*args, *options.get("words", ()))]
        try:
            self._perform(words, standalone=False)
        except ModelyardError as error:
            raise CommandError(error.message) from error

    def _perform(self, words: list[str], *, standalone: bool) -> None:
        verb = next((word for word in words if not word.startswith("-")), "")
        if verb in command.NOT_IN_A_PROJECT:
            raise Misconfigured(f"`{verb}` is for Modelyard alone; here {command.NOT_IN_A_PROJECT[verb]}")
        make_home(settings.MODELYARD)
        enter(Project(settings=settings.MODELYARD, client=client_for, tenant=tenant_name))
        try:
            run: Callable[..., object] = command.project_app()
            run(args=words, prog_name=SPELLING.removeprefix("python "), standalone_mode=standalone)
        finally:
            enter(None)


def own_words(words: list[str]) -> tuple[list[str], bool]:
    """Return the words that are not Django's own options, and whether these say to skip the checks."""
    kept: list[str] = []
    skips_value = False
    for word in words:
        name = word.partition("=")[0]
        if skips_value:
            skips_value = False
        elif name in DJANGOS:
            skips_value = name in WITH_VALUE and "=" not in word
        else:
            kept.append(word)
    return kept, "--skip-checks" in words
