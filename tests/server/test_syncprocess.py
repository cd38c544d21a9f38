"""The child process of a sync: whatever it says or does, the daemon hears of it and goes on."""

import asyncio
import sys

import pytest

from pxed.assets.mirror.events import Failed, UpToDate, to_json
from pxed.server import syncprocess
from pxed.server.syncprocess import BUSY, run_sync

UP_TO_DATE = UpToDate(("flatcar",), "stable", "amd64", "4593.2.5")
FAILED = Failed("flatcar", "4593.2.5", "no such file", "4593.2.4")


class Ears:
    """Keeps what it is told; `said` is set at the first event."""

    def __init__(self):
        self.events, self.complaints, self.said = [], [], asyncio.Event()

    def hear(self, event):
        self.events.append(event)
        self.said.set()

    def complain(self, image, text):
        self.complaints.append(text)


async def run(script: str, ears: Ears, stopping: asyncio.Event | None = None) -> int:
    return await run_sync((sys.executable, "-c", script), ears, stopping or asyncio.Event())


@pytest.mark.parametrize(
    ("script", "code", "events", "complaint"),
    [
        pytest.param(f"print({to_json(UP_TO_DATE)!r})", 0, [UP_TO_DATE], None, id="an event is passed on"),
        pytest.param(
            f"print({to_json(FAILED)!r}); exit(1)", 1, [FAILED], None, id="a failure that was told is told once"
        ),
        pytest.param("exit('pxed.yaml:3: no')", 1, [], "ended with 1: pxed.yaml:3: no", id="its last words are kept"),
        pytest.param("exit(3)", 3, [], "ended with 3: it said nothing", id="an end without a word"),
        pytest.param(
            "import os; os.kill(os.getpid(), 9)", -9, [], "ended with -9: it said nothing", id="it is killed"
        ),
        pytest.param(f"exit({BUSY})", BUSY, [], None, id="another process writes the mirror"),
        pytest.param("print('hello')", 0, [], "said what is no event", id="what is no event"),
        pytest.param("print('x' * 3_000_000)", 0, [], "said what is no event", id="a line without end"),
        pytest.param("import sys; sys.exit('y' * 3_000_000)", 1, [], "ended with 1: yyy", id="last words without end"),
    ],
)  # fmt: skip
async def test_what_it_says_and_how_it_ends(script, code, events, complaint):
    ears = Ears()
    assert await run(script, ears) == code
    assert ears.events == events
    assert len(ears.complaints) >= 1 if complaint else ears.complaints == []
    assert all(complaint in text and len(text) < 3_000 for text in ears.complaints)


async def test_a_program_that_cannot_be_started_is_a_complaint():
    ears = Ears()
    assert await run_sync(("/nonexistent/python",), ears, asyncio.Event()) == 1
    assert ears.complaints == ["cannot start /nonexistent/python: No such file or directory"]


DEAF = f"""
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print({to_json(UP_TO_DATE)!r}, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("script", [DEAF, DEAF.replace("SIG_IGN", "SIG_DFL")], ids=["deaf to SIGTERM", "that listens"])
@pytest.mark.parametrize("cancelled", [False, True], ids=["stopped", "cancelled"])
async def test_a_process_has_ended_when_it_was_stopped(monkeypatch, script, cancelled):
    monkeypatch.setattr(syncprocess, "STOP_SECONDS", 0.1)
    ears, stopping, started = Ears(), asyncio.Event(), []
    really = asyncio.create_subprocess_exec

    async def watched(*command, **options):
        started.append(await really(*command, **options))
        return started[0]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", watched)
    running = asyncio.create_task(run(script, ears, stopping))
    await ears.said.wait()
    if cancelled:
        running.cancel()
    else:
        stopping.set()
    (outcome,) = await asyncio.gather(running, return_exceptions=True)
    assert outcome == 0 or isinstance(outcome, asyncio.CancelledError)
    assert started[0].returncode == (-9 if script == DEAF else -15)
