"""Selectors: which machines a group takes."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxed.architecture import KNOWN_NAMES
from pxed.inventory import selectors

MAC = "52:54:00:ab:cd:ef"
UUID1 = UUID("4c4c4544-0051-3510-8053-b4c04f564433")


def fits(
    field: str,
    *patterns: str,
    mac: str = MAC,
    uuid: bytes | None = None,
    serial: str | None = None,
    arch: str | None = None,
) -> bool:
    """Whether a selector that names only `field` takes the request."""
    normal = [getattr(selectors, f"{field}_pattern")(pattern) for pattern in patterns]
    given = {name: normal if name == field else [] for name in ("mac", "uuid", "serial", "arch")}
    return selectors.compiled(**given).matches(mac, uuid, serial, arch)


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param("*", id="everything"),
        pytest.param("52:54:00:*", id="colons"),
        pytest.param("52-54-00-*", id="dashes"),
        pytest.param("5254.00*", id="Cisco's dots"),
        pytest.param("5254.00ab.*", id="Cisco's dots, whole groups"),
        pytest.param("525400*", id="bare"),
        pytest.param("52:54:00:AB:*", id="upper case"),
        pytest.param("52:54:00:ab:cd:e[d-f]", id="a range in brackets, where the dash is no separator"),
        pytest.param("52-54-00-ab-cd-e[!0]", id="a negated set beside dashes"),
        pytest.param("52:54:00:ab:cd:??", id="question marks"),
        pytest.param("*:ef", id="a suffix"),
        pytest.param("525400ABCDEF", id="a whole MAC in another spelling"),
    ],
)
def test_a_mac_pattern_in_any_spelling_fits(pattern: str) -> None:
    assert fits("mac", pattern)
    assert not fits("mac", pattern, mac="") or pattern == ""


@pytest.mark.parametrize("pattern", ["52:54:01:*", "*:ee", "52:54:00:ab:cd:e[0-9]", "5254.01*", "525400abcdee"])
def test_a_mac_pattern_that_does_not_fit(pattern: str) -> None:
    assert not fits("mac", pattern)


def test_a_pattern_is_not_shifted_by_half_an_octet() -> None:
    assert not fits("mac", "*:54:*", mac="52:05:40:00:00:01")


def test_of_a_list_any_pattern_fits() -> None:
    assert fits("mac", "aa:*", "5254.00*")
    assert not fits("mac", "aa:*", "bb-*")


def test_every_named_field_must_fit() -> None:
    both = selectors.compiled(["52:54:00:*"], [], [], ["x86_64-efi"])
    assert both.matches(MAC, None, None, "x86_64-efi")
    assert not both.matches(MAC, None, None, "x86-bios")
    assert not both.matches(MAC, None, None, None)
    assert not both.matches("02:00:00:00:00:01", None, None, "x86_64-efi")


@pytest.mark.parametrize("raw", [UUID1.bytes, UUID1.bytes_le])
@pytest.mark.parametrize("pattern", ["4c4c4544-*", "4C4C4544-0051-*", str(UUID1), UUID1.hex, "*4433"])
def test_a_uuid_pattern_fits_both_byte_orders(raw: bytes, pattern: str) -> None:
    assert fits("uuid", pattern, uuid=raw)


@pytest.mark.parametrize("raw", [None, bytes(16), b"\xff" * 16, b"short"])
def test_a_request_without_a_real_uuid_fits_no_uuid_pattern(raw: bytes | None) -> None:
    assert not fits("uuid", "*", uuid=raw)


@pytest.mark.parametrize("serial", ["5XQ5DV3", "5xq5dv3 "])
def test_a_serial_pattern_fits_in_any_case(serial: str) -> None:
    assert fits("serial", "5Xq*", serial=serial)


@pytest.mark.parametrize("serial", [None, "", "None", "Not Specified", "0", "To be filled by O.E.M.", "Default string"])
def test_a_placeholder_fits_no_serial_pattern(serial: str | None) -> None:
    assert not fits("serial", "*", serial=serial)


@pytest.mark.parametrize("pattern", ["x86_64-efi", "7", "9", "*-efi", "X86_64-*"])
def test_an_architecture_by_name_pattern_or_number(pattern: str) -> None:
    assert fits("arch", pattern, arch="x86_64-efi")
    assert not fits("arch", pattern, arch="x86-bios")


def test_a_number_that_is_not_registered_is_an_architecture_too() -> None:
    assert fits("arch", "99", arch="arch-99")
    assert fits("arch", "arch-99", arch="arch-99")


@pytest.mark.parametrize("name", sorted(KNOWN_NAMES))
def test_every_known_architecture_can_be_named(name: str) -> None:
    assert fits("arch", name, arch=name)


@pytest.mark.parametrize("text", ["", "x86_64", "65536", "zz*", "efi"])
def test_what_fits_no_architecture_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected an architecture"):
        selectors.arch_pattern(text)


@pytest.mark.parametrize(
    ("one", "other"), [("52-54-*", "52:54:*"), ("525400abcdef", MAC), ("AA:*", "aa:*")], ids=["dashes", "bare", "case"]
)
def test_selectors_that_say_the_same_have_the_same_key(one: str, other: str) -> None:
    keys = [selectors.compiled([selectors.mac_pattern(text)], [], [], []).key for text in (one, other)]
    assert keys[0] == keys[1]


@given(st.text(max_size=20) | st.text("0123456789abcdef:.-*?[]!", max_size=20))
def test_any_pattern_compiles_or_is_a_value_error(text: str) -> None:
    for field in ("mac", "uuid", "serial", "arch"):
        try:
            fits(field, text, uuid=UUID1.bytes, serial="A", arch="x86-bios")
        except ValueError as error:
            assert "expected" in str(error)


@given(st.binary(min_size=16, max_size=16).filter(lambda raw: raw not in (bytes(16), b"\xff" * 16)))
def test_a_whole_uuid_as_pattern_fits_its_own_bytes(raw: bytes) -> None:
    assert fits("uuid", str(UUID(bytes=raw)), uuid=raw)
    assert fits("uuid", str(UUID(bytes_le=raw)), uuid=raw)
