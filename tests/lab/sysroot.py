"""What the real Ignition did in a machine, as the stand-in release printed it (flatcar_init.sh)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tests.lab import guest


class Kind(StrEnum):
    """What a path is."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"


_NODE = re.compile(rf"({'|'.join(Kind)}) ([0-7]+) (\d+:\d+) (\d+) (\S+) (/.*)")


@dataclass(frozen=True, slots=True)
class Node:
    """Something below /sysroot. `value`: a file's SHA-256, a link's target, "-" for a directory."""

    kind: Kind
    mode: int
    owner: str  # "UID:GID"
    value: str = "-"
    links: int = 1


def file(content: str | bytes, mode: int = 0o644, owner: str = "0:0", links: int = 1) -> Node:
    """A file as it should have been written."""
    raw = content.encode() if isinstance(content, str) else content
    return Node(Kind.FILE, mode, owner, hashlib.sha256(raw).hexdigest(), links)


def directory(mode: int = 0o755, owner: str = "0:0") -> Node:
    """A directory as it should have been made."""
    return Node(Kind.DIRECTORY, mode, owner)


def link(target: str, owner: str = "0:0") -> Node:
    """A symbolic link as it should have been made."""
    return Node(Kind.LINK, 0o777, owner, target)


@dataclass(frozen=True, slots=True)
class Ignited:
    """One boot of the stand-in release."""

    release: str = ""
    firmware: str = ""  # "efi" or "bios"
    cmdline: str = ""
    address: str = ""  # "": the network was never needed
    stages: dict[str, int] = field(default_factory=dict)  # stage of Ignition -> its exit status, in their order
    log: str = ""
    config: Any = None  # what Ignition made of all configs, in its internal version
    oem: tuple[str, ...] = ()  # files below /usr/share/oem
    written: dict[str, Node] = field(default_factory=dict)  # path -> what is new or changed there
    done: bool = False

    @property
    def arguments(self) -> list[str]:
        """The kernel command line's words."""
        return self.cmdline.split()

    @property
    def digests(self) -> list[str]:
        """The SHA-512 of every config that Ignition has parsed, in order."""
        return re.findall(r"parsing config with SHA512: ([0-9a-f]{128})", self.log)


def _log(lines: Iterable[str]) -> str:
    """The lines that Ignition said itself."""
    inside, kept = False, []
    for line in lines:
        words = guest.said(line)
        if words and words[0] in ("log-begin", "log-end"):
            inside = words[0] == "log-begin"
        elif inside:
            kept.append(line)
    return "\n".join(kept)


def _nodes(said: Iterable[tuple[str, str]]) -> dict[str, Node]:
    found = (_NODE.fullmatch(" ".join(words)) for words in said if words[0] in set(Kind))
    return {
        match[6]: Node(Kind(match[1]), int(match[2], 8), match[3], match[5], int(match[4])) for match in found if match
    }


def read(lines: Iterable[str]) -> Ignited:
    """The print-out of one boot."""
    every = list(lines)
    said = [words for words in map(guest.said, every) if words]
    facts = dict(said)
    stages = (text.split() for name, text in said if name == "stage")
    return Ignited(
        release=facts.get("release", ""),
        firmware=facts.get("firmware", ""),
        cmdline=facts.get("cmdline", ""),
        address=facts.get("address", ""),
        stages={name: int(status) for name, status in stages},
        log=_log(every),
        config=json.loads(facts["config"]) if "config" in facts else None,
        oem=tuple(text.removeprefix("./") for name, text in said if name == "oem"),
        written=_nodes(said),
        done="done" in facts,
    )
