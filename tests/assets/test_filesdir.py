"""The files directory on disk: what may be read, and that nothing leads out of it."""

import os

import pytest

from pxed.assets import filesdir
from pxed.assets.filesdir import FilesDir
from pxed.ignition import butane
from pxed.ignition.butane import Kind, Stat


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A files directory `files` in the working directory, with a secret beside it."""
    monkeypatch.chdir(tmp_path)
    files = tmp_path / "files"
    (files / "sub").mkdir(parents=True)
    (files / "a").write_bytes(b"hello")
    (files / "sub" / "run").write_bytes(b"#!")
    (files / "sub" / "run").chmod(0o755)
    (tmp_path / "secret").write_bytes(b"secret")
    for name, target in {
        "within": "a", "sub/up": "../a", "out": "../secret", "dir": "sub", "outdir": "..", "absolute": str(files / "a"),
        "passwd": "/etc/passwd", "loop": "loop", "dangling": "nowhere", "roundabout": "../files/a",
    }.items():  # fmt: skip
        (files / name).symlink_to(target)
    os.mkfifo(files / "fifo")
    return FilesDir(files.relative_to(tmp_path))


@pytest.mark.parametrize("path", ["a", "within", "sub/up", "dir/up", "absolute", "roundabout", "sub/../a"])
def test_a_file_and_every_link_within_are_read(tree, path):
    assert tree.read(path) == b"hello"


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("nope", "files/nope: No such file or directory"),
        ("a/b", "files/a/b: Not a directory"),
        ("sub", "files/sub: Is a directory"),
        (".", "files: Is a directory"),
        ("dangling", "files/dangling: No such file or directory"),
        ("loop", "files/loop: Too many levels of symbolic links"),
        ("fifo", "files/fifo: not a regular file"),
        ("a\0b", "files/a\0b: Invalid argument"),
        ("x" * 300, f"files/{'x' * 300}: File name too long"),
        ("out", "files/out: symbolic link leads outside of the files directory"),
        ("passwd", "files/passwd: symbolic link leads outside of the files directory"),
        ("outdir/secret", "files/outdir/secret: symbolic link leads outside of the files directory"),
    ],
)
def test_what_cannot_be_read_says_why(tree, path, error):
    with pytest.raises(OSError) as raised:
        tree.read(path)
    assert f"{raised.value.filename}: {raised.value.strerror}" == error


def test_a_directory_that_is_a_link_itself_is_the_one_it_leads_to(tree, tmp_path):
    (tmp_path / "alias").symlink_to("files")
    assert FilesDir(tmp_path / "alias").read("a") == b"hello"


def test_a_neighbour_whose_name_begins_alike_is_outside(tree, tmp_path):
    (tmp_path / "files-more").mkdir()
    (tmp_path / "files-more" / "x").write_bytes(b"")
    (tmp_path / "files" / "alike").symlink_to("../files-more/x")
    with pytest.raises(OSError, match="outside of the files directory"):
        tree.read("alike")


def test_a_file_of_more_than_the_bound_is_refused(tree, monkeypatch):
    monkeypatch.setattr(filesdir, "MAX_FILE", 4)
    with pytest.raises(OSError, match="more than 0 MiB"):
        tree.read("a")


@pytest.mark.parametrize(
    ("path", "follow", "stat"),
    [
        ("a", False, Stat(Kind.FILE, False)),
        ("sub/run", False, Stat(Kind.FILE, True)),
        ("sub", False, Stat(Kind.DIRECTORY, True)),
        (".", False, Stat(Kind.DIRECTORY, True)),
        ("within", False, Stat(Kind.SYMLINK, True)),
        ("within", True, Stat(Kind.FILE, False)),
        ("out", False, Stat(Kind.SYMLINK, True)),
        ("dir", True, Stat(Kind.DIRECTORY, True)),
        ("fifo", False, Stat(Kind.OTHER, False)),
    ],
)
def test_what_is_known_of_a_file(tree, path, follow, stat):
    assert tree.stat(path, follow=follow) == stat


def test_names_and_targets(tree):
    assert sorted(tree.names("sub")) == ["run", "up"]
    assert tree.readlink("out") == "../secret"


def test_a_tree_on_disk_is_transpiled_and_its_links_are_written_not_followed(tree):
    text = "variant: flatcar\nversion: 1.1.0\nstorage: {trees: [{local: sub, path: /opt}]}"
    result = butane.translate(text, files=tree)
    assert result.error == ""
    assert result.output is not None
    assert b'"links":[{"path":"/opt/up","target":"../a"}]' in result.output
    assert set(result.local_files) >= {"sub", "sub/run"}


def test_a_link_out_of_the_directory_is_an_error_of_the_config(tree):
    text = "variant: flatcar\nversion: 1.1.0\nstorage: {files: [{path: /a, contents: {local: out}}]}"
    (entry,) = butane.translate(text, files=tree).entries
    assert entry.message == "open files/out: symbolic link leads outside of the files directory"
