"""Start programs inside a namespace so that they end with the laboratory, whatever happens to it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.lab.tail import Tail

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "lab"


class LabError(Exception):
    """The laboratory itself could not do its work: says what and why."""


@contextlib.contextmanager
def alone(name: str) -> Iterator[None]:
    """One process at a time: what is cached is made once, though tests run side by side."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run(*argv: str, quiet: bool = False) -> str:
    """Run to the end and give standard output; LabError with its error output when it fails and is not `quiet`."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode and not quiet:
        raise LabError(f"{' '.join(argv)}: exit {done.returncode}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


class Program:
    """One running program: its output goes to a file that is followed."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.log = log
        self._process = process
        self.output = Tail(log, self.alive)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.poll()

    def alive(self) -> bool:
        return self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; a program that has ended in the meantime is no error."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def wait(self, timeout: float) -> int | None:
        """The exit status, or None if it still runs after `timeout` seconds."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout)
        return None

    def stop(self, grace: float = 5.0) -> int:
        """SIGTERM, then SIGKILL after `grace` seconds."""
        self.signal(signal.SIGTERM)
        if self.wait(grace) is None:
            self.signal(signal.SIGKILL)
        return self._process.wait()


def spawn(
    argv: Sequence[str],
    *,
    log: Path,
    namespace: str = "",
    name: str = "",
    outlive: bool = False,
    env: Mapping[str, str] | None = None,
) -> Program:
    """Start `argv`. The kernel kills it when this process dies (PR_SET_PDEATHSIG), unless it shall `outlive` it.

    Call it from the main thread: the death signal follows the thread that started the program.
    """
    prefix = ["ip", "netns", "exec", namespace] if namespace else []
    leash = [] if outlive else ["setpriv", "--pdeathsig", "KILL", "--"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*prefix, *leash, *argv],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, **(env or {})},
            cwd=ROOT,
        )
    return Program(name or Path(argv[0]).name, process, log)


@contextlib.contextmanager
def running(argv: Sequence[str], *, log: Path, namespace: str = "", name: str = "") -> Iterator[Program]:
    """The same, stopped at the end of the block."""
    program = spawn(argv, log=log, namespace=namespace, name=name)
    try:
        yield program
    finally:
        program.stop()
