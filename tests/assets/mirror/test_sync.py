"""A sync that goes well: what is mirrored, where it lies, what is asked for again and what is not."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from dataclasses import replace

import pytest

from pxed.assets.mirror import lock
from pxed.assets.mirror.errors import MirrorError
from pxed.assets.mirror.events import Progress, Published, Resolved, UpToDate, from_json, to_json
from pxed.assets.mirror.index import release_directory, stamp_of
from pxed.assets.mirror.layout import INITRD, INSTALL_IMAGE, KERNEL
from pxed.assets.mirror.sync import sync
from tests.assets.mirror.site import HASTY, INITRD_A, KERNEL_A, STABLE, A, B, C
from tests.releases.faults import Fault
from tests.releases.server import ReleaseServer

SIDES = {"", ".sig", ".DIGESTS", ".DIGESTS.asc", ".DIGESTS.sig"}
PINNED = "pinned: {{flatcar: {{channel: stable, arch: amd64, version: {}}}}}"


def test_a_release_is_mirrored_in_the_release_servers_own_layout(site):
    site.publish_a()
    site.sync()
    assert site.read(A, KERNEL) == KERNEL_A
    assert site.read("current", INITRD) == INITRD_A
    assert (site.mirror_dir / "stable" / "amd64-usr" / "current").readlink().name == A
    release = site.index.releases["stable", "amd64", A]
    wanted = {f"{name}{side}" for name in (KERNEL, INITRD) for side in SIDES} | {"version.txt", "version.txt.sig"}
    assert set(release.files) == wanted
    assert {path.name for path in (site.mirror_dir / "stable" / "amd64-usr" / A).iterdir()} == wanted
    assert site.partials() == []


def test_the_index_has_size_digest_and_stamp_of_every_file(site, tmp_path):
    site.publish_a()
    site.sync()
    release = site.index.releases["stable", "amd64", A]
    directory = release_directory(site.mirror_dir, release.key)
    lines = "".join(f"{file.sha512}  {directory / name}\n" for name, file in release.files.items())
    subprocess.run(["sha512sum", "-c", "--quiet"], input=lines, text=True, check=True)
    for name, file in release.files.items():
        assert file.stamp == stamp_of((directory / name).stat())
        assert file.size == file.stamp[0]


def test_the_events_tell_what_is_wanted_how_far_it_is_and_that_it_is_published(site):
    site.publish_a()
    report = site.sync()
    resolved, *progress, published = site.events
    assert resolved == Resolved("flatcar", "stable", "amd64", A, f"{site.server.url[:-10]}/stable/amd64-usr/{A}/")
    assert {type(event) for event in progress} == {Progress}
    assert {(event.file, event.done, event.total) for event in progress} >= {
        (KERNEL, len(KERNEL_A), len(KERNEL_A)), (INITRD, 0, len(INITRD_A)), (INITRD, len(INITRD_A), len(INITRD_A)),
    }  # fmt: skip
    assert isinstance(published, Published)
    assert report.outcomes == {"flatcar": published}
    assert [from_json(to_json(event)) for event in site.events] == site.events


def test_a_second_sync_asks_only_for_version_txt(site):
    site.publish_a()
    site.sync()
    site.server.clear()
    site.sync()
    assert {request.path.rpartition("/")[2] for request in site.server.requests} == {"version.txt", "version.txt.sig"}
    assert site.events[1:] == [UpToDate(("flatcar",), "stable", "amd64", A)]


def test_a_new_version_is_followed(site):
    site.publish_a()
    site.sync()
    site.publish_b()
    site.sync()
    assert site.versions() == {A, B}
    assert (site.mirror_dir / "stable" / "amd64-usr" / "current").readlink().name == B
    assert site.index.current == {("stable", "amd64", "current"): B}


def test_a_pinned_version_is_mirrored_and_nothing_else_is_asked_for(site):
    site.publish_a()
    site.publish_b()
    site.sync(site.inventory(PINNED.format(A)))
    assert site.versions() == {A}
    assert not any("/current/" in request.path for request in site.server.requests)
    assert site.index.current == {}


def test_images_that_want_the_same_release_share_one_download(site):
    site.publish_a()
    report = site.sync(site.inventory(STABLE, STABLE.replace("flatcar:", "other:", 1), PINNED.format(A)))
    assert len(site.server.asked(KERNEL)) == 1
    assert set(report.outcomes) == {"flatcar", "other", "pinned"}
    assert not report.failed


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)], ids=["the pin first", "the pin last"])
def test_a_release_becomes_every_current_that_it_is(site, order):
    """A pinned image, the channel's newest and that of an LTS year, all of one version."""
    site.server.publish("lts", "amd64", "4081.3.10", current=("current", "current-2024"))
    words = ("4081.3.10", "current", "current-2024")
    images = [f"x{n}: {{flatcar: {{channel: lts, version: {word}}}}}" for n, word in enumerate(words)][order]
    for _ in range(2):
        assert not site.sync(site.inventory(*images)).failed
        assert site.index.current == {
            ("lts", "amd64", "current"): "4081.3.10",
            ("lts", "amd64", "current-2024"): "4081.3.10",
        }
    assert len(site.server.asked(KERNEL)) == 1


