"""Profiles: what a machine boots and with which kernel arguments. A machine may override any of these fields."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from pxed.inventory import fields
from pxed.inventory.fields import Base
from pxed.inventory.install import Install


class Boot(StrEnum):
    """What happens after the boot loader."""

    MEMORY = "memory"
    INSTALL = "install"
    LOCAL = "local"


Access = Literal["open", "token", "once"]


class Opt43(StrEnum):
    """Option 43 in the offers to a UEFI ROM."""

    AUTO = "auto"
    NONE = "none"
    BYPASS = "bypass"


class Pxe(Base):
    """Switches for firmware that needs another answer than the standard one."""

    opt43: Opt43 = Field(
        Opt43.AUTO,
        description="PXE vendor options in the offer: auto (as the client's firmware needs them), none, or bypass "
        "(06 01 08: take the boot file of the offer, do not ask port 4011).",
    )


class Profile(Base):
    """What a machine boots."""

    image: fields.Name | None = Field(None, description="Name of the image to boot.")
    boot: Boot = Field(
        Boot.MEMORY,
        description="memory (run from RAM), install (install to disk once, then boot the disk) or local (the disk).",
    )
    console: fields.Consoles = Field(
        (), description='Kernel consoles (console=), the last one is /dev/console: [tty0, "ttyS0,115200n8"].'
    )
    autologin: fields.Autologin = Field(
        False,
        description="A shell without a password (flatcar.autologin): true for every console, or a list of terminals.",
    )
    ssh_keys: fields.SshKeys = Field((), description="Public keys of the user core (sshkey=).")
    rootfstype: Literal["tmpfs", "btrfs"] | None = Field(None, description="File system of a root in memory.")
    root: fields.Root | None = Field(
        None, description="A local root instead of one in memory: /dev/sda1, LABEL=ROOT, UUID=... or PARTUUID=..."
    )
    first_boot: fields.Truth | None = Field(
        None,
        description="Whether Ignition runs (flatcar.first_boot=1). Left out: at every boot from memory, "
        "and once with a local root.",
    )
    ip: fields.Ips = Field(
        (),
        description="Network of the initramfs (ip=): ADDRESS:PEER:GATEWAY:NETMASK:HOSTNAME:INTERFACE:none, or dhcp.",
    )
    args: fields.Arguments = Field((), description="Further kernel arguments, one per item.")
    butane: fields.Template | None = Field(
        None,
        description="Butane config, a Jinja2 template, relative to this file. One of butane, ignition, ignition_url.",
    )
    ignition: fields.Template | None = Field(
        None,
        description="Ignition config (JSON), a Jinja2 template, relative to this file. "
        "One of butane, ignition, ignition_url.",
    )
    ignition_url: fields.IgnitionUrl | None = Field(
        None, description="URL of an Ignition config on another server. One of butane, ignition, ignition_url."
    )
    ignition_base: fields.Template | None = Field(
        None,
        description="Config of all machines of the profile, into which the machine's own is merged: Butane when it "
        "ends in .bu, else Ignition.",
    )
    files_dir: fields.Directory | None = Field(
        None, description="Directory of the local files of Butane configs. Left out: that of the config itself."
    )
    oem_files: fields.OemFiles = Field(
        {},
        description="Further files of the initrd that pxed makes for the machine: {usr/share/oem/bin/setup: setup.sh}.",
    )
    ignition_delivery: Literal["url", "embedded"] = Field(
        "url", description="url (the initramfs fetches the config) or embedded (it is part of an initrd)."
    )
    ignition_access: Access | None = Field(
        None,
        description="Who may fetch the config: open (anybody), token (a secret in the URL), once (it works one time). "
        "Left out: once where pxed makes the config, else open.",
    )
    ignition_check: fields.Checks = Field(
        (),
        description="What else must be the machine's for it to get its config: address (that of its boot), serial, "
        "uuid, asset (as the inventory has them).",
    )
    report: fields.Truth = Field(
        False, description="Whether the machine reports to pxed that it runs; pxed puts a unit for it into the config."
    )
    report_within: fields.Duration = Field(
        15 * 60,
        description="How long a boot may take to report, before it is shown as one that did not.",
        json_schema_extra={"default": "15m"},
    )
    install: Install | None = Field(None, description="What boot: install does.")
    local: Literal["script", "silent"] = Field(
        "script",
        description="How a machine is sent to its disk: by iPXE's script, or by no answer to its DHCP at all (silent).",
    )
    loader: fields.LoaderFile | None = Field(
        None, description="Boot loader file instead of the architecture's default: ipxe.efi."
    )
    pxe: Pxe = Field(Pxe(), description="Switches for firmware that needs another answer than the standard one.")

    def config(self) -> Path | str | None:
        """The source of its Ignition config: a file or a URL; None for none."""
        return self.butane or self.ignition or self.ignition_url

    @property
    def installation(self) -> Install:
        """What boot: install does: every field has a default."""
        return self.install or _PLAIN


_PLAIN = Install()


def access_of(profile: Profile) -> Access:
    """Who may fetch a profile's config: as it says, else once where pxed makes one, that of an installation too.

    Configs hold passwords and keys; what another server hands out is not pxed's to guard.
    """
    if profile.ignition_access is not None:
        return profile.ignition_access
    made = profile.butane or profile.ignition or profile.ignition_base or profile.boot is Boot.INSTALL
    return "once" if made else "open"


# A profile names one of these. A machine that overrides one of them thereby drops the profile's.
CONFIG_FILES = ("butane", "ignition")
CONFIG_SOURCES = (*CONFIG_FILES, "ignition_url")
NAMING_FILES = (*CONFIG_FILES, "ignition_base")


def named_files(given: Mapping[str, Any]) -> dict[tuple[str, ...], Path]:
    """The files that a profile's fields name, by the field's place in it."""
    files: dict[tuple[str, ...], Path] = {(name,): given[name] for name in NAMING_FILES if name in given}
    files |= {("oem_files", path): file for path, file in given.get("oem_files", {}).items()}
    return files


def with_overrides(profile: Profile, overrides: Mapping[str, object]) -> Profile:
    """The profile with validated values of some of its fields replaced, and those of `install` one by one.

    The same object when there are none.
    """
    if not overrides:
        return profile
    dropped = dict.fromkeys(CONFIG_SOURCES) if any(source in overrides for source in CONFIG_SOURCES) else {}
    update = {**dropped, **overrides}
    install = overrides.get("install")
    if isinstance(install, Install) and profile.install is not None:
        update["install"] = install.over(profile.install)
    return profile.model_copy(update=update)
