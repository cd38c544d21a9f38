"""Releases that somebody changed, signed with another key, mixed up or rolled back are refused; the old one stays."""

from __future__ import annotations

import pytest

from pxed.assets.mirror.layout import INITRD, KERNEL
from tests.assets.mirror.site import KERNEL_A, STABLE, A, B, C
from tests.assets.mirror.test_faults import assert_a_stays, assert_b_comes, assert_matches, mirrored
from tests.releases.gnupg import GnuPGKey, home
from tests.releases.keys import ThrowAwayKey
from tests.releases.server import ReleaseServer
from tests.releases.tree import Tree, version_txt


def release_b(site):
    return site.server.tree.directory("stable", "amd64", B)


def foreign_digests(site, directory):
    digests = directory / f"{KERNEL}.DIGESTS"
    (directory / f"{KERNEL}.DIGESTS.asc").write_bytes(ThrowAwayKey.make().clearsigned(digests.read_bytes()))


def foreign_signature(site, directory):
    (directory / f"{KERNEL}.sig").write_bytes(ThrowAwayKey.make().detached(directory / KERNEL))


def all_by_a_foreign_key(site, directory):
    site.server.tree.sign(directory / KERNEL, ThrowAwayKey.make())


def digests_of_the_initrd(site, directory):
    (directory / f"{KERNEL}.DIGESTS.asc").write_bytes((directory / f"{INITRD}.DIGESTS.asc").read_bytes())


def digests_by_another_name(site, directory):
    site.server.tree.sign(directory / KERNEL, name="flatcar_production_image.vmlinuz")


def signature_of_the_initrd(site, directory):
    (directory / f"{KERNEL}.sig").write_bytes((directory / f"{INITRD}.sig").read_bytes())


def digests_with_text_around(site, directory):
    path = directory / f"{KERNEL}.DIGESTS.asc"
    path.write_bytes(b"# SHA512 HASH\n" + b"0" * 128 + f"  {KERNEL}\n".encode() + path.read_bytes())


def kernel_of_the_old_version(site, directory):
    (directory / KERNEL).write_bytes(KERNEL_A)


def unsigned_change_of_kernel_and_plain_digests(site, directory):
    signed = (directory / f"{KERNEL}.DIGESTS.asc").read_bytes()
    site.server.tree.put(directory / KERNEL, b"evil")
    (directory / f"{KERNEL}.DIGESTS.asc").write_bytes(signed)


def version_txt_of_another_version(site, directory):
    site.server.tree.put(directory / "version.txt", version_txt(A))
    current = site.server.tree.root / "stable" / "amd64-usr" / "current"
    current.unlink()
    current.mkdir()
    site.server.tree.put(current / "version.txt", version_txt(B))


def version_txt_changed(site, directory):
    (directory / "version.txt").write_bytes(version_txt(C))


def version_txt_is_a_page(site, directory):
    (directory / "version.txt").write_bytes(b"<html>Sign in</html>")
    (directory / "version.txt.sig").unlink()


def version_txt_is_huge(site, directory):
    (directory / "version.txt").write_bytes(b"A=1\n" * 100_000)


@pytest.mark.parametrize(
    ("tamper", "reason"),
    [
        (foreign_digests, r"DIGESTS\.asc is signed by the key [0-9A-F]{40}, which .*key\.asc does not contain"),
        (foreign_signature, r"\.sig is signed by the key [0-9A-F]{40}, which .* does not contain"),
        (all_by_a_foreign_key, "does not contain: if the publisher has a new subkey"),
        (digests_of_the_initrd, f"no SHA-512 digest of {KERNEL}: it is for {INITRD}"),
        (digests_by_another_name, "it is for flatcar_production_image.vmlinuz"),
        (signature_of_the_initrd, f"{KERNEL}.sig does not fit what it signs"),
        (digests_with_text_around, "is not one clearsigned message and nothing else"),
        (kernel_of_the_old_version, "its signed digests say"),
        (unsigned_change_of_kernel_and_plain_digests, r"(DIGESTS has another SHA-512|its signed digests say)"),
        (version_txt_of_another_version, f"says FLATCAR_VERSION={A}: the files there are of another version"),
        (version_txt_changed, r"version\.txt\.sig does not fit what it signs"),
        (version_txt_is_a_page, "has no line FLATCAR_VERSION=: that is no release server, or a proxy answers"),
        (version_txt_is_huge, "has over 65536 bytes"),
    ],
    ids=lambda value: value.__name__.replace("_", " ") if callable(value) else "",
)  # fmt: skip
def test_a_changed_release_is_refused(site, tamper, reason):
    mirrored(site)
    tamper(site, release_b(site))
    failed = site.failure()
    assert_matches(reason, failed.reason)
    assert failed.serving == A
    assert_a_stays(site)
    current = site.server.tree.root / "stable" / "amd64-usr" / "current"
    if not current.is_symlink():
        for path in current.iterdir():
            path.unlink()
        current.rmdir()
    site.publish_b()
    assert_b_comes(site)


