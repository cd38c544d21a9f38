"""mkdocs' hooks: put the made pages and the repository's papers into the site, and lead links there.

https://www.mkdocs.org/user-guide/configuration/#hooks . A page says its links as they work in the repository.
"""

from __future__ import annotations

import posixpath
import re

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from docs.generate.pages import MADE, PAPERS, ROOT, moved, named_files

_NAMED = re.compile(r"\[[\w-]+\.md\]\((?P<target>[^)\s#]+\.md)(?P<anchor>#[^)\s]*)?\)")
# GitHub wants a bar in a table's code escaped, Python-Markdown shows the backslash.
_ROW, _CODE = re.compile(r"^\|.*\|$", re.MULTILINE), re.compile(r"`[^`]+`")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what is not below docs/."""
    for place, make in MADE.items():
        files.append(File.generated(config, place, content=make()))
    for paper, place in PAPERS.items():
        files.append(File.generated(config, place, content=(ROOT / paper).read_text()))
    named: set[str] = set()
    for file in files.documentation_pages():
        named |= named_files(file.content_string, _home(file))
    for name in sorted(named):
        files.append(File.generated(config, f"files/{name}", abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead its links to where things are in the site, and call pages by their titles."""
    text = moved(markdown, page.file.src_uri, _home(page.file))
    titled = _NAMED.sub(lambda link: _titled(link, page.file.src_uri, files), text)
    return _ROW.sub(lambda row: _CODE.sub(lambda code: code[0].replace("\\|", "|"), row[0]), titled)


def _titled(link: re.Match[str], place: str, files: Files) -> str:
    """A link whose text is a file's name, with the page's title for it."""
    file = files.get_file_from_path(posixpath.normpath(posixpath.join(posixpath.dirname(place), link["target"])))
    title = file.page.title if file and file.page else None
    return f"[{title}]({link['target']}{link['anchor'] or ''})" if title else link[0]


def _home(file: File) -> str:
    """Where a page's text stands in the repository."""
    papers = {place: paper for paper, place in PAPERS.items()}
    return papers.get(file.src_uri, f"docs/{file.src_uri}")
