"""`pxed images list`: what images, profiles and machines boot of the mirror, what is newer, what was booted last."""

from __future__ import annotations

import contextlib
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from pxed.assets.mirror.layout import order
from pxed.assets.mirror.publish import staging
from pxed.assets.mirror.rollout import choice, newest, settled, version_for
from pxed.assets.mirror.upstream import load_seen
from pxed.assets.mirror.wording import amount
from pxed.cli.mirrored import Site, print_json, with_site
from pxed.inventory.lookup import Identity, Match, resolve
from pxed.inventory.model import Boot, Inventory, Machine, Profile
from pxed.inventory.releases import FlatcarImage
from pxed.inventory.targets import target_of
from pxed.status.records import Booted

SHORT_DIGEST = 12  # hexadecimal digits of a kernel's SHA-512 in the table; --json has all


@dataclass(frozen=True, slots=True)
class MachineRow:
    """What one machine boots next, and what it booted last."""

    machine: str
    profile: str
    image: str
    version: str  # "" when nothing is mirrored
    staged: bool  # whether that is a new version that others do not boot yet
    last: Booted | None
    installs: str = ""  # the image whose release it installs, where that is another


@dataclass(frozen=True, slots=True)
class ImageRow:
    """One image that is a Flatcar release."""

    image: str
    channel: str
    arch: str
    follows: str  # current, current-2024, or the pinned version
    version: str  # that machines boot; "" when nothing is mirrored
    staged: str  # that some machines boot first, until it is promoted
    first: int  # how many machines those are
    newest: str  # mirrored
    newer: str  # not mirrored, or not followed
    refused: tuple[str, ...]
    verified: float | None  # when, in seconds since 1970
    signed_by: str
    looked: float | None  # when the last sync ended
    problem: str  # of the last sync
    arriving: dict[str, int]  # versions of which a part is there, and how many bytes
    profiles: dict[str, int]  # and their machines


def run(config: Path, as_json: bool) -> int:
    """Print the tables; the exit code."""
    return with_site(config, lambda site: _run(site, as_json))


def _run(site: Site, as_json: bool) -> int:
    machines = list(machine_rows(site))
    images = list(image_rows(site, machines))
    if as_json:
        print_json({"images": [asdict(row) for row in images], "machines": [_plain(row) for row in machines]})
        return 0
    if not images:
        print(f"{site.inventory.path} has no image with flatcar: there is nothing to mirror")
        return 0
    from pxed.cli.tables import print_table

    heads = ("image", "follows", "boots", "staged", "state", "newer", "profiles")
    print_table(heads, [_image_cells(row) for row in images])
    for row in images:
        if row.problem:
            print(f"image {row.image}: the sync of {_when(row.looked)} failed: {row.problem}", file=sys.stderr)
    if machines:
        print()
        heads = ("machine", "profile", "image", "boots next", "booted last", "kernel", "when")
        print_table(heads, [_machine_cells(row) for row in machines])
    return 0


def machine_rows(site: Site) -> Iterator[MachineRow]:
    """The listed machines that boot Flatcar images, and the unlisted ones that did."""
    index, inventory = site.index(), site.inventory
    boots = _boots(inventory)
    for machine in inventory.machines.values():
        match = resolve(inventory, _identity(machine))
        image = match.profile.image if isinstance(match, Match) else None
        flatcar = site.flatcar.get(image or "")
        if isinstance(match, Match) and image and flatcar:
            version = version_for(image, flatcar, index, machine.name)
            staged = version != settled(image, flatcar, index)
            last = boots.pop(machine.name, None)
            target = _installed(match.profile, inventory)
            installs = target if target != image else ""
            yield MachineRow(machine.name, match.profile_name, image, version, staged, last, installs)
    for name, boot in boots.items():
        yield MachineRow(name, "", "", "", False, boot)


def _boots(inventory: Inventory) -> dict[str, Booted]:
    from pxed.status.store import StoreError, Trouble, open_store

    try:
        store = open_store(inventory.server.state, inventory.server.data_dir, read_only=True)
    except StoreError as error:
        if error.trouble is not Trouble.MISSING:
            print(f"pxed: {error}; what machines booted last is not shown", file=sys.stderr)
        return {}
    try:
        return store.booted()
    finally:
        store.close()


