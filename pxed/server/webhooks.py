"""Webhooks: tells others of what happens, in order, and tries again; one that is down delays nothing else."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime
from enum import StrEnum
from secrets import token_hex
from typing import NamedTuple
from urllib.parse import urlsplit

import aiohttp

from pxed.events import Emit, Event, Kind, Level
from pxed.inventory.webhooks import Webhook
from pxed.server.apitoken import TokenError, secret_of
from pxed.server.hookclient import HookClient
from pxed.server.hookposts import Post, Repeats, headers_of, name_of, post_of
from pxed.server.live import Live

MOST_WAITING = 256  # posts of one hook; then the oldest are dropped
TRIES = 10  # of one post
FIRST_PAUSE = 1.0  # seconds before the second try; doubled for each more
LONGEST_PAUSE = 300.0
LONGEST_WISH = 3600.0  # of what a receiver may ask for with Retry-After
_AGAIN = frozenset({408, 429})  # and 5xx: whatever else is no 2xx says that another try is of no use

Sleep = Callable[[float], Awaitable[None]]
BootOf = Callable[[str], str]
"""A machine's name or MAC -> the id of its boot, or ""."""


class Result(StrEnum):
    """What became of a post."""

    DELIVERED = "delivered"
    REFUSED = "refused"  # by an answer that no further try changes
    FAILED = "failed"  # at every try
    DROPPED = "dropped"  # the queue was full, or pxed stops


class Trouble(NamedTuple):
    """A try that did not succeed. `wait` is what the receiver asks for; `final`: no other try is made."""

    why: str
    wait: float = 0.0
    final: bool = False


