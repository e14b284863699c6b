"""`modelyard up`, as real processes: first start, second start, ends of every kind, and refusals."""

import json
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.acceptance.command.conftest import Said, command
from tests.servers import modelyard as modelyard_server
from tests.servers.modelyard import Up, processes_of, up

SECOND_START_SECONDS = 20.0
"""Under 5 s on a machine that does nothing else; tests share theirs."""


def wait_for(ready: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


def ask(url: str, key: str) -> list[int]:
    """Ask `iris` for one flower, as any program would."""
    body = {"rows": [{"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}]}
    request = urllib.request.Request(
        f"{url}/predict/iris",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        answer = json.loads(response.read())
    return list(answer["predictions"])


def refused(said: Said, *expected: str) -> None:
    assert said.code == 1
    assert said.out == ""
    assert "Traceback" not in said.err
    for words in expected:
        assert words in said.err


def ends_whole(running: Up, number: signal.Signals) -> None:
    assert running.stop(number) == 0
    assert processes_of(running.home) == []
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", running.port), timeout=1).close()


def test_first_start_second_start_and_a_data_plane_alone(home: Path, tmp_path: Path) -> None:
    """One long story, since a first start takes long: what it shows, what it leaves, and what goes on without it."""
    first = up(home)
    key = first.told["key"]
    assert first.told["first_start"]
    assert first.told["prediction"]["predictions"] == ["setosa"]
    assert first.told["prediction"]["model"] == "iris"
    assert first.told["password"]
    assert first.told["console"] == f"{first.url}/t/demo/"
    done = subprocess.run(["sh", "-c", first.told["curl"]], capture_output=True, text=True, timeout=60)
    assert json.loads(done.stdout)["predictions"] == ["setosa"]
    _secrets_are_kept_nowhere(home, first)
    ends_whole(first, signal.SIGINT)

    aside = [path.rename(tmp_path / path.name) for path in home.glob("modelyard.sqlite3*")]
    port = modelyard_server.free_port()
    serve = subprocess.Popen(
        [str(modelyard_server.COMMAND), "serve", "--home", str(home), "--port", str(port)],
        env=modelyard_server.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: _answers(f"http://127.0.0.1:{port}", key))
        assert ask(f"http://127.0.0.1:{port}", key) == ["setosa"]
        assert not (home / "modelyard.sqlite3").exists()
    finally:
        serve.terminate()
        assert serve.wait(timeout=60) in (0, -signal.SIGTERM)
    for path in aside:
        path.rename(home / path.name)

    second = up(home)
    assert not second.told["first_start"]
    assert "key" not in second.told
    assert second.told["seconds"] < SECOND_START_SECONDS
    assert ask(second.url, key) == ["setosa"]
    known = {"MODELYARD_URL": second.url, "MODELYARD_KEY": key, "XDG_CONFIG_HOME": str(tmp_path)}
    (version,) = command("versions", "iris", "--json", **known).json
    assert (version["dataset"], version["manifest"]["parameters"]["target"]) == ("iris:1", "species")
    (job,) = command("jobs", "list", "--kind", "training", "--json", **known).json
    assert job["outcome"]["number"] == 1
    _what_undoes_it_runs(first.told["undo"], known)
    ends_whole(second, signal.SIGTERM)


def _answers(url: str, key: str) -> bool:
    try:
        return ask(url, key) == ["setosa"]
    except OSError:
        return False


def _what_undoes_it_runs(line: str, known: dict[str, str]) -> None:
    """As a person would paste it, who has logged in; nothing of the demo is left."""
    done = subprocess.run(
        ["sh", "-c", line], env=modelyard_server.environment(**known), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert command("models", "--json", **known).json == []
    assert command("datasets", "list", "--json", **known).json == []


def _secrets_are_kept_nowhere(home: Path, running: Up) -> None:
    told = [running.told["key"].encode(), running.told["password"].encode()]
    files = [running.log, *(path for path in home.rglob("*") if path.is_file())]
    assert len(files) > 5
    for path in files:
        try:
            content = path.read_bytes()
        except FileNotFoundError:  # of SQLite's, which come and go
            continue
        assert not any(secret in content for secret in told), path
    assert home.stat().st_mode & 0o077 == 0
    assert (home / "modelyard.sqlite3").stat().st_mode & 0o077 == 0


def test_what_is_killed_comes_back_and_what_is_left_ends(home: Path) -> None:
    running = up(home, "--no-demo")
    assert "prediction" not in running.told
    assert "curl" not in running.told
    worker = _process(home, "worker")
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: "worker" in _names(home) and _process(home, "worker") != worker)

    second = command("up", "--home", home, "--port", modelyard_server.free_port())
    refused(second, "another `modelyard up` runs with the home folder")

    running.process.kill()
    running.process.wait(timeout=60)
    wait_for(lambda: not processes_of(home))

    again = up(home, "--no-demo")
    assert not again.told["first_start"]
    ends_whole(again, signal.SIGTERM)


def _names(home: Path) -> dict[str, int]:
    found = {}
    for pid in processes_of(home):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        found[words[-2] if len(words) > 1 else ""] = pid
    return found


def _process(home: Path, name: str) -> int:
    return _names(home)[name]


def test_a_first_start_that_is_cut_off_is_made_good(home: Path) -> None:
    """Nobody was told the secrets: the next start makes new ones."""
    done = subprocess.run(
        [os.fspath(modelyard_server.COMMAND.parent / "python"), "-m", "modelyard.cli.home"],
        env=modelyard_server.environment(MODELYARD_HOME=str(home)),
        capture_output=True,
        timeout=120,
    )
    lost = json.loads(done.stdout)["key"]
    running = up(home, "--no-demo")
    assert running.told["first_start"]
    known = {"MODELYARD_URL": running.url, "XDG_CONFIG_HOME": str(home)}
    assert command("models", MODELYARD_KEY=running.told["key"], **known).code == 0
    assert command("models", MODELYARD_KEY=lost, **known).code == 1
    ends_whole(running, signal.SIGINT)


def test_a_used_port_is_refused_before_anything_starts(home: Path, free_port: int) -> None:
    with socket.create_server(("127.0.0.1", free_port)):
        refused(
            command("up", "--home", home, "--port", free_port), f"port {free_port} of 127.0.0.1 is in use", "--port "
        )
    assert not (home / "modelyard.sqlite3").exists()


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused(command("up", "--home", tmp_path / "file" / "home"), "is a file, expected a folder", "--home")


def test_an_unknown_setting_is_refused(home: Path) -> None:
    refused(command("up", "--home", home, MODELYARD_PROT="8000"), "MODELYARD_PROT is no setting")
    assert not home.exists()


@pytest.mark.parametrize(
    ("variable", "value"), [("MODELYARD_PORT", "http"), ("MODELYARD_SECRET_KEY", "changeme"), ("PORT", "0")]
)
def test_a_value_that_does_not_fit_is_refused(home: Path, variable: str, value: str) -> None:
    refused(command("up", "--home", home, **{variable: value}), variable)
    assert not home.exists()


def test_a_port_in_use_leaves_nothing_behind(home: Path, free_port: int) -> None:
    with socket.create_server(("127.0.0.1", free_port)):
        refused(command("up", "--home", home / "new", "--port", free_port), f"port {free_port} of")
    assert not home.exists()


def test_on_a_terminal_only_what_matters_is_shown(home: Path, free_port: int) -> None:
    tends = '"event": "tend_started"'
    log = home / "up.log"
    start = ["up", "--home", str(home), "--port", str(free_port)]
    said, told = _on_a_terminal(*start, "--no-demo", until=lambda _: log.exists() and tends in log.read_text())
    assert '"event"' not in said
    assert said.count(str(log)) == 1
    assert told == 0
    said, _ = _on_a_terminal(*start, "--verbose", until=lambda shown: tends in shown)
    assert "up.log" not in said


def _on_a_terminal(*arguments: str, until: Callable[[str], bool]) -> tuple[str, int]:
    """Run the command on a terminal of its own, end it when it is ready and more is true, and return what was shown."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [str(modelyard_server.COMMAND), *arguments],
        env=modelyard_server.environment(),
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = bytearray()

    def read() -> None:
        with suppress(OSError):  # how a terminal says that nobody writes to it any more
            while piece := os.read(ours, 4096):
                shown.extend(piece)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        wait_for(lambda: b"console  " in shown and until(shown.decode(errors="replace")))
        process.send_signal(signal.SIGINT)
        code = process.wait(timeout=60)
    finally:
        process.kill()
        reader.join()
        os.close(ours)
    return shown.decode(), code


def test_port_of_the_platform_is_honoured(home: Path, free_port: int) -> None:
    with socket.create_server(("127.0.0.1", free_port)):
        refused(command("up", "--home", home, PORT=str(free_port)), f"port {free_port} of")


def test_who_stops_it_while_it_prepares_leaves_nothing_running(home: Path, free_port: int) -> None:
    """A database that takes connections and never answers holds the preparation for ever."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        database = f"postgres://nobody@127.0.0.1:{silent.getsockname()[1]}/none"
        process = subprocess.Popen(
            [str(modelyard_server.COMMAND), "up", "--home", str(home), "--no-demo"],
            env=modelyard_server.environment(MODELYARD_DATABASE_URL=database, MODELYARD_PORT=str(free_port)),
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        silent.settimeout(60)
        silent.accept()[0].close()
        began = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)  # as a terminal's Ctrl-C
        _, said = process.communicate(timeout=60)
    assert time.monotonic() - began < 5
    assert process.returncode == 0
    assert "Traceback" not in said
    assert processes_of(home) == []


def test_a_database_that_is_away_stops_the_start_with_words(home: Path, free_port: int) -> None:
    away = {"MODELYARD_DATABASE_URL": "postgres://nobody@127.0.0.1:1/none", "MODELYARD_PORT": str(free_port)}
    refused(command("up", "--home", home, **away), "the database does not answer", "could not be prepared")
    refused(command("keys", "list", "--home", home, **away), "the database does not answer")
