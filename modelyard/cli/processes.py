"""The verbs that are processes: what the Procfile starts."""

import ctypes
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import Annotated, Any

import typer

from modelyard.cli import project
from modelyard.cli.home import expect_home, keep_address, make_home, set_up_django, settings_of
from modelyard.cli.options import Home, Json
from modelyard.cli.output import print_json
from modelyard.cli.start import reachable
from modelyard.core.settings import Settings

PARENT = "YARD_PARENT"
PR_SET_PDEATHSIG = 1
STARTUP_FAILURE = 3
"""As uvicorn's own command ends."""

Port = Annotated[
    int | None,
    typer.Option("--port", help="Where to listen; else MODELYARD_PORT, else PORT, else 8000.", show_default=False),
]


ServePort = Annotated[
    int | None,
    typer.Option(
        "--port",
        help="Where to listen; else MODELYARD_SERVE_PORT, else one above MODELYARD_PORT or PORT, else 8001.",
        show_default=False,
    ),
]


def web(home: Home = None, port: Port = None, json: Json = False) -> None:
    """Serve the API and the console; and predictions too, unless MODELYARD_EMBEDDED is false."""
    settings = _begin("web", json, home=home, port=port)
    keep_address(settings)
    set_up_django()
    import uvicorn

    from modelyard.control.jobs import events

    class Server(uvicorn.Server):
        def handle_exit(self, *signalled: Any) -> None:
            events.close_all()  # else whoever follows a job would hold up the end
            super().handle_exit(*signalled)

    config = uvicorn.Config(
        "modelyard.config.asgi:application",
        host=settings.host,
        port=settings.port,
        loop="auto",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=settings.drain_seconds,
    )
    server = Server(config)
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(STARTUP_FAILURE)


def serve(home: Home = None, port: ServePort = None, json: Json = False) -> None:
    """Serve predictions alone: no database is asked, now or later."""
    settings = _begin("serve", json, home=home, serve_port=port)
    import logging.config

    import structlog

    from modelyard.config import logs
    from modelyard.serving import standalone

    if project.current() is None:
        logs.configure()
        logging.config.dictConfig(logs.LOGGING)
    address = f"http://{reachable(settings.host)}:{settings.serve_port}"
    structlog.get_logger("modelyard.serve").info("serve.listening", predict=f"{address}/predict/MODEL")
    standalone.run(settings)


def worker(
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Jobs at once.")] = 2,
    home: Home = None,
    json: Json = False,
) -> None:
    """Work on jobs: examine uploads, and whatever else takes long."""
    _begin("worker", json, home=home)
    from modelyard.config.celery import run_worker

    run_worker(concurrency)


def tend(home: Home = None, json: Json = False) -> None:
    """Keep house: send what waits, find what was lost, publish what changed."""
    _begin("tend", json, home=home)
    set_up_django()
    from modelyard.config.tend import run

    run()


def _begin(name: str, json: bool, **given: Any) -> Settings:
    """Follow the parent, read the settings, and say which process this is.

    Raises:
        Misconfigured: when it needs the home's database, and there is none.
    """
    follow_parent()
    home = given.pop("home", None)
    settings = settings_of(home, **given)
    if name != "serve" and project.current() is None:
        expect_home(settings)
    make_home(settings)
    if json:
        port = settings.serve_port if name == "serve" else settings.port
        print_json({"process": name, "pid": os.getpid(), "host": settings.host, "port": port})
        sys.stdout.flush()
    return settings


def follow_parent() -> None:
    """End with the `modelyard up` that started this process, also when that one was killed outright.

    Linux sends the signal by itself (prctl(2), PR_SET_PDEATHSIG); elsewhere a thread looks twice a second.
    """
    told = os.environ.pop(PARENT, "")
    if not told.isdigit():
        return
    parent = int(told)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    else:
        threading.Thread(target=_watch, args=(parent,), name="parent", daemon=True).start()
    if os.getppid() != parent:
        sys.exit(1)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)
