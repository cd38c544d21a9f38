"""Rules for files, directories, links, filesystems and what they share.

Ignition's config/v3_*/types: storage, node, mode, file, directory, filesystem.
"""

from __future__ import annotations

from collections.abc import Iterator

from pxed.ignition.spec.gotext import clean, join, length
from pxed.ignition.spec.model import Finding, Path, Tree
from pxed.ignition.spec.rules import Rule, error, path_fault, warning

_KINDS = (("directories", "directory"), ("files", "file"))
_LABEL_BYTES = {"ext4": 16, "btrfs": 256, "xfs": 12, "swap": 15, "vfat": 11}


def _storage(storage: Tree, at: Path, minor: int) -> Iterator[Finding]:
    links = storage.get("links", ())
    for field, kind in _KINDS:
        for index, node in enumerate(storage.get(field, ()) if links else ()):
            yield from _below_links(node, links, (*at, field, index), kind)
    for index, link in enumerate(links):
        yield from _below_links(link, links, (*at, "links", index), "link")
        yield from _link(link, storage, (*at, "links", index), minor)
    yield from _filesystems(storage, at)


def _below_links(node: Tree, links: list[Tree], at: Path, kind: str) -> Iterator[Finding]:
    for link in links:
        if node.get("path", "").startswith(link.get("path", "") + "/"):
            yield from error(at, f"{kind} path includes link in config")


def _link(link: Tree, storage: Tree, at: Path, minor: int) -> Iterator[Finding]:
    target = link.get("target", "")
    if not target and minor >= 3:
        yield from error((*at, "target"), "link target is required")
        return
    if not link.get("hard"):
        return
    absolute = clean(target)
    if not absolute.startswith("/"):
        absolute = join(link.get("path", ""), target)
    for directory in storage.get("directories", ()):
        if directory.get("path", "") == absolute:
            yield from error(at, "hard link target is a directory")
    yield from _owner(link, at)


def _owner(link: Tree, at: Path) -> Iterator[Finding]:
    for owner in ("user", "group"):
        for name in ("id", "name"):
            if link.get(owner, {}).get(name) is not None:
                yield from warning((*at, owner, name), "user/group ignored for hard link")


def _filesystems(storage: Tree, at: Path) -> Iterator[Finding]:
    disks = {disk.get("device", ""): disk for disk in storage.get("disks", ())}
    for index, filesystem in enumerate(storage.get("filesystems", ())):
        disk = disks.get(filesystem.get("device", ""))
        if disk is None:
            continue
        device = (*at, "filesystems", index, "device")
        if disk.get("partitions"):
            yield from warning(device, "filesystem overwrites partitioned device")
        elif disk.get("wipeTable") and not filesystem.get("wipeFilesystem"):
            yield from warning(device, "device matches disk with wipeTable enabled; filesystem will be wiped")


def _node(node: Tree, at: Path, _: int) -> Iterator[Finding]:
    yield from error((*at, "path"), path_fault(node.get("path", "")))


def _directory(directory: Tree, at: Path, minor: int) -> Iterator[Finding]:
    yield from _node(directory, at, minor)
    mode = directory.get("mode")
    if mode is None:
        return
    if not 0 <= mode <= 0o7777:
        yield from error((*at, "mode"), "illegal file mode")
    if mode & 0o7000 and minor < 6:
        limit = "are not supported or functional in spec versions older than 3.6.0"
        yield from warning((*at, "mode"), f"setuid/setgid/sticky bits {limit}")


def _file(file: Tree, at: Path, minor: int) -> Iterator[Finding]:
    yield from _directory(file, at, minor)
    if file.get("overwrite") and file.get("contents", {}).get("source") is None:
        yield from error((*at, "overwrite"), "overwrite must be false if source is unspecified")


def _id_or_name(owner: Tree, at: Path, _: int) -> Iterator[Finding]:
    if owner.get("id") is not None and owner.get("name"):
        yield from error(at, "cannot set both id and name")


def _filesystem(filesystem: Tree, at: Path, minor: int) -> Iterator[Finding]:
    if filesystem.get("path"):
        yield from error((*at, "path"), path_fault(filesystem["path"]))
    yield from error((*at, "device"), path_fault(filesystem.get("device", "")))
    yield from error((*at, "format"), _format_fault(filesystem, minor))
    yield from error((*at, "label"), _label_fault(filesystem))


def _format_fault(filesystem: Tree, minor: int) -> str:
    wanted = filesystem.get("format")
    if wanted:
        known = wanted in _LABEL_BYTES or (wanted == "none" and minor >= 3)
        return "" if known else "invalid filesystem format"
    if any(filesystem.get(name) for name in ("path", "label", "uuid", "wipeFilesystem", "mountOptions", "options")):
        return "format cannot be empty when path, label, uuid, wipeFilesystem, options, or mountOptions is specified"
    return ""


def _label_fault(filesystem: Tree) -> str:
    label, kind = filesystem.get("label"), filesystem.get("format")
    if not label:
        return ""
    if not kind:
        return "filesystem must specify format if label is specified"
    limit = _LABEL_BYTES.get(kind)
    if limit is None or length(label) <= limit:
        return ""
    return f"filesystem labels cannot be longer than {limit} characters when using {kind}"


RULES: dict[str, Rule] = {
    "Storage": _storage,
    "Link": _node,
    "Directory": _directory,
    "File": _file,
    "NodeUser": _id_or_name,
    "NodeGroup": _id_or_name,
    "Filesystem": _filesystem,
}
