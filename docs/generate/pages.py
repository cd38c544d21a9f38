"""What the site has besides docs/: pages made from code, papers of the repository, files that pages name."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from docs.generate import clientpage, commandpage, httppage, inventorypage

ROOT = Path(__file__).parents[2]
# By their place in the site.
MADE: Mapping[str, Callable[[], str]] = {
    "reference/inventory.md": inventorypage.page,
    "reference/commands.md": commandpage.page,
    "reference/clients.md": clientpage.page,
    "reference/http.md": httppage.page,
}
PAPERS = {
    "SECURITY.md": "explanation/security.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "LICENSE": "files/LICENSE",
}
_LINK = re.compile(r"(?P<before>\]\()(?P<target>(?!https?:|mailto:|#)[^)\s#]+)(?P<anchor>#[^)\s]*)?\)")


def made_from(target: str) -> str:
    """The place in the site of a path below the repository's root."""
    if target in PAPERS:
        return PAPERS[target]
    return target.removeprefix("docs/") if target.startswith("docs/") else f"files/{target}"


def moved(text: str, place: str, home: str) -> str:
    """A text with its links as they are in the site; `place` is its own there, `home` its file's in the repository."""

    def link(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(home), found["target"]))
        there = posixpath.relpath(made_from(target), posixpath.dirname(place) or ".")
        return f"{found['before']}{there}{found['anchor'] or ''})"

    return _LINK.sub(link, text)


def named_files(text: str, home: str) -> set[str]:
    """The files outside of docs/ that a text links to, by their path below the repository's root."""
    targets = {
        posixpath.normpath(posixpath.join(posixpath.dirname(home), one["target"])) for one in _LINK.finditer(text)
    }
    return {one for one in targets if not one.startswith("docs/") and one not in PAPERS and (ROOT / one).is_file()}
