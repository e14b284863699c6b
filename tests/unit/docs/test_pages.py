"""What the pages say that a program can check: tables, links, verbs and settings that exist."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from modelyard.cli.main import app
from modelyard.core.settings import TABLE

ROOT = Path(__file__).parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


def test_pages_from_tables_are_up_to_date() -> None:
    result = subprocess.run([sys.executable, ROOT / "docs/generate.py", "--check"], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    local = [target.partition("#")[0] for target in targets if not target.startswith(("http", "mailto:", "#"))]
    assert [target for target in local if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_settings_that_are_named_exist(page: Path) -> None:
    known = {setting.variable for setting in TABLE}
    named = set(re.findall(r"\bMODELYARD_[A-Z_]+[A-Z]\b", page.read_text(encoding="utf-8")))
    assert named <= known


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_verbs_that_are_named_exist(page: Path) -> None:
    verbs = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    named = set(re.findall(r"`modelyard ([a-z]+)\b", page.read_text(encoding="utf-8")))
    assert named <= verbs


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    pages = [page.relative_to(ROOT / "docs") for page in PAGES if (ROOT / "docs") in page.parents]
    assert [str(page) for page in pages if page.name != "index.md" and f"({page})" not in index] == []


def test_every_decision_says_why() -> None:
    for page in sorted((ROOT / "docs/decisions").glob("*.md")):
        text = page.read_text(encoding="utf-8")
        assert re.match(r"# \d+\. ", text), page.name
        assert {"## Decided", "## Why", "## What it costs"} <= set(re.findall(r"^## .*$", text, re.M)), page.name


def test_a_platform_and_the_command_start_the_same_processes() -> None:
    ours, packaged = ROOT / "Procfile", ROOT / "modelyard/cli/Procfile"
    assert ours.read_text() == packaged.read_text()


def test_locks_name_no_index() -> None:
    for lock in (ROOT / "requirements").glob("*.txt"):
        text = lock.read_text(encoding="utf-8")
        assert "://" not in text
        assert not re.search(r"^(-i|--index|--extra-index|--find-links)", text, re.M)
        blocks = re.split(r"\n(?=[a-z])", text)
        assert all("--hash=sha256:" in block for block in blocks)
