"""What a client makes of a reply: it fetches a file, asks a boot server, or drops the packet, with the reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tftp:
    """It fetches `file` by TFTP."""

    server: str
    file: str

    def __str__(self) -> str:
        return f"tftp {self.file} from {self.server}"


@dataclass(frozen=True, slots=True)
class Url:
    """It fetches a URL."""

    url: str

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True, slots=True)
class Ask:
    """It sends a REQUEST to port 4011; `item` is the boot server type it asks for in 43.71, None without one."""

    server: str
    item: int | None = None

    def __str__(self) -> str:
        return f"ask {self.server}:4011" + ("" if self.item is None else f" for boot item {self.item:#06x}")


@dataclass(frozen=True, slots=True)
class Accepted:
    """The client goes on."""

    next: Tftp | Url | Ask

    def __str__(self) -> str:
        return str(self.next)


@dataclass(frozen=True, slots=True)
class Rejected:
    """The client drops the reply, or cannot use it."""

    reason: str

    def __str__(self) -> str:
        return f"rejected: {self.reason}"


Verdict = Accepted | Rejected
