"""The command's entry: the table of verbs, and what an error looks like."""

import os
import sys
from collections.abc import Callable
from typing import Annotated

import typer

import modelyard
from modelyard.cli import doctor, home, keys, login, members, models, predictions, processes, tenants, up, versions
from modelyard.cli.output import print_error
from modelyard.core.errors import InvalidInput, ModelyardError

TRACEBACK = "YARD_TRACEBACK"
"""Environment variable that shows where an unexpected error came from; no setting of a server."""

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
    versions.push,
    predictions.predict,
    models.models,
    versions.versions,
    versions.promote,
    versions.rollback,
    versions.deactivate,
    versions.delete,
    versions.download,
)
for _verb in VERBS:
    app.command()(_verb)
for _noun, _app in (("keys", keys.app), ("tenants", tenants.app), ("members", members.app)):
    app.add_typer(_app, name=_noun)


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
    try:
        app()
    except ModelyardError as error:
        _fail(error)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        _fail(InvalidInput(f"the system refused: {error.strerror or error}{place}; mend that, then try again"))
    except Exception as error:  # a person is never shown a traceback that was not asked for
        if os.environ.get(TRACEBACK):
            raise
        what = " ".join(f"{type(error).__name__}: {error}".split())
        _fail(ModelyardError(f"this is a bug in Modelyard: {what}; run it with {TRACEBACK}=1 to see where"))


def _fail(error: ModelyardError) -> None:
    print_error(error, as_json="--json" in sys.argv)
    sys.exit(1)


if __name__ == "__main__":
    main()