def test_a_release_of_two_servers_comes_from_the_one_that_has_it(site, tmp_path):
    site.publish_a()
    with ReleaseServer(tmp_path / "second", signer=site.server.signer) as second:
        second.publish("stable", "amd64", A)
        (second.tree.directory("stable", "amd64", A) / KERNEL).unlink()
        broken = STABLE.replace("flatcar:", "broken:", 1).replace("current", f'current, url: "{second.url}"')
        report = site.sync(site.inventory(broken, STABLE))
    assert set(report.failed) == {"broken"}
    assert site.read("current", KERNEL) == KERNEL_A


def test_only_the_named_images_are_synced(site):
    site.publish_a()
    site.server.publish("beta", "arm64", C)
    beta = "beta: {flatcar: {channel: beta, arch: arm64}}"
    site.sync(site.inventory(STABLE, beta), only=["beta"])
    assert set(site.index.releases) == {("beta", "arm64", C)}


@pytest.mark.parametrize(
    ("channel", "arch", "word"),
    [
        ("stable", "amd64", "current"), ("beta", "amd64", "current"), ("alpha", "arm64", "current"),
        ("edge", "amd64", "current"), ("lts", "arm64", "current"), ("lts", "amd64", "current-2024"),
    ],
)  # fmt: skip
def test_every_channel_and_architecture_is_mirrored(site, channel, arch, word):
    version = {"beta": "4757.1.0", "alpha": "4790.0.0", "edge": "4790.99.0", "lts": "4081.3.10"}.get(channel, A)
    site.server.publish(channel, arch, version, current=("current", word))
    site.sync(site.inventory(f"x: {{flatcar: {{channel: {channel}, arch: {arch}, version: {word}}}}}"))
    assert set(site.index.releases) == {(channel, arch, version)}
    assert (site.mirror_dir / channel / f"{arch}-usr" / word).readlink().name == version
    assert site.warnings() == []


def test_the_years_of_lts_are_followed_apart(site):
    for version, word in (("3510.3.8", "current-2023"), ("4081.3.10", "current-2024")):
        site.server.publish("lts", "amd64", version, current=(word, "current"))
    images = [f"y{year}: {{flatcar: {{channel: lts, arch: amd64, version: current-{year}}}}}" for year in (2023, 2024)]
    site.sync(site.inventory(*images))
    assert site.index.current == {
        ("lts", "amd64", "current-2023"): "3510.3.8",
        ("lts", "amd64", "current-2024"): "4081.3.10",
    }
    assert site.warnings() == ["lts amd64 current-2023 gets no updates any more: lts-info calls 2023 unsupported"]


def test_the_install_image_comes_when_it_is_asked_for(site):
    site.publish_a(install_image=b"to the disk")
    site.sync(site.inventory(STABLE.replace("current", "current, install_image: true")))
    assert site.read(A, INSTALL_IMAGE) == b"to the disk"
    assert set(site.index.releases["stable", "amd64", A].files) >= {INSTALL_IMAGE, f"{INSTALL_IMAGE}.sig"}


