"""From a path in the Ignition config back to the path in the Butane config that it came from.

Most paths differ only in their spelling. What desugaring adds is recorded here: nodes that come from a tree, units
from a filesystem, ssh keys from a file. Butane's own translation set gives the same answers (translate/set.go).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pxed.ignition.butane.names import snake
from pxed.ignition.butane.report import Path


@dataclass(slots=True)
class Origins:
    """`exact` holds single paths, `below` subtrees; the longest entry wins."""

    exact: dict[Path, Path] = field(default_factory=dict)
    below: dict[Path, Path] = field(default_factory=dict)

    def of(self, path: Path) -> Path:
        """The path in the Butane config."""
        if path in self.exact:
            return self.exact[path]
        for length in range(len(path), 2, -1):
            if path[:length] in self.below:
                return self.below[path[:length]]
        return tuple(snake(part) if isinstance(part, str) else part for part in path)
