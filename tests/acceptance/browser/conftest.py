"""A real server (web, worker and housekeeper) with a real browser in front of it.

What the browser complains of (an inline script or style against the policy, an error in a script) fails the test.
"""

from __future__ import annotations

import os
import pickle
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.servers.shared import free_port

CHROMIUM = "/usr/bin/chromium"
SWITCHES = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PROCESSES = ("web", "worker", "tend")
START_SECONDS = 60
CHECK_MS = 120_000
WAIT_MS = 60_000
"""Long, for machines that do much else; a page takes a tenth of a second."""
expect.set_options(timeout=20_000)

SET_UP = """
import os
import django
django.setup()
from django.contrib.auth.models import User
from django.core.management import call_command
from modelyard.control.tenancy import services
call_command("migrate", verbosity=0)
password = os.environ["BROWSER_PASSWORD"]
for tenant in ("yard", "other"):
    services.create_tenant(name=tenant, created_by="system:test")
from modelyard.control.tenancy.models import Tenant
yard, other = (services.system_actor(Tenant.objects.get(name=name), "test") for name in ("yard", "other"))
for name, actor, role in (("ada", yard, "admin"), ("eve", yard, "viewer"), ("oto", other, "admin")):
    user = User.objects.create_user(name, password=password)
    services.add_member(actor=actor, user=user, role=role)
"""


@dataclass(frozen=True)
class Site:
    """Where the server is, and the password of everybody there (ada and eve of `yard`, oto of `other`)."""

    url: str
    password: str


@dataclass
class Visitor:
    """A page, and what its browser complained of."""

    page: Page
    site: Site
    complaints: list[str] = field(default_factory=list)

    def sign_in(self, name: str = "ada") -> None:
        self.page.goto(f"{self.site.url}/sign-in/")
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password").fill(self.site.password)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url("**/t/**")

    def go(self, path: str) -> None:
        self.page.goto(f"{self.site.url}{path}")

    def make_model(self, name: str, problem: str = "") -> None:
        self.go("/t/yard/new/")
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Problem statement").fill(problem)
        self.page.get_by_role("button", name="Make the model").click()
        self.page.wait_for_url(f"**/t/yard/models/{name}/")

    def push(self, name: str, *files: Path, sample: Path | None = None, metrics: str = "") -> None:
        """Push files as a version, and wait for the page that shows what became of them."""
        self.go(f"/t/yard/models/{name}/")
        if not self.page.locator("#push[open]").count():
            self.page.locator("#push > summary").click()
        self.page.locator("#id_file").set_input_files(list(files))
        if sample:
            self.page.locator("#id_sample").set_input_files(sample)
        if metrics:
            self.page.get_by_text("Metrics, manifest and lineage").click()
            self.page.locator("#id_metrics").fill(metrics)
        self.page.locator("#push").get_by_role("button", name="Push").click()

    def push_dataset(self, name: str, content: bytes) -> None:
        """Push a table, and wait for the page that shows what became of it."""
        self.go("/t/yard/datasets/new/")
        self.page.get_by_label("Name").fill(name)
        self.page.locator("#id_file").set_input_files({"name": "a.csv", "mimeType": "text/csv", "buffer": content})
        self.page.get_by_role("button", name="Push").click()
        self.page.wait_for_url(re.compile(rf"/datasets/{name}:\d+/"))

    def wait_for_dataset(self, state: str) -> None:
        self.page.locator("#dataset h1 .badge", has_text=state).wait_for(timeout=CHECK_MS)

    def wait_for_state(self, state: str) -> None:
        self.page.locator("#version h1 .badge", has_text=state).wait_for(timeout=CHECK_MS)


def wait_until_up(url: str, processes: list[subprocess.Popen[bytes]]) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        died = [process.args for process in processes if process.poll() is not None]
        if died:
            pytest.fail(f"{died[0]} ended at once")
        try:
            with urlopen(f"{url}/sign-in/", timeout=5):
                return
        except (URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"no answer from {url} within {START_SECONDS} s")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The server, as users run it."""
    home = tmp_path_factory.mktemp("home")
    port = free_port()
    password = secrets.token_urlsafe(18)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MODELYARD_")}
    environment |= {"MODELYARD_HOME": str(home), "MODELYARD_PORT": str(port), "PYTHONUNBUFFERED": "1"}
    set_up = {**environment, "BROWSER_PASSWORD": password, "DJANGO_SETTINGS_MODULE": "modelyard.config.settings"}
    subprocess.run([sys.executable, "-c", SET_UP], env=set_up, check=True, timeout=120)
    processes = []
    for name in PROCESSES:
        with (home / f"{name}.log").open("wb") as log:
            command = [sys.executable, "-m", "modelyard.cli", name]
            processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_up(url, processes)
        yield Site(url, password)
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for the module, no longer: beside Playwright this thread counts as one with a running event loop."""
    if shutil.which(CHROMIUM) is None:
        pytest.fail("no browser: apt-get install -y --no-install-recommends chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield started
        started.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme="light")
    made.set_default_timeout(WAIT_MS)
    yield made
    made.close()


@pytest.fixture
def visitor(context: BrowserContext, site: Site) -> Iterator[Visitor]:
    """Somebody with a fresh browser; at the end nothing may have been complained of."""
    page = context.new_page()
    came = Visitor(page, site)

    def heard(message: ConsoleMessage) -> None:
        # The browser also reports each answer that is an error; those are what some tests ask for.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            came.complaints.append(message.text)

    page.on("console", heard)
    page.on("pageerror", lambda error: came.complaints.append(str(error)))
    yield came
    assert came.complaints == []


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files as people have them: iris as one pipeline, as scaler and Perceptron, digits, a sample, and a broken one."""
    from sklearn.datasets import load_digits, load_iris
    from sklearn.linear_model import LogisticRegression, Perceptron
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    folder = tmp_path_factory.mktemp("files")
    iris = load_iris(as_frame=True)
    species = iris.target_names[iris.target]
    scaler = StandardScaler().fit(iris.data)
    digits = load_digits(as_frame=True)
    kept = {
        "iris.pkl": make_pipeline(StandardScaler(), LogisticRegression()).fit(iris.data, species),
        "scaler.pkl": scaler,
        "perceptron.pkl": Perceptron().fit(scaler.transform(iris.data), species),
        "digits.pkl": make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(digits.data, digits.target),
    }
    for name, estimator in kept.items():
        (folder / name).write_bytes(pickle.dumps(estimator, 4))
    iris.data.head(20).to_csv(folder / "sample.csv", index=False)
    digits.data.head(5).to_csv(folder / "digits.csv", index=False)
    (folder / "broken.pkl").write_bytes(b"\x80\x04 this is no pickle")
    return folder
