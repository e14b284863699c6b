"""Training from the console, as a person does it: a table becomes a version that is told, drawn, and trained again."""

from __future__ import annotations

import re

import pytest
from palmerpenguins import load_penguins
from pandas import read_parquet
from playwright.sync_api import expect

from tests.acceptance.browser.conftest import CHECK_MS, Visitor
from tests.acceptance.browser.test_pages import BURST, DOUBLED, NAMELESS, overflow

pytestmark = pytest.mark.timeout(400)


def fits(visitor: Visitor) -> None:
    """Nothing sticks out or lacks a name, dark or light, on a phone or not."""
    page = visitor.page
    for scheme, width in (("dark", 360), ("light", 1280)):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 800})
        assert overflow(page) <= 0, page.url
        assert page.evaluate(BURST) == [], page.url
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate(DOUBLED) == []


def test_penguins_are_trained_through_the_form(visitor: Visitor) -> None:
    page = visitor.page
    visitor.sign_in()
    visitor.push_dataset("penguins", load_penguins().to_csv(index=False).encode())
    visitor.wait_for_dataset("ready")
    page.get_by_role("link", name="Train", exact=True).click()
    page.get_by_label("Model", exact=True).fill("penguins")
    page.get_by_label("Target").select_option("species")
    page.get_by_label("year", exact=False).uncheck()
    page.get_by_text("More parameters").click()
    page.locator("#train-p-estimator").focus()
    page.locator("#train-p-estimator").select_option("LogisticRegression")
    expect(page.locator("#train-e-C")).to_be_visible()
    expect(page.get_by_label("Model", exact=True)).to_have_value("penguins")
    expect(page.locator("#train-p-estimator")).to_be_focused()
    expect(page.locator("#train-more")).to_have_attribute("open", "")
    page.locator("#train-e-C").fill("a little")
    page.get_by_role("button", name="Train").click()
    expect(page.locator("#train-e-C_error")).to_contain_text("expected a number")
    expect(page.locator("#train-e-C")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#train-e-C")).to_be_focused()
    expect(page.get_by_label("year", exact=False)).not_to_be_checked()
    fits(visitor)
    page.locator("#train-e-C").fill("0.5")
    page.locator("#train-e-C").blur()
    expect(page.locator("#train-command")).to_contain_text("""parameters={"C": 0.5}""")
    page.get_by_role("button", name="Train").dblclick()
    page.wait_for_url("**/jobs/*/")
    expect(page.get_by_role("heading", level=1)).to_contain_text("succeeded", timeout=CHECK_MS)
    expect(page.locator(".log")).to_contain_text("344 rows, 6 features")
    page.get_by_role("link", name="penguins:1").last.click()
    page.wait_for_url("**/datasets/penguins:1/")
    fits(visitor)
    page.get_by_role("region", name="What was trained on it").locator(".lineage.wide a[href*=versions]").click()
    page.wait_for_url("**/models/penguins/versions/1/")
    visitor.wait_for_state("ready")
    expect(page.get_by_role("region", name="Training", exact=True)).to_contain_text("LogisticRegression")
    expect(page.locator(".confusion tbody tr")).to_have_count(3)
    fits(visitor)
    page.get_by_role("link", name="Score a dataset").click()
    page.get_by_label("Dataset").select_option("penguins:1")
    page.get_by_text("Columns beside the predictions").click()
    page.get_by_label("species", exact=False).check()
    fits(visitor)
    page.get_by_role("button", name="Score").click()
    page.wait_for_url("**/jobs/*/")
    expect(page.get_by_role("heading", level=1)).to_contain_text("succeeded", timeout=CHECK_MS)
    fits(visitor)
    with page.expect_download() as got:
        page.locator("#job-result").click()
    scored = read_parquet(got.value.path())
    assert (scored["species"] == scored["prediction"]).mean() > 0.95
    visitor.go("/t/yard/models/penguins/")
    fits(visitor)
    page.get_by_role("link", name="Train a version").click()
    expect(page.locator("#train-e-C")).to_have_value("0.5")
    expect(page.get_by_label("Target")).to_have_value("species")
    expect(page).to_have_url(re.compile("like=penguins"))
    visitor.go("/t/yard/jobs/?kind=training")
    expect(page.get_by_text("penguins on penguins:1")).to_have_count(1)  # the second click asked for nothing
