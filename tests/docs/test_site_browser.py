"""The documentation site in real Chromium: from a server and from a disk, without a network, with its search."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.chromium import Browser, browsing

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]
# Of the page itself, what was loaded after it too; data: and the browser's own are no requests.
REQUESTS = "return performance.getEntriesByType('resource').map((entry) => entry.name)"
SEARCH = """
const input = document.querySelector("[data-md-component=search-query]")
const open = document.querySelector("#__search")
if (!open.checked) open.click()
input.focus()
input.value = arguments[0]
input.dispatchEvent(new Event("input", {bubbles: true}))
input.dispatchEvent(new KeyboardEvent("keyup", {bubbles: true, key: "x"}))
"""
FOUND = "return [...document.querySelectorAll('.md-search-result__link')].map((link) => link.href).join(' ')"

# What somebody types at three in the morning, and where it is.
FINDS = {
    "PXE-E18": "troubleshooting.html",
    "2d0c618e": "troubleshooting.html",
    "Access Denied": "secure-boot.html",
    "max_windowsize": "inventory.html?h=max+windowsize#server-tftp-max-windowsize",
}


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browsing(tmp_path_factory.mktemp("chromium")) as window:
        yield window


@pytest.fixture(params=["from a server", "from a disk"])
def root(request: pytest.FixtureRequest, site: Path) -> Iterator[str]:
    if request.param == "from a disk":
        yield f"file://{site}"
        return
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_page_shows_without_an_error_and_its_search_finds(browser: Browser, root: str) -> None:
    browser.log()
    browser.go(f"{root}/index.html")
    browser.wait_text("pxed boots bare metal")
    assert browser.run("return document.querySelector('main img').naturalWidth") > 0
    for words, place in FINDS.items():
        browser.until(functools.partial(_finds, browser, words, place), f"{place} for {words}")
    assert all(name.startswith((root, "data:", "blob:")) for name in browser.run(REQUESTS))
    assert not [line for line in browser.log() if not line.startswith("chrome://")], "of its first page"


def _finds(browser: Browser, words: str, place: str) -> bool:
    """Whether the search finds it. They are typed anew each time: what comes before the index is lost."""
    browser.run(SEARCH, words)
    return place in browser.run(FOUND)


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_it_is_light_or_dark_as_the_host_is(browser: Browser, site: Path, scheme: str, dark: bool) -> None:
    browser.scheme(scheme)
    browser.go(f"file://{site}/reference/inventory.html")
    browser.wait_text("server.tftp.port")
    assert (browser.run("return document.body.dataset.mdColorScheme") == "slate") is dark


def test_a_phone_shows_every_page_of_the_reference_without_scrolling_sideways(browser: Browser, site: Path) -> None:
    browser.size(400, 800)
    for page in sorted((site / "reference").glob("*.html")):
        browser.go(f"file://{page}")
        browser.wait("return document.readyState === 'complete'")
        assert browser.run("return document.scrollingElement.scrollWidth") <= 400, page.name