class Webhooks:
    """All hooks of the inventory that is live. An observer of the bus."""

    def __init__(
        self,
        live: Live,
        emit: Emit,
        boot_of: BootOf = lambda name: "",
        counts: dict[str, int] | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._live = live
        self._emit = emit
        self._boot_of = boot_of
        self._counts = counts if counts is not None else {}
        self._sleep = sleep
        self._repeats = Repeats()
        self._configured: tuple[Webhook, ...] = ()
        self._hooks: list[Hook] = []
        self._closed = False

    @property
    def waiting(self) -> int:
        """Posts that have not been delivered yet."""
        return sum(hook.waiting for hook in self._hooks)

    def observe(self, events: list[Event]) -> None:
        """Queue what hooks want to hear of."""
        configured = self._live.snapshot.inventory.server.webhooks
        if self._closed or not (configured or self._hooks):
            return
        if configured is not self._configured:
            self._use(configured)
        for event in events:
            name = name_of(event)
            if name is None or not any(name in hook.settings.events for hook in self._hooks):
                continue
            if self._repeats.is_news(name, event):
                post = post_of(name, event, f"msg_{token_hex(12)}", self._boot_of(event.machine or event.mac))
                for hook in self._hooks:
                    hook.put(post)

    async def close(self, seconds: float) -> None:
        """Deliver what waits, for `seconds` at most, without further pauses. Nothing is taken after that."""
        self._closed = True
        for hook in self._hooks:
            hook.hurry()
        if tasks := [hook.task for hook in self._hooks if hook.task is not None]:
            await asyncio.wait(tasks, timeout=seconds)
        lost = sum(hook.stop() for hook in self._hooks)
        await asyncio.gather(*tasks, return_exceptions=True)
        if lost:
            text = f"{lost} message{'' if lost == 1 else 's'} to webhooks could not be delivered before the end"
            self._emit(Event(Kind.NOTICE, time.time(), text=text, level=Level.WARNING))

    def _use(self, configured: tuple[Webhook, ...]) -> None:
        """Hooks that stay the same keep what waits."""
        old, self._configured, self._hooks = self._hooks, configured, []
        for number, settings in enumerate(configured, 1):
            same = next((hook for hook in old if hook.settings == settings), None)
            if same is None:
                same = Hook(settings, self._emit, self._counts, self._sleep)
            else:
                old.remove(same)
            same.name = f"webhook {number} ({urlsplit(settings.url).hostname})"
            self._hooks.append(same)
        for hook in old:
            hook.stop()


class Hook:
    """One receiver: its queue, and a task while something is in it.

    Paths and queries of URLs are secrets of some receivers: only the host is ever told.
    """

    def __init__(self, settings: Webhook, emit: Emit, counts: dict[str, int], sleep: Sleep) -> None:
        self.settings = settings
        self.name = "webhook"
        self.task: asyncio.Task[None] | None = None
        self._emit = emit
        self._counts = counts
        self._sleep = sleep
        self._client = HookClient(settings.url, settings.ca)
        self._secret = secret_of(settings)
        self._waiting: deque[Post] = deque()
        self._under_way = 0
        self._failing = False
        self._dropped = 0
        self._hurried = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Posts that have not been delivered yet."""
        return len(self._waiting) + self._under_way

    def put(self, post: Post) -> None:
        """Take a post, if it is of what this one wants to hear."""
        if post.event not in self.settings.events:
            return
        if len(self._waiting) >= MOST_WAITING:
            self._drop()
        self._waiting.append(post)
        if self.task is None or self.task.done():
            self.task = asyncio.get_running_loop().create_task(self._run(), name=self.name)

    def hurry(self) -> None:
        """No more pauses: each post has one try left."""
        self._hurried.set()

    def stop(self) -> int:
        """Give up; how many posts are lost by that."""
        if lost := self.waiting:
            self._count(Result.DROPPED, lost)
        self._waiting.clear()
        if self.task is not None:
            self.task.cancel()
        return lost

    async def _run(self) -> None:
        while self._waiting:
            post = self._waiting.popleft()
            self._under_way = 1
            try:
                self._count(await self._deliver(post))
            finally:
                self._under_way = 0

    async def _deliver(self, post: Post) -> Result:
        number = 1
        while (trouble := await self._try(post)) is not None:
            self._fails(trouble)
            if trouble.final:
                return Result.REFUSED
            if number == TRIES or self._hurried.is_set():
                tries = f"{number} {'try' if number == 1 else 'tries'}"
                self._say(f"gave up after {tries} to tell of an event ({post.event}): {trouble.why}", Level.WARNING)
                return Result.FAILED
            await self._pause(max(pause_after(number), trouble.wait))
            number += 1
        self._works()
        return Result.DELIVERED

    async def _try(self, post: Post) -> Trouble | None:
        """None when the receiver has it."""
        try:
            if not (secret := self._secret.read()):
                return Trouble("no secret is set for its signatures")
            headers = headers_of(post, secret, time.time())
            status, wish = await self._client.post(post.body, headers)
        except TokenError as error:
            return Trouble(str(error))
        except TimeoutError:
            return Trouble("no answer in time")
        except (aiohttp.ClientError, OSError) as error:
            return Trouble(_told(error))
        if 200 <= status < 300:
            return None
        wait = seconds_of(wish, time.time()) if wish else 0.0
        return Trouble(f"it answered {status}", wait, final=status < 500 and status not in _AGAIN)

    async def _pause(self, seconds: float) -> None:
        """Wait, but no longer than until pxed stops."""
        pausing = asyncio.ensure_future(self._sleep(seconds))
        hurried = asyncio.ensure_future(self._hurried.wait())
        try:
            await asyncio.wait((pausing, hurried), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for future in (pausing, hurried):
                future.cancel()
            await asyncio.gather(pausing, hurried, return_exceptions=True)

    def _drop(self) -> None:
        self._waiting.popleft()
        self._count(Result.DROPPED)
        self._dropped += 1
        if self._dropped == 1:
            self._say(f"{MOST_WAITING} messages wait: the oldest are dropped until it takes some", Level.WARNING)

    def _works(self) -> None:
        if self._failing or self._dropped:
            lost = f"; {self._dropped} messages were dropped" if self._dropped else ""
            self._say(f"it takes messages again{lost}", Level.INFO)
        self._failing, self._dropped = False, 0

    def _fails(self, trouble: Trouble) -> None:
        """Said once until it works again."""
        if not self._failing:
            again = "" if trouble.final else "; trying again"
            self._say(f"it does not take messages: {trouble.why}{again}", Level.WARNING)
        self._failing = True

    def _count(self, result: Result, number: int = 1) -> None:
        self._counts[result.value] = self._counts.get(result.value, 0) + number

    def _say(self, text: str, level: Level) -> None:
        self._emit(Event(Kind.NOTICE, time.time(), text=f"{self.name}: {text}", level=level))


def pause_after(number: int) -> float:
    """Seconds between try `number` and the next: doubled each time, and anything from half of it, so that receivers
    that come back are not met by everybody at once."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (number - 1)) * random.uniform(0.5, 1.0)  # noqa: S311


def seconds_of(retry_after: str, now: float) -> float:
    """What a Retry-After header asks for (RFC 9110 10.2.3), an hour at most; 0.0 for nonsense."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:10]), LONGEST_WISH))
    try:
        return max(0.0, min(parsedate_to_datetime(text).timestamp() - now, LONGEST_WISH))
    except (ValueError, OverflowError, TypeError):
        return 0.0


def _told(error: Exception) -> str:
    """Without the URL, which aiohttp's own texts have."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"its certificate is not accepted: {getattr(error.certificate_error, 'verify_message', '')}"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"its name cannot be looked up: {error.os_error.strerror or error.os_error}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__
