"""What the tests of the transpiler share: short configs in, data out."""

from __future__ import annotations

import base64
import gzip
import json
import urllib.parse
from typing import Any

from pxed.ignition import butane
from pxed.ignition.butane import Kind, Stat


def config(body: str, version: str = "1.1.0") -> str:
    """A Butane config with its header."""
    return f"variant: flatcar\nversion: {version}\n{body}"


def translated(body: str, version: str = "1.1.0", files: butane.LocalFiles | None = None) -> Any:
    """The Ignition config of a body that has nothing wrong."""
    result = butane.translate(config(body, version), files=files)
    assert (result.error, result.entries) == ("", ())
    assert result.output is not None
    return json.loads(result.output)


def messages(body: str, version: str = "1.1.0", files: butane.LocalFiles | None = None) -> list[str]:
    """Every line that --raw-errors would print for the body."""
    result = butane.translate(config(body, version), files=files)
    return [*map(str, result.entries), *result.error.splitlines()]


def payload(resource: dict[str, Any]) -> bytes:
    """What a data URL of a resource holds, decompressed."""
    head, _, body = resource["source"].removeprefix("data:").partition(",")
    data = base64.b64decode(body) if head == ";base64" else urllib.parse.unquote_to_bytes(body)
    return gzip.decompress(data) if resource.get("compression") == "gzip" else data


def unpacked(value: Any) -> Any:
    """The same tree with each gzip payload decompressed: Go and zlib write other bytes for the same contents."""
    if isinstance(value, dict):
        if value.get("compression") == "gzip" and value.get("source", "").startswith("data:;base64,H4sI"):
            return {**value, "source": payload(value)}
        return {key: unpacked(item) for key, item in value.items()}
    return [unpacked(item) for item in value] if isinstance(value, list) else value


class Memory:
    """Local files in memory: a dict of path to bytes, or to a str for a symbolic link, or to None for a fifo."""

    def __init__(self, files: dict[str, bytes | str | None], executable: tuple[str, ...] = ()) -> None:
        self.files, self.executable = files, executable

    def read(self, path: str) -> bytes:
        if self._is_directory(path):
            raise IsADirectoryError(21, "Is a directory", f"files/{path}")
        data = self.files.get(path)
        if not isinstance(data, bytes):
            raise FileNotFoundError(2, "No such file or directory", f"files/{path}")
        return data

    def stat(self, path: str, *, follow: bool) -> Stat:
        if self._is_directory(path):
            return Stat(Kind.DIRECTORY, True)
        if path not in self.files:
            raise FileNotFoundError(2, "No such file or directory", f"files/{path}")
        kind = {bytes: Kind.FILE, str: Kind.SYMLINK, type(None): Kind.OTHER}[type(self.files[path])]
        return Stat(kind, path in self.executable)

    def names(self, path: str) -> list[str]:
        start = "" if path == "." else f"{path}/"
        return list({name[len(start) :].partition("/")[0] for name in self.files if name.startswith(start)})

    def readlink(self, path: str) -> str:
        return str(self.files[path])

    def _is_directory(self, path: str) -> bool:
        return path == "." or any(name.startswith(f"{path}/") for name in self.files)
