"""TFTP payload a second: lock-step as firmware reads a boot loader, and with windows of 16 blocks (RFC 7440)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks import bootload, site
from benchmarks.link import Link
from benchmarks.model import Case, Sample, sample_of
from benchmarks.ours import pxed
from benchmarks.process import Process
from benchmarks.rivals import atftpd, dnsmasq_tftp, tftpd_hpa

BLKSIZE = 1468  # what EDK2 asks for: MTU 1500 less IP, UDP and TFTP headers
_TRANSFERS = {1: 120, 16: 480, 64: 640, 400: 800}  # of the loader, 1 MB each


def cases() -> list[Case]:
    return [*(_lock_step(clients) for clients in _TRANSFERS), *_windows()]


def _lock_step(clients: int) -> Case:
    title = f"TFTP lock-step, {_clients(clients)}"
    rivals = [dnsmasq_tftp(), tftpd_hpa(), atftpd()]
    measure = _transfers(site.LOADER, clients, _TRANSFERS[clients], 1)
    return Case(f"tftp-{clients}", title, "MB/s", 0.95 if clients == 1 else 1.0, pxed(10), rivals, measure)


def _windows() -> list[Case]:
    """tftpd-hpa and dnsmasq 2.90 grant no windowsize; atftpd does."""
    files = (("loader", "1 MB", site.LOADER, 640), ("large", "16 MB", site.LARGE, 64))
    return [
        Case(
            f"tftp-window-{name}-{clients}",
            f"TFTP windowsize 16, {size}, {_clients(clients)}",
            "MB/s",
            2.0,
            pxed(10),
            [atftpd()],
            _transfers(path, clients, count, 16),
        )
        for name, size, path, count in files
        for clients in (1, 16)
    ]


def _clients(count: int) -> str:
    return f"{count} client{'s' * (count > 1)}"


def _transfers(path: Path, clients: int, count: int, windowsize: int) -> Callable[[Link, Process, bool], Sample]:
    def measure(link: Link, process: Process, quick: bool) -> Sample:
        bootload.tftp(link, path.name, path, clients=1, count=2, blksize=BLKSIZE, windowsize=windowsize)
        wanted = max(clients, count // 8) if quick else count
        answers = bootload.tftp(
            link, path.name, path, clients=clients, count=wanted, blksize=BLKSIZE, windowsize=windowsize
        )
        return sample_of(answers, answers.mb_per_s, {"blksize": BLKSIZE, "windowsize": windowsize})

    return measure