def image_rows(site: Site, machines: list[MachineRow]) -> Iterator[ImageRow]:
    """The images in the order of the inventory."""
    index, seen = site.index(), load_seen(site.mirror_dir)
    for name, flatcar in site.flatcar.items():
        last = seen.get(name)
        chosen = choice(name, flatcar, index, last.version if last and flatcar.follows else "")
        release = index.releases.get((flatcar.channel, flatcar.arch, chosen.version))
        rollout = index.rollouts.get(name)
        yield ImageRow(
            name,
            flatcar.channel,
            flatcar.arch,
            flatcar.version,
            chosen.version,
            chosen.staged,
            sum(row.staged for row in machines if row.image == name),
            newest(name, flatcar, index),
            chosen.newer,
            rollout.refused if rollout else (),
            release.verified if release else None,
            release.signed_by if release else "",
            last.time if last else None,
            last.problem if last else "",
            arriving(site.mirror_dir, flatcar),
            _profiles(site.inventory, name, machines),
        )


def arriving(mirror_dir: Path, image: FlatcarImage) -> dict[str, int]:
    """Bytes that have arrived of versions that are not complete, by version."""
    line = staging(mirror_dir, (image.channel, image.arch, "*"))
    found: dict[str, int] = {}
    for path in line.parent.glob("*/*"):
        with contextlib.suppress(OSError):  # published meanwhile
            found[path.parent.name] = found.get(path.parent.name, 0) + path.stat().st_size
    return found


def _profiles(inventory: Inventory, image: str, machines: list[MachineRow]) -> dict[str, int]:
    """The profiles that boot or install the image, and how many machines have them."""
    counted = Counter(row.profile for row in machines if image in (row.image, row.installs))
    profiles = inventory.profiles.items()
    named = {name: 0 for name, profile in profiles if image in (profile.image, _installed(profile, inventory))}
    return named | dict(counted)


def _installed(profile: Profile, inventory: Inventory) -> str:
    """The image whose release a profile installs, or ""."""
    target = target_of(profile, inventory.images) if profile.boot is Boot.INSTALL else None
    return target.image if target is not None else ""


def _plain(row: MachineRow) -> dict[str, object]:
    plain = asdict(row)
    if row.last:
        del plain["last"]["machine"]
    return plain


def _identity(machine: Machine) -> Identity:
    uuid = machine.uuid.bytes if machine.uuid else None
    return Identity(next(iter(machine.macs), ""), uuid, machine.serial)


def _image_cells(row: ImageRow) -> tuple[str, ...]:
    staged = f"{row.staged} on {row.first} machine{'' if row.first == 1 else 's'}" if row.staged else ""
    profiles = ", ".join(f"{name} ({count})" for name, count in row.profiles.items())
    follows = f"{row.channel} {row.arch} {row.follows}"
    return (row.image, follows, row.version or "-", staged, _state(row), row.newer, profiles)


def _state(row: ImageRow) -> str:
    state = "not mirrored"
    if row.verified is not None:
        state = f"verified {time.strftime('%Y-%m-%d', time.localtime(row.verified))}, signed by {row.signed_by[-16:]}"
    refused = (f"{version} refused" for version in row.refused if order(version) > order(row.version))
    arrived = (f"{amount(size)} of {version} arrived" for version, size in row.arriving.items())
    return ", ".join([state, *refused, *arrived])


def _machine_cells(row: MachineRow) -> tuple[str, ...]:
    boots = f"{row.version or '-'}{' (new)' if row.staged else ''}" if row.image else ""
    last = row.last
    booted = (f"{last.version} of {last.image}", last.kernel[:SHORT_DIGEST], _when(last.time)) if last else ("", "", "")
    return (row.machine, row.profile, row.image, boots, *booted)


def _when(seconds: float | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds)) if seconds else "an unknown time"
