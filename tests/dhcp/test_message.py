"""The DHCP codec: RFC 2131, RFC 2132, RFC 3396."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxed.dhcp.message import HEADER_SIZE, MINIMUM_SIZE, Message, decode, encode, parse_options
from pxed.errors import DecodeError


def message(options: dict[int, bytes], **fields: object) -> Message:
    zero = bytes(4)
    base = Message(
        1, 1, 6, 0, 0x1234, 4, 0x8000, zero, zero, zero, zero, bytes(range(16)), bytes(64), bytes(128), options
    )
    return base._replace(**fields)


def raw(options: bytes, **fields: object) -> bytes:
    return encode(message({}, **fields))[:HEADER_SIZE] + options


def test_a_message_survives_encoding_and_decoding():
    sent = message({53: b"\x01", 60: b"PXEClient", 97: bytes(17)})
    assert decode(encode(sent)) == sent


def test_an_encoded_message_has_at_least_300_bytes_with_zeros_after_end():
    datagram = encode(message({53: b"\x01"}))
    assert len(datagram) == MINIMUM_SIZE
    assert datagram[HEADER_SIZE : HEADER_SIZE + 4] == b"\x35\x01\x01\xff"
    assert not any(datagram[HEADER_SIZE + 4 :])


REFUSED = {
    "an empty datagram": b"",
    "one byte less than a header": raw(b"")[:-1],
    "a wrong magic cookie": raw(b"")[:236] + b"\x63\x82\x53\x64",
    "a hardware address of 17 bytes": raw(b"\xff", hlen=17),
    "an option without its length": raw(b"\x35"),
    "an option that ends after the datagram": raw(b"\x35\x02\x01"),
    "an overload of 0": raw(b"\x34\x01\x00\xff"),
    "an overload of 4": raw(b"\x34\x01\x04\xff"),
    "an overload of two bytes": raw(b"\x34\x02\x01\x01\xff"),
    "an overloaded file field that is cut off": raw(b"\x34\x01\x01\xff", file=bytes(126) + b"\x43\x05"),
}


@pytest.mark.parametrize("datagram", REFUSED.values(), ids=REFUSED)
def test_refused(datagram):
    with pytest.raises(DecodeError):
        decode(datagram)


def test_a_missing_end_is_tolerated_when_the_last_option_is_whole():
    assert decode(raw(b"\x35\x01\x01")).options == {53: b"\x01"}


def test_pads_are_skipped_and_what_follows_end_is_not_read():
    assert decode(raw(b"\0\0\x35\x01\x01\0\xff\x36\x01")).options == {53: b"\x01"}


def test_a_repeated_option_is_joined():
    assert decode(raw(b"\x2b\x02ab\x35\x01\x01\x2b\x01c\xff")).options == {43: b"abc", 53: b"\x01"}


def test_an_option_over_255_bytes_is_split_and_joined_again():
    value = bytes(i % 251 for i in range(600))
    datagram = encode(message({43: value}))
    assert datagram[HEADER_SIZE : HEADER_SIZE + 2] == b"\x2b\xff"
    assert decode(datagram).options[43] == value


def test_overload_reads_file_then_sname_and_joins_across_them():
    file = b"\x43\x03abc\x2b\x01x\xff".ljust(128, b"\0")
    sname = b"\x2b\x01y\xff".ljust(64, b"\0")
    options = decode(raw(b"\x34\x01\x03\x2b\x01w\xff", file=file, sname=sname)).options
    assert options == {52: b"\x03", 43: b"wxy", 67: b"abc"}


def test_overload_1_leaves_sname_alone():
    sname = b"\x43\x03abc\xff".ljust(64, b"\0")
    assert 67 not in decode(raw(b"\x34\x01\x01\xff", file=b"\xff".ljust(128, b"\0"), sname=sname)).options


def test_a_mac_is_lower_case_with_colons_and_only_there_for_six_bytes():
    assert message({}, chaddr=bytes.fromhex("5254000AFF01").ljust(16, b"\0")).mac == "52:54:00:0a:ff:01"
    assert message({}, hlen=0).mac == ""
    assert message({}, hlen=16).hardware_address == bytes(range(16))


OPTIONS = st.dictionaries(st.integers(1, 254).filter(lambda code: code != 52), st.binary(max_size=700), max_size=12)
FIELDS = st.fixed_dictionaries(
    {
        "xid": st.integers(0, 2**32 - 1),
        "hlen": st.integers(0, 16),
        "flags": st.integers(0, 65535),
        "ciaddr": st.binary(min_size=4, max_size=4),
        "chaddr": st.binary(min_size=16, max_size=16),
        "file": st.binary(min_size=128, max_size=128),
    }
)


@given(OPTIONS, FIELDS)
def test_any_message_survives_encoding_and_decoding(options, fields):
    sent = message(options, **fields)
    assert decode(encode(sent)) == sent


@given(st.binary(max_size=600))
def test_any_bytes_decode_or_raise_decode_error(data):
    for datagram in (data, raw(data)):
        try:
            decoded = decode(datagram)
        except DecodeError:
            continue
        assert isinstance(decoded, Message)


IDENTIFIER = b"\x61\x11\x00" + bytes(range(16))
PLACES = {
    "in its place": b"\x35\x01\x01" + IDENTIFIER + b"\x3c\x02ab\xff",
    "as the last option, without End": b"\x35\x01\x01" + IDENTIFIER,
    "inside another option's value": b"\x2b\x15" + IDENTIFIER + b"zz\x35\x01\x01\xff",
    "twice": IDENTIFIER + IDENTIFIER + b"\xff",
    "after End": b"\x35\x01\x01\xff" + IDENTIFIER,
    "inside another value and in its place": b"\x2b\x13" + IDENTIFIER + IDENTIFIER + b"\xff",
    "a false start, then the option": b"\x2b\x02\x61\x11" + IDENTIFIER + b"\xff",
}


@pytest.mark.parametrize("area", PLACES.values(), ids=PLACES)
def test_the_machine_identifier_is_found_where_a_plain_reader_finds_it(area):
    for _again in range(2):  # the second time from what was remembered of the first
        assert decode(raw(area)).options == plainly(area)


PIECES = st.sampled_from(
    [IDENTIFIER, b"\x61\x11", b"\x35\x01\x01", b"\x00", b"\xff", b"\x2b\x13", b"\x2b\x15", b"\x61\x03abc"]
)


@given(st.lists(PIECES | st.binary(max_size=4), max_size=8))
def test_remembered_options_are_those_of_a_plain_reader(pieces):
    area = b"".join(pieces)
    for _again in range(2):
        try:
            wanted = plainly(area)
        except DecodeError:
            with pytest.raises(DecodeError):
                decode(raw(area))
        else:
            assert 52 in wanted or decode(raw(area)).options == wanted


def plainly(area: bytes) -> dict[int, bytes]:
    options: dict[int, bytes] = {}
    parse_options(area, 0, options)
    return options