def test_a_tampered_file_is_deleted_and_not_resumed(site):
    mirrored(site)
    kernel_of_the_old_version(site, release_b(site))
    site.failure()
    assert f"stable/amd64-usr/{B}/{KERNEL}" not in site.partials()
    site.publish_b()
    assert_b_comes(site)


def test_a_current_that_goes_back_is_not_followed(site):
    """An attacker on the way may offer an old release, which is signed as well as the newest."""
    site.publish_a()
    site.publish_b()
    site.sync()
    site.server.tree.point("stable", "amd64", "current", A)
    assert not site.sync().failed
    assert site.warnings() == [
        f"stable amd64 current went back from {B} to {A}: not followed, as an attacker could do that; if the publisher "
        f"did, set version: {A}"
    ]
    assert site.versions() == {B}


def test_an_older_version_is_mirrored_when_it_is_pinned(site):
    site.publish_a()
    site.publish_b()
    site.sync()
    report = site.sync(site.inventory(STABLE, f"old: {{flatcar: {{channel: stable, version: {A}}}}}"))
    assert not report.failed
    assert site.versions() == {A, B}


def test_a_version_of_another_channel_is_warned_about(site):
    site.server.publish("stable", "amd64", "4757.1.0")
    site.sync()
    assert_matches("stable amd64 current is 4757.1.0, whose number is one of beta", site.warnings()[0])


def test_a_version_of_another_year_is_refused(site):
    site.server.publish("lts", "amd64", "3510.3.8", current=("current-2024",))
    failed = site.failure(site.inventory("x: {flatcar: {channel: lts, version: current-2024}}"), "x")
    assert_matches("current-2024 is 3510.3.8, but lts-info says that 2024 is 4081", failed.reason)


def test_a_year_that_does_not_exist_is_answered_with_those_that_do(site):
    site.server.publish("lts", "amd64", "4081.3.10", current=("current-2024",))
    failed = site.failure(site.inventory("x: {flatcar: {channel: lts, version: current-2031}}"), "x")
    assert_matches("there is no current-2031 of lts; lts-info knows current-2021, .*, current-2024", failed.reason)


def test_a_release_by_a_subkey_that_expired_since_is_as_the_inventory_says(tmp_path, site):
    with home() as path:
        key = GnuPGKey.make(path).with_subkey("20200102T000000", "1y").signing("20200601T000000")
        with ReleaseServer(tmp_path / "old", signer=key) as server:
            site.server = server
            site.publish_a()
            accepting, refusing = site.inventory(expired_subkeys="accept"), site.inventory(expired_subkeys="refuse")
            assert_matches("expired on 2021-01-01: it is refused", site.failure(refusing).reason)
            assert site.versions() == set()
            assert not site.sync(accepting).failed
            assert site.index.releases["stable", "amd64", A].signed_by == key.subkey


def test_a_release_by_a_new_subkey_needs_the_key_file_anew(tmp_path, site):
    with home() as path:
        primary = GnuPGKey.make(path)
        first = primary.with_subkey("20240101T000000")
        with ReleaseServer(tmp_path / "old", signer=first) as server:
            site.server = server
            site.publish_a()
            before = site.inventory()
            assert not site.sync(before).failed
            second = primary.with_subkey("20240601T000000")
            server.tree = Tree(server.tree.root, second)
            server.tree.publish("stable", "amd64", B)
            assert_matches(r"fetch the key file anew \(server\.mirror\.key\)", site.failure(before).reason)
            assert not site.sync(site.inventory()).failed, "site.inventory() writes the key file as it is now"
            assert site.index.releases["stable", "amd64", B].signed_by == second.subkey
