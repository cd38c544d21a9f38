"""Programs that a measurement needs: the load generator, compiled on demand, and rivals out of Debian packages.

tftpd-hpa and atftpd conflict as packages, so both are unpacked under .cache/rivals and never installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "bench"
RIVALS = ROOT / ".cache" / "rivals"
SOURCES = Path(__file__).resolve().parent / "load"


def bootload() -> Path:
    """The load generator, compiled when a source is newer than the program."""
    program = CACHE / "bootload"
    sources = sorted(SOURCES.glob("*.c"))
    newest = max(path.stat().st_mtime for path in (*sources, SOURCES / "load.h"))
    if not program.exists() or program.stat().st_mtime < newest:
        CACHE.mkdir(parents=True, exist_ok=True)
        partial = program.with_suffix(f".{os.getpid()}")
        subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-o", str(partial), *map(str, sources)], check=True)
        partial.replace(program)
    return program


def installed(program: str, package: str) -> str:
    """The path of a program that the system has, else of the one unpacked from its Debian package."""
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    return found or unpacked(f"usr/sbin/{program}", package)


def unpacked(path: str, package: str) -> str:
    """The path of a file of a Debian package, fetched by apt-get and unpacked on first use."""
    tree = RIVALS / package
    if not (tree / path).exists():
        RIVALS.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", "-q", package], cwd=RIVALS, check=True, capture_output=True)
        archive = max(RIVALS.glob(f"{package}_*.deb"), key=lambda file: file.stat().st_mtime)
        subprocess.run(["dpkg", "-x", str(archive), str(tree)], check=True)
    return str(tree / path)


def package_version(package: str) -> str:
    """The version that is installed, else that of the unpacked package, else "not found"."""
    done = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True, check=False
    )
    if done.returncode == 0 and done.stdout:
        return done.stdout
    return next((file.name.split("_")[1] for file in RIVALS.glob(f"{package}_*.deb")), "not found")
