"""What starts services on this host: systemd, or something else."""

from __future__ import annotations

from pathlib import Path

from pxed.server.host.wordings import Code, Finding, finding

_BOOTED = Path("/run/systemd/system")  # sd_booted(3)
_FIRST = Path("/proc/1/comm")


def has_systemd() -> bool:
    """Whether systemd is what starts services here."""
    return _BOOTED.is_dir()


def no_systemd(config: Path) -> list[Finding]:
    """What is different on a host without systemd."""
    if has_systemd():
        return []
    try:
        program = _FIRST.read_text().strip()
    except OSError:  # ProtectProc=
        program = "another program"
    return [finding(Code.NO_SYSTEMD, program=program, config=str(config))]
