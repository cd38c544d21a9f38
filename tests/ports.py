"""Ports for a daemon that a test starts."""

from __future__ import annotations

import socket


def free_port(kind: socket.SocketKind | int) -> int:
    """One that is free at every address of this host: the daemon binds the wildcard, as this does."""
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("0.0.0.0", 0))
        port: int = sock.getsockname()[1]
        return port
