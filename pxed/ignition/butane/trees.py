"""storage.trees: a directory of the files directory becomes files and links of the config.

Walked as Go's filepath.Walk does: names of a directory in byte order, a directory before what is in it, links not
followed. From 1.2.0-experimental on, directories are written too when a mode or an owner is given.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from pxed.ignition.butane.local import Files, Kind, LocalFileError, LocalFiles, Stat, go_words
from pxed.ignition.butane.places import EXISTS, Nodes
from pxed.ignition.butane.report import Note, Path, error

MAX_DEPTH = 255


def add_trees(trees: list[Mapping[str, Any]], nodes: Nodes, files: Files) -> Iterator[Note]:
    """Adds what is in every tree; yields what stands against it."""
    for index, tree in enumerate(trees):
        source: Path = ("storage", "trees", index)
        try:
            local, root = files.locate(tree["local"])
        except LocalFileError as failure:
            yield error(source, str(failure))
            if not files.present:
                return
            continue
        try:
            stat = local.stat(root, follow=True)
        except OSError as failure:
            yield error(source, go_words("stat", failure, root))
            continue
        if stat.kind is not Kind.DIRECTORY:
            yield error(source, "root of tree must be a directory")
            continue
        yield from (error(source, text) for text in _Walk(tree, nodes, files, local, source).run(root))


class _Walk:
    """One tree being read."""

    def __init__(self, tree: Mapping[str, Any], nodes: Nodes, files: Files, local: LocalFiles, source: Path) -> None:
        self._base = tree.get("path") or "/"
        self._tree, self._nodes, self._files, self._local, self._source = tree, nodes, files, local, source
        self._owner = {name: dict(tree[name]) for name in ("group", "user") if tree.get(name)}

    def run(self, root: str, relative: str = "", depth: int = 0) -> Iterator[str]:
        """Adds everything at and below a path; yields error texts."""
        path = posixpath.join(root, relative) if relative else root
        target = _join(self._base, relative)
        try:
            stat = self._local.stat(path, follow=False)
        except OSError as failure:
            yield go_words("lstat", failure, path)
            return
        try:
            yield from self._visit(path, target, stat)
            names = self._local.names(path) if stat.kind is Kind.DIRECTORY else []
        except OSError as failure:
            yield go_words("open", failure, path)
            return
        if depth == MAX_DEPTH and names:
            yield f"open {path}: directories more than {MAX_DEPTH} deep"
            return
        self._files.asked[path] = None
        for name in sorted(names, key=lambda name: name.encode(errors="surrogateescape")):
            yield from self.run(root, posixpath.join(relative, name), depth + 1)

    def _visit(self, path: str, target: str, stat: Stat) -> Iterator[str]:
        if stat.kind is Kind.DIRECTORY:
            yield from self._directory(target)
        elif stat.kind is Kind.FILE:
            yield from self._file(path, target, stat)
        elif stat.kind is Kind.SYMLINK:
            yield from self._link(path, target)
        else:
            yield "trees may only contain files, directories, and symlinks"

    def _directory(self, target: str) -> Iterator[str]:
        if "dir_mode" not in self._tree and not self._owner:
            return
        if self._nodes.exists(target):
            yield EXISTS
            return
        mode = self._tree.get("dir_mode", 0o755)
        self._nodes.add("directories", {"path": target, "mode": mode, **self._owner}, self._source)

    def _file(self, path: str, target: str, stat: Stat) -> Iterator[str]:
        index = self._nodes.get("files", target)
        filled = index is not None and self._nodes.node("files", index).get("contents", {}).get("source")
        if filled or (index is None and self._nodes.exists(target)):
            yield EXISTS
            return
        if index is None:
            index = self._nodes.add("files", {"path": target, **self._owner}, self._source)
        self._nodes.fill(index, self._local.read(path), self._source)
        node = self._nodes.node("files", index)
        if "mode" not in node:
            node["mode"] = self._tree.get("file_mode", 0o755 if stat.executable else 0o644)
            self._nodes.trace("files", index, "mode", self._source)

    def _link(self, path: str, target: str) -> Iterator[str]:
        index = self._nodes.get("links", target)
        aimed = index is not None and self._nodes.node("links", index).get("target")
        if aimed or (index is None and self._nodes.exists(target)):
            yield EXISTS
            return
        if index is None:
            index = self._nodes.add("links", {"path": target, **self._owner}, self._source)
        self._nodes.node("links", index)["target"] = self._local.readlink(path)
        self._nodes.trace("links", index, "target", self._source)


def _join(base: str, relative: str) -> str:
    """Go's path.Join of a destination and a path in the tree."""
    clean = posixpath.normpath(f"{base}/{relative}")
    return f"/{clean.lstrip('/')}" if clean.startswith("/") else clean
