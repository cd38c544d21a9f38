"""RFC 9110: conditional requests (13) and byte ranges (14)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxed.server.conditions import Selection, Validators, select

ETAG = '"abc"'
FILE = Validators(ETAG, 1_700_000_000)
THEN = "Tue, 14 Nov 2023 22:13:20 GMT"
BEFORE, AFTER = "Tue, 14 Nov 2023 22:13:19 GMT", "Tue, 14 Nov 2023 22:13:21 GMT"


def test_the_date_is_written_as_http_wants_it() -> None:
    assert FILE.last_modified == THEN


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bytes=0-9", (206, 0, 10)),
        ("bytes=5-5", (206, 5, 6)),
        ("bytes=90-", (206, 90, 100)),
        ("bytes=90-1000", (206, 90, 100)),
        ("bytes=0-", (206, 0, 100)),
        ("bytes=-10", (206, 90, 100)),
        ("bytes=-1000", (206, 0, 100)),
        ("BYTES = 1 - 2", (206, 1, 3)),
        ("bytes=100-", (416, 0, 0)),
        ("bytes=100-200", (416, 0, 0)),
        ("bytes=-0", (416, 0, 0)),
        ("bytes=9-3", (200, 0, 100)),
        ("bytes=-", (200, 0, 100)),
        ("bytes=a-b", (200, 0, 100)),
        ("bytes=0-1,5-6", (200, 0, 100)),
        ("lines=0-1", (200, 0, 100)),
        ("bytes=1-" + "9" * 400, (200, 0, 100)),
        ("", (200, 0, 100)),
    ],
)
def test_one_range_is_honoured_and_nonsense_ignored(value: str, expected: tuple[int, int, int]) -> None:
    assert select({"Range": value}, FILE, 100) == Selection(*expected)


def test_an_empty_file_has_no_range() -> None:
    assert select({}, FILE, 0) == Selection(200, 0, 0)
    assert select({"Range": "bytes=0-"}, FILE, 0).status == 416


@pytest.mark.parametrize(
    ("condition", "status"),
    [(ETAG, 206), ('"other"', 200), ('W/"abc"', 200), (THEN, 206), (AFTER, 200), (BEFORE, 200), ("nonsense", 200)],
)
def test_a_range_is_for_the_version_that_the_client_has_begun(condition: str, status: int) -> None:
    assert select({"Range": "bytes=0-9", "If-Range": condition}, FILE, 100).status == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-None-Match": ETAG}, 304),
        ({"If-None-Match": f'"x", W/{ETAG}'}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": '"x"'}, 200),
        ({"If-Modified-Since": THEN}, 304),
        ({"If-Modified-Since": BEFORE}, 200),
        ({"If-Modified-Since": "yesterday"}, 200),
        ({"If-None-Match": '"x"', "If-Modified-Since": THEN}, 200),
        ({"If-Match": ETAG}, 200),
        ({"If-Match": f"W/{ETAG}"}, 412),
        ({"If-Match": '"x"'}, 412),
        ({"If-Match": "*"}, 200),
        ({"If-Unmodified-Since": BEFORE}, 412),
        ({"If-Unmodified-Since": THEN}, 200),
        ({"If-Match": ETAG, "If-None-Match": ETAG}, 304),
    ],
)
def test_preconditions(headers: dict[str, str], status: int) -> None:
    assert select(headers, FILE, 100).status == status


@given(st.text(max_size=30), st.integers(0, 1000))
def test_whatever_is_selected_lies_within_the_file(value: str, size: int) -> None:
    for text in (value, f"bytes={value}"):
        selection = select({"Range": text}, FILE, size)
        assert selection.status in (200, 206, 416)
        assert 0 <= selection.start <= selection.stop <= size
