"""Files, directories and links of the result by path: where trees and quadlets look before they add one."""

from __future__ import annotations

from typing import Any

from pxed.ignition.butane.dataurl import data_url
from pxed.ignition.butane.origins import Origins
from pxed.ignition.butane.report import Path

EXISTS = "matching filesystem node has existing contents or different type"


class Nodes:
    """nodeTracker of Butane's base/*/util.go: one key space for all three kinds, new nodes at the end of their list."""

    def __init__(self, config: dict[str, Any], origins: Origins) -> None:
        self._storage: dict[str, list[dict[str, Any]]] = config.setdefault("storage", {})
        self._origins = origins
        self._index = {
            kind: {node.get("path", ""): index for index, node in enumerate(self._storage.get(kind, []))}
            for kind in ("files", "directories", "links")
        }

    def exists(self, path: str) -> bool:
        """Whether any kind of node has the path."""
        return any(path in index for index in self._index.values())

    def get(self, kind: str, path: str) -> int | None:
        """The index of a node of this kind."""
        return self._index[kind].get(path)

    def node(self, kind: str, index: int) -> dict[str, Any]:
        """The node itself."""
        return self._storage[kind][index]

    def add(self, kind: str, node: dict[str, Any], source: Path) -> int:
        """Appends a node, all of which comes from one place; its index."""
        nodes = self._storage.setdefault(kind, [])
        nodes.append(node)
        index = self._index[kind][node["path"]] = len(nodes) - 1
        self._origins.below["storage", kind, index] = source
        return index

    def trace(self, kind: str, index: int, field: str, source: Path) -> None:
        """Notes that one field of a node, and what is in it, comes from elsewhere."""
        self._origins.below["storage", kind, index, field] = source

    def fill(self, index: int, contents: bytes, source: Path) -> None:
        """Gives a file its contents."""
        resource = self.node("files", index).setdefault("contents", {})
        resource["source"], compression = data_url(contents, resource.get("compression"))
        if compression is not None:
            resource["compression"] = compression
        self.trace("files", index, "contents", source)
