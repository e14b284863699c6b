"""The console beneath a prefix, in a real browser, under both kinds of servers, and the admin beside it."""

from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, expect

from tests.acceptance.browser.conftest import CHECK_MS, browser, context
from tests.acceptance.embed.conftest import PASSWORD, Garden, Server, serve

__all__ = ["browser", "context"]
pytestmark = pytest.mark.timeout(400)


def sign_in(page: Page, server: Server) -> None:
    """Come as a stranger: the project's own page asks who one is, and leads back."""
    page.goto(f"{server.url}/ml/t/garden/")
    page.wait_for_url("**/hallo/?next=/ml/t/garden/")
    page.get_by_label("E-mail").fill("root@garden.nl")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="In").click()
    page.wait_for_url("**/ml/t/garden/")


@pytest.mark.parametrize("name", ["gunicorn-threads", "uvicorn"])
def test_the_console_works_beneath_a_prefix(garden: Garden, context: BrowserContext, name: str) -> None:
    server = serve(garden, name)
    page, complaints = context.new_page(), list[str]()

    def heard(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    page.on("console", heard)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    outside: list[str] = []
    page.on("request", lambda request: outside.append(request.url))
    model = f"seen-{name}"
    sign_in(page, server)
    expect(page.get_by_role("link", name="iris", exact=True)).to_be_visible()

    page.goto(f"{server.url}/ml/t/garden/new/")
    page.get_by_label("Name").fill(model)
    page.get_by_role("button", name="Make the model").click()
    page.wait_for_url(f"**/ml/t/garden/models/{model}/")
    expect(page.locator(".toast")).to_contain_text(f"{model} is there")

    push(page, garden.files["model"], garden.files["sample"])
    page.wait_for_url("**/versions/1/")
    page.locator("#version h1 .badge", has_text="ready").wait_for(timeout=CHECK_MS)
    expect(page.locator(".snippets, .card", has_text=f"{server.url}/ml/predict/{model}:1").first).to_be_visible()
    page.get_by_role("button", name="Predict").click()
    expect(page.locator(".answer-value")).to_have_text("0", timeout=30_000)
    page.get_by_role("button", name="Activate").click()
    page.wait_for_url(f"**/models/{model}/")
    expect(page.locator(".toast")).to_contain_text(f"{model}:1 now answers")
    page.get_by_role("link", name="API description").click()
    page.wait_for_url("**/ml/api/docs/")
    expect(page.get_by_text("/api/v1/models/", exact=True).first).to_be_visible(timeout=30_000)
    page.goto(f"{server.url}/admin/modelyard_registry/version/")
    page.get_by_role("link", name=f"{model}:1").first.click()
    page.get_by_role("link", name=f"{model}:1").last.click()
    page.wait_for_url(f"**/ml/t/garden/models/{model}/versions/1/")

    assert complaints == []
    ours = ("/ml/", "/assets/", "/hallo/", "/admin/", "/favicon.ico")
    assert [url for url in outside if not url.removeprefix(server.url).startswith((*ours, "data:"))] == []
    assert [url for url in outside if not url.startswith((server.url, "data:"))] == []
    context.close()
    server.stop()


def push(page: Page, model: Path, sample: Path) -> None:
    if not page.locator("#push[open]").count():
        page.locator("#push > summary").click()
    page.locator("#id_file").set_input_files(model)
    page.locator("#id_sample").set_input_files(sample)
    page.locator("#push").get_by_role("button", name="Push").click()
