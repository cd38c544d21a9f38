"""One sync of the mirror as a child process: started, listened to, stopped. It never outlives the daemon."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections import deque
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Protocol

from pxed.assets.mirror.errors import MirrorError
from pxed.assets.mirror.events import Event, Failed, from_json

BUSY = 75  # EX_TEMPFAIL: another process writes the mirror
NICENESS = 10
STOP_SECONDS = 5.0  # after SIGTERM; what was downloaded survives SIGKILL too
LAST_WORDS = 5  # lines of standard error that are kept
MAX_LINE = 1 << 20
MAX_WORDS = 2_000  # characters of them


class Listener(Protocol):
    """Who is told what the process says."""

    def hear(self, event: Event) -> None: ...
    def complain(self, image: str, text: str) -> None: ...


def sync_command(config: Path) -> tuple[str, ...]:
    """A sync of everything that the inventory wants."""
    # -P: the current directory of the daemon is not where its helper's modules come from.
    return (sys.executable, "-P", "-m", "pxed", "images", "sync", "--json", "--child", "-c", str(config))


async def run_sync(command: Sequence[str], listener: Listener, stopping: asyncio.Event) -> int:
    """Run it to its end; the exit code, or 0 when it was ended by `stopping`."""
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe, limit=MAX_LINE)
    except OSError as error:
        listener.complain("", f"cannot start {command[0]}: {error.strerror}")
        return 1
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
    try:
        return await _attend(process, listener, stopping)
    finally:
        await _end(process)


async def _attend(process: asyncio.subprocess.Process, listener: Listener, stopping: asyncio.Event) -> int:
    said = asyncio.ensure_future(_listen(process, listener))
    stop = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait((said, stop), return_when=asyncio.FIRST_COMPLETED)
        if not said.done():
            return 0
        failures, last_words = await said
        code = await process.wait()
        if code not in (0, BUSY) and not failures:
            listener.complain("", f"pxed images sync ended with {code}: {last_words or 'it said nothing'}")
        return code
    finally:
        for future in (said, stop):
            future.cancel()
        await asyncio.gather(said, stop, return_exceptions=True)


async def _listen(process: asyncio.subprocess.Process, listener: Listener) -> tuple[int, str]:
    """All it says; how many events were failures, and the end of its standard error."""
    assert process.stdout is not None  # noqa: S101
    assert process.stderr is not None  # noqa: S101
    errors = asyncio.ensure_future(_tail(process.stderr))
    failures = 0
    try:
        async for line in _lines(process.stdout):
            failures += _hear(line, listener)
        return failures, await errors
    finally:
        errors.cancel()


def _hear(line: bytes, listener: Listener) -> bool:
    try:
        event = from_json(line.decode(errors="replace"))
    except MirrorError as error:
        listener.complain("", f"pxed images sync said what is no event: {error}")
        return True
    listener.hear(event)
    return isinstance(event, Failed)


async def _tail(stream: asyncio.StreamReader) -> str:
    lines: deque[str] = deque(maxlen=LAST_WORDS)
    async for line in _lines(stream):
        lines.append(line.decode(errors="replace").strip())
    return " ".join(lines)[-MAX_WORDS:]


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Its lines; one that is too long is cut in pieces."""
    while line := await _line(stream):
        yield line


async def _line(stream: asyncio.StreamReader) -> bytes:
    try:
        return await stream.readuntil(b"\n")
    except asyncio.IncompleteReadError as end:
        return end.partial
    except asyncio.LimitOverrunError as overrun:
        return await stream.readexactly(overrun.consumed)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Stop it if it runs, and wait for that even when this task is cancelled meanwhile."""
    ending = asyncio.ensure_future(_stopped(process))
    try:
        await asyncio.shield(ending)
    except asyncio.CancelledError:
        await ending
        raise


async def _stopped(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
