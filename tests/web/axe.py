"""axe-core, the checker of accessibility, as package-lock.json pins it: `python -m tests.web.axe` fetches it.

npm itself is not needed: it is one file of one tarball.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import urllib.request
from pathlib import Path

from tests.lab.process import ROOT, LabError

LOCK = Path(__file__).with_name("package-lock.json")
DEFAULT = "https://registry.npmjs.org/"


def axe() -> Path:
    """The script; fetched the first time."""
    pinned = json.loads(LOCK.read_text())["packages"]["node_modules/axe-core"]
    path: Path = ROOT / ".cache" / "npm" / f"axe-core-{pinned['version']}.min.js"
    if not path.exists():
        url = pinned["resolved"].replace(DEFAULT, _registry())
        with urllib.request.urlopen(url, timeout=120) as answer:
            tarball = answer.read()
        found = f"sha512-{base64.b64encode(hashlib.sha512(tarball).digest()).decode()}"
        if found != pinned["integrity"]:
            raise LabError(f"{url} is not what {LOCK.name} pins")
        with tarfile.open(fileobj=io.BytesIO(tarball)) as archive:
            file = archive.extractfile("package/axe.min.js")
            assert file is not None
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".part")
            partial.write_bytes(file.read())
            partial.rename(path)
    return path


def _registry() -> str:
    """npm's, as this host has it configured."""
    named = os.environ.get("NPM_CONFIG_REGISTRY", "")
    if not named and shutil.which("npm"):
        command = ["npm", "config", "get", "registry"]
        named = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout.strip()
    return f"{named.rstrip('/')}/" if named and named.startswith("http") else DEFAULT


if __name__ == "__main__":
    axe()
