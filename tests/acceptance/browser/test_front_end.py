"""The example page (`examples/front-end`), served from another port, in front of a real server."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from tests.acceptance.browser.conftest import Site, Visitor

pytestmark = pytest.mark.timeout(400)

EXAMPLE = Path(__file__).parents[3] / "examples/front-end"
ASK = """async ([url, options]) => {
    try { const answer = await fetch(url, options); return [answer.status, (await answer.text()).slice(0, 300)] }
    catch (error) { return [0, error.name] }
}"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def elsewhere() -> Iterator[list[str]]:
    """Two origins that serve the example page."""
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=EXAMPLE)) for _ in range(2)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield [f"http://127.0.0.1:{server.server_address[1]}" for server in servers]
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def served(browser: Browser, site: Site, files: Path) -> None:
    context = browser.new_context()
    visitor = Visitor(context.new_page(), site)
    visitor.sign_in()
    visitor.make_model("crossing")
    visitor.push("crossing", files / "iris.pkl", sample=files / "sample.csv")
    visitor.page.wait_for_url("**/versions/1/")
    visitor.wait_for_state("ready")
    visitor.page.get_by_role("button", name="Activate").click()
    visitor.page.wait_for_url("**/models/crossing/")
    context.close()


class Front:
    """The example page in a browser, and what the browser complained of."""

    def __init__(self, page: Page, origin: str, site: Site) -> None:
        self.page = page
        self.site = site
        self.complaints: list[str] = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(f"{origin}/")

    def _heard(self, message: ConsoleMessage) -> None:
        expected = ("Failed to load resource", "has been blocked by CORS policy")
        if message.type in ("error", "warning") and not any(text in message.text for text in expected):
            self.complaints.append(message.text)

    def sign_in(self, key: str) -> None:
        self.page.get_by_label("Server").fill(self.site.url)
        self.page.get_by_label("API key").fill(key)
        self.page.get_by_role("button", name="Sign in").click()

    def open(self, model: str) -> None:
        self.page.get_by_label("Model").fill(model)
        self.page.get_by_role("button", name="Open").click()

    def ask(self, path: str, **options: Any) -> list[Any]:
        answered: list[Any] = self.page.evaluate(ASK, [f"{self.site.url}{path}", options])
        return answered


def make_key(visitor: Visitor, tenant: str, name: str, *scopes: str) -> str:
    page = visitor.page
    visitor.go(f"/t/{tenant}/keys/")
    page.get_by_label("Name").fill(name)
    for box in page.locator("input[name=scopes]").all():
        box.set_checked(box.get_attribute("value") in scopes)
    page.get_by_role("button", name="Make the key").click()
    secret = re.search(r"yard_[a-z0-9]{8}_[\w-]{43}", page.locator(".secret").inner_text())
    assert secret is not None
    return secret.group()


def allow(visitor: Visitor, origin: str) -> None:
    visitor.go("/t/yard/front-ends/")
    visitor.page.get_by_role("textbox", name="Origin").fill(f"{origin.upper()}/")
    visitor.page.get_by_role("button", name="Allow").click()
    expect(visitor.page.locator(".toast")).to_contain_text(f"Pages of {origin} may call")


def disallow(visitor: Visitor, origin: str) -> None:
    visitor.go("/t/yard/front-ends/")
    visitor.page.get_by_role("link", name=f"Remove {origin}").click()
    visitor.page.locator("dialog[open]").get_by_role("button", name="Remove the origin").click()
    expect(visitor.page.locator(".toast")).to_contain_text(f"Pages of {origin} can read no answer any more")


