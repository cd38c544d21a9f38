"""A release server by hand and for the laboratory.

    python -m tests.releases publish ROOT CHANNEL ARCH VERSION KERNEL INITRD [--install-image FILE] [--current NAME ...]
    python -m tests.releases serve ROOT [--host ADDRESS] [--port PORT]

The key is made on first use: ROOT/secret-key.asc, its public part ROOT/key.asc, its fingerprint ROOT/fingerprint.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.releases.keys import ThrowAwayKey
from tests.releases.server import ReleaseServer
from tests.releases.tree import Tree


def key_of(root: Path) -> ThrowAwayKey:
    """The key that is kept beside the releases."""
    path = root / "secret-key.asc"
    if path.exists():
        return ThrowAwayKey.load(path)
    root.mkdir(parents=True, exist_ok=True)
    key = ThrowAwayKey.make()
    key.save(path)
    (root / "key.asc").write_bytes(key.certificate)
    (root / "fingerprint").write_text(key.fingerprint)
    return key


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.releases")
    commands = parser.add_subparsers(dest="command", required=True)
    publish = commands.add_parser("publish")
    for name in ("root", "channel", "arch", "version", "kernel", "initrd"):
        publish.add_argument(name, type=Path if name in ("root", "kernel", "initrd") else str)
    publish.add_argument("--install-image", type=Path)
    publish.add_argument("--current", nargs="*", default=["current"])
    serve = commands.add_parser("serve")
    serve.add_argument("root", type=Path)
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=0)
    options = parser.parse_args(argv)
    key = key_of(options.root)
    if options.command == "publish":
        made = Tree(options.root, key).publish(
            options.channel,
            options.arch,
            options.version,
            kernel=options.kernel,
            initrd=options.initrd,
            install_image=options.install_image,
            current=options.current,
        )
        print(made)
        return
    server = ReleaseServer(options.root, signer=key, host=options.host, port=options.port)
    print(f"READY {server.url}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
