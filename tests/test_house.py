"""The house rules that a machine can check: who imports whom, what the protocol cores leave alone."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "pxed").rglob("*.py"))
PURE = ("dhcp", "tftp", "boot", "ignition")
IMPURE_MODULES = {"asyncio", "socket", "os", "time", "random", "logging", "aiohttp", "select", "threading"}
LAYER = {
    "cli": 4, "server": 3, "probe": 3, "status": 2, "assets": 2, "boot": 2, "ignition": 2, "dhcp": 1, "tftp": 1,
    "inventory": 1, "errors": 0, "events": 0, "architecture": 0, "__main__": 5,
}  # fmt: skip
STRANGERS = {("dhcp", "tftp"), ("tftp", "dhcp"), ("inventory", "dhcp"), ("inventory", "tftp"), ("dhcp", "inventory")}


def room(path: Path) -> str:
    return path.relative_to(ROOT / "pxed").parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path):
    for name in imports(path):
        parts = name.split(".")
        if parts[0] != "pxed" or len(parts) == 1 or room(path) == "__init__":
            continue
        assert LAYER[parts[1]] <= LAYER[room(path)], f"{path} imports {name}"
        assert (room(path), parts[1]) not in STRANGERS, f"{path} imports {name}"


@pytest.mark.parametrize("path", [p for p in FILES if room(p) in PURE], ids=lambda path: str(path.relative_to(ROOT)))
def test_protocol_cores_do_no_io(path):
    assert not {name.split(".")[0] for name in imports(path)} & IMPURE_MODULES


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_scapy_and_tftpy_stay_in_the_probe(path):
    named = {name.split(".")[0] for name in imports(path)} & {"scapy", "tftpy"}
    assert not named or room(path) == "probe"


MODULES = sorted(".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for p in FILES)
ALONE = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
    for loaded in [n for n in sys.modules if n.startswith("pxed")]:
        del sys.modules[loaded]
"""


def test_each_module_imports_alone():
    """In one process, pxed's modules forgotten between two imports: a cycle shows whichever module comes first."""
    done = subprocess.run(
        [sys.executable, "-c", ALONE, *MODULES], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_daemon_does_not_load_scapy():
    code = "import sys, pxed.cli.serve, pxed.cli; assert not {'scapy', 'tftpy', 'rich', 'pysequoia'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr) == (0, "")
