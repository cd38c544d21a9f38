"""Request paths: what a client may ask for, and what it can never reach."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxed.assets.paths import MAX_PATH, PathError, clean, clean_tftp, is_autoexec

SERVED = {
    "a plain name": ("snponly.efi", "snponly.efi"),
    "a leading slash": ("/snponly.efi", "snponly.efi"),
    "many slashes": ("//boot///snponly.efi", "boot/snponly.efi"),
    "backslashes of a Windows or EDK2 client": ("\\boot\\snponly.efi", "boot/snponly.efi"),
    "a dot": ("./boot/./snponly.efi", "boot/snponly.efi"),
    "a climb that stays below the root": ("/a/../snponly.efi", "snponly.efi"),
    "a trailing slash": ("boot/", "boot"),
    "the root": ("/", ""),
    "nothing": ("", ""),
    "names with dots in them": ("..a/b../...", "..a/b../..."),
    "a space": ("my loader.efi", "my loader.efi"),
    "a percent sign, which is no escape here": ("%2e%2e/x", "%2e%2e/x"),
    "a name that is not UTF-8": ("caf\udce9.efi", "caf\udce9.efi"),
}

REFUSED = {
    "a climb": "../etc/passwd",
    "a climb after a slash": "/../etc/passwd",
    "a climb by backslashes": "..\\..\\etc\\passwd",
    "a climb out of a directory": "a/../../etc/passwd",
    "a climb that comes back": "../loaders/snponly.efi",
    "a NUL": "snponly.efi\0.txt",
    "a name longer than the file system allows": "a" * 256,
    "a path longer than the limit": "a/" * (MAX_PATH // 2 + 1),
    "a two-byte letter counts as two": "é" * 128,
    "a surrogate that stands for no byte": "\ud800",
}

FROM_TFTP = {
    "padding with 0xFF read as UTF-8": ("undionly.kpxe\udcff", "undionly.kpxe"),
    "padding with 0xFF read as Latin-1": ("undionly.kpxe\xff\xff", "undionly.kpxe"),
    "padding with NUL": ("undionly.kpxe\0\0", "undionly.kpxe"),
    "a whole URL": ("tftp://10.0.0.1/boot/undionly.kpxe", "boot/undionly.kpxe"),
    "a whole URL with a port, in capitals": ("TFTP://10.0.0.1:69//undionly.kpxe", "undionly.kpxe"),
    "another scheme is only a strange name": ("http://host/x", "http:/host/x"),
}


@pytest.mark.parametrize(("asked", "name"), SERVED.values(), ids=SERVED.keys())
def test_is_served_as(asked: str, name: str) -> None:
    assert clean(asked) == name
    assert clean_tftp(asked) == name


@pytest.mark.parametrize("asked", REFUSED.values(), ids=REFUSED.keys())
def test_is_refused(asked: str) -> None:
    with pytest.raises(PathError):
        clean(asked)
    with pytest.raises(PathError):
        clean_tftp(asked)


@pytest.mark.parametrize(("asked", "name"), FROM_TFTP.values(), ids=FROM_TFTP.keys())
def test_tftp_names_lose(asked: str, name: str) -> None:
    assert clean_tftp(asked) == name


def test_an_url_does_not_hide_a_climb() -> None:
    with pytest.raises(PathError):
        clean_tftp("tftp://10.0.0.1/../etc/passwd")


@given(st.text(alphabet=st.sampled_from("./\\ab\0\udcffé"), max_size=60) | st.text(max_size=300))
def test_every_path_is_refused_or_stays_below_the_root(asked: str) -> None:
    try:
        name = clean(asked)
    except PathError:
        return
    assert not name.startswith("/")
    assert "\0" not in name
    assert "\\" not in name
    assert not {"", ".", ".."} & set(name.split("/") if name else [])
    assert clean(name) == name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("autoexec.ipxe", True),
        ("boot/x86_64/autoexec.ipxe", True),
        ("AUTOEXEC.IPXE", True),
        ("autoexec.ipxe/x", False),
        ("my-autoexec.ipxe", False),
        ("", False),
    ],
)
def test_autoexec_is_known_in_every_directory(name: str, *, expected: bool) -> None:
    assert is_autoexec(name) is expected
