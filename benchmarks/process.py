"""One server process of a measurement: started in the link's namespace, waited for, weighed, ended by its own pid."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.link import Link

_TICKS = os.sysconf("SC_CLK_TCK")
PATIENCE = 30.0  # seconds for a server to open its port


@dataclass(frozen=True, slots=True)
class Process:
    """A running server. `log` has its stdout and stderr; `ready_seconds` is exec to READY where it was told (else 0);
    `http_port` and `image_path` say where it serves the image by HTTP, if it does."""

    popen: subprocess.Popen[bytes]
    log: Path
    ready_seconds: float = 0.0
    http_port: int = 0
    image_path: str = ""

    @property
    def pid(self) -> int:
        return self.popen.pid

    def cpu_seconds(self) -> float:
        """User and system time of all processes of the server's session (nginx's worker, tftpd-hpa's forks)."""
        return sum(_cpu_ticks(path, self.pid) for path in Path("/proc").glob("[0-9]*/stat")) / _TICKS

    def rss_mb(self) -> float:
        """Resident memory in MB (10**6 bytes), shared libraries included."""
        return rss_mb(self.pid)

    def log_lines(self) -> int:
        """Lines that the server has logged so far."""
        with self.log.open("rb") as stream:
            return sum(chunk.count(b"\n") for chunk in iter(lambda: stream.read(1 << 20), b""))


def rss_mb(pid: int) -> float:
    """Resident memory of a process in MB (10**6 bytes), shared libraries included."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError("smaps_rollup without Rss")


def _cpu_ticks(stat: Path, session: int) -> int:
    """proc(5): user and system time of a process and of its ended children; 0 for one of another session."""
    try:
        fields = stat.read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
        return 0
    return sum(int(value) for value in fields[11:15]) if int(fields[3]) == session else 0


@contextlib.contextmanager
def running(link: Link, command: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> Iterator[Process]:
    """Run a server's command; SIGTERM at the end, SIGKILL after five seconds."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as stream:
        popen = subprocess.Popen(
            link.on_server(command),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
    try:
        yield Process(popen, log)
    finally:
        _end(popen)


def _end(popen: subprocess.Popen[bytes]) -> None:
    popen.terminate()
    try:
        popen.wait(5)
    except subprocess.TimeoutExpired:
        popen.kill()
        popen.wait()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(popen.pid, signal.SIGKILL)  # children that outlived it; the session is its own


def wait_for_port(process: Process, protocol: str, port: int) -> None:
    """Return when its namespace has a socket on the port ("udp", "tcp"), else raise with the end of its log."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.popen.poll() is None:
        if _is_open(process.pid, protocol, port):
            return
        time.sleep(0.01)
    raise RuntimeError(f"no {protocol} port {port}: {process.log.read_text(errors='replace')[-1000:]}")


def _is_open(pid: int, protocol: str, port: int) -> bool:
    ending = f":{port:04X}"
    with contextlib.suppress(FileNotFoundError):
        for family in (protocol, f"{protocol}6"):
            for line in Path(f"/proc/{pid}/net/{family}").read_text().splitlines()[1:]:
                if line.split()[1].endswith(ending) and _in_own_namespace(pid):
                    return True
    return False


def _in_own_namespace(pid: int) -> bool:
    """False while `ip netns exec` has not switched yet: /proc/PID/net would be the host's."""
    return Path(f"/proc/{pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()
