"""Interrupted downloads: what has arrived is kept, and the next sync asks only for the rest, if that still fits."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pxed.assets.mirror.layout import INITRD, KERNEL
from tests.assets.mirror.site import IMPATIENT, INITRD_A, INITRD_B, KERNEL_A, STABLE, A, B
from tests.assets.mirror.test_faults import assert_a_stays, assert_b_comes, assert_matches, mirrored
from tests.releases.faults import Fault

ONE = replace(IMPATIENT, attempts=1)
ROOT = Path(__file__).parents[3]
HALF = 200_000


def interrupted(site, fault=Fault.TRUNCATE):
    """A sync of A that got the first HALF bytes of the initrd; then the fault is over."""
    site.publish_a()
    site.server.fault(INITRD, fault, after=HALF)
    site.failure(limits=replace(ONE, stall=0.6) if fault is Fault.STALL else ONE)
    site.server.clear()


def asked(site):
    """What was asked for of the initrd: the ranges, and the bytes that came."""
    return [(request.range, request.sent) for request in site.server.asked(INITRD)]


@pytest.mark.parametrize("fault", [Fault.TRUNCATE, Fault.STALL], ids=lambda fault: fault.name.lower())
def test_the_next_sync_asks_for_the_rest(site, fault):
    interrupted(site, fault)
    assert f"stable/amd64-usr/{A}/{INITRD}" in site.partials()
    site.sync()
    assert asked(site) == [(f"bytes={HALF}-", len(INITRD_A) - HALF)]
    assert site.read(A, INITRD) == INITRD_A
    assert site.partials() == []


def test_after_a_reset_the_rest_of_what_was_received_is_asked_for(site):
    """A reset throws away what the kernel had not handed over yet."""
    interrupted(site, Fault.RESET)
    site.sync()
    ((span, sent),) = asked(site)
    assert int(span.removeprefix("bytes=").rstrip("-") or 0) + sent == len(INITRD_A)
    assert site.read(A, INITRD) == INITRD_A


def test_what_is_complete_already_is_not_asked_for(site):
    """Even without a note of where it came from: its digest is the signed one."""
    site.publish_a()
    part = site.mirror_dir / ".partial" / "stable" / "amd64-usr" / A / KERNEL
    part.parent.mkdir(parents=True)
    part.write_bytes(KERNEL_A)
    site.sync()
    assert site.server.asked(KERNEL) == []
    assert site.read(A, KERNEL) == KERNEL_A


def test_a_file_that_changed_meanwhile_is_downloaded_whole(site):
    interrupted(site)
    site.server.publish("stable", "amd64", A, kernel=KERNEL_A, initrd=INITRD_B)
    site.sync()
    assert asked(site) == [(f"bytes={HALF}-", len(INITRD_B))], "the range is asked for, If-Range does not fit"
    assert site.read(A, INITRD) == INITRD_B


@pytest.mark.parametrize(
    ("fault", "requests"),
    [
        pytest.param(Fault.NO_RANGE, [(f"bytes={HALF}-", len(INITRD_A))], id="a server that knows no ranges"),
        pytest.param(
            Fault.WRONG_RANGE,
            [(f"bytes={HALF}-", len(INITRD_A) - HALF), ("", len(INITRD_A))],
            id="a server that answers with another range",
        ),
    ],
)
def test_a_server_that_cannot_continue_sends_the_whole(site, fault, requests):
    interrupted(site)
    site.server.fault(INITRD, fault)
    site.sync()
    assert asked(site) == requests
    assert site.read(A, INITRD) == INITRD_A


@pytest.mark.parametrize("fault", [Fault.NO_VALIDATORS, Fault.WEAK_ETAG], ids=lambda fault: fault.name.lower())
def test_without_a_strong_validator_nothing_is_continued(site, fault):
    """RFC 9110 13.1.5: a weak one does not tell whether the bytes are the same."""
    site.server.fault(INITRD, fault)
    interrupted(site)
    site.server.fault(INITRD, fault)
    site.sync()
    assert asked(site) == [("", len(INITRD_A))]
    assert site.read(A, INITRD) == INITRD_A


def test_a_part_that_rotted_on_disk_is_thrown_away_in_the_same_sync(site):
    interrupted(site)
    path = site.mirror_dir / ".partial" / "stable" / "amd64-usr" / A / INITRD
    path.write_bytes(b"?" + path.read_bytes()[1:])
    site.sync()
    assert asked(site) == [(f"bytes={HALF}-", len(INITRD_A) - HALF), ("", len(INITRD_A))]
    assert site.read(A, INITRD) == INITRD_A


def test_a_note_that_is_broken_begins_anew(site):
    interrupted(site)
    (site.mirror_dir / ".partial" / "stable" / "amd64-usr" / A / f"{INITRD}.resume").write_text("{")
    site.sync()
    assert asked(site) == [("", len(INITRD_A))]


def test_parts_of_a_version_that_nobody_wants_any_more_are_deleted(site):
    interrupted(site)
    site.publish_b()
    site.sync()
    assert site.versions() == {B}
    assert site.partials() == []


def test_parts_are_kept_while_the_server_cannot_be_asked(site):
    interrupted(site)
    before = site.partials()
    site.server.fault("version.txt", Fault.BUSY)
    site.failure(limits=ONE)
    assert site.partials() == before != []


def test_a_killed_sync_is_continued_by_the_next_one(site):
    """The real program, killed with SIGKILL in the middle of a download."""
    mirrored(site)
    site.server.fault(INITRD, Fault.STALL, after=HALF)
    config = site.data_dir / "pxed.yaml"
    config.write_text(inventory_text(site))
    child = subprocess.Popen(
        [sys.executable, "-m", "pxed", "images", "sync", "--json", "-c", str(config)],
        stdout=subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    part = site.mirror_dir / ".partial" / "stable" / "amd64-usr" / B / INITRD
    until(lambda: part.exists() and part.stat().st_size == HALF)
    child.send_signal(signal.SIGKILL)
    output, _ = child.communicate(timeout=10)
    assert child.returncode == -signal.SIGKILL
    assert json.loads(output.splitlines()[0])["event"] == "resolved"
    assert_a_stays(site)
    assert_b_comes(site)
    assert asked(site) == [(f"bytes={HALF}-", len(INITRD_B) - HALF)]


def inventory_text(site):
    site.inventory()
    return (
        f"server:\n  data_dir: {site.data_dir}\n  mirror:\n    url: \"{site.server.url}\"\n"
        f"    key: {site.data_dir / 'key.asc'}\n    fingerprint: \"{site.server.signer.fingerprint}\"\n"
        f"images:\n  {STABLE}\n"
    )  # fmt: skip


def until(happened, seconds=20.0):
    """Wait for another process; the test fails when nothing happens."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def test_a_file_size_limit_is_a_full_disk(site):
    """EFBIG (setrlimit(2)), as a quota or an old file system has it."""
    mirrored(site)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (HALF, before[1]))
    try:
        failed = site.failure()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert_matches("no room left for .*: File too large: free some, or lower server.mirror.keep", failed.reason)
    assert_a_stays(site)
    assert_b_comes(site)


@pytest.mark.net
def test_a_disk_that_becomes_full_is_named_and_freed(site):
    """A real file system of 2 MiB that fills up while a file of unknown length arrives."""
    mirrored(site)
    part = site.mirror_dir / ".partial"
    shutil.rmtree(part)
    part.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(part)], check=True)
    try:
        site.server.fault(INITRD, Fault.NO_LENGTH)
        failed = site.failure()
        # The other file, whose length is known, may be begun when the disk is full already.
        assert_matches(r"no room (left for .*: No space left on device|for .* MiB are free): free some", failed.reason)
        if "left for" in failed.reason:
            assert f"stable/amd64-usr/{B}/{INITRD}" not in site.partials(), "what would fill the disk is deleted"
        assert_a_stays(site)
    finally:
        subprocess.run(["umount", str(part)], check=True)
    assert_b_comes(site)
