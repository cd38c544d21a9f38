"""The wire of a measurement: two network namespaces of our own, joined by a veth pair with the usual MTU of 1500."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

SERVER_ADDRESS = "10.99.0.1"
LOAD_ADDRESS = "10.99.0.2"
SERVER_INTERFACE = "srv0"
SERVER_CORE = 0
LOAD_CORE = 1


@dataclass(frozen=True, slots=True)
class Link:
    """Where the server and the load live. All contenders get the same cores: one for the server, one for the load."""

    server_namespace: str
    load_namespace: str

    def on_server(self, command: Sequence[str]) -> list[str]:
        """The command in the server's namespace, on the server's core."""
        return ["ip", "netns", "exec", self.server_namespace, "taskset", "-c", str(SERVER_CORE), *command]

    def on_load(self, command: Sequence[str]) -> list[str]:
        """The command in the load's namespace, on the load's core (on a single core it shares the server's)."""
        core = min(LOAD_CORE, (os.cpu_count() or 1) - 1)
        return ["ip", "netns", "exec", self.load_namespace, "taskset", "-c", str(core), *command]


@contextlib.contextmanager
def link() -> Iterator[Link]:
    """Make the two namespaces; they are removed on every way out. Needs root (CAP_SYS_ADMIN, CAP_NET_ADMIN)."""
    made = Link(f"pxed-bench-s{os.getpid()}", f"pxed-bench-l{os.getpid()}")
    with contextlib.ExitStack() as undo:
        for namespace in (made.server_namespace, made.load_namespace):
            _ip("netns", "add", namespace)
            undo.callback(_ip, "netns", "del", namespace)
        _ip(
            "-n",
            made.server_namespace,
            "link",
            "add",
            SERVER_INTERFACE,
            "type",
            "veth",
            "peer",
            "name",
            "load0",
            "netns",
            made.load_namespace,
        )
        _up(made.server_namespace, SERVER_INTERFACE, SERVER_ADDRESS)
        _up(made.load_namespace, "load0", LOAD_ADDRESS)
        yield made


def _up(namespace: str, interface: str, address: str) -> None:
    _ip("-n", namespace, "link", "set", "lo", "up")
    _ip("-n", namespace, "address", "add", f"{address}/24", "dev", interface)
    _ip("-n", namespace, "link", "set", interface, "up")


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(
            f"ip {' '.join(arguments)}: {done.stderr.strip()} (the bench needs root and network namespaces)"
        )
