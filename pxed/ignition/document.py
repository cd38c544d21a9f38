"""One config text as a machine gets it: Ignition of any spec, or what only Flatcar's cloud-init reads.

Ignition 3.x is checked by its own rules (pxed.ignition.spec). 2.x is converted by Flatcar itself and passes byte for
byte; so does what Ignition calls "no config": #cloud-config, a script, multipart MIME, each also gzipped
(flatcar/scripts, Ignition patch 0013).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Never

from pxed.errors import PxedError
from pxed.ignition import spec

IGNITION_TYPE = "application/vnd.coreos.ignition+json"
_VERSION = re.compile(r"[23]\.\d+\.\d+(-[a-z]+)?")
_ACCEPT = re.compile(
    r'application/vnd\.coreos\.ignition\+json\s*;\s*version="?(\d{1,3}\.\d{1,3}\.\d{1,3})', re.IGNORECASE
)
_GZIP = b"\x1f\x8b"
_OTHER = (b"#cloud-config", b"#!", b"Content-Type: multipart/", b"MIME-Version:")


@dataclass(frozen=True, slots=True)
class Config:
    """What is handed out. `spec` is ignition.version, "" for what is no Ignition config; `digest` is its SHA-256."""

    body: bytes
    spec: str = ""
    digest: str = field(init=False, repr=False, compare=False, default="")

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", sha256(self.body).hexdigest())

    @property
    def content_type(self) -> str:
        if self.spec:
            return IGNITION_TYPE
        return "application/gzip" if self.body.startswith(_GZIP) else "text/plain"

    @property
    def mergeable(self) -> bool:
        """Whether pxed can merge it with another one."""
        return self.spec in spec.VERSIONS


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a config's text. `line` and `column` count from 1; 0 when it is not known."""

    line: int
    column: int
    message: str
    warning: bool = False


class DocumentError(PxedError):
    """A text that is no config."""

    def __init__(self, line: int, column: int, message: str) -> None:
        super().__init__(message)
        self.fault = Fault(line, column, message)


def is_no_ignition(body: bytes) -> bool:
    """Whether this is meant for cloud-init: Ignition takes it for "no config"."""
    return body.startswith((_GZIP, *_OTHER))


def read_config(body: bytes) -> tuple[Config, tuple[Fault, ...]]:
    """The config, and what its own spec has against it. Raises DocumentError for what is none."""
    if is_no_ignition(body):
        return Config(body), ()
    version = _version(_text(body))
    faults = tuple(_spec_faults(body, version)) if version in spec.VERSIONS else ()
    return Config(body, version), faults


def tree_of(config: Config) -> Mapping[str, Any]:
    """A config's JSON as a tree."""
    tree: Mapping[str, Any] = json.loads(config.body)
    return tree


def merged(base: Config, own: Config) -> Config:
    """Ignition's own merge: by key, the machine's own wins. Both must be mergeable."""
    version = max(base.spec, own.spec, key=_numbers)
    return Config(spec.marshal(spec.merge(_as(base, version), _as(own, version), version), version), version)


def _as(config: Config, version: str) -> dict[str, Any]:
    """Its tree as one of a later spec: what 3.x had means the same in 3.y (ignition: migrating-configs.md)."""
    tree = tree_of(config)
    return {**tree, "ignition": {**tree["ignition"], "version": version}}


def newer_than(version: str, supported: str) -> bool:
    """Whether a node whose newest spec is `supported` cannot read `version`. 2.x is converted by the node."""
    return version.startswith("3.") and _numbers(version) > _numbers(supported)


def supported_spec(accept: str) -> str:
    """The newest spec that an Accept header names, "3.5.0"; "" when it is not Ignition that asks.

    Ignition 2 and later name one, 0.x named several (internal/resource/url.go).
    """
    versions = [found[1] for found in _ACCEPT.finditer(accept)]
    return max(versions, key=_numbers, default="")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.partition("-")[0].split("."))


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise DocumentError(0, 0, f"not UTF-8 text: byte {error.start} is {body[error.start]:#04x}") from None


def _version(text: str) -> str:
    """ignition.version. Raises DocumentError unless this is JSON with one."""
    try:
        config = json.loads(text, parse_constant=_not_a_number)
    except json.JSONDecodeError as error:
        raise DocumentError(error.lineno, error.colno, f"not JSON: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise DocumentError(0, 0, f"not JSON: {error}") from None
    ignition = config.get("ignition") if isinstance(config, dict) else None
    version = ignition.get("version") if isinstance(ignition, dict) else None
    if version is None:
        what = 'no ignition.version in it: an Ignition config has {"ignition": {"version": "3.3.0"}}'
        raise DocumentError(0, 0, what)
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise DocumentError(0, 0, f'ignition.version is {version!r}; expected a text like "3.3.0"')
    return version


def _not_a_number(name: str) -> Never:
    raise ValueError(f"{name} is no JSON value")


def _spec_faults(body: bytes, version: str) -> Iterator[Fault]:
    tree, findings = spec.parse(body, version)
    if tree is not None:
        findings = [*findings, *spec.duplicates(tree, version), *spec.validate(tree, version)]
    findings = [finding for finding in findings if not (tree and _is_oem_url(tree, finding))]
    for finding in spec.place(body, findings):
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in finding.path).lstrip(".")
        message = f"{where}: {finding.message}" if where else finding.message
        yield Fault(finding.line, finding.column, message, finding.severity is not spec.Severity.ERROR)


def _is_oem_url(tree: Mapping[str, Any], finding: spec.Finding) -> bool:
    """Whether it is said of an oem: URL, which only Flatcar's Ignition knows (pxed.ignition.lint judges those)."""
    if "url scheme" not in finding.message:
        return False
    here: Any = tree
    for part in finding.path:
        here = here[part]
    source = here.get("source") if isinstance(here, Mapping) else here
    return isinstance(source, str) and source.lower().startswith("oem:")
