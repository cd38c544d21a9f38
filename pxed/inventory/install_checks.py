"""Rules about installations, reports and guarded configs, over the fields of one profile or of one machine over it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from pxed.inventory.messages import Complaint
from pxed.inventory.model import Boot, DhcpMode, FlatcarImage, Image, Profile
from pxed.inventory.places import KeyPath
from pxed.inventory.profile import CONFIG_FILES, CONFIG_SOURCES, access_of
from pxed.inventory.scalars import nearest, quote
from pxed.inventory.targets import Target, target_of

FIELDS = (
    *CONFIG_SOURCES, "ignition_base", "image", "boot", "install", "local", "ignition_delivery", "ignition_access",
    "ignition_check", "first_boot", "root",
)  # fmt: skip
"""What of a profile these rules judge."""


class Use(NamedTuple):
    """Some fields, and the profile that they are part of."""

    path: KeyPath
    given: Mapping[str, Any]  # the fields that stand at `path`
    profile: Profile  # with them
    of: str = ""  # " (with profile NAME)" where they are a machine's

    def complaint(
        self, field: str, text: str, *, below: str = "", warning: bool = False, absence: bool = False
    ) -> Complaint:
        """About a field of the profile, or one below it; at `boot` or the entry itself where it does not stand here."""
        if field in self.given and (not below or below in self.given[field].given()):
            path = (*self.path, field, *([below] if below else []))
            return Complaint(path, text, absence=absence, warning=warning)
        place = next((name for name in (field, "boot") if name in self.given), "")
        if place:
            return Complaint((*self.path, place), text, at_key=place == "install", absence=absence, warning=warning)
        return Complaint(self.path, text, at_key=True, absence=absence, warning=warning)


def install_checks(use: Use, images: Mapping[str, Image], names: Iterable[str]) -> Iterator[Complaint]:
    """Every broken rule. `images` are the valid ones; `names` also hold those of broken ones."""
    profile = use.profile
    if profile.ignition_check and access_of(profile) == "open":
        text = "checks nothing where anybody may fetch the config: use ignition_access: once or token, or leave it out"
        yield use.complaint("ignition_check", text, warning=True)
    if profile.boot is Boot.MEMORY and profile.local == "silent":
        text = "does nothing for a machine that boots from memory: use boot: install or local, or leave it out"
        yield use.complaint("local", f"local: silent {text}", warning=True)
    if profile.boot is not Boot.INSTALL:
        return
    name = profile.installation.image
    if name is not None and name not in images:
        if name not in set(names):
            text = f"found {quote(name)}, expected the name of an image{nearest(name, names)}"
            yield use.complaint("install", text, below="image")
        return
    own = images.get(profile.image or "")
    if own is not None:
        yield from _of_images(use, own.flatcar, target_of(profile, images))


def _of_images(use: Use, own: FlatcarImage | None, target: Target | None) -> Iterator[Complaint]:
    """`own` is the release that is booted, `target` the one to install; None for another system."""
    install = use.profile.installation
    if own is not None and target is not None:
        yield from _flatcar(use, own, target)
    elif own is not None:
        text = f"found {quote(str(install.image))}, expected an image of Flatcar: another system installs itself"
        yield use.complaint("install", text, below="image")
    else:
        for field in ("image", "channel", "version", *CONFIG_FILES, "disk"):
            if getattr(install, field) is not None:
                text = f"does nothing: image {use.profile.image}{use.of} is not Flatcar, so it installs itself"
                yield use.complaint("install", text, below=field, warning=True)


def _flatcar(use: Use, own: FlatcarImage, target: Target) -> Iterator[Complaint]:
    install, flatcar = use.profile.installation, target.flatcar
    if install.disk is None:
        text = f"boot: install{use.of} needs install: {{disk: ...}}, which is missing: a path, smallest or largest"
        yield use.complaint("install", text, absence=True)
    if flatcar.version.startswith("current-") and flatcar.channel != "lts" and install.version is not None:
        text = f"found {flatcar.version} of {flatcar.channel}, expected current: only lts has years"
        yield use.complaint("install", text, below="version")
    if own.arch != flatcar.arch:
        booted = f"{use.profile.image}{use.of}, which is booted to install it, is for {own.arch}"
        text = f"image {target.image} is for {flatcar.arch}, but {booted}: expected one architecture"
        yield use.complaint("install", text, below="image")
    if flatcar.install_image is False:
        text = f"image {target.image} has install_image: false, so that there is nothing to install: remove that there"
        yield use.complaint("install", f"{text}, or name another image", below="image")
    if use.profile.ignition_url is not None:
        text = f"boot: install{use.of} puts the installer into the config, which another server has: give it as a file"
        yield use.complaint("ignition_url", f"{text} (butane or ignition), or leave it out")
    if use.profile.first_boot is False:
        text = f"boot: install{use.of} has Ignition start the installer: remove first_boot: false"
        yield use.complaint("first_boot", text)
    if use.profile.root is not None:
        text = f"boot: install{use.of} has the installer run in memory, with no root on a disk: remove root"
        yield use.complaint("root", text)
    if use.profile.ignition_delivery == "embedded":
        text = f"boot: install{use.of} has Ignition fetch its config: leave ignition_delivery out, or say url"
        yield use.complaint("ignition_delivery", text)


def unseen_boots(mode: DhcpMode, profiles: Mapping[str, Profile]) -> Iterator[Complaint]:
    """What machines would not get where their boots are not seen. `profiles` by what to call them."""
    secret = [what for what, profile in profiles.items() if _needs_token(profile)]
    if secret:
        more = f" and {len(secret) - 3} more" if len(secret) > 3 else ""
        seen = "no boot is ever seen" if mode is DhcpMode.OFF else "only boots that ask port 4011 are seen, not BIOS"
        text = (
            f"found {mode}, so that {seen}, but {', '.join(secret[:3])}{more} may get a config or a token "
            "only when it was: say script_only: true in server, or ignition_access: open there"
        )
        yield Complaint(("server", "dhcp"), text, warning=mode is not DhcpMode.OFF)


def _needs_token(profile: Profile) -> bool:
    return access_of(profile) != "open" or profile.report or profile.boot is Boot.INSTALL


def unchecked(name: str, profile: str, checks: Iterable[str], known: Mapping[str, object]) -> Iterator[Complaint]:
    """What `ignition_check` compares with must be known of each machine."""
    for check in checks:
        if check in known and not known[check]:
            field = "asset_tag" if check == "asset" else check
            text = f"has no {field}, which profile {profile} checks (ignition_check): it would get no config"
            yield Complaint(("machines", name), text, at_key=True, absence=True)
