"""From the list of versions to the better one: compared, selected, activated, and taken back, in a browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.acceptance.browser.conftest import Visitor

pytestmark = pytest.mark.timeout(400)


def test_two_versions_are_compared_and_the_best_is_activated(visitor: Visitor, files: Path) -> None:
    page = visitor.page
    visitor.sign_in()
    visitor.make_model("choice")
    for name, accuracy in (("iris.pkl", 0.97), ("scaler.pkl", 0.91)):
        more = [files / "perceptron.pkl"] if name == "scaler.pkl" else []
        visitor.push("choice", files / name, *more, sample=files / "sample.csv", metrics=f'{{"accuracy": {accuracy}}}')
        page.wait_for_url("**/versions/*/")
        visitor.wait_for_state("ready")
    expect(page.get_by_text("at most, in 95 % of")).to_be_visible()

    visitor.go("/t/yard/models/choice/")
    page.get_by_role("link", name="Compare version 1").click()
    page.wait_for_url("**/compare/?right=1")
    expect(page.get_by_role("heading", name="Compare versions")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="accuracy")).to_contain_text("+0.06")
    page.get_by_role("link", name="Swap").click()
    expect(page.get_by_role("row").filter(has_text="accuracy")).to_contain_text("-0.06")
    expect(page.get_by_role("row").filter(has_text="logisticregression").first).to_contain_text("dropped")

    page.get_by_role("link", name="Select the best").click()
    page.get_by_label("Best by").select_option("accuracy")
    page.get_by_label("Constraints").fill("p95_seconds <= 1s\nsize_bytes <= 50MB")
    page.get_by_role("button", name="Look").click()
    expect(page.get_by_role("heading", name="choice:1 is the best")).to_be_visible()
    expect(page.get_by_text("accuracy is 0.91, 0.06 less than version 1's 0.97")).to_be_visible()
    page.get_by_label("Alias", exact=True).fill("best")
    page.get_by_role("button", name="Set the alias").click()
    expect(page.get_by_text("choice@best is choice:1.")).to_be_visible()
    page.go_back()
    page.get_by_role("button", name="Activate version 1").click()
    expect(page.get_by_text("choice:1 now answers every request to choice.")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("choice is no longer served;")).to_be_visible()


def test_what_is_mistyped_is_said_beside_its_field(visitor: Visitor, files: Path) -> None:
    page = visitor.page
    visitor.sign_in()
    visitor.make_model("typo")
    visitor.push("typo", files / "iris.pkl", sample=files / "sample.csv", metrics='{"accuracy": 0.9}')
    page.wait_for_url("**/versions/1/")
    visitor.wait_for_state("ready")
    visitor.go("/t/yard/models/typo/select/")
    page.get_by_label("Constraints").fill("acuracy >= 0.9")
    page.get_by_role("button", name="Look").click()
    expect(page.locator("#id_constraints_error")).to_contain_text("did you mean `accuracy`?")
    page.get_by_label("Constraints").fill("accuracy >= 95%")
    page.get_by_role("button", name="Look").click()
    expect(page.get_by_role("heading", name="No version can be chosen")).to_be_visible()
