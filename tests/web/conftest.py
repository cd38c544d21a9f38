"""One browser and two servers for all tests of the dashboard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web import told
from tests.web.chromium import Browser, browsing
from tests.web.site import WebSite, large_inventory, running

COLLECT = "addEventListener('securitypolicyviolation', (e) => (window.violations ??= []).push(e.violatedDirective))"


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browsing(tmp_path_factory.mktemp("chromium")) as browser:
        browser.cdp("Page.addScriptToEvaluateOnNewDocument", source=COLLECT)
        yield browser


@pytest.fixture
def browser(window: Browser) -> Browser:
    """The window as a desktop has it, with nothing kept from the test before."""
    window.go("about:blank")
    window.size(1400, 900)
    window.scheme("light")
    window.log()
    return window


@pytest.fixture
def site(tmp_path: Path) -> Iterator[WebSite]:
    """A few machines, of which nothing was heard yet."""
    with running(tmp_path) as site:
        yield site


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebSite]:
    """10,000 machines, most of which have booted."""
    with running(tmp_path_factory.mktemp("hall"), large_inventory()) as site:
        site.put(*told.fleet())
        yield site
