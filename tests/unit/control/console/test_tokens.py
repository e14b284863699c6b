"""The colours of the stylesheet: text on its surface keeps WCAG 2.2's contrast (1.4.3 and 1.4.11, level AA)."""

import re
from pathlib import Path

import pytest

import modelyard.control.console

STATIC = Path(modelyard.control.console.__file__).parent / "static" / "console"
TEMPLATES = STATIC.parent.parent / "templates"
BLOCK = re.compile(r"([^{}]*)\{([^{}]*)\}")
TOKEN = re.compile(r"--([a-z0-9-]+):\s*(#[0-9a-f]{6});")

TEXTS = [
    ("text", "canvas"), ("text", "surface"), ("text", "sunken"), ("text", "code"), ("text", "accent-soft"),
    ("text-soft", "canvas"), ("text-soft", "surface"), ("text-soft", "sunken"), ("text-soft", "accent-soft"),
    ("text-muted", "canvas"), ("text-muted", "surface"), ("text-muted", "sunken"), ("text-muted", "hover"),
    ("text-muted", "accent-soft"), ("accent", "surface"), ("accent", "canvas"), ("accent", "accent-soft"),
    ("good", "good-soft"), ("warn", "warn-soft"), ("bad", "bad-soft"), ("bad", "surface"),
    ("on-primary", "primary"), ("on-bad", "bad"),
]  # fmt: skip
SHAPES = [("line-strong", "surface"), ("line-strong", "canvas"), ("accent", "surface")]


def themes() -> dict[str, dict[str, str]]:
    text = (STATIC / "tokens.css").read_text()
    found: dict[str, dict[str, str]] = {}
    for selector, body in BLOCK.findall(text):
        tokens = dict(TOKEN.findall(body))
        if "canvas" in tokens:
            found[selector.strip().splitlines()[-1].strip()] = tokens
    return found


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_there_are_a_light_and_two_ways_to_a_dark_theme() -> None:
    assert len(themes()) == 3
    _, by_system, chosen = themes().values()
    assert by_system == chosen


@pytest.mark.parametrize("theme", themes())
@pytest.mark.parametrize(("front", "back"), TEXTS)
def test_text_can_be_read(theme: str, front: str, back: str) -> None:
    tokens = themes()[theme]
    assert contrast(tokens[front], tokens[back]) >= 4.5


@pytest.mark.parametrize("theme", themes())
@pytest.mark.parametrize(("front", "back"), SHAPES)
def test_edges_of_fields_can_be_seen(theme: str, front: str, back: str) -> None:
    tokens = themes()[theme]
    assert contrast(tokens[front], tokens[back]) >= 3


def test_only_the_tokens_name_colours() -> None:
    for sheet in STATIC.glob("*.css"):
        if sheet.name not in ("tokens.css", "api_description.css"):  # the latter is of a page that is not ours
            assert not re.search(r"#[0-9a-fA-F]{3,8}\b|rgba?\(", sheet.read_text()), sheet.name


def test_templates_hold_no_inline_code_or_style() -> None:
    for page in TEMPLATES.rglob("*.html"):
        text = page.read_text()
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|\|safe\b|autoescape off", text), page.name
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text)), page.name
