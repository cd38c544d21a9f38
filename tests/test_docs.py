"""What README and docs show works: each inventory loads with its configs, each command runs, in the order of the page.

A block of YAML is an inventory, or a file that its first line names (`# worker.bu`). A `console` block is typed by
somebody who has the page's last inventory as pxed.yaml, with releases coming from a release server of the test; for
`pxed machines` the daemon runs with it.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from docs.generate.pages import MADE
from docs.generate.pages import PAPERS as PAPERS_OF_SITE
from pxed.server.load import load_snapshot
from tests.ports import free_port
from tests.releases.server import ReleaseServer

ROOT = Path(__file__).parent.parent
PAPERS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("**/*.md"))]
PXED = Path(sys.executable).with_name("pxed")
CAPTURE = ROOT / "tests/data/captures/mode-file-uefi.pcap"
BUTANE = "variant: flatcar\nversion: 1.0.0\n"
DAEMON = (
    ", interfaces: [lo], dhcp: 'off', script_only: true, api_token_file: token, http: {{port: {}}}, tftp: {{port: {}}}"
)
OLD, NEW = "4593.2.4", "4593.2.5"


@dataclass(frozen=True)
class Block:
    paper: Path
    kind: str
    text: str

    @property
    def file(self) -> str:
        """The file that it shows; "" for an inventory or commands."""
        found = re.match(r"# ([\w.-]+\.(?:bu|ign))\n", self.text)
        return found[1] if found else ""

    @property
    def commands(self) -> list[str]:
        lines = self.text.splitlines()
        if self.kind == "console":
            return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        return [line for line in lines if line and not line.startswith("#")] if self.kind == "sh" else []

    def __str__(self) -> str:
        return f"{self.paper.name}: {self.text.splitlines()[0][:40]}"


def blocks(*kinds: str) -> Iterator[Block]:
    for paper in PAPERS:
        for kind, text in re.findall(r"^```(\w+)\n(.*?)^```", paper.read_text(), re.MULTILINE | re.DOTALL):
            if kind in kinds:
                yield Block(paper, kind, text)


INVENTORIES = [block for block in blocks("yaml") if not block.file]
FILES = {(block.paper, block.file): block.text for block in blocks("yaml") if block.file}
STORIES = [
    paper for paper in PAPERS if any(block.commands for block in blocks("sh", "console") if block.paper == paper)
]


def lay(home: Path, block: Block) -> Path:
    """The inventory of a block, with the files it names: the page's own where it shows them."""
    for name in re.findall(r"[\w.-]+\.(?:bu|ign|sh)\b", block.text):
        stand_in = BUTANE if name.endswith(".bu") else "#!/bin/sh\n"
        stand_in = '{"ignition": {"version": "3.3.0"}}' if name.endswith(".ign") else stand_in
        (home / name).write_text(FILES.get((block.paper, name), stand_in))
    (home / "setup.sh").write_text("#!/bin/sh\n")
    shutil.copy(CAPTURE, home / "boot.pcap")
    path = home / "pxed.yaml"
    path.write_text(block.text)
    return path


@pytest.mark.parametrize("block", INVENTORIES, ids=str)
def test_each_inventory_loads_with_its_configs(block: Block, tmp_path: Path) -> None:
    inventory = load_snapshot(lay(tmp_path, block)).inventory
    assert inventory.machines or inventory.groups


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReleaseServer]:
    with ReleaseServer(tmp_path_factory.mktemp("releases")) as server:
        for channel in ("stable", "beta", "alpha", "lts"):
            server.publish(channel, "amd64", OLD, install_image=b"a disk")
        yield server


def with_releases(path: Path, releases: ReleaseServer, more: str = "") -> None:
    """Let an inventory's releases, all of amd64 and current, come from the test's server; its data lies beside it."""
    text = re.sub(r"^server:\n(  .*\n)*|^server: .*\n", "", path.read_text(), flags=re.MULTILINE)
    text = re.sub(r", (url|arch): [^,}]*|version: (current-)?[\d.]+|install_image: \w+", "", text)
    releases.save_key(path.parent / "releases.asc")
    mirror = f'{{url: "{releases.url}", key: releases.asc, fingerprint: {releases.signer.fingerprint}}}'
    path.write_text(f"server: {{data_dir: data, mirror: {mirror}{more}}}\n{text}")


def run(command: str, home: Path) -> None:
    """A command of a page, as it stands there."""
    if command.startswith("make "):
        subprocess.run(["make", "-n", "-C", str(ROOT), *shlex.split(command)[1:]], check=True, capture_output=True)
        assert re.search(rf"^{command.split()[1]}:.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
        return
    program, *arguments = shlex.split(command)
    if program == "pxed-probe":
        return  # tests/probe/test_page.py runs them, on a network of their own
    if program == "virsh":
        return  # tests/vagrant/test_page.py runs them, with a libvirtd of their own
    if program == "openssl":
        subprocess.run([program, *arguments], cwd=home, check=True, capture_output=True, timeout=60)
        return
    assert program == "pxed", command
    if "-c" not in arguments and arguments[0] not in ("butane", "schema"):
        arguments += ["-c", "pxed.yaml"]
    done = subprocess.run([PXED, *arguments], cwd=home, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    assert done.stdout or done.stderr, command


@pytest.mark.parametrize("paper", STORIES, ids=lambda paper: paper.name)
def test_each_command_works_in_the_order_of_the_page(paper: Path, tmp_path: Path, releases: ReleaseServer) -> None:
    """Between two blocks a new version may come out, and is mirrored: what is promoted must be there."""
    page = [block for block in blocks("yaml", "sh", "console") if block.paper == paper]
    orders = any(is_order(command) for block in page for command in block.commands)
    with contextlib.ExitStack() as daemon:
        for block in page:
            if block.kind == "yaml" and not block.file:
                daemon.close()
                ports = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_DGRAM)
                with_releases(lay(tmp_path, block), releases, DAEMON.format(*ports) if orders else "")
            for command in block.commands:
                if re.search(r"images (promote|rollback)", command):
                    releases.publish("stable", "amd64", NEW, install_image=b"a disk")
                    run("pxed images sync", tmp_path)
                if is_order(command) and not (tmp_path / "token").exists():
                    daemon.enter_context(serving(tmp_path))
                run(command, tmp_path)


def is_order(command: str) -> bool:
    """Whether a daemon must run for it."""
    return command.startswith("pxed machines ")


@contextlib.contextmanager
def serving(home: Path) -> Iterator[None]:
    """The daemon of the page's last inventory."""
    (home / "token").write_text("a-token-that-is-long-enough")
    (home / "token").chmod(0o600)
    process = subprocess.Popen([PXED, "serve", "-c", "pxed.yaml"], cwd=home, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        log = list(itertools.takewhile(lambda line: " ready: " not in line, process.stderr))
        assert process.poll() is None, "".join(log)
        yield
    finally:
        process.kill()
        process.communicate()
        (home / "token").unlink()


def test_each_link_leads_somewhere() -> None:
    """Pages that are made from code are only in the site."""
    made = {ROOT / "docs" / place for place in (*MADE, *PAPERS_OF_SITE.values())}
    for paper in PAPERS:
        for target in re.findall(r"\]\((?!http)([^)#]+)", paper.read_text()):
            place = (paper.parent / target).resolve()
            assert place.exists() or place in made, f"{paper.name}: {target}"


def test_each_make_target_of_the_readme_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`make ([a-z-]+)", (ROOT / "README.md").read_text()):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
