"""Rules for what Ignition fetches: sources, their hashes and headers, proxies, certificate authorities, the version.

Ignition's config/v3_*/types: resource, url, verification, headers, proxy, tls, ignition.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pxed.ignition.spec.dataurl import data_url_error
from pxed.ignition.spec.gourl import GoUrl, parse_url
from pxed.ignition.spec.model import Finding, Path, Tree
from pxed.ignition.spec.rules import NO_SUCH_SCHEME, NO_SUCH_URL, Rule, error, warning
from pxed.ignition.spec.schema import EXPERIMENTAL, VERSIONS

_SEMVER = re.compile(r"\d+\.\d+\.\d+(-[^+]*)?(\+.*)?")
_HASH_LENGTH = {"sha512": 128, "sha256": 64}  # hexadecimal digits; Ignition does not check that they are


def url_fault(url: str, minor: int) -> str:
    """What is wrong with the URL of a resource; nothing if it is right."""
    parts = parse_url(url)
    if parts is None:
        return NO_SUCH_URL
    if parts.scheme in _schemes(minor):
        return ""
    if parts.scheme == "data":
        return data_url_error(url)
    if parts.scheme == "s3":
        return _s3_version_fault(parts)
    return _arn_fault(parts) if parts.scheme == "arn" and minor >= 4 else NO_SUCH_SCHEME


def _schemes(minor: int) -> tuple[str, ...]:
    return ("http", "https", "tftp", "gs") if minor >= 2 else ("http", "https", "tftp")


def _s3_version_fault(parts: GoUrl) -> str:
    return "invalid S3 object VersionId" if parts.first("versionId") == "" else ""


def _arn_fault(parts: GoUrl) -> str:
    """arn:PARTITION:s3:REGION:ACCOUNT:BUCKET/KEY, or an access point with a key."""
    arn = f"arn:{parts.opaque}"
    sections = arn.split(":", 5)
    pieces = arn.count("/") + 1
    if len(sections) < 6 or sections[2] != "s3" or pieces < 2:
        return "invalid S3 ARN format"
    if sections[5].startswith("accesspoint/") and pieces < 3:
        return "invalid S3 ARN format"
    return _s3_version_fault(parts)


def version_fault(version: str) -> str:
    """What is wrong with a version that is not the one that is wanted."""
    return UNSUPPORTED if _SEMVER.fullmatch(version) else "invalid config version (couldn't parse)"


def _resource(resource: Tree, at: Path, minor: int) -> Iterator[Finding]:
    source = resource.get("source")
    if resource.get("compression", "") not in ("", "gzip"):
        yield from error((*at, "compression"), "invalid compression method")
    if source is None and resource.get("verification", {}).get("hash") is not None:
        yield from error((*at, "verification", "hash"), "source must be specified if verification is specified")
    if source:
        yield from error((*at, "source"), url_fault(source, minor))
    if resource.get("httpHeaders"):
        yield from error((*at, "httpHeaders"), _headers_fault(source))


def _headers_fault(source: str | None) -> str:
    parts = parse_url(source) if source else None
    if parts is None:
        return NO_SUCH_URL
    return "" if parts.scheme in {"http", "https"} else "cannot use HTTP headers with this source scheme"


def _required(resource: Tree, at: Path, minor: int) -> Iterator[Finding]:
    source = resource.get("source")
    yield from error(at, url_fault(source, minor) if source else "source is required")


def _config_reference(reference: Tree, at: Path, minor: int) -> Iterator[Finding]:
    if reference.get("source"):
        yield from error((*at, "source"), url_fault(reference["source"], minor))


def _ca_reference(reference: Tree, at: Path, minor: int) -> Iterator[Finding]:
    yield from error((*at, "source"), url_fault(reference.get("source", ""), minor))


def _header(header: Tree, at: Path, _: int) -> Iterator[Finding]:
    if not header.get("name"):
        yield from error((*at, "name"), "HTTP header name can't be empty")
    if header.get("value") == "":
        yield from error((*at, "value"), "unable to parse HTTP header")


def _verification(verification: Tree, at: Path, minor: int) -> Iterator[Finding]:
    if verification.get("hash") is not None:
        yield from error((*at, "hash"), _hash_fault(verification["hash"], minor))


def _hash_fault(text: str, minor: int) -> str:
    function, dash, digits = text.partition("-")
    if not dash:
        return "malformed hash specifier"
    if function not in _HASH_LENGTH or (function == "sha256" and minor < 1):
        return "unrecognized hash function"
    return "" if len(digits) == _HASH_LENGTH[function] else "incorrect size for hash sum"


def _proxy(proxy: Tree, at: Path, _: int) -> Iterator[Finding]:
    for name in ("httpProxy", "httpsProxy"):
        if proxy.get(name) is None:
            continue
        parts = parse_url(proxy[name])
        if parts is None:
            yield from error((*at, name), NO_SUCH_URL)
        elif parts.scheme not in {"http", "https"}:
            yield from error((*at, name), "proxies must be http(s)")
        elif parts.scheme == "http" and name == "httpsProxy":
            yield from warning((*at, name), "insecure plaintext HTTP proxy specified for HTTPS resources")


def _ignition_config(config: Tree, at: Path, minor: int) -> Iterator[Finding]:
    for index, child in enumerate(config.get("merge", ()) if minor >= 1 else ()):
        yield from _required(child, (*at, "merge", index), minor)


def _tls(tls: Tree, at: Path, minor: int) -> Iterator[Finding]:
    for index, authority in enumerate(tls.get("certificateAuthorities", ()) if minor >= 1 else ()):
        yield from _required(authority, (*at, "certificateAuthorities", index), minor)


def _ignition(ignition: Tree, at: Path, minor: int) -> Iterator[Finding]:
    version = ignition.get("version", "")
    if version != (*VERSIONS, *EXPERIMENTAL)[minor]:
        yield from error((*at, "version"), version_fault(version))


UNSUPPORTED = "unsupported config version"
RULES: dict[str, Rule] = {
    "Ignition": _ignition,
    "IgnitionConfig": _ignition_config,
    "ConfigReference": _config_reference,
    "CaReference": _ca_reference,
    "TLS": _tls,
    "Proxy": _proxy,
    "Resource": _resource,
    "FileContents": _resource,
    "HTTPHeader": _header,
    "Verification": _verification,
}
