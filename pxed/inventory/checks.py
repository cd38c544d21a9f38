"""Rules between entries: names that must exist, fields that exclude each other, files that must be there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pxed.inventory.draft import Draft, Listed
from pxed.inventory.effective import bases, profiles_in_use
from pxed.inventory.install_checks import FIELDS, Use, install_checks, unchecked, unseen_boots
from pxed.inventory.messages import Complaint
from pxed.inventory.model import Boot, FlatcarImage, Image, Profile
from pxed.inventory.places import KeyPath
from pxed.inventory.profile import CONFIG_FILES, CONFIG_SOURCES, named_files, with_overrides
from pxed.inventory.scalars import base_name, nearest, quote
from pxed.inventory.selectors import Compiled

Given = Mapping[str, Any]  # fields that the text sets, validated
POLICIES = ("ignore", "hold")
_RELEASE = ("channel", "version")  # of an installation: instead of an image


def checks(draft: Draft, selectors: dict[int, Compiled]) -> Iterator[Complaint]:
    """Every broken rule. `selectors` are those of draft.groups."""
    for complaint in _all(draft, selectors):
        if not (complaint.absence and complaint.path[:2] in draft.salvaged):
            yield complaint


def _all(draft: Draft, selectors: dict[int, Compiled]) -> Iterator[Complaint]:
    yield from _server(draft)
    for name, image in draft.images.items():
        yield from _image(("images", name), image, draft)
    for name, profile in draft.profiles.items():
        path: KeyPath = ("profiles", name)
        if name in POLICIES:
            yield Complaint(
                path, f"found {quote(name)}, which is a word of server.unknown, expected another name", at_key=True
            )
        yield from _sources(path, profile.given())
        yield from _profile(draft, path, profile.given(), profile)
    yield from _groups(draft, selectors)
    yield from _machines(draft, selectors)
    if draft.server is not None and draft.server.misses_boots:
        yield from unseen_boots(draft.server.dhcp, dict(profiles_in_use(draft)))


def _server(draft: Draft) -> Iterator[Complaint]:
    unknown = draft.server.unknown if draft.server else "ignore"
    if unknown not in POLICIES and unknown not in draft.profile_names:
        hint = nearest(unknown, draft.profile_names | set(POLICIES))
        yield Complaint(
            ("server", "unknown"), f"found {quote(unknown)}, expected ignore, hold or the name of a profile{hint}"
        )
    http = draft.server.http if draft.server else None
    if http is not None and http.tls is not None and http.tls.port == http.port:
        yield Complaint(
            ("server", "http", "tls", "port"), f"found {http.port}, which is the port of HTTP, expected another one"
        )


def _image(path: KeyPath, image: Image, draft: Draft) -> Iterator[Complaint]:
    if image.kernel is None and image.flatcar is None:
        yield Complaint(path, "has neither kernel nor flatcar, expected one of them", at_key=True, absence=True)
    if image.flatcar is not None:
        yield from _flatcar((*path, "flatcar"), image.flatcar, draft)
        for name in ("kernel", "initrd"):
            if getattr(image, name):
                yield Complaint(
                    (*path, name),
                    f"found {name} beside flatcar, expected one of them: a release brings its own files",
                    at_key=True,
                )
    seen: dict[str, str] = {}
    files = [(("kernel",), image.kernel)] if image.kernel else []
    files += [(("initrd", position), reference) for position, reference in enumerate(image.initrd)]  # type: ignore[misc]
    for where, reference in files:
        name = base_name(reference)
        if name in seen:
            yield Complaint(
                (*path, *where),
                f"found {quote(reference)} beside {quote(seen[name])}, expected another file name: "
                f"both would be /images/{path[-1]}/{name}",
            )
        seen.setdefault(name, reference)


def _flatcar(path: KeyPath, flatcar: FlatcarImage, draft: Draft) -> Iterator[Complaint]:
    """The version fits the channel; what is staged can be staged."""
    if flatcar.version.startswith("current-") and flatcar.channel != "lts":
        yield Complaint(
            (*path, "version"), f"found {flatcar.version} of {flatcar.channel}, expected current: only lts has years"
        )
    if not flatcar.follows and (flatcar.canary or flatcar.percent):
        yield Complaint(
            (*path, "canary" if flatcar.canary else "percent"),
            f"found it beside version: {flatcar.version}, expected version: current: a pinned version has no successor",
            at_key=True,
        )
    for position, name in enumerate(flatcar.canary):
        if name not in draft.machines:
            yield Complaint(
                (*path, "canary", position), f"found {quote(name)}, expected a machine{nearest(name, draft.machines)}"
            )


def _profile(draft: Draft, path: KeyPath, given: Given, effective: Profile, of: str = "") -> Iterator[Complaint]:
    """`given` are the fields that stand at `path`; `effective` is they over the profile that `of` names."""
    if "image" in given and given["image"] not in draft.image_names:
        hint = nearest(given["image"], draft.image_names)
        yield Complaint((*path, "image"), f"found {quote(given['image'])}, expected the name of an image{hint}")
    where, at_key = ((*path, "boot"), False) if "boot" in given else (path, True)
    if effective.image is None and effective.boot is not Boot.LOCAL:
        what = f"boot: install{of}" if effective.boot is Boot.INSTALL else f"boots from {effective.boot}{of} but"
        text = f"{what} names no image, expected image: NAME or boot: local"
        yield Complaint(where, text, at_key, absence=True)
    yield from install_checks(Use(path, given, effective, of), draft.installable, draft.image_names)


def _sources(path: KeyPath, given: Given) -> Iterator[Complaint]:
    """The Ignition config: one source, and its file is there."""
    yield from _one_of(path, given, CONFIG_SOURCES)
    yield from _files(path, given)
    if "install" in given:
        below, install = (*path, "install"), given["install"].given()
        yield from _one_of(below, install, CONFIG_FILES)
        yield from _files(below, install)
        for name in _RELEASE if "image" in install else ():
            yield from _one_of(below, install, ("image", name))


def _one_of(path: KeyPath, given: Given, names: tuple[str, ...]) -> Iterator[Complaint]:
    first, *others = [name for name in names if name in given] or [""]
    for name in others:
        yield Complaint((*path, name), f"found {name} beside {first}, expected one of {', '.join(names)}", at_key=True)


def _files(path: KeyPath, given: Given) -> Iterator[Complaint]:
    for place, file in named_files(given).items():
        fault = _unreadable(file)
        if fault:
            message = f"found {quote(str(file), limit=200)}, expected a readable file: {fault}"
            yield Complaint((*path, *place), message, unreadable=file)


def _unreadable(file: Path) -> str:
    """Why a file cannot be read; "" when it can."""
    try:
        if file.is_dir():
            return "it is a directory"
        if not file.exists():
            return "it does not exist"
        return "" if os.access(file, os.R_OK) else "permission denied"
    except OSError as error:
        return error.strerror or str(error)


def _groups(draft: Draft, selectors: dict[int, Compiled]) -> Iterator[Complaint]:
    seen: dict[object, int] = {}
    for position, group in draft.groups.items():
        path: KeyPath = ("groups", position)
        if group.profile not in draft.profile_names:
            hint = nearest(group.profile, draft.profile_names)
            yield Complaint((*path, "profile"), f"found {quote(group.profile)}, expected the name of a profile{hint}")
        if path in draft.salvaged:
            continue
        key = selectors[position].key
        if not any(key):
            yield Complaint(
                (*path, "match"), 'names no field, expected mac, uuid, serial or arch (mac: "*" takes all)', True
            )
        elif key in seen:
            first = ("groups", seen[key], "match")
            yield Complaint(
                (*path, "match"),
                "says the same as the group in line %s, which would always win: expected another selector",
                True,
                first,
            )
        seen.setdefault(key, position)


def _machines(draft: Draft, selectors: dict[int, Compiled]) -> Iterator[Complaint]:
    groups_are_whole = not any(path[0] == "groups" for path in draft.salvaged)
    silent = groups_are_whole and draft.server is not None and draft.server.unknown == "ignore"
    for name, entry in draft.machines.items():
        if not (entry.macs or entry.uuid or entry.serial):
            yield Complaint(
                ("machines", name),
                "has no mac, uuid or serial, expected one: nothing else tells who asks",
                at_key=True,
                absence=True,
            )
        if entry.profile is not None and entry.profile not in draft.profile_names:
            hint = nearest(entry.profile, draft.profile_names)
            yield Complaint(
                ("machines", name, "profile"), f"found {quote(entry.profile)}, expected the name of a profile{hint}"
            )
        if entry.overrides:
            yield from _overrides(draft, ("machines", name), entry)
        profile = draft.profiles.get(entry.profile or "")
        wanted = entry.overrides.get("ignition_check", profile.ignition_check if profile else ())
        if wanted:
            known = {"serial": entry.serial, "uuid": entry.uuid, "asset": entry.asset_tag}
            yield from unchecked(name, entry.profile or "of its group", wanted, known)
        if silent and entry.profile is None and not _could_match(entry, selectors):
            text = "has no profile, no group can match it and server.unknown is ignore: it will get no answer"
            yield Complaint(("machines", name), text, at_key=True, absence=True, warning=True)


def _overrides(draft: Draft, path: KeyPath, entry: Listed) -> Iterator[Complaint]:
    """A machine's own fields, over each profile that it may get."""
    yield from _sources(path, entry.overrides)
    if entry.overrides.keys().isdisjoint(FIELDS):
        return  # what _profile judges is the profile's own
    found: dict[Complaint, None] = {}
    for name, base in bases(draft, entry):
        of = f" (with profile {name})"
        found.update(dict.fromkeys(_profile(draft, path, entry.overrides, with_overrides(base, entry.overrides), of)))
    yield from found


def _could_match(entry: Listed, selectors: dict[int, Compiled]) -> bool:
    """Whether some request of this machine may fit a group; what the entry leaves open may be anything."""
    return any(
        (not entry.macs or any(one.fits_mac(mac) for mac in entry.macs))
        and (entry.uuid is None or one.fits_uuid(entry.uuid.bytes))
        and (entry.serial is None or one.fits_serial(entry.serial))
        for one in selectors.values()
    )
