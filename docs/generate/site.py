"""`python -m docs.generate.site [DIRECTORY]`: build the documentation site, strictly, and check every link in it."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from docs.generate.links import Verdict, check
from docs.generate.pages import ROOT


def build(directory: Path) -> Verdict:
    """The site in `directory`. Raises mkdocs' exceptions for what mkdocs itself refuses."""
    from mkdocs.commands.build import build as mkdocs_build
    from mkdocs.config import load_config

    config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(directory), strict=True)
    config.plugins.on_startup(command="build", dirty=False)
    mkdocs_build(config)
    config.plugins.on_shutdown()
    return check(directory)


def main(words: list[str]) -> int:
    """Build and check; the exit code."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    directory = Path(words[0]).resolve() if words else ROOT / "build" / "site"
    verdict = build(directory)
    for line in verdict.broken:
        print(line, file=sys.stderr)
    if not verdict.broken:
        print(f"{directory}/index.html: {len(list(directory.rglob('*.html')))} pages, every link leads somewhere")
        print(f"addresses outside, which were not asked: {', '.join(verdict.outside)}")
    return 1 if verdict.broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