def test_the_install_image_is_added_to_a_release_that_is_mirrored_already(site):
    site.publish_a(install_image=b"to the disk")
    site.sync()
    before = site.index.releases["stable", "amd64", A]
    site.server.clear()
    site.sync(site.inventory(STABLE.replace("current", "current, install_image: yes")))
    after = site.index.releases["stable", "amd64", A]
    assert not site.server.asked(KERNEL), "the rest is not downloaded again"
    assert site.read(A, INSTALL_IMAGE) == b"to the disk"
    assert after.files[KERNEL] == before.files[KERNEL]
    assert site.partials() == []


def test_a_damaged_file_is_brought_again(site):
    site.publish_a()
    site.sync()
    path = release_directory(site.mirror_dir, ("stable", "amd64", A)) / KERNEL
    path.write_bytes(KERNEL_A[:-1] + b"?")
    site.server.clear()
    site.sync()
    assert path.read_bytes() == KERNEL_A
    assert not site.server.asked(INITRD), "and only that"


def test_a_touched_file_is_not_brought_again(site):
    site.publish_a()
    site.sync()
    (release_directory(site.mirror_dir, ("stable", "amd64", A)) / KERNEL).touch()
    site.server.clear()
    site.sync()
    assert not site.server.asked(KERNEL)


def test_digests_that_a_mirror_does_not_have_are_not_needed_unsigned(site):
    site.publish_a()
    for name in (f"{KERNEL}.DIGESTS", f"{INITRD}.DIGESTS.sig", "version.txt.sig"):
        (site.server.tree.directory("stable", "amd64", A) / name).unlink()
    site.sync()
    (published,) = (event for event in site.events if isinstance(event, Published))
    assert published.note == "its version.txt is not signed there"


def test_two_big_files_are_downloaded_at_one_time_and_no_more(site):
    """Three releases of two files each, of which no first attempt comes to an end."""
    site.publish_a()
    for channel, version in (("beta", "4757.1.0"), ("alpha", "4790.0.0")):
        site.server.publish(channel, "amd64", version, kernel=KERNEL_A, initrd=INITRD_A)
    for name in (KERNEL, INITRD):
        site.server.fault(name, Fault.STALL, after=100_000, times=3)
    images = [f"{channel}: {{flatcar: {{channel: {channel}}}}}" for channel in ("stable", "beta", "alpha")]
    assert not site.sync(site.inventory(*images), replace(HASTY, attempts=6, pause=0.1)).failed
    assert site.server.peak == 2


def test_one_sync_at_a_time(site):
    site.publish_a()
    with lock.writing(site.mirror_dir), pytest.raises(lock.LockedError, match=r"being written by process \d+ since"):
        site.sync()


async def test_a_sync_can_wait_for_another_and_be_cancelled_meanwhile(site):
    site.publish_a()
    with lock.writing(site.mirror_dir):
        waiting = asyncio.create_task(sync(site.inventory(), site.events.append, wait=True))
        await asyncio.sleep(0)
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        waiting = asyncio.create_task(sync(site.inventory(), site.events.append, wait=True))
        await asyncio.sleep(0)
    await waiting
    assert site.versions() == {A}


def test_a_broken_index_is_reported_with_its_remedy(site):
    site.mirror_dir.mkdir()
    (site.mirror_dir / "index.json").write_text("{")
    with pytest.raises(MirrorError, match="remove it and run pxed images sync"):
        site.sync()


@pytest.mark.net
def test_what_root_mirrors_belongs_to_the_owner_of_the_data_directory(site):
    """Or the daemon, which is not root, could never replace it."""
    os.chown(site.data_dir, 65534, 65534)
    site.publish_a()
    site.sync()
    made = [site.mirror_dir, *site.mirror_dir.rglob("*")]
    assert len(made) > 20
    assert {(path.lstat().st_uid, path.lstat().st_gid) for path in made} == {(65534, 65534)}


def test_after_the_index_was_removed_a_sync_makes_it_good(site):
    site.publish_a()
    site.sync()
    (site.mirror_dir / "index.json").unlink()
    site.sync()
    assert site.versions() == {A}
    assert site.read(A, KERNEL) == KERNEL_A
