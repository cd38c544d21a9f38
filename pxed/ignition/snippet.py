"""What pxed itself adds to a machine's config: files and a systemd unit (Ignition 3.0 and later).

The additions are merged into a config as Ignition merges (pxed.ignition.document). A unit or a path that the config
has of its own is refused rather than lost. A config whose secrets differ from boot to boot is made once, with marks in
their place, and filled for each boot.
"""

from __future__ import annotations

import re
import zlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from pxed.errors import PxedError
from pxed.ignition import spec
from pxed.ignition.document import Config, merged, tree_of

_NODES = ("files", "directories", "links")
# What curl reads of a quoted value in its config file as it stands (curl(1), --config): no quote, no backslash.
_URL = re.compile(r"https?://[!#-\[\]-~]+")
_MARK = re.compile(r"[A-Za-z0-9_-]{16,}")  # what percent-encoding leaves alone


class SnippetError(PxedError):
    """A config that cannot take what pxed adds to it."""


@dataclass(frozen=True, slots=True)
class File:
    """A file that pxed adds. What is the owner's alone is not compressed, so that marks in it can be filled."""

    path: str
    body: bytes
    mode: int = 0o644

    def node(self) -> dict[str, Any]:
        """As an entry of storage.files."""
        if self.mode & 0o077:
            contents = {"compression": "gzip", "source": _packed(self.body)}
        else:
            contents = {"source": f"data:,{quote(self.body, safe='')}"}
        return {"path": self.path, "mode": self.mode, "overwrite": True, "contents": contents}


@lru_cache(maxsize=16)
def _packed(body: bytes) -> str:
    """Scripts, keys and certificates are the same for all machines: packed anew, a key of 23 kB took 1 ms of each."""
    return f"data:;base64,{b64encode(zlib.compress(body, 9, wbits=31)).decode()}"


@dataclass(frozen=True, slots=True)
class Unit:
    """A systemd unit that pxed adds and enables."""

    name: str
    text: str


def addition(version: str, unit: Unit, files: Sequence[File]) -> Config:
    """The config of these alone, as one of this spec."""
    tree = {
        "ignition": {"version": version},
        "storage": {"files": [file.node() for file in files]},
        "systemd": {"units": [{"name": unit.name, "enabled": True, "contents": unit.text}]},
    }
    return Config(spec.marshal(tree, version), version)


def grafted(config: Config, added: Config, what: str) -> Config:
    """The config with an addition, which `what` asks for. Raises SnippetError."""
    if why := refusal(config, added, what):
        raise SnippetError(why)
    return merged(config, added)


def refusal(config: Config, added: Config, what: str) -> str:
    """Why the config cannot take an addition; "" when it can."""
    if not config.mergeable:
        kind = f"Ignition {config.spec}" if config.spec else "no Ignition config"
        return f"{what} puts a unit into the config, and this one is {kind}: expected Ignition 3 or Butane"
    own = set(_names(tree_of(config)))
    both = next((name for name in _names(tree_of(added)) if name in own), "")
    return f"{what} puts {both} into the config, which has one of its own: give that another name" if both else ""


def curl_url(url: str) -> bytes:
    """A URL as curl's config file takes it between quotes. Raises SnippetError for what could end the quotes."""
    if _URL.fullmatch(url) is None:
        raise SnippetError(f"found {url[:80]!r}, expected an http or https URL without blanks, quotes and backslashes")
    return url.encode()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A config with a mark in place of each secret."""

    config: Config
    marks: tuple[bytes, ...]

    @property
    def body(self) -> bytes:
        return self.config.body

    def fill(self, *secrets: str) -> Config:
        """The config of one boot: its secrets (url-safe texts) in the order of the marks."""
        body = self.config.body
        for mark, secret in zip(self.marks, secrets, strict=True):
            body = body.replace(mark, secret.encode())
        return Config(body, self.config.spec)


def prepared(config: Config, *marks: str) -> Prepared:
    """A config that was made with marks, random texts of url-safe characters, for secrets. Raises SnippetError."""
    for mark in marks:
        if _MARK.fullmatch(mark) is None or mark.encode() not in config.body:
            raise SnippetError(f"found no mark {mark[:40]!r} in the config, expected 16 url-safe characters or more")
    return Prepared(config, tuple(mark.encode() for mark in marks))


def _names(tree: Mapping[str, Any]) -> list[str]:
    """Units and paths, as a sentence names them."""
    return [
        *(f"the unit {unit['name']}" for unit in (tree.get("systemd") or {}).get("units") or ()),
        *(f"the file {node['path']}" for kind in _NODES for node in (tree.get("storage") or {}).get(kind) or ()),
    ]
