"""A network with an ordinary DHCP server, pxed or another PXE server, and a host from which the probe looks at it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.lab import daemon, dhcpserver, netns
from tests.lab.process import Program, run, spawn

MAC = "52:54:00:77:02:01"
UUID = "00112233-4455-6677-8899-aabbccddee01"
WHO = ("-i", "eth0", "--mac", MAC, "--uuid", UUID, "--timeout", "0.6")
KERNEL, INITRD = b"kernel" * 30_000, b"initrd" * 200_000
LOADERS = ("snponly.efi", "undionly.kpxe")


@dataclass(frozen=True, slots=True)
class Site:
    """What is up. The probe's host is the namespace `host`, its interface `eth0` has no address."""

    network: netns.Network
    directory: Path
    host: str
    dhcp: Program | None = None

    def probe(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`pxed-probe` on that host."""
        argv = ["ip", "netns", "exec", self.host, sys.executable, "-m", "pxed.probe", *words]
        return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)

    def probed(self, *words: str) -> Any:
        """What it says in JSON."""
        done = self.probe(*words, "--json")
        assert done.stdout, done.stderr
        return json.loads(done.stdout)


@contextlib.contextmanager
def network(directory: Path, *, dhcp: bool = True) -> Iterator[Site]:
    """The network with its DHCP server; `with` ends, and it is gone."""
    with contextlib.ExitStack() as stack:
        net = stack.enter_context(netns.network(0))
        program = stack.enter_context(dhcpserver.serving(net, directory))[0] if dhcp else None
        yield Site(net, directory, stack.enter_context(host(net, "victim")), program)


@contextlib.contextmanager
def host(net: netns.Network, name: str, address: str = "") -> Iterator[str]:
    """Another host on the bridge."""
    namespace = f"{net.prefix}-{name}"
    run("ip", "netns", "add", namespace)
    try:
        port = ("link", "add", f"p{name[:10]}", "type", "veth", "peer", "name", "eth0", "netns", namespace)
        run("ip", "-n", net.switch, *port)
        run("ip", "-n", net.switch, "link", "set", f"p{name[:10]}", "addrgenmode", "none", "master", net.clients, "up")
        run("ip", "-n", namespace, "link", "set", "lo", "up")
        run("ip", "-n", namespace, "link", "set", "eth0", "up")
        if address:
            run("ip", "-n", namespace, "addr", "add", f"{address}/24", "dev", "eth0")
        yield namespace
    finally:
        run("ip", "netns", "del", namespace, quiet=True)


def inventory(directory: Path, settings: Mapping[str, Any] | None = None, **machine: Any) -> Path:
    """One machine, a kernel and an initrd that are only bytes, an Ignition config for each machine."""
    images, loaders = directory / "data" / "images" / "lab", directory / "data" / "loaders"
    for home in (images, loaders):
        home.mkdir(parents=True, exist_ok=True)
    (images / "vmlinuz").write_bytes(KERNEL)
    (images / "initrd.img").write_bytes(INITRD)
    (directory / "worker.ign").write_text('{"ignition": {"version": "3.3.0"}}')
    document = {
        "server": {"interfaces": ["eth0"], "data_dir": str(directory / "data"), "http": {"port": daemon.HTTP_PORT}}
        | dict(settings or {}),
        "images": {"lab": {"kernel": "lab/vmlinuz", "initrd": ["lab/initrd.img"]}},
        "profiles": {
            "worker": {"image": "lab", "ignition": "worker.ign", "ignition_access": "once", "report": True},
            "disk": {"boot": "local"},
        },
        "machines": {"node1": {"mac": MAC, "profile": "worker"} | machine},
    }
    path = directory / "pxed.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


@contextlib.contextmanager
def pxed(directory: Path, *, dhcp: bool = True, **machine: Any) -> Iterator[tuple[Site, daemon.Daemon]]:
    """The network with pxed on it."""
    with (
        network(directory, dhcp=dhcp) as site,
        daemon.serving(site.network, inventory(directory, **machine), directory) as served,
    ):
        yield site, served


@contextlib.contextmanager
def dnsmasq(namespace: str, directory: Path, name: str, settings: str) -> Iterator[None]:
    """Another dnsmasq, with these settings."""
    config = directory / f"{name}.conf"
    config.write_text(f"port=0\nbind-interfaces\ninterface=eth0\nlog-dhcp\n{settings}")
    argv = ["dnsmasq", "--keep-in-foreground", f"--conf-file={config}", "--pid-file=", "--log-facility=-"]
    program = spawn([*argv, "--user=root"], log=directory / f"{name}.log", namespace=namespace, name=name)
    try:
        started = program.output.wait(lambda line: line if "started, version" in line else None, timeout=10)
        assert started is not None, program.output.end()
        yield
    finally:
        program.stop()
