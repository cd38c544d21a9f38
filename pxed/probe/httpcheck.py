"""Whether a URL is served as boot firmware needs it: HEAD, GET, a range, over one kept connection.

What UEFI HTTP Boot (EDK2 HttpBootDxe) and iPXE are known to need, by the issues in which it was found out.
"""

from __future__ import annotations

import http.client
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from pxed.probe import web
from pxed.probe.program import identify

RANGE = 16  # bytes asked for


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a client needs. `needed` False: only good to have."""

    name: str
    ok: bool
    said: str
    needed: bool = True

    def __str__(self) -> str:
        return f"{'ok' if self.ok else 'FAILED' if self.needed else 'note':<6}  {self.name}: {self.said}"


@dataclass(frozen=True, slots=True)
class Report:
    """All of them."""

    url: str
    bytes: int
    seconds: float
    sha256: str
    program: str
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Nothing that is needed fails."""
        return all(check.ok or not check.needed for check in self.checks)

    def lines(self) -> list[str]:
        """For a terminal."""
        rate = f", {self.bytes / self.seconds / 1e6:.1f} MB/s" if self.seconds and self.bytes else ""
        head = f"{self.url}: {self.bytes} bytes in {self.seconds:.3f} s{rate}, {self.program}"
        verdict = "good: firmware can fetch it" if self.ok else "failed: firmware will not fetch it"
        return [head, *map(str, self.checks), verdict]


def check(url: str, timeout: float = 10.0, insecure: bool = False) -> Report:
    """Ask, and judge."""
    context = ssl._create_unverified_context() if insecure else None  # noqa: S323
    asking = _Asking(url, timeout, context)
    try:
        head, got, part = asking.ask("HEAD"), asking.ask("GET"), asking.ask("GET", {"Range": f"bytes=0-{RANGE - 1}"})
    finally:
        asking.close()
    checks = (
        _reached(got),
        _status(got),
        _length(head, got),
        _whole(got),
        _chunks(got),
        Check("HTTP/1.1 (edk2 issue 9920)", got.version == 11, f"version {got.version / 10:.1f}"),
        _server(got),
        Check("kept connection", asking.connections == 1, f"3 requests took {asking.connections} connections", False),
        _range(part),
        _type(url, got),
    )
    shown = checks if not got.error or got.status else checks[:1]
    return Report(url, got.size, got.seconds, got.sha256, identify(got.head).text, shown)


class _Asking:
    """Requests over one connection, as long as the server keeps it."""

    def __init__(self, url: str, timeout: float, context: ssl.SSLContext | None) -> None:
        self.url = url
        self.connections = 0
        self._made = (timeout, context)
        self._connection: http.client.HTTPConnection | None = None

    def ask(self, method: str, headers: dict[str, str] | None = None) -> web.Response:
        """One request; where the server has closed the connection, on a new one."""
        kept = self._connection is not None and self._connection.sock is not None
        answer = self._once(method, headers)
        return self._once(method, headers) if kept and not answer.status else answer

    def _once(self, method: str, headers: dict[str, str] | None) -> web.Response:
        if self._connection is None or self._connection.sock is None:
            self.close()
            self._connection = web.connect(self.url, *self._made)
            self.connections += 1
        try:
            return web.exchange(self._connection, self.url, method, headers=headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return web.Response(self.url, 0, error=web.words(error))

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _reached(got: web.Response) -> Check:
    parts = urlsplit(got.url)
    return Check("an answer", bool(got.status), got.error or f"from {parts.hostname}:{parts.port or 80}")


def _status(got: web.Response) -> Check:
    said = f"{got.status}"
    if 300 <= got.status < 400:
        said += f", a redirect to {got.headers.get('location', '?')}: UEFI HTTP Boot follows none (edk2 issue 9714)"
    elif got.status == 503:
        said += f", Retry-After {got.headers.get('retry-after', 'is missing')}"
    return Check("status 200, no redirect", got.status == 200, said)


def _length(head: web.Response, got: web.Response) -> Check:
    """EDK2 asks HEAD first and takes the size from there."""
    name = "HEAD with the Content-Length of GET"
    if head.status != got.status:
        return Check(name, False, f"HEAD gives {head.status or head.error}, GET {got.status}")
    said = head.headers.get("content-length")
    if said is None:
        return Check(name, False, "HEAD has no Content-Length")
    return Check(name, said == str(got.size), f"{said}, {got.size} bytes came")


def _whole(got: web.Response) -> Check:
    return Check("the whole body", not got.error, got.error or f"{got.size} bytes")


def _chunks(got: web.Response) -> Check:
    coding = got.headers.get("transfer-encoding", "")
    packed = got.headers.get("content-encoding", "")
    said = f"Transfer-Encoding {coding}" if coding else f"Content-Encoding {packed}" if packed else "none"
    return Check("no chunks, no encoding", not coding and packed in ("", "identity"), said)


def _server(got: web.Response) -> Check:
    """An empty one hangs OVMF (edk2 issue 7443)."""
    said = got.headers.get("server")
    return Check("Server header not empty", said is None or bool(said.strip()), "none" if said is None else repr(said))


def _range(part: web.Response) -> Check:
    ok = part.status == 206 and part.size <= RANGE and "content-range" in part.headers
    said = f"{part.status}, {part.size} bytes, Content-Range {part.headers.get('content-range', 'is missing')}"
    return Check("ranges", ok, said, needed=False)


def _type(url: str, got: web.Response) -> Check:
    said = got.headers.get("content-type", "")
    name = urlsplit(url).path.lower()
    if not name.endswith(".efi"):
        return Check("Content-Type", bool(said), said or "none", needed=False)
    return Check("Content-Type application/efi", said == "application/efi", said or "none", needed=False)
