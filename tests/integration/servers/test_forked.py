"""A script in a forked process cannot tell that it was not started anew."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import forked

SCRIPT = """
import atexit, os, sys
import beside
atexit.register(print, "ended", flush=True)
print(sys.argv[1:], os.getcwd(), dict(os.environ), sys.stdin.read(), beside.WORD, __name__)
print(os.environ["WHO"], file=sys.stderr)
sys.exit(int(sys.argv[1]))
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    (tmp_path / "beside.py").write_text("WORD = 'found'")
    (tmp_path / "script.py").write_text(SCRIPT)
    return tmp_path / "script.py"


def test_it_has_its_own_words_environment_folder_files_and_end(script: Path, tmp_path: Path) -> None:
    told = {"WHO": "ada", "LC_CTYPE": "C.UTF-8"}
    (tmp_path / "place").mkdir()
    for code in ("0", "7"):
        command = [sys.executable, str(script), code]
        place = tmp_path / "place"
        anew = subprocess.run(command, env=told, cwd=place, input="in", text=True, capture_output=True)
        done = forked.run([script, code], environment=told, folder=place, stdin="in")
        assert (done.returncode, done.stdout, done.stderr) == (anew.returncode, anew.stdout, anew.stderr)
        assert done.returncode == int(code)
        assert done.stdout.endswith("found __main__\nended\n")


def test_what_it_imports_and_changes_the_next_does_not_see(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("import json, sys; json.spoilt = True; sys.modules['left'] = json")
    (tmp_path / "two.py").write_text("import json, sys; print(hasattr(json, 'spoilt'), 'left' in sys.modules)")
    assert forked.run([tmp_path / "one.py"], environment={}).returncode == 0
    assert forked.run([tmp_path / "two.py"], environment={}).stdout == "False False\n"


def test_one_that_fails_or_hangs_is_told(tmp_path: Path) -> None:
    (tmp_path / "fails.py").write_text("raise ValueError('no')")
    failed = forked.run([tmp_path / "fails.py"], environment={})
    assert failed.returncode == 1
    assert failed.stderr.startswith("Traceback")
    assert failed.stderr.endswith("ValueError: no\n")
    (tmp_path / "hangs.py").write_text("import time; time.sleep(60)")
    with pytest.raises(subprocess.TimeoutExpired) as late:
        forked.run([tmp_path / "hangs.py"], environment={}, seconds=3)
    assert 'hangs.py", line 1 in <module>' in late.value.__notes__[0]


@pytest.mark.timeout(30)
def test_one_that_will_not_be_ended_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forked, "TELLING_SECONDS", 0.2)
    (tmp_path / "deaf.py").write_text(
        "import signal, time; signal.signal(signal.SIGABRT, signal.SIG_IGN); time.sleep(60)"
    )
    with pytest.raises(subprocess.TimeoutExpired):
        forked.run([tmp_path / "deaf.py"], environment={}, seconds=2)
