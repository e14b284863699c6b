"""`modelyard up`: all processes on one machine, and at the first start a model that answers."""

import os
import signal
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from modelyard.cli.folders import check_local
from modelyard.cli.home import locked, make_home, settings_of
from modelyard.cli.lines import FILE, Kept, show
from modelyard.cli.options import Home, Json
from modelyard.cli.output import print_error
from modelyard.cli.ports import check_port
from modelyard.cli.processes import PARENT, Port
from modelyard.cli.start import Start
from modelyard.cli.supervisor import Supervisor, Write, commands, procfile
from modelyard.core.errors import Misconfigured, ModelyardError
from modelyard.core.settings import Settings

LEAST_GRACE_SECONDS = 35.0
"""A worker that shall end gives its jobs back after 20."""
SEALING_SECONDS = 5.0
"""What a server may take once it has answered all: it seals the spool and unloads."""


def up(
    home: Home = None,
    port: Port = None,
    demo: Annotated[bool, typer.Option(help="At the first start, train a model and ask it once.")] = True,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show all that the processes log.")] = False,
    json: Json = False,
) -> None:
    """Start all processes on this machine; Ctrl-C ends them.

    At the first start it makes an administrator and a key, both shown once, and trains a demo model. On a terminal,
    what the processes log goes to a file in the home, and only what is no routine is shown.
    """
    began = time.monotonic()
    settings = settings_of(home, port=port)
    if not (settings.home / "up.lock").exists():
        _check_ports(settings)  # before anything is made; who runs already holds the port, and is told so below
    make_home(settings)
    if settings.database_url is None:
        check_local(settings.home)
    with ExitStack() as stack:
        stack.enter_context(locked(settings, "up", wait=False))
        _check_ports(settings)
        log = None if verbose or json or not sys.stderr.isatty() else settings.home / FILE
        stop, environment = _signals(), _environment()
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="modelyard-up-")))
        start = Start(
            settings, environment=environment, demo=demo, json=json, began=began, stop=stop, scratch=scratch, log=log
        )
        stack.callback(start.end)
        start.prepare()
        if stop.is_set():
            return
        write: Write = show
        if log is not None:
            write = kept = Kept(log)
            stack.callback(kept.close)
        supervisor = Supervisor(_commands(settings), environment, write, grace_seconds(settings))
        threading.Thread(target=_greet, args=(start, json), name="greeter", daemon=True).start()
        supervisor.run(stop)
        if supervisor.failed:
            stop.set()
            lines = f"its last lines above, and in {log}, say why" if log else "its last lines above say why"
            raise Misconfigured(f"{supervisor.failed}: {lines}, and `modelyard doctor` looks further")


def grace_seconds(settings: Settings) -> float:
    """Return how long the processes may take to end: servers wait for the requests that they have accepted."""
    return max(LEAST_GRACE_SECONDS, settings.drain_seconds + SEALING_SECONDS)


def _check_ports(settings: Settings) -> None:
    check_port(settings.host, settings.port)
    if not settings.embedded:
        check_port(settings.host, settings.serve_port, option="MODELYARD_SERVE_PORT")


def _signals() -> threading.Event:
    """Return an event that Ctrl-C, SIGTERM and a closed terminal set."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _greet(start: Start, json: bool) -> None:
    try:
        start.greet()
    except ModelyardError as error:
        print_error(error, as_json=json)


def _commands(settings: Settings) -> dict[str, str]:
    wanted = commands(procfile())
    if not settings.embedded:
        wanted["serve"] = "modelyard serve"
    return wanted


def _environment() -> dict[str, str]:
    """Return what the processes get: this one's environment, which holds the settings, with the command on the PATH.

    Compiled modules are kept whatever the environment says: without them each start takes three times as long.
    """
    own = str(Path(sys.executable).parent)
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {
        **kept,
        "PATH": os.pathsep.join([own, os.environ.get("PATH", os.defpath)]),
        "PYTHONUNBUFFERED": "1",
        PARENT: str(os.getpid()),
    }
