"""A job's page while the job runs: it goes on by itself, and is cancelled from there."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.acceptance.browser.conftest import Visitor
from tests.acceptance.browser.test_pages import overflow

pytestmark = pytest.mark.timeout(400)


class Hanging:
    """A pickle that never opens."""

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("import time\nwhile True: time.sleep(1)",)


def test_a_job_is_watched_and_cancelled(visitor: Visitor, tmp_path: Path) -> None:
    path = tmp_path / "hanging.pkl"
    path.write_bytes(pickle.dumps(Hanging(), protocol=4))
    page = visitor.page
    visitor.sign_in()
    visitor.make_model("hanging", "Never opens.")
    visitor.push("hanging", path)
    page.wait_for_url("**/versions/1/")
    page.get_by_role("link", name="The job").click()
    page.wait_for_url("**/jobs/*/")
    expect(page.get_by_role("heading", level=1)).to_contain_text("running")
    expect(page.locator("#job .hint")).to_contain_text("opening the files in the sandbox")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        for width in (360, 1280):
            page.set_viewport_size({"width": width, "height": 740})
            assert overflow(page) <= 0
    cancel = page.get_by_role("link", name="Cancel", exact=True).first
    cancel.focus()
    page.wait_for_timeout(2500)  # the page is renewed twice meanwhile
    expect(cancel).to_be_focused()
    cancel.press("Enter")
    expect(page.locator("dialog[open]")).to_be_visible()
    page.wait_for_timeout(1500)
    watching = page.context.new_page()
    watching.goto(page.url)
    expect(watching.get_by_role("heading", level=1)).to_contain_text("running")
    page.locator("dialog[open]").get_by_role("button", name="Cancel the job").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("cancelled", timeout=10_000)
    expect(page.locator(".log")).to_contain_text("cancelled it")
    expect(watching.locator("#announcer")).to_have_text("The job cancelled")
    watching.close()
    expect(page.locator("#job [role=progressbar], #job progress")).to_have_count(1)
    page.get_by_role("link", name="hanging:1").click()
    expect(page.get_by_text("This version was refused")).to_be_visible()
    visitor.go("/t/yard/jobs/")
    expect(page.locator("#job-list tbody tr").first).to_contain_text("cancelled")
    page.locator("select[name=state]").select_option("running")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_text("No job matches")).to_be_visible()
