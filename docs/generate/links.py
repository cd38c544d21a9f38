"""Checks a built site: every link leads to a file and an anchor that exist, and nothing is loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What a browser fetches by itself when it shows the page; <a href> is only followed.
_LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href", "form": "action"}
_NOT_FETCHED = {"canonical", "next", "prev", "edit"}  # of <link rel>


@dataclass(slots=True)
class Reading(HTMLParser):
    """One page: its anchors, what it links to, and what it loads."""

    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        HTMLParser.__init__(self)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One element."""
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if values.get(name)}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if _LOADED.get(tag) in values and not _NOT_FETCHED & set(values.get("rel", "").split()):
            self.loads.append(values[_LOADED[tag]])

    handle_startendtag = handle_starttag


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong with a site, and which addresses outside of it its pages name."""

    broken: tuple[str, ...]
    outside: tuple[str, ...]


def check(site: Path) -> Verdict:
    """Read every page of it."""
    pages = {path: _read(path) for path in sorted(site.rglob("*.html"))}
    broken: list[str] = []
    outside: set[str] = set()
    for path, page in pages.items():
        name = path.relative_to(site)
        for link in (*page.links, *page.loads):
            parts = urlsplit(link)
            if not parts.scheme and not parts.netloc:
                broken += (f"{name}: {link}: {reason}" for reason in _wrong(site, path, link, pages))
            elif link in page.loads and parts.scheme != "data":
                broken.append(f"{name}: {link}: is loaded from elsewhere")
            elif parts.scheme in ("http", "https") and parts.hostname:
                outside.add(link)
            elif parts.scheme not in ("mailto", "data"):
                broken.append(f"{name}: {link}: is no address")
    broken += _imports(site)
    return Verdict(tuple(broken), tuple(sorted(outside)))


def _read(path: Path) -> Reading:
    page = Reading()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def _wrong(site: Path, path: Path, link: str, pages: dict[Path, Reading]) -> Iterator[str]:
    """What is wrong with a link within the site, if anything."""
    parts = urlsplit(link)
    # 404.html is served for any path, so its links start at the site's own root.
    start = site if parts.path.startswith("/") else path.parent
    target = (start / unquote(parts.path).lstrip("/")).resolve() if parts.path else path
    if not target.is_relative_to(site.resolve()):
        yield "leads out of the site"
        return
    if target.is_dir():
        target /= "index.html"
    if not target.is_file():
        yield "there is no such file"
    elif parts.fragment and target.suffix == ".html":
        known = {**{one.resolve(): reading for one, reading in pages.items()}}
        if unquote(parts.fragment) not in known[target.resolve()].anchors:
            yield "there is no such anchor"


def _imports(site: Path) -> Iterator[str]:
    """Style sheets that load something from elsewhere."""
    for path in sorted(site.rglob("*.css")):
        text = path.read_text(encoding="utf-8")
        for word in ("url(http", "url(//", 'url("http', "@import"):
            if word in text:
                yield f"{path.relative_to(site)}: {word}: is loaded from elsewhere"
