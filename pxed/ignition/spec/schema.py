"""The structs of the Ignition config spec: names, types and order of every field, for each version.

https://coreos.github.io/ignition/specs/ and the Go types that Ignition generates from its schemas. The order is that of
the Go structs, which is the order of the JSON that Ignition and Butane write. 2.x specs are left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache

from pxed.ignition.spec.model import UnknownSpecError

VERSIONS = ("3.0.0", "3.1.0", "3.2.0", "3.3.0", "3.4.0", "3.5.0", "3.6.0")
EXPERIMENTAL = ("3.7.0-experimental",)  # what Butane's flatcar 1.2.0-experimental is translated to

# Per field: JSON name, then s, i, b (string, int, bool) or a struct's name; [x] a list of x; ? a pointer (unset is not
# the zero value); ! written even when it is zero; <n and >=n for minor versions. {X} embeds the fields of X.
_TABLE = {
    "Config": "ignition Ignition!, kernelArguments KernelArguments>=3, passwd Passwd, storage Storage, systemd Systemd",
    "Ignition": "config IgnitionConfig, proxy Proxy>=1, security Security, timeouts Timeouts, version s!",
    "IgnitionConfig": "merge [ConfigReference]<1, merge [Resource]>=1, replace ConfigReference<1, replace Resource>=1",
    "ConfigReference": "source s?!, verification Verification",
    "Proxy": "httpProxy s?, httpsProxy s?, noProxy [NoProxyItem]",
    "Security": "tls TLS",
    "TLS": "certificateAuthorities [CaReference]<1, certificateAuthorities [Resource]>=1",
    "CaReference": "source s!, verification Verification",
    "Timeouts": "httpResponseHeaders i?, httpTotal i?",
    "Resource": "compression s?, httpHeaders [HTTPHeader], source s?, verification Verification",
    "FileContents": "compression s?, source s?, verification Verification",
    "HTTPHeader": "name s!, value s?",
    "Verification": "hash s?",
    "KernelArguments": "shouldExist [KernelArgument], shouldNotExist [KernelArgument]",
    "Passwd": "groups [PasswdGroup], users [PasswdUser]",
    "PasswdGroup": "gid i?, name s!, passwordHash s?, shouldExist b?>=2, system b?",
    "PasswdUser": "gecos s?, groups [Group], homeDir s?, name s!, noCreateHome b?, noLogInit b?, noUserGroup b?, "
    "passwordHash s?, primaryGroup s?, sshAuthorizedKeys [SSHAuthorizedKey], shell s?, shouldExist b?>=2, system b?, "
    "uid i?",
    "Storage": "directories [Directory], disks [Disk], files [File], filesystems [Filesystem], links [Link], "
    "luks [Luks]>=2, raid [Raid]",
    "Directory": "{Node}, {DirectoryEmbedded1}",
    "DirectoryEmbedded1": "mode i?",
    "File": "{Node}, {FileEmbedded1}",
    "FileEmbedded1": "append [FileContents]<1, append [Resource]>=1, contents FileContents<1, contents Resource>=1, "
    "mode i?",
    "Link": "{Node}, {LinkEmbedded1}",
    "LinkEmbedded1": "hard b?, target s!<3, target s?>=3",
    "Node": "group NodeGroup, overwrite b?, path s!, user NodeUser",
    "NodeGroup": "id i?, name s?",
    "NodeUser": "id i?, name s?",
    "Disk": "device s!, partitions [Partition], wipeTable b?",
    "Partition": "guid s?, label s?, number i, resize b?>=2, shouldExist b?, sizeMiB i?, startMiB i?, typeGuid s?, "
    "wipePartitionEntry b?",
    "Filesystem": "device s!, format s?, label s?, mountOptions [MountOption]>=1, options [FilesystemOption], path s?, "
    "uuid s?, wipeFilesystem b?",
    "Luks": "cex Cex>=5, clevis Clevis?<3, clevis Clevis>=3, device s?, discard b?>=4, keyFile Resource, label s?, "
    "name s!, openOptions [OpenOption]>=4, options [LuksOption], uuid s?, wipeVolume b?",
    "Cex": "enabled b?",
    "Clevis": "custom Custom?<3, custom ClevisCustom>=3, tang [Tang], threshold i?, tpm2 b?",
    "Custom": "config s!, needsNetwork b?, pin s!",
    "ClevisCustom": "config s?, needsNetwork b?, pin s?",
    "Tang": "advertisement s?>=4, thumbprint s?, url s",
    "Raid": "devices [Device]!<3, devices [Device]>=3, level s!<3, level s?>=3, name s!, options [RaidOption], "
    "spares i?",
    "Systemd": "units [Unit]",
    "Unit": "contents s?, dropins [Dropin], enabled b?, mask b?, name s!",
    "Dropin": "contents s?, name s!",
}
_SCALARS = {"s": "string", "i": "int", "b": "bool"}
_FIELD = re.compile(
    r"\{(?P<embedded>\w+)\}|(?P<name>\w+) (?P<many>\[)?(?P<type>\w+)\]?(?P<flags>[?!]*)(?P<range>[<>]=?\d)?"
)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a struct."""

    name: str
    type: str  # string, int, bool, a struct's name, or the name of a kind of string such as Device
    child: Struct | None = None
    many: bool = False
    pointer: bool = False
    always: bool = False  # written even when it is zero
    embedded: str = ""  # the embedded Go struct that it comes from

    @property
    def go_type(self) -> str:
        """Its type as Go's errors print it, pointers left out."""
        if self.type == "HTTPHeader" and self.many:
            return "types.HTTPHeaders"
        return ("[]" if self.many else "") + self.element_type

    @property
    def element_type(self) -> str:
        """The type of one element of a list, or of the field itself."""
        return self.type if self.type in _SCALARS.values() else f"types.{self.type}"


