"""Where things stand in a YAML text: the place of every key and value, and the faults of the text itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Key = str | int
KeyPath = tuple[Key, ...]  # ("machines", "node1", "mac", 0)
Place = tuple[int, int]  # line and column, both from 1


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of the text itself."""

    place: Place
    path: KeyPath
    message: str


@dataclass(slots=True)
class Marked:
    """Data with places. `readable` is false when the text could not be followed to its end."""

    data: Any = None
    readable: bool = True
    faults: list[Fault] = field(default_factory=list)
    # id of a mapping or list -> key or index -> place of the key, place of the value
    places: dict[int, dict[Key, tuple[Place, Place]]] = field(default_factory=dict)
    kept: list[object] = field(default_factory=list)  # every container, so that ids stay unique

    def locate(self, path: KeyPath, at_key: bool = False) -> tuple[Place, int]:
        """The place of what `path` names and how many of its parts the text has.

        Of a key that is missing in a mapping it is the mapping's own key; below a scalar it is the scalar.
        """
        here: Any = self.data
        place: Place = (1, 1)
        for depth, part in enumerate(path):
            marks = self.places.get(id(here))
            if marks is None or part not in marks:
                return place, depth
            here = here[part]
            absent_below = depth + 1 < len(path) and isinstance(here, dict) and path[depth + 1] not in here
            key_is_meant = at_key and depth + 1 == len(path)
            place = marks[part][0 if key_is_meant or absent_below else 1]
        return place, len(path)


def path_of(data: Any, text: str) -> KeyPath:
    """The path that a dotted text names in `data`, as far as it leads. Names may have dots of their own.

    Of lists the items are named by number: server.webhooks[0].url.
    """
    path: list[Key] = []
    while text and isinstance(data, dict | list):
        names = (
            {f"[{number}]": number for number in range(len(data))} if isinstance(data, list) else {k: k for k in data}
        )
        fits = [name for name in names if text == name or text.startswith((f"{name}.", f"{name}["))]
        if not fits:
            break
        name = max(fits, key=len)
        path.append(names[name])
        data, text = data[names[name]], text[len(name) :].removeprefix(".")
    return tuple(path)


def dotted(path: KeyPath) -> str:
    """machines.node1.mac[0]; a key that is no plain word is quoted."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            plain = part.isprintable() and part and not any(c in ' ."[]:' for c in part)
            text += ("." if text else "") + (part if plain else ascii(part))
    return text
