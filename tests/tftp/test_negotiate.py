"""Option negotiation: what is granted, left out, or refused."""

from __future__ import annotations

import pytest

from pxed.tftp.negotiate import Agreed, Limits, Refusal, is_netascii, negotiate
from pxed.tftp.netascii import to_netascii
from pxed.tftp.packet import ErrorCode, Options, Rrq

SIZE = 284672

GRANTED: dict[str, tuple[Options, Options]] = {
    "nothing asked, nothing granted": ((), ()),
    "OVMF's size question": (
        (("tsize", "0"), ("blksize", "1468"), ("windowsize", "4")),
        (("tsize", "284672"), ("blksize", "1468"), ("windowsize", "4")),
    ),
    "iPXE": ((("blksize", "1432"), ("tsize", "0")), (("blksize", "1432"), ("tsize", "284672"))),
    "U-Boot": (
        (("timeout", "5"), ("blksize", "1468"), ("windowsize", "8")),
        (("timeout", "5"), ("blksize", "1468"), ("windowsize", "8")),
    ),
    "a block as big as can be is cut to the MTU": ((("blksize", "65464"),), (("blksize", "1468"),)),
    "a block bigger than RFC 2348 allows is cut too": ((("blksize", "99999"),), (("blksize", "1468"),)),
    "the smallest block": ((("blksize", "8"),), (("blksize", "8"),)),
    "a window wider than the server's": ((("windowsize", "65535"),), (("windowsize", "64"),)),
    "a window of one": ((("windowsize", "1"),), (("windowsize", "1"),)),
    "the longest timeout": ((("timeout", "255"),), (("timeout", "255"),)),
    "a timeout above RFC 2349's range is left out": ((("timeout", "256"),), ()),
    "names in any case, answered as spelt": ((("BlkSize", "1024"),), (("BlkSize", "1024"),)),
    "the first of duplicates": ((("blksize", "1024"), ("BLKSIZE", "512")), (("blksize", "1024"),)),
    "unknown options are left out": ((("multicast", ""), ("x", "y"), ("blksize", "512")), (("blksize", "512"),)),
    "tsize asked with another number": ((("tsize", "12345"),), (("tsize", "284672"),)),
    "rollover as tftp-hpa has it": ((("rollover", "1"),), (("rollover", "1"),)),
    "leading zeros": ((("blksize", "01024"),), (("blksize", "1024"),)),
}

NAMES = ("blksize", "windowsize", "timeout", "tsize", "rollover")
NO_NUMBERS = ("", "-1", "1.5", "0x200", "abc", " 512", "٣", "9" * 21)
ABSURD = [
    *((name, value) for name in NAMES for value in NO_NUMBERS),
    ("blksize", "0"),
    ("blksize", "7"),
    ("windowsize", "0"),
    ("timeout", "0"),
    ("rollover", "2"),
]


@pytest.mark.parametrize(("asked", "granted"), GRANTED.values(), ids=GRANTED.keys())
def test_grants(asked: Options, granted: Options) -> None:
    assert negotiate(Rrq("x", "octet", asked), SIZE, Limits()).options == granted


@pytest.mark.parametrize(("name", "value"), ABSURD)
def test_a_value_without_a_meaning_ends_the_negotiation(name: str, value: str) -> None:
    with pytest.raises(Refusal) as caught:
        negotiate(Rrq("x", "octet", ((name, value),)), SIZE, Limits())
    assert caught.value.code == ErrorCode.OPTION_NEGOTIATION


def test_what_is_granted_is_what_the_transfer_uses() -> None:
    asked = (("blksize", "1024"), ("windowsize", "16"), ("timeout", "3"), ("rollover", "1"))
    assert negotiate(Rrq("x", "octet", asked), SIZE, Limits()) == Agreed(1024, 16, 3, 1, asked)


def test_without_options_it_is_plain_rfc_1350() -> None:
    assert negotiate(Rrq("x", "octet"), SIZE, Limits(rollover=1)) == Agreed(512, 1, None, 1, ())


@pytest.mark.parametrize(
    ("mtu", "blksize"), [(1500, 1468), (1400, 1368), (9000, 8968), (65536, 65464), (576, 544), (68, 544), (0, 544)]
)
def test_a_block_fits_the_mtu(mtu: int, blksize: int) -> None:
    assert negotiate(Rrq("x", "octet", (("blksize", "65464"),)), SIZE, Limits(mtu)).blksize == blksize


def test_a_window_fits_the_server() -> None:
    assert negotiate(Rrq("x", "octet", (("windowsize", "64"),)), SIZE, Limits(windowsize=8)).windowsize == 8
    assert negotiate(Rrq("x", "octet", (("windowsize", "64"),)), SIZE, Limits(windowsize=500)).windowsize == 64


def test_netascii_has_no_windows() -> None:
    agreed = negotiate(Rrq("x", "NetASCII", (("windowsize", "8"), ("tsize", "0"))), 7, Limits())
    assert agreed.windowsize == 1
    assert agreed.options == (("tsize", "7"),)


@pytest.mark.parametrize(("mode", "text"), [("octet", False), ("OCTET", False), ("netascii", True), ("NetAscii", True)])
def test_modes(mode: str, *, text: bool) -> None:
    assert is_netascii(Rrq("x", mode)) is text


@pytest.mark.parametrize("mode", ["mail", "", "binary", "octet "])
def test_other_modes_are_illegal(mode: str) -> None:
    with pytest.raises(Refusal) as caught:
        is_netascii(Rrq("x", mode))
    assert caught.value.code == ErrorCode.ILLEGAL_OPERATION


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"", b""),
        (b"a\nb\n", b"a\r\nb\r\n"),
        (b"a\r\nb", b"a\r\0\r\nb"),
        (b"\r", b"\r\0"),
        (b"\0", b"\0"),
        (b"\n\r", b"\r\n\r\0"),
    ],
)
def test_netascii_ends_lines_with_cr_lf(octets: bytes, text: bytes) -> None:
    assert to_netascii(octets) == text
