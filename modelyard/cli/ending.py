"""How a process of the command ends: its exit code, and what an error looks like."""

import os
import sys
from collections.abc import Callable

from modelyard.cli.output import print_error
from modelyard.cli.usage import NotUnderstood
from modelyard.core.errors import InvalidInput, ModelyardError, Unavailable

TRACEBACK = "YARD_TRACEBACK"
"""Environment variable that shows where an unexpected error came from; no setting of a server."""


def run(work: Callable[[], object], *, as_json: bool | None = None) -> None:
    """Do `work`, and end the process with the code and the words that fit what it raises.

    `as_json`: say errors as JSON; None: where the command line says `--json`.
    """
    try:
        work()
    except NotUnderstood as error:
        _fail(error, as_json, code=2)
    except ModelyardError as error:
        _fail(error, as_json)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        _fail(InvalidInput(f"the system refused: {error.strerror or error}{place}; mend that, then try again"), as_json)
    except Exception as error:  # a person is never shown a traceback that was not asked for
        if os.environ.get(TRACEBACK):
            raise
        what = " ".join(f"{type(error).__name__}: {error}".split())
        if _is_of_the_database(error):
            _fail(Unavailable(f"the database does not answer as it should ({what})"), as_json)
        _fail(ModelyardError(f"this is a bug in Modelyard: {what}; run it with {TRACEBACK}=1 to see where"), as_json)


def _is_of_the_database(error: Exception) -> bool:
    """Tell whether Django's database raised it; what has not imported Django cannot have met it."""
    utils = sys.modules.get("django.db.utils")
    return utils is not None and isinstance(error, (utils.OperationalError, utils.ProgrammingError))


def _fail(error: ModelyardError, as_json: bool | None, code: int = 1) -> None:
    print_error(error, as_json="--json" in sys.argv if as_json is None else as_json)
    sys.exit(code)
