"""Python scripts, each in a process of its own that has imported already what all of them import.

A second of each `modelyard` and `manage.py` goes into imports, and the tests run hundreds. So one process a test
process imports, and forks for each script, which has its own arguments, environment, folder, files and end as if it had
been started anew. What the processes themselves start, and `modelyard up`, is started as ever.
"""

import faulthandler
import gc
import importlib
import io
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
IMPORTED = (
    "modelyard.cli.main", "modelyard.client", "modelyard.control.framework", "modelyard.config.database",
    "modelyard.exchange.publication", "modelyard.runtimes.parity", "modelyard.sandbox.findings",
    "celery.app.task", "kombu.transport.filesystem",
    "django.contrib.auth.hashers", "django.contrib.messages.api",
    "django.core.management.commands.check", "django.core.management.commands.migrate",
    "django.db.backends.postgresql.base", "django.db.backends.sqlite3.base", "django.db.migrations.executor",
    "django.http", "django.template.loader", "django.test", "django.urls", "django.views.generic",
    "django_structlog", "drf_spectacular.utils", "jsonschema", "httpx2", "numpy", "psycopg", "psycopg_pool", "pyarrow",
    "pyarrow.csv", "pyarrow.parquet", "pydantic", "rich.console", "rich.progress", "structlog", "urllib3", "uvicorn",
    "yaml",
)  # fmt: skip
"""Nothing that reads Django's settings, and nothing that starts a thread."""
TELLING_SECONDS = 5.0
"""That a script which took too long has to tell what it was at."""
_forker: "subprocess.Popen[bytes] | None" = None


def run(
    command: Sequence[object], *, environment: Mapping[str, str], folder: Path | None = None, stdin: str = "",
    seconds: float = 240,
) -> "subprocess.CompletedProcess[str]":  # fmt: skip
    """Run `python command...`, a script and its arguments, to its end.

    Raises:
        subprocess.TimeoutExpired: it took longer; it is ended, and a note tells what its threads were at.
    """
    words = [str(word) for word in command]
    with tempfile.TemporaryDirectory() as made:
        files = [Path(made) / name for name in ("in", "out", "err")]
        files[0].write_text(stdin)
        told = {"command": words, "environment": dict(environment), "folder": str(folder or Path.cwd())}
        try:
            code = _ask({**told, "files": [str(path) for path in files]}, seconds)
        except subprocess.TimeoutExpired as late:
            late.add_note(files[2].read_text(errors="replace"))
            raise
        out, err = (path.read_text(errors="replace") for path in files[1:])
    return subprocess.CompletedProcess(words, code, out, err)


def end() -> None:
    """End this process's forker, if it has one."""
    global _forker
    if _forker is not None:
        _forker.communicate()
        _forker = None


def _ask(told: dict[str, Any], seconds: float) -> int:
    global _forker
    if _forker is None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "PYTHON"))}
        kept["OPENBLAS_NUM_THREADS"] = "1"
        command = [sys.executable, "-c", "from tests.servers import forked; forked.fork_on_demand()"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        _forker = subprocess.Popen(command, cwd=ROOT, env=kept, bufsize=0, start_new_session=True, **pipes)
    assert _forker.stdin is not None
    assert _forker.stdout is not None
    _forker.stdin.write(json.dumps(told).encode() + b"\n")
    pid = int(_forker.stdout.readline())
    ended = threading.Event()
    late = threading.Event()

    def watch() -> None:
        for number, patience in ((signal.SIGABRT, seconds), (signal.SIGKILL, TELLING_SECONDS)):
            if ended.wait(patience):
                return
            late.set()
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    watching = threading.Thread(target=watch)
    watching.start()
    code = int(_forker.stdout.readline())
    ended.set()
    watching.join()
    if late.is_set():
        raise subprocess.TimeoutExpired(told["command"], seconds)
    return code


def fork_on_demand() -> None:
    """Import, then become each script that is asked for, in a child; the parent tells its id, then its exit status."""
    for name in IMPORTED:
        importlib.import_module(name)
    with redirect_stdout(io.StringIO()), suppress(SystemExit):  # what it imports only when it runs
        importlib.import_module("modelyard.cli.main").app(["models", "--help"])
    gc.freeze()
    orders = os.fdopen(os.dup(0), "rb")
    while line := orders.readline():
        pid = os.fork()
        if not pid:
            _become(**json.loads(line))
            return
        os.write(1, b"%d\n" % pid)
        _, status = os.waitpid(pid, 0)
        os.write(1, b"%d\n" % os.waitstatus_to_exitcode(status))


def _become(command: list[str], environment: dict[str, str], folder: str, files: list[str]) -> None:
    for number, path in enumerate(files):
        opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        os.dup2(opened, number)
        os.close(opened)
    faulthandler.enable()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = command
    further = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:1] = [str(Path(command[0]).resolve().parent), *further]
    runpy.run_path(command[0], run_name="__main__")
