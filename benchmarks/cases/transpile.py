"""A fleet's configs made anew: Jinja2 and Butane to Ignition for 1,000 machines, CPU seconds of one core.

No rival, an upper bound. Every output is parsed and validated afterwards, and must hold its own machine's name.
"""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.link import Link
from benchmarks.model import Case, Sample
from benchmarks.ours import pxed
from benchmarks.process import Process
from pxed.ignition import butane, spec
from pxed.ignition.template import compile_template, render_template

MACHINES = 1000
_QUICK = 100
_SPEC = "3.4.0"
# A worker as they are in the field: keys, units with text, drop-ins, files, a mount, network and kernel arguments.
WORKER = """\
variant: flatcar
version: 1.1.0
passwd:
  users:
    - name: core
      ssh_authorized_keys:
{%- for key in machine.vars["keys"] %}
        - {{ key }}
{%- endfor %}
    - name: backup
      uid: 2000
      groups: [sudo, docker]
      shell: /bin/bash
kernel_arguments:
  should_exist: [console=ttyS0]
storage:
  directories:
    - {path: /opt/bin, mode: 0755}
    - path: /var/lib/app
      mode: 0750
      user: {name: core}
      group: {name: core}
  filesystems:
    - device: /dev/disk/by-label/DATA
      format: ext4
      path: /var/lib/data
      with_mount_unit: true
  links:
    - {path: /etc/localtime, target: /usr/share/zoneinfo/Europe/Berlin, overwrite: true}
  files:
    - path: /etc/hostname
      mode: 0644
      contents:
        inline: {{ machine.name }}
    - path: /etc/flatcar/update.conf
      overwrite: true
      mode: 0644
      contents:
        inline: |
          REBOOT_STRATEGY=off
          GROUP=stable
    - path: /etc/systemd/network/10-static.network
      mode: 0644
      contents:
        inline: |
          [Match]
          MACAddress={{ machine.mac }}
          [Network]
          Address={{ machine.vars.address }}/24
          Gateway=10.0.0.1
          DNS=10.0.0.1
    - path: /opt/bin/setup.sh
      mode: 0755
      contents:
        inline: |
          #!/bin/bash
          set -euo pipefail
          mkdir -p /var/lib/app
          echo "{{ machine.name }} is ready" > /var/lib/app/state
          curl -sf {{ server.url }}/report/{{ machine.name }} -d '{"stage": "running"}'
systemd:
  units:
    - name: docker.service
      enabled: true
    - name: app.service
      enabled: true
      contents: |
        [Unit]
        Description=The application on {{ machine.name }}
        After=docker.service var-lib-data.mount
        Requires=docker.service
        [Service]
        ExecStartPre=/opt/bin/setup.sh
        ExecStart=/usr/bin/docker run --rm --name app registry.example.org/app:{{ machine.vars.release }}
        Restart=always
        [Install]
        WantedBy=multi-user.target
    - name: containerd.service
      dropins:
        - name: 10-limits.conf
          contents: |
            [Service]
            LimitNOFILE=1048576
"""


def cases() -> list[Case]:
    title = f"Templates and Butane of {MACHINES:,} machines, CPU"
    return [Case("transpile", title, "s", 5.0, pxed(10), [], _transpile)]


def _transpile(_link: Link, _process: Process, quick: bool) -> Sample:
    count = _QUICK if quick else MACHINES
    template = compile_template(WORKER, Path("worker.bu"))
    fleet = [_variables(number) for number in range(count)]
    began = time.process_time()
    results = [butane.translate(render_template(template, variables)) for variables in fleet]
    seconds = (time.process_time() - began) * MACHINES / count
    wrong = sum(not _right(result, number) for number, result in enumerate(results))
    return Sample(seconds, f"{wrong} configs are not right" if wrong else "", {"configs": count})


def _variables(number: int) -> dict[str, object]:
    facts = {
        "keys": [f"ssh-ed25519 {'A' * 68} ops{key}@example.org" for key in range(3)],
        "address": f"10.0.{number // 250}.{number % 250 + 1}",
        "release": "1.2.3",
    }
    machine = {"name": f"node{number}", "mac": f"52:54:00:00:{number // 256:02x}:{number % 256:02x}", "vars": facts}
    return {"machine": machine, "server": {"url": "http://10.0.0.2:8080"}}


def _right(result: butane.Result, number: int) -> bool:
    if not result.ok or result.output is None:
        return False
    config, found = spec.parse(result.output, _SPEC)
    if config is None or found or spec.validate(config, _SPEC) or spec.duplicates(config, _SPEC):
        return False
    return config["storage"]["files"][0]["contents"]["source"] == f"data:,node{number}"
