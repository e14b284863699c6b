"""How the pages behave in a browser: narrow, dark, by keyboard, without script, and under hostile texts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.acceptance.browser.conftest import CHECK_MS, Site, Visitor

pytestmark = pytest.mark.timeout(400)

HOSTILE = [
    "<script>alert(1)</script>",
    '"><script>alert(1)</script>',
    "'><img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "javascript:alert(1)",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "</textarea><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "{{constructor.constructor('alert(1)')()}}",
    "<a href=javascript:alert(1)>x</a>",
    "<details open ontoggle=alert(1)>",
    "<input autofocus onfocus=alert(1)>",
    "--><script>alert(1)</script><!--",
    "<style>@import 'x'</style><b hx-get='/x' hx-trigger='load'>",
    "<div hx-on:click='alert(1)' hx-trigger='load' hx-get='/t/yard/'>",
]
TABLE = b"carrier,delay,when,a_name_that_is_longer_than_most_names_of_columns_are\n" + b"".join(
    b"%s,%d,2013-01-%02d,%s\n" % (carrier, place * 7 % 90, place % 28 + 1, b"words " * (place % 30))
    for place in range(120)
    for carrier in (b"UA", b"<b>AA</b>")
)
PAGES = [
    "/t/yard/",
    "/t/yard/new/",
    "/t/yard/models/seen/",
    "/t/yard/models/seen/versions/1/",
    "/t/yard/models/seen/history/",
    "/t/yard/models/seen/charter/",
    "/t/yard/models/seen/charter/edit/",
    "/t/yard/models/seen/compare/?left=1&right=2",
    "/t/yard/models/seen/select/?metric=accuracy&constraints=p95_seconds<5ms",
    "/t/yard/models/seen/select/?metric=accuracy&constraints=accuracy>2",
    "/t/yard/datasets/",
    "/t/yard/datasets/new/",
    "/t/yard/datasets/flights:1/",
    "/t/yard/datasets/flights:2/",
    "/t/yard/datasets/new/folder/",
    "/t/yard/train/?dataset=flights:1",
    "/t/yard/score/?dataset=flights:1",
    "/t/yard/schedules/",
    "/t/yard/new-schedule/",
    "/t/yard/models/seen/stop/",
    "/t/yard/models/seen/rollback/",
    "/t/yard/models/seen/delete/",
    "/t/yard/models/seen/versions/2/delete/",
    "/t/yard/models/seen/aliases/candidate/delete/",
    "/t/yard/datasets/flights:1/delete/",
    "/t/yard/jobs/",
    "/t/yard/jobs/?state=failed",
    "/t/yard/keys/",
    "/t/yard/members/",
    "/t/yard/front-ends/",
    "/t/yard/audit/",
    "/account/",
    "/nothing/",
]
NAMELESS = """() => Array.from(document.querySelectorAll("input:not([type=hidden]), select, textarea, button, a[href]"))
    .filter(each => !(each.getAttribute("aria-label") || each.getAttribute("aria-labelledby")
        || each.textContent.trim() || (each.labels && each.labels.length)))
    .map(each => each.outerHTML)"""
BURST = """() => Array.from(document.querySelectorAll(".card")).flatMap(card => {
    const edge = card.getBoundingClientRect().right + 1.5
    const cut = each => each !== card && (getComputedStyle(each).overflowX !== "visible" || cut(each.parentElement))
    return Array.from(card.querySelectorAll("*"))
        .filter(each => each.getBoundingClientRect().width > 1 && each.getBoundingClientRect().right > edge)
        .filter(each => !cut(each.parentElement)).map(each => each.outerHTML.slice(0, 200))
})"""
"""What reaches beyond the card that it is in, and is not cut off or scrolled there."""
DOUBLED = """() => Array.from(document.querySelectorAll("[id]"))
    .map(each => each.id).filter((id, at, all) => all.indexOf(id) !== at)"""


@pytest.fixture(scope="module")
def seen(browser: Browser, site: Site, files: Path) -> None:
    """A model with a version that serves, so that every page has something to show."""
    context = browser.new_context()
    visitor = Visitor(context.new_page(), site)
    visitor.sign_in()
    visitor.make_model("seen", "A statement that is long enough to be cut where there is little room. " * 3)
    visitor.push("seen", files / "iris.pkl", sample=files / "sample.csv", metrics='{"accuracy": 0.97, "f1": 0.96}')
    visitor.page.wait_for_url("**/versions/1/")
    visitor.wait_for_state("ready")
    visitor.page.get_by_role("button", name="Activate").click()
    visitor.page.wait_for_url("**/models/seen/")
    visitor.push("seen", files / "iris.pkl", sample=files / "sample.csv", metrics='{"accuracy": 0.969697, "f1": 0.96}')
    visitor.page.wait_for_url("**/versions/2/")
    visitor.wait_for_state("ready")
    visitor.go("/t/yard/models/seen/")
    for alias in ("candidate", "the-one-before"):
        visitor.page.get_by_role("textbox", name="Alias", exact=True).fill(alias)
        visitor.page.get_by_role("button", name="Set", exact=True).click()
        expect(visitor.page.get_by_text(f"@{alias}").first).to_be_visible()
    visitor.push_dataset("flights", TABLE)
    visitor.wait_for_dataset("ready")
    visitor.push_dataset("flights", TABLE + b"x" * 300 + b",1\n")
    visitor.wait_for_dataset("refused")
    context.close()


@pytest.fixture(scope="module")
def pages(browser: Browser, site: Site, files: Path, seen: None) -> list[str]:
    """Addresses of `PAGES`, and those that tell of a scoring that is done, its schedule, a key, a member, an origin."""
    context = browser.new_context()
    visitor = Visitor(context.new_page(), site)
    page = visitor.page
    visitor.sign_in()
    visitor.push_dataset("flowers", (files / "sample.csv").read_bytes())
    visitor.wait_for_dataset("ready")
    visitor.go("/t/yard/score/?dataset=flowers:1")
    page.get_by_label("Version").select_option("seen:1")
    page.get_by_role("button", name="Score", exact=True).click()
    page.wait_for_url(re.compile(r"/jobs/[0-9a-f-]{36}/"))
    job = urlsplit(page.url).path
    expect(page.get_by_role("heading", name="Result")).to_be_visible(timeout=CHECK_MS)
    page.get_by_role("link", name="Repeat").click()
    page.locator("#id_name").fill("seen-nightly")
    page.locator("#id_cron").fill("0 2 * * *")
    page.get_by_role("button", name="Make the schedule").click()
    page.wait_for_url("**/schedules/seen-nightly/")
    visitor.go("/t/yard/keys/")
    page.locator("#id_name").fill("a program that is called something longer than most programs are")
    page.get_by_role("button", name="Make the key").click()
    page.wait_for_load_state()
    visitor.go("/t/yard/front-ends/")
    page.locator("#id_origin").fill("https://a-name-that-is-longer-than-most.app.example")
    page.get_by_role("button", name="Allow").click()
    page.wait_for_load_state()
    told = [job, f"{job}result/delete/"]
    told += [f"/t/yard/schedules/seen-nightly/{verb}" for verb in ("", "edit/", "delete/")]
    for path, verb in (("keys", "revoke"), ("members", "remove"), ("front-ends", "remove")):
        visitor.go(f"/t/yard/{path}/")
        link = page.locator(f"main a[href$='/{verb}/']").first.get_attribute("href")
        assert link is not None, path
        told.append(urljoin(f"/t/yard/{path}/", link))
    context.close()
    return [*PAGES, *told]


def overflow(page: Page) -> int:
    found: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return found


@pytest.mark.parametrize("width", [360, 768, 1024, 1280])
def test_nothing_sticks_out(width: int, visitor: Visitor, pages: list[str]) -> None:
    visitor.page.set_viewport_size({"width": width, "height": 740})
    visitor.go("/sign-in/")
    assert overflow(visitor.page) <= 0
    visitor.sign_in()
    for path in pages:
        visitor.go(path)
        assert overflow(visitor.page) <= 0, path
        assert visitor.page.evaluate(BURST) == [], path
        expect(visitor.page.get_by_role("heading", level=1)).to_have_count(1)


def test_every_field_and_button_has_a_name(visitor: Visitor, pages: list[str]) -> None:
    visitor.sign_in()
    for path in pages:
        visitor.go(path)
        assert visitor.page.evaluate(NAMELESS) == [], path
        assert visitor.page.evaluate(DOUBLED) == [], path


def test_a_dataset_is_looked_through(visitor: Visitor, seen: None) -> None:
    page = visitor.page
    visitor.sign_in()
    visitor.go("/t/yard/datasets/")
    page.get_by_role("searchbox", name="Search datasets").fill("fli")
    page.get_by_role("link", name="flights:1").click()
    drawn = page.locator("tr", has_text="delay").locator(".histogram")
    expect(drawn.locator("rect")).to_have_count(20)
    box = drawn.bounding_box()
    assert box is not None
    assert box["width"] > 100
    assert box["height"] > 20
    page.get_by_role("link", name="Next").click()
    expect(page.get_by_text("21 to 40 of 240")).to_be_visible()
    for first in (41, 61, 81):
        page.get_by_role("link", name="Next").click()
        expect(page.get_by_text(f"{first} to {first + 19} of 240")).to_be_visible()
    with page.expect_download() as got:
        page.get_by_role("link", name="CSV").click()
    assert got.value.suggested_filename == "flights-1.csv"
    assert got.value.path().read_bytes().count(b"\n") == 241
    visitor.go("/t/yard/datasets/flights:2/")
    expect(page.get_by_text("line 242 has 2 fields, the header has 4")).to_be_visible()
    page.get_by_role("link", name="Push another").click()
    expect(page.get_by_label("Name")).to_have_value("flights")


def test_the_theme_follows_the_system_until_one_is_chosen(visitor: Visitor) -> None:
    page = visitor.page
    background = "getComputedStyle(document.body).backgroundColor"
    page.emulate_media(color_scheme="light")
    visitor.sign_in()
    light = page.evaluate(background)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(background)
    assert dark != light
    toggle = page.locator("[data-theme-toggle]")
    toggle.click()
    assert page.evaluate(background) == light
    page.reload()
    assert page.evaluate(background) == light
    toggle.click()
    page.emulate_media(color_scheme="light")
    assert page.evaluate(background) == dark
    toggle.click()
    assert page.evaluate(background) == light


def test_the_keyboard_is_enough(visitor: Visitor, seen: None) -> None:
    page = visitor.page
    visitor.sign_in()
    visitor.go("/t/yard/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("/")
    search = page.get_by_role("searchbox", name="Search models")
    expect(search).to_be_focused()
    page.keyboard.type("see/n")
    expect(search).to_have_value("see/n")
    expect(page.get_by_text("No model matches")).to_be_visible()
    search.fill("seen")
    expect(page.locator("#model-list tbody tr")).to_have_count(1)
    assert page.url.endswith("?q=seen")
    page.get_by_role("link", name="seen", exact=True).press("Enter")
    page.wait_for_url("**/models/seen/")
    page.go_back()
    expect(search).to_have_value("seen")
    page.go_forward()
    page.get_by_role("link", name="Stop serving").press("Enter")
    expect(page.locator("dialog[open]")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)
    expect(page.get_by_role("link", name="Stop serving")).to_be_focused()
    menu = page.locator("details.menu")
    menu.locator("summary").press("Enter")
    expect(menu.get_by_role("button", name="Sign out")).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu.locator("summary")).to_be_focused()
    expect(menu.get_by_role("button", name="Sign out")).to_be_hidden()


def test_the_focus_stays_with_what_was_sent(visitor: Visitor, seen: None) -> None:
    page = visitor.page
    visitor.sign_in()
    visitor.go("/t/yard/models/seen/versions/1/")
    page.set_viewport_size({"width": 360, "height": 400})
    ask = page.get_by_role("button", name="Predict")
    ask.press("Enter")
    expect(page.locator(".answer-value")).to_be_in_viewport(timeout=30_000)
    expect(ask).to_be_focused()
    page.locator("#try-c1").fill("five")
    ask.press("Enter")
    expect(page.locator("#try-c1")).to_be_focused()


def test_what_a_push_is_refused_for_is_marked(visitor: Visitor, seen: None) -> None:
    page = visitor.page
    visitor.sign_in()
    visitor.go("/t/yard/models/seen/#push-form")
    expect(page.locator("#push-form")).to_be_visible()
    page.locator("#id_file").set_input_files({"name": "iris.pkl", "mimeType": "x", "buffer": b"x"})
    page.get_by_text("Metrics, manifest and lineage").click()
    page.locator("#id_manifest").fill("[1]")
    page.locator("#push").get_by_role("button", name="Push").press("Enter")
    manifest = page.locator("#id_manifest")
    expect(manifest).to_be_focused()
    expect(manifest).to_have_attribute("aria-invalid", "true")
    expect(manifest).to_have_accessible_description(re.compile("Expected a JSON object"))
    expect(page.locator("[data-progress]")).to_be_hidden()


def test_a_dialog_that_comes_open_keeps_the_rest_out(visitor: Visitor, seen: None) -> None:
    page = visitor.page
    visitor.sign_in()
    visitor.go("/t/yard/models/seen/?edit=1")
    assert page.evaluate("document.querySelector('#problem-dialog').matches(':modal')")
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)


def test_focus_can_be_seen(visitor: Visitor) -> None:
    visitor.sign_in()
    visitor.go("/t/yard/new/")
    for _ in range(12):
        visitor.page.keyboard.press("Tab")
        style = "(() => { const s = getComputedStyle(document.activeElement); return s.boxShadow + s.outlineStyle })()"
        ring = visitor.page.evaluate(style)
        inner = visitor.page.evaluate("document.activeElement.querySelector('.avatar') !== null")
        assert inner or ring != "nonenone"


def test_code_is_copied(visitor: Visitor, seen: None) -> None:
    visitor.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visitor.sign_in()
    visitor.go("/t/yard/models/seen/versions/1/")
    visitor.page.get_by_role("radio", name="Python").check()
    visitor.page.get_by_role("button", name="Copy Python").click()
    expect(visitor.page.locator("#announcer")).to_have_text("Copied")
    copied = visitor.page.evaluate("navigator.clipboard.readText()")
    assert "from modelyard import Client" in copied
    compile(copied, "snippet", "exec")


def test_a_viewer_can_try_but_is_offered_no_change(visitor: Visitor, seen: None) -> None:
    visitor.sign_in("eve")
    visitor.go("/t/yard/models/seen/versions/1/")
    visitor.page.get_by_role("button", name="Predict").click()
    expect(visitor.page.locator(".answer-value")).to_have_text("setosa", timeout=30_000)
    assert visitor.page.get_by_role("link", name="API keys").count() == 0
    visitor.go("/t/yard/keys/")
    expect(visitor.page.get_by_text("You may not do that")).to_be_visible()


def test_a_stranger_finds_nothing(visitor: Visitor, seen: None) -> None:
    visitor.sign_in("oto")
    visitor.go("/t/yard/models/seen/")
    expect(visitor.page.get_by_text("There is nothing here")).to_be_visible()


def test_it_works_without_script(browser: Browser, site: Site, files: Path) -> None:
    context: BrowserContext = browser.new_context(java_script_enabled=False)
    context.set_default_timeout(60_000)
    plain = Visitor(context.new_page(), site)
    page = plain.page
    plain.sign_in()
    plain.make_model("plain")
    plain.push("plain", files / "iris.pkl", sample=files / "sample.csv")
    page.wait_for_url("**/versions/1/")
    plain.wait_for_state("ready")
    page.get_by_role("button", name="Predict").click()
    expect(page.locator(".answer-value")).to_have_text("setosa", timeout=30_000)
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete the version").click()
    page.wait_for_url("**/models/plain/")
    page.get_by_role("link", name="Delete the model").click()
    page.get_by_label("Type plain to go on").fill("plain")
    page.get_by_role("button", name="Delete the model").click()
    expect(page.locator(".toast")).to_contain_text("plain is deleted")
    context.close()


def test_hostile_texts_in_every_field_run_nothing(visitor: Visitor, files: Path) -> None:
    page = visitor.page
    ran: list[str] = []
    page.on("dialog", lambda dialog: (ran.append(dialog.message), dialog.dismiss()))
    visitor.sign_in()
    visitor.make_model("hostile")
    text = "\n".join(HOSTILE)
    page.get_by_role("link", name="Edit").click()
    page.locator("#problem").get_by_label("Problem statement").fill(text)
    page.locator("#problem").get_by_role("button", name="Save").click()
    page.wait_for_load_state()
    visitor.go("/t/yard/models/hostile/")
    page.locator("#id_file").set_input_files(
        {"name": "<img src=x onerror=alert(1)>.pkl", "mimeType": "x", "buffer": (files / "iris.pkl").read_bytes()}
    )
    page.locator("#id_description").fill(text)
    page.get_by_text("Metrics, manifest and lineage").click()
    page.locator("#id_metrics").fill(json.dumps({payload[:90]: 1 for payload in HOSTILE}))
    page.locator("#id_manifest").fill(json.dumps({"code": text, "parameters": {text: text}}))
    page.locator("#push").get_by_role("button", name="Push").click()
    page.wait_for_url("**/versions/1/")
    visitor.wait_for_state("ready")
    for payload in HOSTILE:
        page.locator(".try-fields .input").first.fill(payload)
        page.get_by_role("button", name="Predict").click()
        expect(page.locator("#try-c0-error")).to_contain_text("expected a number")
    page.get_by_role("button", name="Activate").click()
    page.wait_for_url("**/models/hostile/")
    for payload in HOSTILE:
        visitor.go("/t/yard/keys/")
        page.get_by_label("Name").fill(payload[:100])
        page.get_by_role("button", name="Make the key").click()
        page.wait_for_load_state()
        visitor.page.goto(f"{visitor.site.url}/t/yard/?" + f"q={payload}".replace("#", ""))
        page.goto(f"{visitor.site.url}/sign-in/?next={payload}".replace("#", ""))
    for path in (
        "/t/yard/",
        "/t/yard/models/hostile/",
        "/t/yard/models/hostile/versions/1/",
        "/t/yard/keys/",
        "/t/yard/audit/",
    ):
        visitor.go(path)
        page.wait_for_timeout(100)
    assert ran == []
