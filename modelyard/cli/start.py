"""One start of `modelyard up`: what is made at the first one, and what a person is told when the servers answer."""

import shlex
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Any

import msgspec

from modelyard.cli import demo as demos
from modelyard.cli.connection import console_address
from modelyard.cli.home import TENANT, First, first_lines, is_first_start, is_prepared, settle
from modelyard.cli.output import print_error, print_json, runnable, say
from modelyard.core.errors import Misconfigured, ModelyardError, Unavailable
from modelyard.core.settings import Settings
from modelyard.exchange.medium import FolderMedium
from modelyard.exchange.publication import read_index, read_model, read_tenant

READY_SECONDS = 90.0
POLL_SECONDS = 0.1
MOST_BYTES = 4096
CONTROL_READY = "/health/ready"
DATA_READY = "/v2/health/ready"


class Start:
    """What goes on beside the supervisor.

    Args:
        environment: of the processes.
        began: `time.monotonic()` of the command's start.
        stop: set when the command was told to end.
        scratch: a folder for the demo's files.
        log: where the processes' lines are kept; None: they are shown.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        environment: dict[str, str],
        demo: bool,
        json: bool,
        began: float,
        stop: threading.Event,
        scratch: Path,
        log: Path | None = None,
    ) -> None:
        self._settings = settings
        self._environment = environment
        self._demo = demo
        self._json = json
        self._began = began
        self._stop = stop
        self._scratch = scratch
        self._log = log
        self._first: First | None = None
        self._wants_demo = False
        self._fitting: demos.Fitting | None = None
        self._lacking: list[str] = []

    def prepare(self) -> None:
        """Bring the home up to this release, in a process of its own: in this one Django would stay.

        Raises:
            Misconfigured: when that fails.
        """
        if is_prepared(self._settings):
            return
        if self._demo and is_first_start(self._settings):
            self._begin_demo()
        made = self._prepared()
        if made is not None:
            self._first = msgspec.json.decode(made, type=First | None)

    def _prepared(self) -> bytes | None:
        """Return what the process that prepares the home wrote; None when the command was told to end meanwhile.

        It has a session of its own, as the servers have: a terminal's Ctrl-C reaches this process, which ends it.
        """
        child = subprocess.Popen(
            [sys.executable, "-m", "modelyard.cli.home"],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        while True:
            try:
                made, _ = child.communicate(timeout=POLL_SECONDS)
                break
            except subprocess.TimeoutExpired:
                if self._stop.is_set():
                    child.terminate()
        if self._stop.is_set():
            return None
        if child.returncode:
            raise Misconfigured(f"the home folder {self._settings.home} could not be prepared: the lines above say why")
        return made

    def _begin_demo(self) -> None:
        """Fit while the servers start, where they will not: what they make of a fit carries code."""
        from modelyard.sandbox.layers import missing

        self._wants_demo = True
        self._lacking = [] if self._settings.unsafe_without_sandbox else missing()
        if self._lacking:
            self._fitting = demos.Fitting(self._scratch, self._environment)

    def end(self) -> None:
        """Leave nothing running."""
        if self._fitting is not None:
            self._fitting.end()

    def greet(self) -> None:
        """Wait for the servers, have the demo trained at the first start, and say where everything is.

        Raises:
            Unavailable: when the servers do not become ready.
        """
        if not self._wait():
            return
        url = str(self._settings.public_url)
        told: dict[str, Any] = {"url": url, "home": str(self._settings.home), "console": console_address(url, TENANT)}
        if self._first is not None and self._wants_demo:
            told |= self._show_demo(self._first)
        if self._stop.is_set():
            return
        told["seconds"] = round(time.monotonic() - self._began, 2)
        if is_served(self._settings, demos.MODEL):
            told["curl"] = self._curl()
        self._tell(told)
        settle(self._settings)

    def _wait(self) -> bool:
        """Tell whether both planes became ready before the command was told to end."""
        here = f"http://{reachable(self._settings.host)}"
        serve = self._settings.port if self._settings.embedded else self._settings.serve_port
        awaited = [f"{here}:{self._settings.port}{CONTROL_READY}", f"{here}:{serve}{DATA_READY}"]
        end = time.monotonic() + READY_SECONDS
        while awaited and not self._stop.wait(0.05):
            if answers(awaited[0]):
                awaited.pop(0)
            elif time.monotonic() > end:
                raise Unavailable(f"the servers are not ready after {READY_SECONDS:g} s: their lines above may say why")
        return not awaited

    def _show_demo(self, first: First) -> dict[str, Any]:
        from modelyard.client import Client

        if self._lacking:
            lacking = "; ".join(self._lacking)
            say(f"The demo is pushed as ONNX, not trained: files that carry code are not opened here. {lacking}")
        url = self._settings.public_url
        try:
            with Client(url, first.key, predict_url=self._settings.predict_url) as client:
                if self._fitting is None:
                    answer = demos.train(client, self._scratch)
                else:
                    answer = demos.push(client, self._scratch, self._fitting.facts())
        except ModelyardError as error:
            if not self._stop.is_set():
                print_error(error, as_json=self._json)
            return {"demo_error": error.message}
        page = console_address(url, TENANT, demos.MODEL)
        undo = f"modelyard deactivate {demos.MODEL} && modelyard delete {demos.MODEL} --yes"
        if self._fitting is None:
            undo += f" && modelyard datasets delete {demos.MODEL}:1 --yes"
        return {"prediction": msgspec.to_builtins(answer), "row": demos.FLOWER, "page": page, "undo": undo}

    def _tell(self, told: dict[str, Any]) -> None:
        if self._json:
            print_json({**told, "first_start": self._first is not None, **msgspec.to_builtins(self._first or {})})
            sys.stdout.flush()
            return
        lines = [f"Modelyard is ready after {told['seconds']} s. Ctrl-C ends it.", f"console        {told['console']}"]
        if self._log is not None:
            lines.append(f"log            {self._log} (--verbose shows it here)")
        another = f"`modelyard keys create --name NAME --home {shlex.quote(told['home'])}`"
        lines += first_lines(self._first) if self._first else [f"key            {runnable(another)} makes one"]
        if answer := told.get("prediction"):
            said = f"{answer['model']}:{answer['version']} predicts {answer['predictions'][0]} for {demos.FLOWER}"
            back = f"modelyard login {told['url']}; {told['undo']}"
            lines += [
                "",
                said,
                f"model          {told['page']}",
                f"undo           {runnable(back)}",
            ]
        if "curl" in told:
            lines.append(f"curl           {told['curl']}")
        print("\n".join(["", *lines, ""]), flush=True)

    def _curl(self) -> str:
        key = self._first.key if self._first else None
        bearer = f"'Authorization: Bearer {key}'" if key else '"Authorization: Bearer $MODELYARD_KEY"'
        rows = msgspec.json.encode({"rows": [demos.FLOWER]}).decode()
        address = f"{self._settings.predict_url}/predict/{demos.MODEL}"
        return f"curl --fail-with-body -H {bearer} -H 'Content-Type: application/json' -d '{rows}' {address}"


def is_served(settings: Settings, model: str) -> bool:
    """Tell whether `model` of the first tenant answers by its name, by what is published."""
    medium = FolderMedium(settings.exchange)
    try:
        index = read_index(medium)
        tenants = [read_tenant(medium, key, entry.digest) for key, entry in index.tenants.items()] if index else []
        found = [(each.tenant, each.models[model]) for each in tenants if each.name == TENANT and model in each.models]
        return any(read_model(medium, tenant, digest).plan.arms for tenant, digest in found)
    except (ModelyardError, OSError):
        return False


def reachable(host: str) -> str:
    """Return an address of this machine by which a server that listens on `host` is reached."""
    if host in ("0.0.0.0", ""):  # noqa: S104  it is compared, not listened on
        return "127.0.0.1"
    if host == "::":
        return "[::1]"
    return f"[{host}]" if ":" in host else host


def answers(url: str) -> bool:
    """Tell whether a GET of `url` is answered, and not with a server's error: a refusal is an answer too."""
    status, _ = _asked(url)
    return status is not None and status < 500


def is_ours(url: str) -> bool:
    """Tell whether a Modelyard answers at `url`, one of its health's addresses, as only it does."""
    _, body = _asked(url)
    try:
        answer = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return False
    return isinstance(answer, dict) and (answer.get("status") == "ready" or "request_id" in (answer.get("error") or ()))


def _asked(url: str) -> tuple[int | None, bytes]:
    """Return the status, None without an answer, and the beginning of the body. No proxy leads to this machine."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5) as response:
            return response.status, response.read(MOST_BYTES)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(MOST_BYTES)
    except (OSError, HTTPException):
        return None, b""
