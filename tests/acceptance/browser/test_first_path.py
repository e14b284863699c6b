"""The whole path of a model, as a person walks it: upload, check, activate, try, roll back, delete."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.acceptance.browser.conftest import Visitor

pytestmark = pytest.mark.timeout(400)


def test_a_pickle_becomes_an_endpoint_and_goes_again(visitor: Visitor, files: Path) -> None:
    page = visitor.page
    visitor.sign_in()
    expect(page.get_by_role("heading", name="Models")).to_be_visible()
    visitor.make_model("iris", "Which iris it is.")
    expect(page.locator(".toast")).to_contain_text("iris is there")

    visitor.push("iris", files / "iris.pkl", sample=files / "sample.csv", metrics='{"accuracy": 0.97}')
    page.wait_for_url("**/versions/1/")
    visitor.wait_for_state("ready")
    expect(page.get_by_role("heading", name="Signature")).to_be_visible()
    expect(page.get_by_role("heading", name="Conversion report")).to_be_visible()
    expect(page.get_by_text("accuracy")).to_be_visible()

    page.get_by_role("button", name="Predict").click()
    expect(page.locator(".answer-value")).to_have_text("setosa", timeout=30_000)
    expect(page.locator(".answer .bars")).to_contain_text("virginica")
    expect(page.locator(".answer-facts")).to_contain_text("ms")
    # A field may have got a style of the browser's (a textarea that was drawn larger); swapping must not copy it.
    page.evaluate("document.querySelectorAll('#try [id]').forEach(field => field.style.caretColor = 'red')")
    page.get_by_label("petal length (cm)", exact=True).fill("six")
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#try-c2-error")).to_contain_text("expected a number")
    page.get_by_label("petal length (cm)", exact=True).fill("6.1")
    page.get_by_label("petal width (cm)", exact=True).fill("2.4")
    page.get_by_role("button", name="Predict").click()
    expect(page.locator(".answer-value")).to_have_text("virginica")

    page.get_by_role("button", name="Activate").click()
    page.wait_for_url("**/models/iris/")
    expect(page.locator(".toast")).to_contain_text("iris:1 now answers")
    expect(page.locator("h1")).to_contain_text("in service")

    visitor.push("iris", files / "scaler.pkl", files / "perceptron.pkl", sample=files / "sample.csv")
    page.wait_for_url("**/versions/2/")
    visitor.go("/t/yard/models/iris/")
    expect(page.locator("#line-2 .badge", has_text="ready")).to_be_visible(timeout=120_000)
    page.get_by_role("button", name="Activate version 2").click()
    expect(page.locator(".card .bars").first).to_contain_text("Version 2")

    page.locator(".toast").get_by_role("button", name="Undo").click()
    expect(page.locator(".toast")).to_contain_text("Rolled back")
    expect(page.locator("#line-1")).to_contain_text("serving")
    expect(page.locator(".timeline li").first).to_contain_text("Rolled back to")

    expect(page.get_by_role("button", name="Delete the model")).to_be_disabled()
    expect(page.locator("#delete-blocked")).to_contain_text("Version 1 is in service")

    page.get_by_role("link", name="Stop serving").click()
    dialog = page.locator("dialog[open]")
    expect(dialog).to_contain_text("Stop serving iris?")
    dialog.get_by_label("Reason").fill("the season is over")
    dialog.get_by_role("button", name="Stop serving").click()
    expect(page.locator("h1")).to_contain_text("not served")
    expect(page.locator(".timeline")).to_contain_text("the season is over")

    page.get_by_role("link", name="2", exact=True).click()
    page.get_by_role("link", name="Delete", exact=True).click()
    page.locator("dialog[open]").get_by_role("button", name="Delete the version").click()
    page.wait_for_url("**/models/iris/")
    expect(page.locator(".toast").last).to_contain_text("iris:2 is deleted")
    expect(page.locator("#line-2")).to_have_count(0)

    page.get_by_role("link", name="Delete the model").click()
    dialog = page.locator("dialog[open]")
    expect(dialog.get_by_role("button", name="Delete the model")).to_be_disabled()
    dialog.get_by_label("Type iris to go on").fill("irs")
    expect(dialog.get_by_role("button", name="Delete the model")).to_be_disabled()
    dialog.get_by_label("Type iris to go on").fill("iris")
    expect(dialog.get_by_role("button", name="Delete the model")).to_be_enabled()
    dialog.get_by_role("button", name="Delete the model").click()
    page.wait_for_url("**/t/yard/")
    expect(page.locator(".toast")).to_contain_text("iris is deleted")


def test_a_broken_file_is_refused_with_its_reason_and_errors_keep_the_form(visitor: Visitor, files: Path) -> None:
    page = visitor.page
    visitor.sign_in()
    visitor.make_model("broken")
    visitor.push("broken", files / "broken.pkl", metrics="{not json")
    expect(page.locator("#id_metrics_error")).to_contain_text("no JSON")
    expect(page.locator("#chosen-files")).to_contain_text("broken.pkl")
    page.locator("#id_metrics").fill("")
    page.locator("#push").get_by_role("button", name="Push").click()
    page.wait_for_url("**/versions/1/")
    visitor.wait_for_state("refused")
    expect(page.get_by_role("heading", name="This version was refused")).to_be_visible()
    expect(page.get_by_role("button", name="Activate")).to_have_count(0)
    page.get_by_role("link", name="Delete").click()
    page.locator("dialog[open]").get_by_role("button", name="Delete the version").click()
    page.wait_for_url("**/models/broken/")
    expect(page.get_by_text("No version yet")).to_be_visible()


def test_many_columns_fit_a_grid_and_json(visitor: Visitor, files: Path) -> None:
    page = visitor.page
    visitor.sign_in()
    visitor.make_model("digits")
    visitor.push("digits", files / "digits.pkl", sample=files / "digits.csv")
    page.wait_for_url("**/versions/1/")
    visitor.wait_for_state("ready")
    expect(page.locator(".try-grid .input")).to_have_count(64)
    page.get_by_role("button", name="Predict").click()
    expect(page.locator(".answer-value")).to_have_text("0", timeout=30_000)
    page.get_by_role("radio", name="JSON").check()
    page.get_by_label("Rows as JSON").fill('[{"pixel_0_0": 1}]')
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#try-rows-error")).not_to_be_empty()
    row = [float(number % 17) for number in range(64)]
    page.get_by_label("Rows as JSON").fill(f"[{row}, {row}]")
    page.get_by_role("button", name="Predict").click()
    expect(page.locator(".answer-facts")).to_contain_text("2 rows in")


def test_files_can_be_dropped_ordered_and_taken_away(visitor: Visitor, files: Path) -> None:
    page = visitor.page
    visitor.sign_in()
    visitor.make_model("ordered")
    page.evaluate(
        """() => {
            const carrier = new DataTransfer();
            carrier.items.add(new File(["b"], "perceptron.pkl"));
            carrier.items.add(new File(["a"], "scaler.pkl"));
            carrier.items.add(new File(["c"], "notes.txt"));
            const drop = document.querySelector("[data-drop]");
            drop.dispatchEvent(new DragEvent("dragover", {bubbles: true, cancelable: true, dataTransfer: carrier}));
            drop.dispatchEvent(new DragEvent("drop", {bubbles: true, cancelable: true, dataTransfer: carrier}));
        }"""
    )
    chosen = page.locator("#chosen-files li")
    expect(chosen).to_have_count(3)
    page.get_by_role("button", name="Remove notes.txt").click()
    page.get_by_role("button", name="Move scaler.pkl up").click()
    expect(chosen).to_contain_text(["scaler.pkl", "perceptron.pkl"])
    names = page.evaluate("Array.from(document.getElementById('id_file').files).map(file => file.name)")
    assert names == ["scaler.pkl", "perceptron.pkl"]


def test_an_upload_shows_what_was_really_sent(visitor: Visitor, tmp_path: Path) -> None:
    page = visitor.page
    visitor.sign_in()
    visitor.make_model("large")
    large = tmp_path / "large.pkl"
    large.write_bytes(b"\x80\x04" + bytes(24 << 20))
    page.evaluate(
        """() => {
            window.seen = [];
            document.addEventListener("htmx:xhr:progress", event => window.seen.push(event.detail.loaded));
        }"""
    )
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    limits = {"offline": False, "latency": 5, "downloadThroughput": -1, "uploadThroughput": 12 << 20}
    session.send("Network.emulateNetworkConditions", limits)
    page.locator("#id_file").set_input_files(large)
    page.locator("#push").get_by_role("button", name="Push").click()
    expect(page.locator("[data-progress-text]")).to_contain_text(re.compile(r"MiB of 24 MiB"))
    seen = page.evaluate("window.seen")
    assert seen == sorted(seen)
    page.wait_for_url("**/versions/1/", timeout=60_000)
    visitor.wait_for_state("refused")