@dataclass(frozen=True, slots=True)
class Struct:
    """One struct of one version. `nested` are the fields that hold structs or devices: what a walk descends into."""

    name: str
    fields: tuple[Field, ...]
    by_name: dict[str, Field] = field(repr=False, default_factory=dict)
    nested: tuple[Field, ...] = ()

    def match(self, key: str) -> Field | None:
        """The field that a JSON key fills, as Go matches it: exactly, or else regardless of case."""
        return self.by_name.get(key) or next((f for f in self.fields if fold(f.name) == fold(key)), None)


@dataclass(frozen=True, slots=True)
class Spec:
    """One version of the spec."""

    version: str
    minor: int
    config: Struct


def fold(key: str) -> str:
    """A key as Go's encoding/json compares it when no key fits exactly: the Kelvin sign is a k, the long s an s."""
    return key.translate({0x212A: "k", 0x17F: "s"}).lower()


@cache
def spec_of(version: str) -> Spec:
    """The spec of a version string. Raises UnknownSpecError."""
    known = (*VERSIONS, *EXPERIMENTAL)
    if version not in known:
        raise UnknownSpecError(version, VERSIONS)
    minor = known.index(version)
    return Spec(version, minor, _struct("Config", minor))


@cache
def _struct(name: str, minor: int) -> Struct:
    fields = tuple(_fields(name, minor))
    nested = tuple(f for f in fields if f.child or f.type == "Device")
    return Struct(name, fields, {f.name: f for f in fields}, nested)


def _fields(name: str, minor: int, embedded: str = "") -> list[Field]:
    found: list[Field] = []
    for part in _FIELD.finditer(_TABLE[name]):
        if part["embedded"]:
            found += _fields(part["embedded"], minor, part["embedded"])
        elif _applies(part["range"], minor):
            found.append(_field(part, minor, embedded))
    return found


def _field(part: re.Match[str], minor: int, embedded: str) -> Field:
    kind = _SCALARS.get(part["type"], part["type"])
    child = _struct(kind, minor) if kind in _TABLE else None
    return Field(part["name"], kind, child, bool(part["many"]), "?" in part["flags"], "!" in part["flags"], embedded)


def _applies(condition: str | None, minor: int) -> bool:
    if not condition:
        return True
    bound = int(condition[-1])
    return minor < bound if condition[0] == "<" else minor >= bound
