"""The dashboard's files: who gets them at "/", what a browser may do with them, and that they need nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pxed.server.webpages import POLICY, WEB
from tests.server.httpsite import serving

FILES = sorted(path.name for path in WEB.iterdir() if path.suffix in (".css", ".js", ".svg", ".html"))
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "dashboard"), [(BROWSER, True), ("*/*", False), ("application/json", False), ("", False)]
)
async def test_browsers_get_the_dashboard_and_others_the_list_of_pages(
    tmp_path: Path, accept: str, dashboard: bool
) -> None:
    async with serving(tmp_path) as site:
        answer = await site.ask("/", **({"Accept": accept} if accept else {}))
    assert (answer.status, "/web/app.js" in answer.text) == (200, dashboard)
    assert ("/api/v1/machines" in answer.text, answer.headers["vary"]) == (True, "Accept")


@pytest.mark.parametrize("name", [name for name in FILES if name != "index.html"])
async def test_each_file_is_there_and_is_asked_again_by_its_tag(tmp_path: Path, name: str) -> None:
    async with serving(tmp_path) as site:
        answer = await site.ask(f"/web/{name}")
        again = await site.ask(f"/web/{name}", If_None_Match=answer.headers["etag"])
        other = await site.ask(f"/web/{name}", If_None_Match='"other"')
        head = await site.ask(f"/web/{name}", "HEAD")
    assert answer.body == (WEB / name).read_bytes()
    assert (answer.status, again.status, again.body, other.status, head.status) == (200, 304, b"", 200, 200)
    assert head.headers["content-length"] == str(len(answer.body))


@pytest.mark.parametrize("name", ["__init__.py", "index.html", "none.js", "..%2fapp.py", "app.js/x"])
async def test_nothing_else_is_handed_out(tmp_path: Path, name: str) -> None:
    async with serving(tmp_path) as site:
        assert (await site.ask(f"/web/{name}")).status in (400, 404)


async def test_a_browser_is_told_to_run_and_load_nothing_else(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        for target in ("/", "/web/app.js", "/web/app.css"):
            headers = (await site.ask(target, Accept=BROWSER)).headers
            assert headers["content-security-policy"] == POLICY
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
    rules = dict(rule.split(" ", 1) for rule in POLICY.split("; "))
    assert (rules["default-src"], rules["frame-ancestors"], rules["base-uri"]) == ("'none'",) * 3
    assert (rules["script-src"], rules["style-src"], rules["connect-src"]) == ("'self'",) * 3
    assert "unsafe" not in POLICY


@pytest.mark.parametrize("name", FILES)
def test_no_file_loads_or_names_anything_outside(name: str) -> None:
    text = (WEB / name).read_text()
    assert set(re.findall(r"\w+://[^\s\"'`)]+", text)) <= {"http://www.w3.org/2000/svg"}


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".js")])
def test_no_script_makes_markup_or_code_of_text(name: str) -> None:
    text = (WEB / name).read_text()
    ways = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|srcdoc|javascript:|DOMParser"
    assert not re.findall(ways, text)


def test_the_document_has_no_script_or_style_of_its_own() -> None:
    text = (WEB / "index.html").read_text()
    assert not re.findall(r"<style|\sstyle=|\son\w+=|<script>|<script (?![^>]*src=)", text)
