"""What pxed writes has no secrets in it, whatever way they came."""

from __future__ import annotations

import logging
import re
import string
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxed.events import Event, Kind
from pxed.server.redact import clean, guard_log, redacted

TOKEN = "Ab3_-" * 8 + "xyz"
URL_SAFE = string.ascii_letters + string.digits + "-_"

CARRIERS = {
    "a request line": "GET /ignition/node1?token={} HTTP/1.1",
    "a query with more behind it": "/boot.ipxe?mac=x&token={}&boot=1",
    "a URL in a query, percent-encoded": "/x?next=http%3A%2F%2Fpxed%2Freport%2Fa%3Ftoken%3D{}%26stage%3Dfailed",
    "bytes that aiohttp quotes": "Bad status line b'GET /ignition/n?token={} X'",
    "a header": "Authorization: Bearer {}",
    "a header that aiohttp quotes": "Invalid header value b'authorization: bearer {}'",
    "headers as Python prints them": "<CIMultiDict('Host': 'x', 'Authorization': 'Bearer {}')>",
    "raw headers as Python prints them": "((b'Host', b'x'), (b'Authorization', b'Bearer {}'))",
    "a header of another scheme": "Authorization: Basic {}",
    "a query whose name is percent-encoded": "/ignition/node1?to%6Ben={}&x=1",
    "a request that came in two pieces": "Bad status line b'ken={} X'",
    "a path": "/ignition/{} refused with 404",
    "no words at all": "found {}, expected a MAC",
    "a JSON document": '{{"token": "{}"}}',
}


@pytest.mark.parametrize("carrier", CARRIERS.values(), ids=CARRIERS)
def test_the_secret_goes_and_what_is_around_it_stays(carrier: str) -> None:
    before, _, after = carrier.format(TOKEN).partition(TOKEN)
    found = redacted(carrier.format(TOKEN))
    assert TOKEN not in found
    assert found.startswith(before.rstrip())
    assert found.endswith(after) or "%26" in after
    assert redacted(found) == found


@given(
    st.text(),
    st.text(URL_SAFE, min_size=20),
    st.sampled_from(["", " ", "&", '"', "'", "\r\n", ">"]),
    st.text(max_size=50),
)
def test_no_piece_of_a_tokens_end_is_left_in_any_text(before: str, token: str, end: str, after: str) -> None:
    found = redacted(f"{before}?token={token}{end}{after}")
    assert token not in found or token in before or token in after


@given(st.text())
def test_a_text_without_the_words_stays_as_it_is(text: str) -> None:
    words = ("token", "authorization", "bearer")
    if not any(word in text.lower() for word in words) and not any(
        len(word) == 43 for word in re.split(r"[^\w-]", text, flags=re.ASCII)
    ):
        assert redacted(text) == text


BOOTS = {
    "a script's question": ("/boot.ipxe?mac=x&boot={}&arch=y", "0123456789abcdef", True),
    "a row in a traceback": ("Token(boot='{}')", "0123456789abcdef", True),
    "an argument of a kernel": ("boot={} quiet", "live", False),
    "the digest that the API shows": ("boot {}", "0123456789ab", False),
}


@pytest.mark.parametrize(("text", "boot", "hidden"), BOOTS.values(), ids=BOOTS)
def test_the_id_of_a_boot_goes(text: str, boot: str, hidden: bool) -> None:
    assert redacted(text.format(boot)) == text.format("..." if hidden else boot)


LOOKALIKES = {
    "SHA-256": "a" * 64,
    "SHA-512": "0f" * 64,
    "a fingerprint": "F88CFEDEFF29A5B4D9523864E25D9AED0593B34A",
    "a UUID": "4c4c4544-0035-3010-8052-c7c04f4b3732",
    "a file of a release": "flatcar_production_pxe_image.cpio.gz",
}


@pytest.mark.parametrize("text", LOOKALIKES.values(), ids=LOOKALIKES)
def test_what_only_looks_like_a_token_stays(text: str) -> None:
    assert redacted(f"found {text} here") == f"found {text} here"


PLAIN = [
    "offered snponly.efi",
    "the token has expired: boot again",
    "no token was given",
    "tokens: 3",
    "a bearer of news",
]


@pytest.mark.parametrize("text", PLAIN[:-1])
def test_sentences_about_tokens_stay(text: str) -> None:
    assert redacted(text) == text


def test_an_event_loses_secrets_of_its_text_and_its_data() -> None:
    event = Event(Kind.REFUSED, 1.0, text=f"GET /x?token={TOKEN}", data={"url": f"/x?token={TOKEN}", "status": 403})
    assert clean(event) == event._replace(text="GET /x?token=...", data={"url": "/x?token=...", "status": 403})


def test_an_event_without_secrets_is_the_same_one() -> None:
    event = Event(Kind.OFFER, 1.0, text="offered snponly.efi", data={"file": "snponly.efi", "bytes": 1})
    assert clean(event) is event


def test_tracebacks_lose_them_too(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = list(root.handlers)
    guard_log()
    try:
        raise ValueError(f"cannot parse /ignition/node1?token={TOKEN}")
    except ValueError:
        logging.getLogger("aiohttp.server").exception("Error handling request with Authorization: Bearer %s", TOKEN)
    finally:
        added = [handler for handler in root.handlers if handler not in before]
        for handler in added:
            root.removeHandler(handler)
    written = capsys.readouterr().err
    assert "ValueError: cannot parse /ignition/node1?token=..." in written
    assert TOKEN not in written


# As `pxed serve` does it: what fails is a task that nobody asks, a thread, a __del__, and in the end the daemon.
CRASHING = """
import asyncio, threading
from pxed.server.redact import guard_crashes, guard_log

class Thrown:
    def __del__(self):
        fail("thrown away")

def fail(where):
    raise ValueError(f"{where}: GET /ignition/node1?token=TOKEN")

async def task():
    fail("a task")

async def main():
    asyncio.create_task(task())
    await asyncio.sleep(0)

guard_log()
guard_crashes()
asyncio.run(main())
thread = threading.Thread(target=fail, args=("a thread",), name="state")
thread.start()
thread.join()
Thrown()
fail("the daemon")
"""


def test_an_exception_that_nobody_caught_is_told_without_them() -> None:
    code = CRASHING.replace("TOKEN", TOKEN)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    for where in ("a task", "a thread", "thrown away", "the daemon"):
        assert f"ValueError: {where}: GET /ignition/node1?token=...\n" in done.stderr
    assert "Exception in thread state:\nTraceback" in done.stderr
    assert "Task exception was never retrieved" in done.stderr
    assert TOKEN not in done.stderr
