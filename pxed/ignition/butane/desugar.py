"""A decoded Butane config -> an Ignition config: renamed, with resources, ssh keys and unit texts read in.

The custom translators of Butane's base/*/translate.go, in Butane's order. What adds whole nodes comes after: mounts.py,
trees.py, quadlets.py. No defaults are filled in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pxed.ignition.butane.dataurl import data_url
from pxed.ignition.butane.decode import Struct
from pxed.ignition.butane.local import NO_FILES_DIR, Files, LocalFileError
from pxed.ignition.butane.names import camel
from pxed.ignition.butane.origins import Origins
from pxed.ignition.butane.report import Note, Path, error

_LINE_END = re.compile(r"\r?\n")


class Desugar:
    """One translation: collects notes and the origins of what it adds."""

    def __init__(self, files: Files, origins: Origins) -> None:
        self.files = files
        self.origins = origins
        self.notes: list[Note] = []

    def struct(self, struct: Struct, value: Mapping[str, Any], path: Path) -> dict[str, Any]:
        """The Ignition form of a struct; empty structs and lists are left out."""
        out: dict[str, Any] = {}
        for name, json, kind, many in struct.plan:
            if name not in value:
                continue
            below = value[name]
            if kind is None:
                if not many or below:
                    out[json] = below
            elif not many:
                if found := self.struct(kind, below, (*path, name)):
                    out[json] = found
            elif below:
                out[json] = [self.struct(kind, item, (*path, name, index)) for index, item in enumerate(below)]
        own = struct.own & value.keys()
        if own:
            self._own(struct, value, path, out)
        return out

    def _own(self, struct: Struct, value: Mapping[str, Any], path: Path, out: dict[str, Any]) -> None:
        """What the fields of Butane add to a struct."""
        if "local" in value and "inline" in struct.fields:
            self._contents(self._read(value["local"], (*path, "local")), out)
        if "inline" in value:
            self._contents(value["inline"].encode(errors="surrogateescape"), out)
        if value.get("contents_local"):
            text = self._read(value["contents_local"], (*path, "contents_local"))
            if text is not None:
                out["contents"] = decode(text)
                self.origins.exact[_json(path, "contents")] = (*path, "contents_local")
        if value.get("ssh_authorized_keys_local"):
            self._keys(value["ssh_authorized_keys_local"], path, out)

    def _read(self, name: str, path: Path) -> bytes | None:
        try:
            return self.files.read(name)
        except LocalFileError as failure:
            self.notes.append(error(path, str(failure)))
            return None

    def _contents(self, contents: bytes | None, out: dict[str, Any]) -> None:
        """Source and compression of a resource that is given inline or by a file."""
        if contents is not None:
            out["source"], compression = data_url(contents, out.get("compression"))
            if compression is not None:
                out["compression"] = compression

    def _keys(self, names: list[str], path: Path, out: dict[str, Any]) -> None:
        """Keys from files, a line each; only empty lines are dropped."""
        field: Path = (*path, "ssh_authorized_keys_local")
        self.origins.exact[_json(path, "sshAuthorizedKeys")] = field
        if not self.files.present:
            self.notes.append(error(field, NO_FILES_DIR))
            return
        keys = list(out.get("sshAuthorizedKeys", ()))
        for index, name in enumerate(names):
            text = self._read(name, (*field, index))
            for line in _LINE_END.split(decode(text)) if text is not None else ():
                if line:
                    self.origins.exact[_json(path, "sshAuthorizedKeys", len(keys))] = (*field, index)
                    keys.append(line)
        if keys:
            out["sshAuthorizedKeys"] = keys


def decode(text: bytes) -> str:
    """A file's text; a byte that is no UTF-8 becomes a lone surrogate, which JSON shows as U+FFFD, as Go does."""
    return text.decode(errors="surrogateescape")


def _json(path: Path, *more: str | int) -> Path:
    return (*(camel(part) if isinstance(part, str) else part for part in path), *more)
