"""What of the processes' lines is shown, and what is only kept."""

from pathlib import Path

import pytest

from modelyard.cli import lines

ROUTINE = '{"event": "published", "level": "info"}'


REFUSED = (
    '{"code": 404, "event": "request_finished", "logger": "django_structlog.middlewares.request", "level": "warning"}'
)
NOT_FOUND = '{"event": "Not Found: /x", "status_code": 404, "logger": "django.request", "level": "warning"}'


@pytest.mark.parametrize("line", [ROUTINE, '{"event": "x", "level": "debug"}', "", "  ", REFUSED, NOT_FOUND])
def test_routine(line: str) -> None:
    assert lines.is_routine(line)


@pytest.mark.parametrize(
    "line",
    [
        REFUSED.replace("404", "503"),
        NOT_FOUND.replace("404", "500"),
        '{"event": "x", "level": "warning", "code": 404}',
        '{"event": "x", "level": "warning"}',
        '{"level": "error"}',
        "{}",
        "[]",
        "7",
        "Traceback (most recent call last):",
    ],
)
def test_all_else_is_shown(line: str) -> None:
    assert not lines.is_routine(line)


def test_all_is_kept_within_a_bound_and_little_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "MAX_BYTES", 1000)
    kept = lines.Kept(tmp_path / lines.FILE)
    for _ in range(100):
        kept("tend", ROUTINE)
    kept("web", "Killed")
    kept.close()
    assert capsys.readouterr().err == "web    | Killed\n"
    files = sorted(tmp_path.iterdir())
    assert [path.name for path in files] == ["up.log", "up.log.1"]
    assert all(path.stat().st_size <= 1000 for path in files)
    assert files[0].read_text().endswith(f"tend   | {ROUTINE}\nweb    | Killed\n")
