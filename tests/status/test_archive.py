"""A boot as the store keeps it: whole where that fits, never longer than its bound, always JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pxed.status import archive, boots
from pxed.status.boots import MOST_NOTES, MOST_SAMPLES, MOST_SPANS, Boot, Note, Outcome, Span, Speaker, Stage
from pxed.status.faults import finding
from pxed.status.store.rows import text
from pxed.status.wordings import Fault

MAC = "52:54:00:00:00:01"
BOOT = Boot(
    "b1", "node1", MAC, 1000.0, 1042.5, Stage.RUNNING, 1042.0, 1042.0, Outcome.RUNNING, (MAC,), "eth1", ("10.0.0.9",),
    spans=[
        Span(Stage.DISCOVER, Speaker.ROM, 1000.0, 1001.0, transport="dhcp", text="offered snponly.efi"),
        Span(Stage.KERNEL, Speaker.IPXE, 1010.0, 1012.0, file="vmlinuz", transport="http", bytes=9_000, due=9_000),
    ],
    samples=[(1010.0, 0), (1012.0, 9_000)],
    notes=[Note(1005.0, "its address changed")],
    finding=finding(Fault.NO_DHCP_SERVER, "offer", 1004.0, "3 requests", interface="eth1"),
)  # fmt: skip


def test_a_usual_boot_is_kept_as_the_api_has_it():
    row = archive.timeline_of(BOOT)
    assert (row.id, row.machine, row.mac, row.began, row.ended) == ("b1", "node1", MAC, 1000.0, 1042.0)
    assert (row.outcome, row.fault) == ("running", "no-dhcp-server")
    assert archive.view_of(row, "node1") == json.loads(json.dumps(boots.as_dict(BOOT)))


def test_a_boot_has_the_name_that_its_machine_has_now():
    assert archive.view_of(archive.timeline_of(BOOT), "rack1")["machine"] == "rack1"


@pytest.mark.parametrize("body", ["", "[]", "{", "null"])
def test_a_body_that_is_none_is_nothing(body):
    assert archive.view_of(replace(archive.timeline_of(BOOT), body=body), "node1") == {}


def full(word: str, lines: int) -> Boot:
    """As much as a boot can hold, each text `lines` times that word."""
    long = word * lines
    return replace(
        BOOT,
        spans=[Span(Stage.KERNEL, Speaker.IPXE, 1000.0 + n, file=long, text=long) for n in range(MOST_SPANS)],
        samples=[(1000.0 + n, n * 1000) for n in range(MOST_SAMPLES)],
        notes=[Note(1000.0 + n, long) for n in range(MOST_NOTES)],
        finding=replace(finding(Fault.NO_DHCP_SERVER, "offer", 1.0, interface="e"), evidence=(long,) * 12, cause=long),
        loader=long,
        addresses=(long,) * 8,
    )


@pytest.mark.parametrize(
    ("boot", "spans", "samples"),
    [
        pytest.param(full("x", 5), MOST_SPANS, 60, id="short texts: the curve is thinned"),
        pytest.param(full("x", 70), MOST_SPANS, 0, id="longer ones: the curve is left out, the stages stay"),
        pytest.param(full("x", 130), MOST_SPANS, 0, id="still longer ones are cut"),
        pytest.param(full("x", 4_000), 0, 0, id="nothing but texts: what is left says how it ended"),
    ],
)
def test_a_boot_is_made_to_fit(boot, spans, samples):
    row = archive.timeline_of(boot)
    view = archive.view_of(row, "node1")
    assert len(row.body.encode()) <= archive.MOST_BYTES
    assert (len(view["spans"]), len(view["samples"])) == (spans, samples)
    assert view.keys() == boots.as_dict(boot).keys()
    assert (view["id"], view["outcome"], view["ended"]) == ("b1", "running", 1042.0)


def test_of_a_loop_with_long_texts_the_first_and_the_last_stages_stay():
    view = json.loads(archive.body_of(full("x", 200), most=13_000))
    assert [span["began"] for span in view["spans"]] == [*range(1000, 1012), *range(1028, 1040)]


def test_samples_are_thinned_evenly_with_both_ends():
    assert archive.thinned(range(240), 5) == [0, 60, 120, 179, 239]
    assert archive.thinned(range(4), 5) == [0, 1, 2, 3]


ANY_TEXT = st.one_of(st.text(max_size=30), st.sampled_from(["\0", "\udc80", "\U0001f4a5", '"}']))


@settings(max_examples=60, deadline=None)
@given(word=ANY_TEXT, lines=st.integers(0, 900))
def test_whatever_a_peer_says_the_body_fits_and_is_json_that_both_databases_take(word, lines):
    body = archive.body_of(full(word, lines))
    assert len(body.encode()) <= archive.MOST_BYTES
    assert text(body) == body
    assert json.loads(body)["id"] == "b1"


def test_a_boot_in_memory_can_be_sent_as_the_one_in_the_store():
    view = archive.plain(boots.as_dict(replace(BOOT, loader="\udc80")))
    assert json.dumps(view, ensure_ascii=False).encode()
    assert archive.plain(boots.as_dict(BOOT)) == archive.view_of(archive.timeline_of(BOOT), "node1")
