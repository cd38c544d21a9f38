"""An operator at pxed's host: what the API says of machines, and `pxed machines` with the API's token."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.lab.daemon import PXED, URL
from tests.lab.laboratory import Lab
from tests.lab.process import LabError, run
from tests.lab.tail import POLL
from tests.lab.vm import Vm

TOKEN = "the-operators-token-of-the-laboratory"


def token_file(directory: Path) -> Path:
    """The API's token, for server.api_token_file."""
    path = directory / "api-token"
    path.touch(0o600)
    path.write_text(f"{TOKEN}\n")
    return path


def pxed(lab: Lab, *arguments: str) -> str:
    """A command of pxed's that must succeed; what it prints."""
    argv = ["ip", "netns", "exec", lab.network.pxe, str(PXED), *arguments, "-c", str(lab.daemon.config)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=60)
    if done.returncode:
        raise LabError(f"pxed {' '.join(arguments)}: exit {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def view(lab: Lab, name: str) -> dict[str, Any]:
    """What the API says of a machine; {} while pxed is away."""
    answer = run("ip", "netns", "exec", lab.network.pxe, "curl", "-sf", f"{URL}/api/v1/machines/{name}", quiet=True)
    found: dict[str, Any] = json.loads(answer) if answer else {}
    return found


@dataclass(slots=True)
class Watch:
    """The states that each machine's installation goes through, as the API shows them, each once in a row."""

    lab: Lab
    names: tuple[str, ...]
    states: dict[str, list[str]] = field(default_factory=dict)
    _looked: float = 0.0

    def look(self) -> None:
        """Twice a second at most."""
        if time.monotonic() < self._looked + 0.5:
            return
        for name in self.names:
            state = (view(self.lab, name).get("install") or {}).get("state")
            known = self.states.setdefault(name, [])
            if state is not None and known[-1:] != [state]:
                known.append(state)
        self._looked = time.monotonic()

    def until(self, wanted: Mapping[Vm, str], timeout: float, start: Mapping[Vm, int] | None = None) -> None:
        """Until every machine's console shows its text, from its line `start` on. LabError with the story if not."""
        deadline = time.monotonic() + timeout
        left = dict(wanted)
        while left:
            self.look()
            for vm, text in list(left.items()):
                vm.console.poll()
                if any(text in line for line in vm.console.lines[(start or {}).get(vm, 0) :]):
                    del left[vm]
                elif time.monotonic() > deadline or not vm.program.alive():
                    raise LabError(f"{vm.machine.name} did not print {text!r}\n{self.lab.story(vm)}")
            time.sleep(POLL)

    def until_state(self, name: str, state: str, timeout: float) -> None:
        """Until the API has shown this state last."""
        deadline = time.monotonic() + timeout
        while self.states.get(name, [])[-1:] != [state]:
            if time.monotonic() > deadline:
                raise LabError(f"{name} is not {state} but {self.states.get(name)}: {view(self.lab, name)}")
            self.look()
            time.sleep(POLL)
