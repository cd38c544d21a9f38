"""systemd.quadlets of 1.2.0-experimental: podman quadlet units become files, template instances become links.

https://docs.podman.io/en/latest/markdown/podman-systemd.unit.5.html says where they belong.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from pxed.ignition.butane.local import Files, LocalFileError
from pxed.ignition.butane.places import EXISTS, Nodes
from pxed.ignition.butane.report import Note, Path, error

EXTENSIONS = (".container", ".volume", ".network", ".kube", ".image", ".build", ".pod", ".artifact")


def base_template(name: str) -> str | None:
    """The template that an instance (`x@one.container`) links to; None for what is no instance."""
    at, dot = name.find("@"), name.rfind(".")
    if -1 in (at, dot) or at + 1 == dot:
        return None
    return f"{name[:at]}@.{name[dot + 1 :]}"


def add_quadlets(quadlets: list[Mapping[str, Any]], nodes: Nodes, files: Files) -> Iterator[Note]:
    """Adds every quadlet and its drop-ins; yields what stands against it."""
    for index, quadlet in enumerate(quadlets):
        source: Path = ("systemd", "quadlets", index)
        directory = "/etc/containers/systemd" if quadlet.get("rootful") else "/etc/containers/systemd/users"
        path = posixpath.normpath(f"{directory}/{quadlet.get('name', '')}")
        template = base_template(quadlet.get("name", ""))
        if nodes.exists(path):
            yield error(source, EXISTS)
        elif template is not None:
            link = nodes.add("links", {"path": path, "target": template}, source)
            nodes.trace("links", link, "path", (*source, "name"))
        else:
            yield from _add_file(quadlet, path, nodes, files, source)
        for number, dropin in enumerate(quadlet.get("dropins", [])):
            below: Path = (*source, "dropins", number)
            name = f"{path}.d/{dropin.get('name', '')}"
            if nodes.exists(name):
                yield error(below, EXISTS)
            else:
                yield from _add_file(dropin, name, nodes, files, below)


def _add_file(unit: Mapping[str, Any], path: str, nodes: Nodes, files: Files, source: Path) -> Iterator[Note]:
    contents, field = b"", source
    try:
        if unit.get("contents_local"):
            field = (*source, "contents_local")
            contents = files.read(unit["contents_local"])
    except LocalFileError as failure:
        yield error(field, str(failure))
        return
    if unit.get("contents"):
        contents, field = unit["contents"].encode(errors="surrogateescape"), (*source, "contents")
    index = nodes.add("files", {"path": path, "mode": 0o644}, source)
    nodes.trace("files", index, "path", (*source, "name"))
    nodes.fill(index, contents, field)
