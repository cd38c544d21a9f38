"""mkdocs' hooks: put the made pages and the repository's papers into the site, and lead links there.

https://www.mkdocs.org/user-guide/configuration/#hooks . A page says its links as they work in the repository.
"""

from __future__ import annotations

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from docs.generate.pages import MADE, PAPERS, ROOT, moved, named_files


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
    """Lead its links to where things are in the site."""
    return moved(markdown, page.file.src_uri, _home(page.file))


def _home(file: File) -> str:
    """Where a page's text stands in the repository."""
    papers = {place: paper for paper, place in PAPERS.items()}
    return papers.get(file.src_uri, f"docs/{file.src_uri}")
