"""The documentation site: strictly built, no dead link, nothing from elsewhere.

Its reference has what the code has, and nothing else.
"""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from docs.generate import commandpage, httppage, inventorypage
from docs.generate.commands import programs
from docs.generate.links import Verdict, check
from docs.generate.pages import ROOT
from pxed.inventory.fields import untyped
from pxed.inventory.schema import json_schema
from pxed.inventory.yamltext import read
from pxed.server.metricnames import METRICS

COMMANDS = [command for program in programs() for command in program.walk()]


def headings(page: Path, level: int) -> list[tuple[str, str]]:
    """The anchor and the text of each heading."""
    found = re.findall(rf'<h{level} id="([^"]+)">(.*?)<a class="headerlink"', page.read_text(), re.DOTALL)
    return [(anchor, html.unescape(re.sub(r"<[^>]+>", "", text)).strip()) for anchor, text in found]


def test_it_builds_without_a_warning_and_each_link_leads_somewhere(built: tuple[Path, Verdict]) -> None:
    assert built[1].broken == ()
    assert all(re.match(r"https?://[\w.-]+", address) for address in built[1].outside)


def test_each_page_of_the_sources_is_in_it(site: Path) -> None:
    for page in (ROOT / "docs").rglob("*.md"):
        assert (site / page.relative_to(ROOT / "docs")).with_suffix(".html").is_file(), page


def test_its_search_knows_every_page_and_needs_no_server(site: Path) -> None:
    index = (site / "search/search_index.js").read_text()
    assert index.startswith("var __index = {")
    for page in site.rglob("*.html"):
        if page.name != "404.html":
            assert f'"location":"{page.relative_to(site)}"' in index or "LICENSE" in page.name, page


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('<a href="b.html">', "there is no such file"),
        ('<a href="#none">', "there is no such anchor"),
        ('<a href="a.html#none">', "there is no such anchor"),
        ('<a href="../x.html">', "leads out of the site"),
        ('<img src="none.png">', "there is no such file"),
        ('<script src="https://cdn.example.org/x.js"></script>', "is loaded from elsewhere"),
        ('<script src="//cdn.example.org/x.js"></script>', "is loaded from elsewhere"),
        ('<link rel="stylesheet" href="https://fonts.example.org/x.css">', "is loaded from elsewhere"),
        ('<a href="htps://example.org">', "is no address"),
    ],
)
def test_a_link_that_leads_nowhere_is_found(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.html").write_text(f'<h1 id="top">A</h1>{text}')
    [broken] = check(tmp_path).broken
    assert said in broken


def test_links_that_lead_somewhere_are_left_in_peace(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<h1 id="top">A</h1><a href="#top"><a href="a.html#top"><a href="https://e.org/x">'
    )
    assert check(tmp_path) == Verdict((), ("https://e.org/x",))


def test_a_style_sheet_that_loads_from_elsewhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("body { background: url(https://cdn.example.org/x.png) }")
    assert "is loaded from elsewhere" in check(tmp_path).broken[0]


def test_each_field_of_the_schema_has_its_entry_and_there_is_no_other(site: Path) -> None:
    shown = [text for _, text in headings(site / "reference/inventory.html", 3)]
    assert shown == [entry.path for entry in inventorypage.entries()]
    named = {path.rpartition(".")[2] for path in shown}
    for model in json_schema()["$defs"].values():
        assert set(model.get("properties", ())) <= named


def test_each_field_says_what_it_means_and_has_a_line_to_copy() -> None:
    whole = inventorypage.examples()
    schema = json_schema()
    for model in schema["$defs"].values():
        model.pop("required", None)  # a line has one field of many
    for entry in inventorypage.entries():
        assert entry.meaning, entry.path
        if not entry.inner:
            line = inventorypage.example(entry, whole)
            assert line, entry.path
            assert not list(Draft202012Validator(schema).iter_errors(untyped(read(line)))), (entry.path, line)


def test_each_command_has_its_entry_with_each_option_and_there_is_no_other(site: Path) -> None:
    page = site / "reference/commands.html"
    assert {text for _, text in headings(page, 2) + headings(page, 3)} == {" ".join(one.path) for one in COMMANDS}
    text = page.read_text()
    for command in COMMANDS:
        part = text.partition(f'id="{commandpage.anchor(command)}"')[2].partition("<h")[0]
        for option in command.options:
            assert all(f"<code>{name}</code>" in part for name in option.names), (command.path, option.names)


def test_each_route_has_its_entry_and_there_is_no_other(site: Path) -> None:
    shown = {text for _, text in headings(site / "reference/http.html", 3)}
    assert shown == {f"{method} {path}" for method, path in httppage.routes()}


def test_each_metric_is_on_its_page(site: Path) -> None:
    text = (site / "reference/metrics.html").read_text()
    for metric in METRICS:
        assert f"<code>{metric.name}{'_total' if metric.kind == 'counter' else ''}</code>" in text


def test_links_are_called_by_the_titles_of_their_pages_and_bars_are_bars(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text()
        assert not re.search(r">[\w-]+\.md</a>", text.partition("<article")[2]), page
        assert "\\|" not in re.sub(r"<pre.*?</pre>", "", text, flags=re.DOTALL), page
