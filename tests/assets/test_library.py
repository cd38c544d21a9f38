"""The library on a real directory tree: what it finds, what it refuses, and files that change under it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pxed.assets import library as module
from pxed.assets.library import Asset, Changed, Forbidden, Library, NotFound, open_asset


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, content in {
        "data/loaders/own.efi": b"own",
        "data/loaders/sub/deep.efi": b"deep",
        "data/loaders/snponly.efi": b"operator's",
        "data/images/rescue/vmlinuz": b"kernel",
        "data/secret": b"secret",
        "ipxe/snponly.efi": b"packaged",
        "ipxe/undionly.kpxe": b"undi",
        "boot/ipxe.efi": b"ipxe",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "ipxe/ipxe.efi").symlink_to(tmp_path / "boot/ipxe.efi")
    (tmp_path / "data/loaders/alias.efi").symlink_to("sub/deep.efi")
    (tmp_path / "data/loaders/escape.efi").symlink_to(tmp_path / "data/secret")
    (tmp_path / "data/loaders/out").symlink_to(tmp_path)
    (tmp_path / "data/images/escape").symlink_to("/etc/passwd")
    (tmp_path / "data/loaders/loop").symlink_to("loop")
    (tmp_path / "data/loaders/dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "data/loaders/fifo")
    return tmp_path


@pytest.fixture
def library(tree: Path) -> Library:
    return Library(tree / "data", (tree / "ipxe",))


FOUND = {
    "a file of the operator": ("own.efi", b"own"),
    "a file in a subdirectory": ("sub/deep.efi", b"deep"),
    "the operator's file over the packaged one": ("snponly.efi", b"operator's"),
    "a packaged file": ("undionly.kpxe", b"undi"),
    "a packaged link out of its directory": ("ipxe.efi", b"ipxe"),
    "a link inside of the operator's directory": ("alias.efi", b"deep"),
    "another case": ("UNDIONLY.KPXE", b"undi"),
    "another case in a subdirectory": ("SUB/Deep.EFI", b"deep"),
    "leading slashes and backslashes": ("\\sub\\\\deep.efi", b"deep"),
}


@pytest.mark.parametrize(("name", "content"), FOUND.values(), ids=FOUND.keys())
def test_a_loader_is_found_by(name: str, content: bytes, library: Library) -> None:
    asset = library.loader(name)
    assert asset.size == len(content)
    assert library.read(asset)[:] == content
    with open_asset(asset) as file:
        assert file.read() == content


@pytest.mark.parametrize("name", ["missing.efi", "", "/", "sub", "loop", "dangling", "fifo", "own.efi/x", "a" * 255])
def test_there_is_no_loader(name: str, library: Library) -> None:
    with pytest.raises(NotFound):
        library.loader(name)


@pytest.mark.parametrize(
    "name", ["../secret", "escape.efi", "ESCAPE.EFI", "out/data/secret", "x\0", "a" * 256, "..\\..\\etc\\passwd"]
)
def test_a_loader_is_forbidden(name: str, library: Library) -> None:
    with pytest.raises(Forbidden):
        library.loader(name)


def test_an_exact_name_wins_over_another_case(tree: Path, library: Library) -> None:
    (tree / "data/loaders/UNDIONLY.kpxe").write_bytes(b"operator's")
    assert library.read(library.loader("undionly.kpxe"))[:] == b"undi"
    assert library.read(library.loader("Undionly.kpxe"))[:] == b"operator's"


def test_a_new_file_is_seen_in_another_case_too(tree: Path, library: Library) -> None:
    with pytest.raises(NotFound):
        library.loader("NEW.EFI")
    (tree / "data/loaders/new.efi").write_bytes(b"new")
    os.utime(tree / "data/loaders", ns=(1, 1))  # a coarse clock could give the directory the time it had
    assert library.loader("NEW.EFI").size == 3


def test_without_a_loaders_directory_the_packaged_ones_are_there(tree: Path) -> None:
    assert Library(tree / "nowhere", (tree / "ipxe",)).loader("undionly.kpxe").size == 4


def test_images_are_confined(library: Library) -> None:
    assert library.read(library.image("/rescue/vmlinuz"))[:] == b"kernel"
    for name in ("escape", "../secret"):
        with pytest.raises(Forbidden):
            library.image(name)
    for name in ("rescue", "rescue/VMLINUZ", ""):
        with pytest.raises(NotFound):
            library.image(name)


def test_the_root_of_the_images_may_itself_be_a_link(tree: Path) -> None:
    (tree / "other").mkdir()
    (tree / "other/images").symlink_to(tree / "data/images")
    assert Library(tree / "other", ()).image("rescue/vmlinuz").size == 6


def test_the_bytes_are_shared(library: Library) -> None:
    assert library.read(library.loader("own.efi")) is library.read(library.loader("OWN.EFI"))


def _rewrite(path: Path, content: bytes) -> None:
    before = path.stat().st_mtime_ns
    path.write_bytes(content)
    os.utime(path, ns=(before + 1, before + 1))


def test_a_changed_file_is_read_again(tree: Path, library: Library) -> None:
    assert library.read(library.loader("own.efi"))[:] == b"own"
    _rewrite(tree / "data/loaders/own.efi", b"new")
    assert library.read(library.loader("own.efi"))[:] == b"new"


def test_a_stale_asset_is_not_read(tree: Path, library: Library) -> None:
    asset = library.loader("own.efi")
    _rewrite(tree / "data/loaders/own.efi", b"new")
    with pytest.raises(Changed):
        library.read(asset)
    (tree / "data/loaders/own.efi").unlink()
    with pytest.raises(NotFound):
        library.read(asset)
    (tree / "data/loaders/own.efi").symlink_to(tree / "data/secret")
    with pytest.raises(Forbidden):
        open_asset(asset)


def _big(tree: Path, name: str = "big") -> bytes:
    content = os.urandom(1000) * (module.WHOLE // 1000 + 1)
    (tree / "data/loaders" / name).write_bytes(content)
    return content


def test_a_big_file_is_read_in_pieces(tree: Path, library: Library) -> None:
    content = _big(tree)
    buffer = library.read(library.loader("big"))
    assert not isinstance(buffer, bytes)
    assert len(buffer) == len(content)
    assert buffer[:10] == content[:10]
    assert buffer[len(content) - 7 : len(content) + 100] == content[-7:]
    assert buffer[len(content) : len(content) + 100] == b""
    assert library.read(library.loader("big")) is buffer


def test_a_big_file_cut_in_place_is_an_error_and_not_a_crash(tree: Path, library: Library) -> None:
    _big(tree)
    buffer = library.read(library.loader("big"))
    os.truncate(tree / "data/loaders/big", 10)
    with pytest.raises(Changed):
        buffer[100:200]


def test_a_big_file_renamed_over_keeps_its_old_bytes_for_who_reads_it(tree: Path, library: Library) -> None:
    content = _big(tree)
    buffer = library.read(library.loader("big"))
    _big(tree, "big.new")
    (tree / "data/loaders/big.new").rename(tree / "data/loaders/big")
    assert buffer[100:200] == content[100:200]


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_the_caches_are_bounded(tree: Path, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CACHED", 10)
    monkeypatch.setattr(module, "MAX_OPEN", 2)
    monkeypatch.setattr(module, "WHOLE", 4)
    monkeypatch.setattr(module, "MAX_LISTINGS", 3)
    before = _open_files()
    for number in range(20):
        (tree / f"data/loaders/small{number}").write_bytes(b"1234")
        (tree / f"data/loaders/large{number}").write_bytes(b"12345678")
        (tree / f"data/loaders/dir{number}").mkdir()
        assert library.read(library.loader(f"small{number}"))[:] == b"1234"
        assert library.read(library.loader(f"large{number}"))[1:3] == b"23"
        with pytest.raises(NotFound):
            library.loader(f"dir{number}/absent")
    assert library._whole_bytes == sum(map(len, library._whole.values())) <= 10
    assert _open_files() - before <= 2
    assert len(library._listings) <= 3


def test_an_unreadable_file_is_forbidden(tree: Path, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    asset = library.loader("own.efi")

    def refuse(*_: object) -> int:  # root reads everything, so the kernel's answer is made here
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(Forbidden, match="Permission denied"):
        library.read(asset)


def test_assets_are_values() -> None:
    assert Asset("a", Path("/a"), 1, 2) == Asset("a", Path("/a"), 1, 2)
