"""The index on disk: what was saved is loaded again; what is no index is refused and nothing else is."""

import contextlib
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxed.assets.mirror import lock
from pxed.assets.mirror.errors import MirrorError
from pxed.assets.mirror.index import (
    Index,
    MirroredFile,
    Release,
    Rollout,
    load_index,
    release_directory,
    save_index,
    stamp_of,
)

FILE = MirroredFile(5, "ab" * 64, (5, 1_700_000_000_000_000_001, 2, 3))
RELEASE = Release("stable", "amd64", "4593.2.5", {"version.txt": FILE}, 1_700_000_000.25, "52F1")
INDEX = Index(
    {RELEASE.key: RELEASE},
    {("stable", "amd64", "current"): "4593.2.5", ("lts", "arm64", "current-2024"): "4081.3.10"},
    {"flatcar": Rollout("4593.2.5", ("4600.0.0", "4601.0.0")), "other": Rollout()},
)


def test_a_mirror_without_an_index_is_empty(tmp_path):
    assert load_index(tmp_path) == Index()


def test_an_index_comes_back_as_it_was_saved(tmp_path):
    save_index(tmp_path, INDEX)
    assert load_index(tmp_path) == INDEX
    assert [path.name for path in tmp_path.iterdir()] == ["index.json"], "and no temporary file is left"


def test_a_release_lies_where_the_release_server_has_it(tmp_path):
    assert release_directory(tmp_path, RELEASE.key) == tmp_path / "stable" / "amd64-usr" / "4593.2.5"


def test_a_stamp_changes_when_a_file_is_written_again(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"one")
    before = stamp_of(path.stat())
    os.utime(path, ns=(1, 1))
    assert stamp_of(path.stat()) != before


def broken(**changes):
    release = {"channel": "stable", "arch": "amd64", "version": "1.0.0", "files": {}, "verified": 1.0, "signed_by": ""}
    document = {"format": 1, "releases": [release], "current": [], "rollouts": {}}
    for place, value in changes.items():
        if place in release:
            release[place] = value
        else:
            document[place] = value
    return json.dumps(document)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="an empty file"),
        pytest.param("{", id="half a document"),
        pytest.param("[]", id="a list"),
        pytest.param(broken(format=2), id="a later format"),
        pytest.param(broken(version="../../etc"), id="a version that leaves its directory"),
        pytest.param(broken(arch=".."), id="an architecture that is the parent directory"),
        pytest.param(broken(files={"a/b": {}}), id="a file name with a slash"),
        pytest.param(broken(files={"version.txt": {"size": 1, "sha512": "", "stamp": [1, 2]}}), id="half a stamp"),
        pytest.param(broken(current=[["stable", "amd64"]]), id="a current without a version"),
        pytest.param(broken(rollouts={"x": {"promoted": 3, "refused": []}}), id="a promoted version that is a number"),
    ],
)
def test_what_is_no_index_is_refused_with_a_remedy(tmp_path, text):
    (tmp_path / "index.json").write_text(text)
    with pytest.raises(MirrorError, match=r"index\.json is not an index of a mirror .* remove it and run pxed images"):
        load_index(tmp_path)


def test_the_sample_of_the_broken_ones_is_itself_an_index(tmp_path):
    (tmp_path / "index.json").write_text(broken())
    assert list(load_index(tmp_path).releases) == [("stable", "amd64", "1.0.0")]


@given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(
    st.sampled_from(["format", "releases", "current", "rollouts", "files"]), inner)))  # fmt: skip
def test_any_json_is_an_index_or_refused(tmp_path_factory, document):
    directory = tmp_path_factory.getbasetemp()
    if isinstance(document, dict):
        document = {"format": 1, "releases": [], "current": [], "rollouts": {}} | document
    (directory / "index.json").write_text(json.dumps(document))
    with contextlib.suppress(MirrorError):
        load_index(directory)


def test_a_mirror_has_one_writer_and_it_is_named(tmp_path):
    with lock.writing(tmp_path / "mirror"):
        second = lock.writing(tmp_path / "mirror")
        with pytest.raises(lock.LockedError, match=f"is being written by process {os.getpid()} since"):
            second.__enter__()
    with lock.writing(tmp_path / "mirror"):
        assert (tmp_path / "mirror" / ".lock").exists()
