"""The servers that pxed is measured against, each configured as its users do, as fast as its own options make it.

All are started on the server's core with their default logging on, into a file, as pxed is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import bootload, site, tools
from benchmarks.link import SERVER_ADDRESS, SERVER_INTERFACE, Link
from benchmarks.model import Contender
from benchmarks.process import Process, running, wait_for_port

NGINX_PORT = 8081


def dnsmasq_proxy(listed: int, *, only_listed: bool) -> Contender:
    """dnsmasq as ProxyDHCP. `only_listed`: it answers listed machines alone, as pxed does with `unknown: ignore`."""

    @contextlib.contextmanager
    def serve(link: Link) -> Iterator[Process]:
        config = site.write(
            f"dnsmasq-proxy-{listed}.conf", dnsmasq_proxy_config(site.macs(listed), only_listed=only_listed)
        )
        command = [tools.installed("dnsmasq", "dnsmasq-base"), "--keep-in-foreground", "-C", str(config)]
        with running(link, command, tools.CACHE / "log" / "dnsmasq-proxy.log") as process:
            wait_for_port(process, "udp", 67)
            _expect_an_offer(link)
            yield process

    return Contender("dnsmasq", serve)


def dnsmasq_proxy_config(macs: Sequence[str], *, only_listed: bool) -> str:
    """Proxy mode on the bench's network, one x86-64 UEFI boot service, the machines tagged "known"."""
    head = f"""
port=0
interface={SERVER_INTERFACE}
user=root
log-facility=-
pid-file=
dhcp-leasefile={tools.CACHE / "dnsmasq.leases"}
dhcp-range=10.99.0.0,proxy
"""
    # A tag on the boot service alone leaves the unlisted ones an offer without a file (seen with 2.90).
    served = "dhcp-ignore=tag:!known\npxe-service=tag:known," if only_listed else "pxe-service="
    hosts = "".join(f"dhcp-host={mac},set:known\n" for mac in macs)
    return f"{head}{served}x86-64_EFI,boot,{site.LOADER.name}\n{hosts}"


def _expect_an_offer(link: Link) -> None:
    answers = bootload.dhcp(link, 5, in_flight=1, count=1)
    if answers.checked != 1:
        raise RuntimeError(f"no proper PXE offer: {answers}")


def dnsmasq_tftp() -> Contender:
    """dnsmasq as TFTP server; its limit of 50 transfers at once is raised to what the load needs."""
    options = f"""--keep-in-foreground --conf-file=/dev/null --port=0 --interface={SERVER_INTERFACE} --user=root
        --log-facility=- --pid-file= --enable-tftp --tftp-root={site.LOADERS} --tftp-max=1024"""
    return _tftp("dnsmasq", lambda: tools.installed("dnsmasq", "dnsmasq-base"), options)


def tftpd_hpa() -> Contender:
    """tftpd-hpa, standalone; it forks for each transfer."""
    options = f"-L -a {SERVER_ADDRESS}:69 -u root -s {site.LOADERS}"
    return _tftp("tftpd-hpa", lambda: tools.unpacked("usr/sbin/in.tftpd", "tftpd-hpa"), options)


def atftpd() -> Contender:
    """atftpd, standalone; one thread for each transfer, its limit of 100 raised."""
    options = f"""--daemon --no-fork --bind-address {SERVER_ADDRESS} --user root.root --maxthread 1024 --logfile -
        {site.LOADERS}"""
    return _tftp("atftpd", lambda: tools.unpacked("usr/sbin/atftpd", "atftpd"), options)


def _tftp(name: str, program: Callable[[], str], options: str) -> Contender:
    @contextlib.contextmanager
    def serve(link: Link) -> Iterator[Process]:
        with running(link, [program(), *options.split()], tools.CACHE / "log" / f"{name}.log") as process:
            wait_for_port(process, "udp", 69)
            yield process

    return Contender(name, serve)


def nginx() -> Contender:
    """nginx with sendfile, one worker (one core), access log on."""

    @contextlib.contextmanager
    def serve(link: Link) -> Iterator[Process]:
        prefix = tools.CACHE / "nginx"
        prefix.mkdir(parents=True, exist_ok=True)
        config = site.write("nginx.conf", nginx_config(prefix))
        program = tools.installed("nginx", "nginx")
        command = [program, "-p", str(prefix), "-e", str(prefix / "error.log"), "-c", str(config)]
        with running(link, command, tools.CACHE / "log" / "nginx.log") as process:
            wait_for_port(process, "tcp", NGINX_PORT)
            yield replace(process, http_port=NGINX_PORT, image_path=f"/images/{site.IMAGE.name}")

    return Contender("nginx", serve)


def nginx_config(prefix: Path) -> str:
    return f"""
daemon off;
user root;
worker_processes 1;
pid {prefix}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000;
  access_log {prefix}/access.log;
  client_body_temp_path {prefix}/body;
  proxy_temp_path {prefix}/proxy;
  fastcgi_temp_path {prefix}/fastcgi;
  uwsgi_temp_path {prefix}/uwsgi;
  scgi_temp_path {prefix}/scgi;
  server {{
    listen {SERVER_ADDRESS}:{NGINX_PORT};
    root {site.DATA};
  }}
}}
"""
