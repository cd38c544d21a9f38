"""Contents -> data URL (RFC 2397), the shortest of three encodings: MakeDataURL of Butane's base/util/url.go.

Left out: the bytes of Go's own DEFLATE. The compressed bytes are zlib's, so they differ from Butane's (as Butane's own
do between two Go releases) but decompress to the same; whether to compress hangs on the length that Go's would have.
"""

from __future__ import annotations

import base64
import re
import zlib

from pxed.ignition.butane import deflate

# The characters that vincent-petithory/dataurl leaves as they are.
_PLAIN = re.compile(rb"[^A-Za-z0-9\-_.!~*'()]")
_PERCENT = {byte: f"%{byte:02X}".encode() for byte in range(256)}
# compress/gzip of Go with BestCompression and no name: XFL 2, OS unknown, no time.
_GZIP_HEADER = bytes.fromhex("1f8b08000000000002ff")
_LEAST_GZIP = len(";base64,") + 4 * ((len(_GZIP_HEADER) + 1 + 8 + 2) // 3) + len("gzip")


def data_url(contents: bytes, compression: str | None) -> tuple[str, str | None]:
    """URL and compression for a resource with these contents; None leaves the compression that the user gave."""
    opaque = f",{_escape(contents)}"
    encoded_length = len(";base64,") + 4 * ((len(contents) + 2) // 3)
    if encoded_length < len(opaque):
        opaque = f";base64,{base64.b64encode(contents).decode()}"
    if compression:
        return f"data:{opaque}", None
    if len(opaque) > _LEAST_GZIP:
        packed = _gzip_if_shorter(contents, len(opaque))
        if packed is not None:
            return f"data:;base64,{base64.b64encode(packed).decode()}", "gzip"
    return f"data:{opaque}", ""


def _escape(contents: bytes) -> str:
    return _PLAIN.sub(lambda match: _PERCENT[match[0][0]], contents).decode("ascii")


def _gzip_if_shorter(contents: bytes, length: int) -> bytes | None:
    """The contents compressed, if Go's compression would make the URL shorter than `length`."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, 9)
    # Go (up to 1.26) closes the stream with an empty stored block, as a sync flush does.
    body = packer.compress(contents) + packer.flush(zlib.Z_SYNC_FLUSH)
    packed = _url_length(len(_GZIP_HEADER) + 8 + len(body) - 1)
    # zlib misses Go's length by up to 20 characters in texts of 260 bytes, by up to 64 in texts of 8 kB (42,500 tried).
    if abs(packed - length) <= 32 + len(contents) // 128 and len(contents) <= deflate.MAX_SIZE:
        packed = _url_length(deflate.gzip_length(contents))
    if packed >= length:
        return None
    body += packer.flush()
    tail = zlib.crc32(contents).to_bytes(4, "little") + (len(contents) & 0xFFFFFFFF).to_bytes(4, "little")
    return _GZIP_HEADER + body + tail


def _url_length(gzip_length: int) -> int:
    return len(";base64,") + 4 * ((gzip_length + 2) // 3) + len("gzip")
