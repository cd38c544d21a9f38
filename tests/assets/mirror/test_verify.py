"""`verify`: everything that is mirrored is read and checked again."""

from __future__ import annotations

import pytest

from pxed.assets.mirror.errors import MirrorError
from pxed.assets.mirror.index import release_directory, stamp_of
from pxed.assets.mirror.layout import KERNEL
from pxed.assets.mirror.verify import verify
from tests.assets.mirror.site import KERNEL_A, A
from tests.assets.mirror.test_faults import assert_matches
from tests.releases.keys import ThrowAwayKey

KEY = ("stable", "amd64", A)


@pytest.fixture
def directory(site):
    site.publish_a()
    site.sync()
    return release_directory(site.mirror_dir, KEY)


def problems(site, keyring=None):
    """What verify says, by file; whether it says that all is right is checked on the way."""
    told = []
    right = verify(site.mirror_dir, keyring or site.keyring(), told.append)
    found = {checked.file: checked.problem for checked in told if checked.problem}
    assert right == (not found)
    return found


def test_a_mirror_as_it_was_synced_is_right(site, directory):
    assert problems(site) == {}
    assert site.versions() == {A}


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        pytest.param(lambda path: path.write_bytes(KERNEL_A[:-1] + b"?"), "was changed: its SHA-512 is",
                     id="a changed file"),
        pytest.param(lambda path: path.write_bytes(KERNEL_A[:-1]), "was changed: its SHA-512 is", id="a shorter file"),
        pytest.param(lambda path: path.unlink(), "is gone", id="a file that is gone"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_named_and_its_release_served_no_more(site, directory, damage, reason):
    damage(directory / KERNEL)
    found = problems(site)
    assert list(found) == [KERNEL]
    assert_matches(f"{KERNEL} {reason}", found[KERNEL])
    assert site.versions() == set()
    site.sync()
    assert problems(site) == {}, "and a sync makes it good"


def test_a_signature_of_a_key_that_is_trusted_no_more_is_said_and_the_release_stays(site, directory):
    """What machines boot is the operator's decision."""
    other = ThrowAwayKey.make()
    (site.data_dir / "other.asc").write_bytes(other.certificate)
    settings = site.inventory(key=str(site.data_dir / "other.asc"), fingerprint=other.fingerprint).server.mirror
    found = problems(site, type(site.keyring()).load(settings))
    assert "which" in found[KERNEL]
    assert "does not contain" in found[KERNEL]
    assert site.versions() == {A}


def test_a_touched_file_gets_its_new_stamp(site, directory):
    (directory / KERNEL).touch()
    stamp = stamp_of((directory / KERNEL).stat())
    assert site.index.releases[KEY].files[KERNEL].stamp != stamp
    assert problems(site) == {}
    assert site.index.releases[KEY].files[KERNEL].stamp == stamp


@pytest.fixture
def unwritable(site, directory):
    """Root may write anywhere, so the lock is something that cannot be opened."""
    lock = site.mirror_dir / ".index.lock"
    lock.unlink(missing_ok=True)
    lock.mkdir()


def test_a_mirror_that_cannot_be_written_can_be_verified(site, unwritable):
    assert problems(site) == {}


def test_damage_in_a_mirror_that_cannot_be_written_is_told_all_the_same(site, directory, unwritable):
    (directory / KERNEL).unlink()
    told = []
    with pytest.raises(MirrorError, match="refused by its digest, but stays in the index"):
        verify(site.mirror_dir, site.keyring(), told.append)
    assert [checked.file for checked in told if checked.problem] == [KERNEL]
