"""MACs, UUIDs, serial numbers, names and file references: what is taken, what is refused and with which words."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxed.inventory import scalars


@pytest.mark.parametrize(
    "spelling",
    [
        pytest.param("52:54:00:ab:cd:ef", id="colons"),
        pytest.param("52:54:00:AB:CD:EF", id="upper case"),
        pytest.param("52-54-00-Ab-cD-EF", id="dashes and mixed case"),
        pytest.param("5254.00ab.cdef", id="Cisco's dots"),
        pytest.param("525400ABCDEF", id="bare hexadecimal"),
        pytest.param("  52:54:00:ab:cd:ef\n", id="outer blanks"),
    ],
)
def test_every_common_spelling_is_one_mac(spelling: str) -> None:
    assert scalars.parse_mac(spelling) == "52:54:00:ab:cd:ef"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("", "expected a MAC address", id="nothing"),
        pytest.param("52:54:00:ab:cd", "expected a MAC address", id="five octets"),
        pytest.param("52:54:00:ab:cd:ef:01", "expected a MAC address", id="seven octets"),
        pytest.param("52:54-00:ab:cd:ef", "expected a MAC address", id="mixed separators"),
        pytest.param("52:54:00:ab:cd:eg", "expected a MAC address", id="a letter beyond f"),
        pytest.param("5:54:00:ab:cd:ef", "expected a MAC address", id="an octet of one digit"),
        pytest.param("\uff152:54:00:ab:cd:ef", "expected a MAC address", id="a full-width digit"),
        pytest.param("ff:ff:ff:ff:ff:ff", "multicast or broadcast", id="broadcast"),
        pytest.param("01:00:5e:00:00:01", "multicast or broadcast", id="multicast"),
        pytest.param("00:00:00:00:00:00", "all zeros", id="all zeros"),
    ],
)
def test_what_is_no_interface_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        scalars.parse_mac(text)


@given(st.binary(min_size=6, max_size=6).filter(lambda raw: not raw[0] & 1 and any(raw)))
def test_spellings_of_any_mac_agree(raw: bytes) -> None:
    digits = raw.hex()
    colons = ":".join(digits[i : i + 2] for i in range(0, 12, 2))
    dots = ".".join(digits[i : i + 4] for i in range(0, 12, 4))
    for spelling in (colons, colons.upper(), colons.replace(":", "-"), dots, digits):
        assert scalars.parse_mac(spelling) == colons


@given(st.text(max_size=20))
def test_any_text_is_a_mac_or_a_value_error(text: str) -> None:
    try:
        assert len(scalars.parse_mac(text)) == 17
    except ValueError as error:
        assert "expected" in str(error)


def test_a_uuid_may_have_dashes_or_not_and_any_case() -> None:
    uuid = UUID("4c4c4544-0051-3510-8053-b4c04f564433")
    for spelling in (str(uuid), str(uuid).upper(), uuid.hex, f" {uuid} "):
        assert scalars.parse_uuid(spelling) == uuid


@pytest.mark.parametrize("text", ["", "zz", "4c4c4544", "urn:uuid:4c4c4544-0051-3510-8053-b4c04f564433", "4-" * 16])
def test_what_is_no_uuid_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a UUID such as"):
        scalars.parse_uuid(text)


@pytest.mark.parametrize("text", ["0" * 32, "F" * 32, "ffffffff-ffff-ffff-ffff-ffffffffffff"])
def test_the_uuid_of_firmware_without_one_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="the firmware has none"):
        scalars.parse_uuid(text)


@pytest.mark.parametrize("text", ["", " ", "0", "None", "NOT SPECIFIED", "To Be Filled By O.E.M.", "Default string"])
def test_a_vendors_placeholder_is_no_serial_number(text: str) -> None:
    assert scalars.serial_key(text) == ""
    with pytest.raises(ValueError, match="many machines carry this placeholder"):
        scalars.parse_serial(text)


def test_serial_numbers_compare_without_case_and_outer_blanks() -> None:
    assert scalars.serial_key(" 5xq5DV3 \x00") == scalars.serial_key("5XQ5dv3") == "5xq5dv3"


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("vmlinuz", "vmlinuz"),
        ("rescue/a/initrd.img", "initrd.img"),
        ("http://host:8080/a/b/linux", "linux"),
        ("HTTPS://host/linux?x=/y/z", "linux"),
        ("http://[2001:db8::1]/linux#frag", "linux"),
    ],
)
def test_a_file_reference_has_a_base_name(reference: str, name: str) -> None:
    assert scalars.base_name(scalars.file_reference(reference)) == name


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        pytest.param("", "one word", id="nothing"),
        pytest.param("a b", "one word", id="a blank, which would end initrd=NAME"),
        pytest.param("/etc/passwd", "relative path", id="an absolute path"),
        pytest.param("C:\\linux", "relative path", id="a drive letter"),
        pytest.param("../linux", "stays in its directory", id="a path that climbs"),
        pytest.param("a/../../linux", "stays in its directory", id="a path that climbs later"),
        pytest.param("a\\..\\linux", "stays in its directory", id="backslashes"),
        pytest.param("a/", "ends in a file name", id="a directory"),
        pytest.param("a\x00b", "U\\+0000 at character 2", id="a NUL"),
        pytest.param("ftp://host/linux", "begins with http:// or https://", id="another scheme"),
        pytest.param("http:///linux", "a host", id="a URL without a host"),
        pytest.param("http://[::1/linux", "a host", id="a URL with an open bracket"),
        pytest.param("http://host/", "ends in a file name", id="a URL without a file"),
        pytest.param("http://host?linux", "ends in a file name", id="a URL with a query only"),
    ],
)
def test_a_file_reference_that_cannot_be_served_is_refused(reference: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        scalars.file_reference(reference)


@pytest.mark.parametrize(
    "check",
    [
        scalars.parse_mac,
        scalars.parse_uuid,
        scalars.parse_serial,
        scalars.parse_name,
        scalars.word,
        scalars.relative_file,
        scalars.file_reference,
        scalars.base_name,
    ],
)
@given(text=st.text(max_size=40))
def test_any_text_gives_a_value_or_a_value_error(check: Callable[[str], object], text: str) -> None:
    try:
        check(text)
    except ValueError as error:
        assert "found" in str(error)


def test_a_message_quotes_what_was_found_on_one_line() -> None:
    assert scalars.quote("a\nb") == '"a\\nb"'
    assert scalars.quote("x" * 100) == f'"{"x" * 57}..."'
    assert [scalars.quote(value) for value in (None, {}, [], 5)] == ["nothing", "a mapping", "a list", '"5"']


def test_the_nearest_name_or_what_there_is() -> None:
    assert scalars.nearest("wroker", ["worker", "disk"]) == '; did you mean "worker"?'
    assert scalars.nearest("x", ["worker", "disk"]) == " (one of: disk, worker)"
    assert scalars.nearest("x", []) == " (there are none)"
    assert scalars.nearest("x", [f"n{i}" for i in range(20)], most=2) == " (one of: n0, n1, ...)"
