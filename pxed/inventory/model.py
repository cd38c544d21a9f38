"""The inventory: its schema (pydantic models) and the immutable values that the daemon works with.

All scalars of the YAML text arrive as strings; the field's type converts them (fields.py). Rules between entries are
in checks.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from pxed.errors import Problem
from pxed.inventory import fields
from pxed.inventory.fields import Base
from pxed.inventory.indexes import Indexes
from pxed.inventory.install import Install
from pxed.inventory.profile import Boot, Opt43, Profile, Pxe
from pxed.inventory.releases import FlatcarImage, MirrorSettings
from pxed.inventory.syslog import Syslog
from pxed.inventory.tls import TlsSettings
from pxed.inventory.webhooks import Webhooks

__all__ = [
    "LOADER_KEYS", "Boot", "DhcpMode", "Document", "FlatcarImage", "Group", "HistorySettings", "HttpSettings", "Image",
    "Install", "Inventory", "Machine", "MachineEntry", "MirrorSettings", "Opt43", "Profile", "Pxe", "Selector",
    "Server", "TftpSettings",
]  # fmt: skip

# Kinds of firmware that have a boot loader of their own.
LOADER_KEYS = ("bios", "efi32", "efi64", "arm32", "arm64", "riscv32", "riscv64", "loong64")
LoaderKey = Literal["bios", "efi32", "efi64", "arm32", "arm64", "riscv32", "riscv64", "loong64"]


class DhcpMode(StrEnum):
    """Which DHCP sockets pxed serves."""

    PROXY = "proxy"
    COLOCATED = "colocated"
    OFF = "off"


class TftpSettings(Base):
    """The TFTP server."""

    port: fields.Number = Field(69, ge=1, le=65535, description="UDP port.")
    max_windowsize: fields.Number = Field(
        64, ge=1, le=64, description="Most blocks sent before an acknowledgement (RFC 7440)."
    )
    max_transfers: fields.Number = Field(1024, ge=1, le=65535, description="Most transfers at one time.")
    port_range: fields.PortRange = Field(
        None, description="Ports that transfers are sent from, for a firewall in between: any, or such as 40000-40999."
    )
    rollover: fields.Number = Field(
        0, ge=0, le=1, description="The block number after 65535: 0, or 1 for clients that expect it."
    )


class HttpSettings(Base):
    """The HTTP server."""

    port: fields.Number = Field(8080, ge=1, le=65535, description="TCP port.")
    tls: TlsSettings | None = Field(None, description="The HTTPS listener. Left out: there is none.")


class HistorySettings(Base):
    """The timelines of past boots."""

    days: fields.Number = Field(90, ge=1, le=3650, description="Older ones are forgotten.")
    boots: fields.Number = Field(50, ge=1, le=1000, description="How many of each machine are kept.")


class Server(Base):
    """The daemon itself."""

    interfaces: fields.Interfaces = Field(
        (),
        description="Interfaces to serve. Left out: every one that is up and has an IPv4 address, loopback left out.",
        examples=[["eth1"]],
    )
    data_dir: fields.Directory = Field(
        Path("/var/lib/pxed"),
        description="Directory of images/, loaders/, mirror/ and the state, relative to this file.",
    )
    dhcp: DhcpMode = Field(
        DhcpMode.PROXY,
        description="proxy (answer on 67 and 4011 beside another DHCP server), colocated (another DHCP server on this "
        "host owns port 67: answer on 4011 only) or off.",
    )
    relays: fields.Networks = Field(
        (),
        description="Addresses and networks of DHCP relays (giaddr) whose messages show that a machine boots, so that "
        "it may get its secrets. Those of others are answered, but count for nothing.",
        examples=[["10.2.0.1", "10.3.0.0/16"]],
    )
    survey: Literal["stalled", "never"] = Field(
        "stalled",
        description="Whether pxed itself asks the other DHCP and PXE servers, with one DISCOVER and never a REQUEST: "
        "stalled (when a boot stands still before its script) or never.",
    )
    tftp: TftpSettings = Field(TftpSettings(), description="The TFTP server.")
    http: HttpSettings = Field(HttpSettings(), description="The HTTP server.")
    syslog: Syslog = Field(
        None,
        description="Whether lines that machines send by syslog (UDP) are received: off, on (port 514) or {port: ...}.",
    )
    mirror: MirrorSettings = Field(MirrorSettings(), description="The mirror of Flatcar releases.")
    state: fields.State = Field(
        "sqlite", description="Where the state is kept: sqlite (in data_dir) or postgresql://..."
    )
    patience: fields.Number = Field(
        100,
        ge=5,
        le=1000,
        description="When a boot counts as stuck, in per cent of the usual times: 200 for slow links or slow firmware.",
    )
    history: HistorySettings = Field(HistorySettings(), description="How much of past boots is kept.")
    api_token_file: fields.Template | None = Field(
        None,
        description="File with the token that changes by the API need, relative to this file, readable by its owner "
        "only. Left out: systemd's credential api-token, or no changes.",
        examples=["token"],
    )
    webhooks: Webhooks = Field((), description="Who is told of what happens, by signed POSTs.")
    script_only: fields.Truth = Field(
        False,
        description="Whether machines get secrets (configs and tokens) whose boot was not seen by DHCP: anybody who "
        "asks for the script of a machine then gets what is that machine's.",
    )
    token_ttl: fields.Duration = Field(
        15 * 60,
        description="How long the secret in the URL of a config works.",
        json_schema_extra={"default": "15m"},
    )
    unknown: fields.Name = Field(
        "ignore",
        description="Machines that are not listed: ignore (silence), hold (a waiting screen) or the name of a profile.",
    )
    loaders: dict[LoaderKey, fields.LoaderFile] = Field(
        {},
        description="Boot loader files per kind of firmware, instead of the defaults.",
        examples=[{"efi64": "ipxe.efi"}],
    )

    @property
    def misses_boots(self) -> bool:
        """Whether boots are not seen by DHCP, though what is secret only goes to boots that were."""
        return self.dhcp is not DhcpMode.PROXY and not self.script_only


class Image(Base):
    """A kernel with its initrds, or a Flatcar release."""

    kernel: fields.FileReference | None = Field(None, description="Path below data_dir/images, or an http(s) URL.")
    initrd: fields.FileReferences = Field(
        (), description="Paths below data_dir/images, or http(s) URLs, in their order."
    )
    flatcar: FlatcarImage | None = Field(None, description="A Flatcar release instead of kernel and initrd.")


class Selector(Base):
    """Which machines a group takes. Every given field must match; of a list, any pattern (wildcards: * ? [...])."""

    mac: fields.MacPatterns = Field((), description='MAC patterns in any common spelling: "52:54:00:*", 52-54-00-*.')
    uuid: fields.UuidPatterns = Field(
        (), description="UUID patterns, compared with both byte orders.", examples=["4c4c4544-*"]
    )
    serial: fields.SerialPatterns = Field((), description="Serial number patterns.")
    arch: fields.ArchPatterns = Field(
        (), description="Architecture patterns: x86_64-efi, arm64-*, or the number of DHCP option 93."
    )


class Group(Base):
    """Machines that a selector finds, and their profile."""

    match: Selector = Field(description="Which machines.")
    profile: fields.Name = Field(description="Name of their profile.")
    vars: fields.Vars = Field({}, description="Template variables; a machine's own win.")


class MachineEntry(Profile):
    """One machine, however many interfaces it has. It may override every field of its profile."""

    mac: fields.Macs = Field((), description="MAC addresses of its interfaces, in any common spelling.")
    uuid: fields.MachineUuid | None = Field(None, description="SMBIOS UUID, in either byte order.")
    serial: fields.Serial | None = Field(None, description="SMBIOS serial number.")
    asset_tag: fields.AssetTag | None = Field(
        None, description="SMBIOS asset tag of the chassis, for ignition_check; no machine is found by it."
    )
    profile: fields.Name | None = Field(
        None, description="Name of its profile. Left out: the first group that matches."
    )
    vars: fields.Vars = Field({}, description="Template variables.")


class Document(Base):
    """The pxed inventory: one YAML file."""

    server: Server = Field(Server(), description="The daemon itself.")
    images: dict[fields.Name, Image] = Field({}, description="What can be booted, by name.")
    profiles: dict[fields.Name, Profile] = Field({}, description="How it is booted, by name.")
    groups: tuple[Group, ...] = Field(
        (), description="Tried in order for machines without a profile of their own, and for unlisted ones."
    )
    machines: dict[fields.Name, MachineEntry] = Field({}, description="The machines, by name.")


@dataclass(frozen=True, slots=True)
class Machine:
    """A listed machine."""

    name: str
    macs: tuple[str, ...]  # "52:54:00:00:00:01"
    uuid: UUID | None
    serial: str | None
    profile_name: str | None
    profile: (
        Profile | None
    )  # with its own overrides applied, the shared object when it has none; None: no profile of its own
    overrides: Mapping[str, Any]
    vars: Mapping[str, Any]
    asset_tag: str | None = None


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything that is configured. A reload builds a new one."""

    server: Server
    images: Mapping[str, Image]
    profiles: Mapping[str, Profile]
    groups: tuple[Group, ...]
    machines: Mapping[str, Machine]
    path: Path
    sources: tuple[Path, ...]  # files whose change means a reload: the YAML text and the templates
    warnings: tuple[Problem, ...] = ()
    indexes: Indexes[Machine] = field(default_factory=Indexes, repr=False, compare=False)
