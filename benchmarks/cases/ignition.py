"""Ignition configs a second: a Butane template, made for its machine once and then handed out of memory.

No rival: none makes them. Every byte is compared with what `pxed render` prints.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks import bootload, tools
from benchmarks.link import SERVER_ADDRESS, Link
from benchmarks.model import Case, Sample, sample_of
from benchmarks.ours import pxed
from benchmarks.process import Process

_GETS = 20_000
_CONNECTIONS = 16
_BUTANE = "worker.bu"
_CONFIG = "variant: flatcar\nversion: 1.0.0\nstorage:\n  files:\n" + "".join(
    f"    - path: /etc/worker/{number}\n      mode: 0644\n      contents:\n"
    f"        inline: {{{{ machine.name }}}} at {{{{ server.url }}}}, file {number}\n"
    for number in range(20)
)


def cases() -> list[Case]:
    contender = pxed(10, fields=f"butane: {_BUTANE}, ignition_access: open", files={_BUTANE: _CONFIG})
    title = f"Ignition configs, {_CONNECTIONS} connections"
    return [Case("ignition", title, "configs/s", 3000, contender, [], _gets, at_least=True)]


def _gets(link: Link, process: Process, quick: bool) -> Sample:
    expected = _rendered()
    count = _CONNECTIONS * 10 if quick else _GETS
    arguments = {"clients": _CONNECTIONS, "count": count}
    answers = bootload.http(link, process.http_port, "/ignition/node1", expected, **arguments)
    return sample_of(answers, answers.checked / answers.seconds)


def _rendered() -> Path:
    pxed_command = str(Path(sys.executable).with_name("pxed"))
    inventory = tools.CACHE / "config" / "pxed-10.yaml"
    command = [pxed_command, "render", "node1", "ignition", "-c", str(inventory), "--address", SERVER_ADDRESS]
    done = subprocess.run(command, capture_output=True, check=True)
    path = inventory.with_name("node1.ign")
    path.write_bytes(done.stdout)
    return path
