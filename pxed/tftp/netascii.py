"""The text form of RFC 1350 (RFC 764): a line ends with CR LF, and a CR that is none is followed by NUL."""

from __future__ import annotations


def to_netascii(octets: bytes) -> bytes:
    """`octets` as netascii."""
    return octets.replace(b"\r", b"\r\0").replace(b"\n", b"\r\n")
