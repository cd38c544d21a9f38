"""One line of a log, whatever a peer sent."""

from __future__ import annotations


def one_line(text: str) -> str:
    """A peer's file name may hold anything; a log line may not."""
    return text if text.isprintable() else "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
