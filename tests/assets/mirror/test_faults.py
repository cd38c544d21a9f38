"""Whatever a release server or the network does: the version that is mirrored stays, the report says what happened, and
when it is over the next sync brings the new version."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pxed.assets.mirror.layout import INITRD, INSTALL_IMAGE, KERNEL
from tests.assets.mirror.site import HASTY, IMPATIENT, INITRD_A, INITRD_B, KERNEL_A, KERNEL_B, STABLE, A, B
from tests.releases.faults import Fault
from tests.releases.server import ReleaseServer

STALLING = (Fault.STALL, Fault.TRICKLE)
VERSION_TXT = f"{B}/version.txt"


def mirrored(site):
    """A is mirrored, B is published."""
    site.publish_a()
    assert not site.sync().failed
    site.publish_b()
    site.server.clear()


def assert_a_stays(site):
    assert site.versions() == {A}
    assert site.index.current == {("stable", "amd64", "current"): A}
    assert (site.read("current", KERNEL), site.read("current", INITRD)) == (KERNEL_A, INITRD_A)


def assert_b_comes(site):
    site.server.clear()
    assert not site.sync().failed
    assert (site.read("current", KERNEL), site.read("current", INITRD)) == (KERNEL_B, INITRD_B)


@pytest.mark.parametrize(
    ("suffix", "fault", "after", "reason"),
    [
        pytest.param(INITRD, Fault.TRUNCATE, 30_000, "the connection broke before the end; 60000 bytes are kept",
                     id="a truncated body"),
        pytest.param(INITRD, Fault.RESET, 0, "the connection broke before the end",
                     id="a connection that is reset"),
        pytest.param(INITRD, Fault.STALL, 30_000, "sent nothing for 0.6 seconds; 60000 bytes are kept",
                     id="a server that stops sending"),
        pytest.param(INITRD, Fault.TRICKLE, 100, r"sent only \d+ bytes in 0.6 seconds; 2\d\d bytes are kept",
                     id="a server that sends a byte now and then"),
        pytest.param(INITRD, Fault.TOO_SHORT, 0, "has the SHA-512 .*, its signed digests say .* is deleted",
                     id="a length that is too small"),
        pytest.param(KERNEL, Fault.TAMPER, 1234, "has the SHA-512 .*, its signed digests say .* changed on the way",
                     id="a kernel with another bit"),
        pytest.param(KERNEL, Fault.GZIP, 0, "is sent with Content-Encoding: gzip, which was not asked for",
                     id="a kernel that is sent compressed"),
        pytest.param(KERNEL, Fault.NOT_FOUND, 0, f"{B}/{KERNEL} answered 404 Not Found",
                     id="a kernel that is missing"),
        pytest.param(KERNEL, Fault.SERVER_ERROR, 0, f"{KERNEL} answered 500 Internal Server Error",
                     id="a kernel and an error of the server"),
        pytest.param(KERNEL, Fault.BUSY, 0, f"{KERNEL} answered 503 Service Unavailable",
                     id="a kernel and a busy server"),
        pytest.param(KERNEL, Fault.FORBIDDEN, 0, f"{KERNEL} answered 403 Forbidden",
                     id="a kernel that is forbidden"),
        pytest.param(KERNEL, Fault.REDIRECT_LOOP, 0, f"{KERNEL} redirects more than 10 times",
                     id="a redirection in a circle"),
        pytest.param(f"{INITRD}.sig", Fault.NOT_FOUND, 0, f"{INITRD}.sig answered 404",
                     id="a signature that is missing"),
        pytest.param(f"{INITRD}.sig", Fault.TAMPER, 60, r"\.sig ",
                     id="a signature with another bit"),
        pytest.param(f"{INITRD}.DIGESTS.asc", Fault.NOT_FOUND, 0, "DIGESTS.asc answered 404",
                     id="signed digests that are missing"),
        pytest.param(f"{INITRD}.DIGESTS.asc", Fault.TAMPER, 70, "DIGESTS.asc does not fit what it signs",
                     id="signed digests with another bit"),
        pytest.param(f"{INITRD}.DIGESTS.asc", Fault.TRUNCATE, 70, "DIGESTS.asc: the connection broke",
                     id="signed digests that are truncated"),
        pytest.param(f"{INITRD}.DIGESTS", Fault.TAMPER, 300, "DIGESTS (has another SHA-512 than|has no SHA-512)",
                     id="plain digests that differ from the signed ones"),
        pytest.param("current/version.txt", Fault.NOT_FOUND, 0, "version.txt answered 404 Not Found: has this",
                     id="a channel without current"),
        pytest.param("current/version.txt", Fault.BUSY, 0, "version.txt answered 503",
                     id="a channel whose server is busy"),
        pytest.param("current/version.txt", Fault.STALL, 5, "version.txt sent nothing for 0.6 seconds",
                     id="a channel whose server stops sending"),
        pytest.param("current/version.txt", Fault.TAMPER, 40, r"version\.txt(\.sig)? ",
                     id="a current version.txt with another bit"),
        pytest.param(VERSION_TXT, Fault.NOT_FOUND, 0, f"{VERSION_TXT} answered 404",
                     id="a version without version.txt"),
        pytest.param(f"{VERSION_TXT}.sig", Fault.TAMPER, 60, r"version\.txt\.sig ",
                     id="a changed signature of version.txt"),
    ],
)  # fmt: skip
def test_a_fault_keeps_the_old_version_and_is_named(site, suffix, fault, after, reason):
    mirrored(site)
    site.server.fault(suffix, fault, after=after)
    failed = site.failure(limits=HASTY if fault in STALLING else IMPATIENT)
    assert failed.serving == A
    assert_matches(reason, failed.reason)
    assert failed.reason.startswith("http://127.0.0.1:"), "the sentence begins with the URL"
    assert_a_stays(site)
    assert_b_comes(site)


def assert_matches(pattern, text):
    with pytest.raises(ValueError, match=pattern):
        raise ValueError(text)


@pytest.mark.parametrize(
    ("suffix", "fault"),
    [
        pytest.param(KERNEL, Fault.REDIRECT, id="a redirect to a path with another name"),
        pytest.param("", Fault.REDIRECT, id="redirects of everything"),
        pytest.param(INITRD, Fault.NO_LENGTH, id="a body whose length is not told"),
        pytest.param(INITRD, Fault.TOO_LONG, id="a length that is too great, of a file that is complete"),
        pytest.param(INITRD, Fault.GZIP_LABEL, id="a .gz file that is called Content-Encoding: gzip"),
        pytest.param(INITRD, Fault.NO_RANGE, id="a server without ranges"),
        pytest.param(INITRD, Fault.NO_VALIDATORS, id="a server without ETag and Last-Modified"),
    ],
)
def test_what_is_only_unusual_works(site, suffix, fault):
    mirrored(site)
    site.server.fault(suffix, fault)
    assert not site.sync().failed
    assert (site.read("current", KERNEL), site.read("current", INITRD)) == (KERNEL_B, INITRD_B)


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.BUSY, Fault.STALL, Fault.TRUNCATE], ids=lambda fault: fault.name)
def test_a_fault_that_passes_is_waited_for_in_the_same_sync(site, fault):
    mirrored(site)
    site.server.fault(INITRD, fault, after=70_000, times=1)
    assert not site.sync(limits=replace(HASTY, attempts=5) if fault in STALLING else IMPATIENT).failed
    assert site.read("current", INITRD) == INITRD_B
    assert len(site.server.asked(INITRD)) >= 2


def test_attempts_that_bring_something_are_not_counted(site):
    """A bad line that breaks every 100 kB still brings 2 MB, though two failures in a row would be the end."""
    mirrored(site)
    site.server.fault(INITRD, Fault.TRUNCATE, after=100_000)
    assert not site.sync().failed
    assert len(site.server.asked(INITRD)) == 1 + len(INITRD_B) // 100_000


def test_a_server_that_is_down_is_named(site):
    mirrored(site)
    with ReleaseServer(site.data_dir / "other") as gone:
        url = gone.url
    failed = site.failure(site.inventory(url=url))
    assert_matches(r"no connection to 127\.0\.0\.1:\d+: Connect", failed.reason)
    assert failed.serving == A
    assert_a_stays(site)


def test_a_host_that_does_not_exist_is_named(site):
    failed = site.failure(site.inventory(url="http://user:secret@releases.invalid/{channel}"))
    assert_matches(
        r"http://releases\.invalid/stable/.*version\.txt: no connection to releases\.invalid:80: ", failed.reason
    )
    assert "secret" not in failed.reason, "and the password stays out of the report"


def test_one_image_that_fails_does_not_hinder_the_others(site):
    site.publish_a()
    site.server.publish("beta", "amd64", "4757.1.0")
    site.server.fault(f"stable/amd64-usr/{A}/{KERNEL}", Fault.STALL)
    beta = "beta: {flatcar: {channel: beta, arch: amd64}}"
    alpha = "alpha: {flatcar: {channel: alpha, arch: amd64}}"
    report = site.sync(site.inventory(STABLE, beta, alpha), replace(HASTY, attempts=5))
    assert set(report.failed) == {"flatcar", "alpha"}
    assert set(site.index.releases) == {("beta", "amd64", "4757.1.0")}


def test_a_missing_install_image_fails_only_the_image_that_wants_it(site):
    site.publish_a()
    second = STABLE.replace("flatcar:", "second:", 1).replace("current", "current, install_image: true")
    report = site.sync(site.inventory(STABLE, second))
    assert set(report.failed) == {"second"}
    assert_matches(f"{INSTALL_IMAGE}.DIGESTS.asc answered 404", report.failed["second"].reason)
    assert site.versions() == {A}


def test_without_room_nothing_is_asked_for_and_the_numbers_are_told(site):
    mirrored(site)
    failed = site.failure(limits=replace(IMPATIENT, reserve=1 << 50))
    assert_matches(r"no room for .*: \d+ MiB are needed with the reserve, \d+ MiB are free", failed.reason)
    assert_a_stays(site)
    assert_b_comes(site)


def test_a_broken_key_file_fails_every_image_and_asks_for_nothing(site):
    mirrored(site)
    (site.data_dir / "broken.asc").write_text("no key")
    failed = site.failure(site.inventory(key=str(site.data_dir / "broken.asc")))
    assert_matches("is not a file of OpenPGP public keys", failed.reason)
    assert site.server.requests == []
    assert_a_stays(site)


def test_a_directory_where_a_file_belongs_is_reported_not_raised(site):
    mirrored(site)
    (site.mirror_dir / ".partial" / "stable" / "amd64-usr" / B / "version.txt").mkdir(parents=True)
    failed = site.failure()
    assert_matches("cannot write the mirror: .*version.txt", failed.reason)
    assert_a_stays(site)
