"""`pxed-probe tftp`: one file, and why it does not come."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pxed.probe import tftp
from pxed.probe.fetching import NO_SUCH_FILE, Got, by_tftp
from pxed.probe.nic import ProbeError
from pxed.probe.program import identify


@dataclass(frozen=True, slots=True)
class Here:
    """Reads from this host, as it is."""

    write_to: Callable[[bytes], object] | None = None
    port: int = tftp.PORT
    timeout: float = 1.0

    def tftp(self, server: str, file: str, **how: Any) -> tftp.Fetched:
        """Read a file."""
        kept = None if file == NO_SUCH_FILE else self.write_to
        return tftp.read(server, file, write_to=kept, port=self.port, timeout=self.timeout, **how)


@dataclass(frozen=True, slots=True)
class Report:
    """What came of it."""

    got: Got
    program: str

    def as_dict(self) -> dict[str, Any]:
        """As `--json` prints it."""
        got = self.got
        return {
            "ok": got.ok,
            "url": got.url,
            "bytes": got.size,
            "seconds": round(got.seconds, 4),
            "how": got.how,
            "sha256": got.sha256,
            "program": self.program,
            "verdict": got.finding.as_dict() if got.finding else None,
        }


def read_and_judge(
    server: str, file: str, blksize: int, windowsize: int, out: Path | None, timeout: float = 1.0
) -> Report:
    """Read the file of `ADDRESS` or `ADDRESS:PORT`, into `out` where that is given."""
    address, _, port = server.partition(":")
    if not re.fullmatch(r"\d+(\.\d+){3}", address) or not re.fullmatch(r"\d{0,5}", port):
        raise ProbeError(f"{server!r} is no IPv4 address, or ADDRESS:PORT")
    with ExitStack() as stack:
        write = None
        if out is not None:
            try:
                write = stack.enter_context(out.open("wb")).write
            except OSError as error:
                raise ProbeError(f"{out}: {error.strerror}") from None
        here = Here(write, int(port or tftp.PORT), timeout)
        got = by_tftp(here, address, file, blksize=blksize, windowsize=windowsize)
    return Report(got, identify(got.head).text)


def tftp_lines(report: Report) -> list[str]:
    """For a terminal."""
    got = report.got
    if not got.ok:
        return [f"{got.url}: {got.size} bytes came ({got.how})"]
    return [
        f"{got.url}: {got.size} bytes in {got.seconds:.3f} s, {got.rate}",
        f"  {got.how}",
        f"  {report.program}",
        f"  sha256 {got.sha256}",
    ]