def test_a_page_elsewhere_predicts_once_its_origin_is_allowed(
    visitor: Visitor, context: BrowserContext, elsewhere: list[str], served: None
) -> None:
    origin, other = elsewhere
    visitor.sign_in()
    predicting = make_key(visitor, "yard", "front end", "predict")
    front = Front(context.new_page(), origin, visitor.site)
    page = front.page

    visitor.go("/t/yard/front-ends/")
    expect(visitor.page.get_by_role("heading", name="No front end yet")).to_be_visible()
    front.sign_in(predicting)
    expect(page.get_by_role("alert")).to_contain_text(f"modelyard tenants origins add {origin}")

    allow(visitor, origin)
    page.wait_for_timeout(1000)  # what the data plane may take to hear of it
    page.get_by_role("button", name="Try again").click()
    front.open("crossin")
    expect(page.get_by_role("alert")).to_contain_text("did you mean `crossing`?")
    expect(page.get_by_role("alert")).to_contain_text("Request ")
    front.open("crossing")
    expect(page.get_by_role("alert")).to_be_hidden()
    length = page.get_by_label("petal length (cm)")
    length.fill("six")
    page.get_by_role("button", name="Predict").click()
    expect(length).to_have_attribute("aria-invalid", "true")
    expect(page.locator(".wrong", has_text='got "six"')).to_be_visible()
    length.fill("6.1")
    page.get_by_label("petal width (cm)").fill("2.4")
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#answer strong")).to_have_text("virginica")
    expect(page.locator("#answer")).to_contain_text("crossing, version 1")
    expect(length).to_have_attribute("aria-invalid", "false")

    third = Front(context.new_page(), other, visitor.site)
    third.sign_in(predicting)
    expect(third.page.get_by_role("alert")).to_contain_text(f"modelyard tenants origins add {other}")

    disallow(visitor, origin)
    page.wait_for_timeout(1000)
    page.get_by_role("button", name="Predict").click()
    expect(page.get_by_role("alert")).to_contain_text("No answer")
    assert front.complaints == third.complaints == []


def test_keys_decide_what_the_page_reads_and_cookies_nothing(
    visitor: Visitor, context: BrowserContext, browser: Browser, elsewhere: list[str], served: None
) -> None:
    origin = elsewhere[0]
    visitor.sign_in()
    admin = make_key(visitor, "yard", "of the page", "admin")
    foreign_context = browser.new_context()
    stranger = Visitor(foreign_context.new_page(), visitor.site)
    stranger.sign_in("oto")
    foreign = make_key(stranger, "other", "of a stranger", "admin")
    foreign_context.close()
    allow(visitor, origin)
    front = Front(context.new_page(), origin, visitor.site)
    front.page.wait_for_timeout(1000)

    front.sign_in("yard_abcdefgh_" + "x" * 43)
    expect(front.page.get_by_role("alert")).to_contain_text("unknown or revoked")
    expect(front.page.get_by_role("alert")).to_contain_text("Sign in with another key")
    front.sign_in(foreign)
    expect(front.page.get_by_role("alert")).to_contain_text("No answer")
    front.sign_in(admin)
    expect(front.page.get_by_label("Model")).to_be_focused()
    expect(front.page.locator("#models option[value=crossing], #models option", has_text="crossing")).to_have_count(1)

    # The same browser is signed in to the console, and to a cookie another port is the same site.
    assert [cookie["name"] for cookie in context.cookies(visitor.site.url) if "session" in cookie["name"]]
    for mode in ("include", "omit"):
        expected = 0 if mode == "include" else 401
        assert front.ask("/api/v1/models/", credentials=mode)[0] == expected
    assert front.ask("/t/yard/", credentials="include")[0] == 0
    assert front.ask("/account/", credentials="include")[0] == 0

    bearer = {"Authorization": f"Bearer {admin}"}
    made = front.ask(
        "/api/v1/models/", method="POST", body="{}", headers={**bearer, "Content-Type": "application/json"}
    )
    assert made[0] == 400
    assert '"code":"invalid_input"' in made[1].replace(" ", "")
    assert front.ask("/api/v1/models/none/", method="DELETE", headers=bearer)[0] == 404
    assert front.ask("/v2/models/crossing", headers=bearer)[0] == 200
    assert front.ask("/v2/models/crossing", headers={**bearer, "X-Else": "1"})[0] == 0
    assert front.complaints == []
    disallow(visitor, origin)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_example_fits_a_phone(context: BrowserContext, elsewhere: list[str], site: Site, scheme: Any) -> None:
    front = Front(context.new_page(), elsewhere[0], site)
    front.page.emulate_media(color_scheme=scheme)
    front.page.set_viewport_size({"width": 360, "height": 740})
    front.sign_in("yard_abcdefgh_" + "x" * 43)
    expect(front.page.get_by_role("alert")).to_be_visible()
    over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert front.page.evaluate(over) <= 0
    assert front.complaints == []
