"""Whether the service reaches its files: those that an inventory names, read as its user and in its sandbox."""

from __future__ import annotations

import fcntl
import grp
import os
import pwd
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from pxed.assets.library import AssetError, Library
from pxed.boot.images import boot_files
from pxed.boot.loaders import DEFAULT_LOADERS
from pxed.inventory.model import Inventory
from pxed.server.apitoken import CREDENTIALS
from pxed.server.host.access import Access, Need, Wanted, probe, probe_as
from pxed.server.host.files import Reader, findings_of, space_finding
from pxed.server.host.sandbox import Service, service
from pxed.server.host.wordings import Code, Finding, finding
from pxed.status.store.sqlite import FILE, LOCK

_STATE = (FILE, f"{FILE}-wal", f"{FILE}-shm", LOCK)


def reach_findings(inventory: Inventory, config: Path, more: Iterable[Path] = ()) -> list[Finding]:
    """What of an inventory's files the service cannot read, and where it cannot write. `more`: files of its configs."""
    unit = service()
    other = unit is not None and unit.config is not None and os.path.realpath(unit.config) != os.path.realpath(config)
    if unit is not None and other:
        found = [finding(Code.OTHER_CONFIG, served=str(unit.config), config=str(config))]
        unit = None
    else:
        found = []
    name = unit.user if unit is not None else pwd.getpwuid(os.geteuid()).pw_name
    try:
        reader = reader_of(name)
    except KeyError:
        return [*found, finding(Code.NO_USER, user=name)]
    wanted = [one for one in _wanted(inventory, config, more) if not one.path.is_relative_to(CREDENTIALS)]
    return [*found, *findings_of(_tried(wanted, reader, unit), reader, unit), *_room(inventory.server.data_dir)]


def reader_of(user: str) -> Reader:
    """The user with the name of the group. KeyError when there is no such user."""
    entry = pwd.getpwnam(user)
    with suppress(KeyError):
        return Reader(user, grp.getgrgid(entry.pw_gid).gr_name)
    return Reader(user, str(entry.pw_gid))


def _tried(wanted: list[Wanted], reader: Reader, unit: Service | None) -> list[Access]:
    """As that user, where this process can become it; else only what the sandbox does is known."""
    if pwd.getpwnam(reader.user).pw_uid == os.geteuid():
        return [probe(one) for one in wanted]
    if os.geteuid():
        return [Access(one) for one in wanted]
    groups = []
    for name in unit.groups if unit is not None else ():
        with suppress(KeyError):
            groups.append(grp.getgrnam(name).gr_gid)
    return probe_as(reader.user, wanted, groups)


def _wanted(inventory: Inventory, config: Path, more: Iterable[Path]) -> Iterator[Wanted]:
    server, tls = inventory.server, inventory.server.http.tls
    named = [config, *inventory.sources, *sorted(more), *_assets(inventory)]
    named += [path for path in (tls.certificate, tls.key, tls.ca) if path is not None] if tls is not None else []
    yield from (Wanted(path) for path in dict.fromkeys(named))
    secrets = [server.api_token_file, *(hook.secret_file for hook in server.webhooks)]
    yield from (Wanted(path, private=True) for path in secrets if path is not None)
    yield from written(server.data_dir)


def written(data_dir: Path) -> list[Wanted]:
    """What pxed writes: the directory, and of what is in there already, what it did not make itself."""
    inside = [data_dir / name for name in ("mirror", *_STATE)]
    with suppress(OSError):
        return [Wanted(data_dir, Need.WRITE), *(Wanted(path, Need.WRITE) for path in inside if path.exists())]
    return [Wanted(data_dir, Need.WRITE)]


def _assets(inventory: Inventory) -> Iterator[Path]:
    """The files under data_dir that machines are given."""
    library = Library(inventory.server.data_dir)
    loaders = {*DEFAULT_LOADERS.values(), *inventory.server.loaders.values()}
    loaders |= {profile.loader for profile in inventory.profiles.values() if profile.loader}
    for name in sorted(loaders):
        with suppress(AssetError):
            yield library.loader(name).path
    for image in inventory.images.values():
        for file in boot_files(image) if image.flatcar is None else ():
            if not file.remote:
                with suppress(AssetError):
                    yield library.image(file.source).path


def _room(data_dir: Path) -> list[Finding]:
    """Whether its file system is full."""
    place = next((one for one in (data_dir, *data_dir.parents) if one.exists()), Path("/"))
    with suppress(OSError):
        told = os.statvfs(place)
        inodes = told.f_favail if told.f_files else -1
        found = space_finding(data_dir, told.f_bavail * told.f_frsize, inodes)
        return [found] if found is not None else []
    return []


def lock_findings(inventory: Inventory) -> list[Finding]:
    """Whether another pxed has the state store. Asked when none is known to run."""
    lock = inventory.server.data_dir / LOCK
    if inventory.server.state == "sqlite":
        with suppress(OSError), lock.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return [finding(Code.STATE_LOCKED, path=str(lock.with_name(FILE)))]
    return []
