"""How many a second of something that anybody can send."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Allowance:
    """Fills by `rate` a second, up to as much as a second gives."""

    rate: float
    left: float
    at: float  # seconds of any clock, the same for all calls
    dropped: int = 0  # refused since whoever uses it last set it to 0

    def take(self, now: float) -> bool:
        """Whether one more is allowed."""
        self.left = min(self.rate, self.left + (now - self.at) * self.rate)
        self.at = now
        if self.left < 1.0:
            self.dropped += 1
            return False
        self.left -= 1.0
        return True
