"""What makes two entries of a list the same entry: for Ignition's check for duplicates, and for merging.

Ignition's Key, IgnoreDuplicates and MergedKeys methods in config/v3_*/types.
"""

from __future__ import annotations

from typing import Any

from pxed.ignition.spec.schema import Field, Struct

_KEYS = {
    "Disk": "device",
    "Filesystem": "device",
    "Tang": "url",
    "Directory": "path",
    "File": "path",
    "Link": "path",
    "Resource": "source",
    "ConfigReference": "source",
    "CaReference": "source",
}  # all others: name
# Lists whose entries may repeat.
REPEATABLE = frozenset(
    {
        ("Filesystem", "options"),
        ("Filesystem", "mountOptions"),
        ("Luks", "options"),
        ("Raid", "options"),
        ("File", "append"),
    }
)
# Lists that share one set of keys.
_SHARED = {
    ("Storage", "directories"): "Node",
    ("Storage", "files"): "Node",
    ("Storage", "links"): "Node",
    ("KernelArguments", "shouldExist"): "KernelArgument",
    ("KernelArguments", "shouldNotExist"): "KernelArgument",
}


def key_of(item: Any, field: Field) -> str:
    """The key of one entry of a list."""
    if not field.child:
        return str(item)
    if field.child.name == "Partition":
        label = item.get("label")
        return f"number:{item['number']}" if item.get("number") else "" if label is None else f"label:{label}"
    return str(item.get(_KEYS.get(field.child.name, "name"), ""))


def key_space(struct: Struct, field: Field) -> str:
    """The name of the set of keys that a list belongs to."""
    return _SHARED.get((struct.name, field.name), field.name)
