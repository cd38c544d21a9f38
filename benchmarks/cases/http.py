"""Image bytes a second over keep-alive connections.

Every byte is received and compared, so the load's core works harder than the server's: `server_cpu_s` in the JSON tells
the servers apart where the rate does not.
"""

from __future__ import annotations

from collections.abc import Callable

from benchmarks import bootload, site
from benchmarks.link import Link
from benchmarks.model import Case, Sample, sample_of
from benchmarks.ours import pxed
from benchmarks.process import Process
from benchmarks.rivals import nginx

_GETS = 96  # of 64 MB


def cases() -> list[Case]:
    return [_images(1), _images(32)]


def _images(connections: int) -> Case:
    title = f"Image bytes, {connections} connection{'s' * (connections > 1)}"
    return Case(f"http-{connections}", title, "MB/s", 0.95, pxed(10), [nginx()], _gets(connections))


def _gets(connections: int) -> Callable[[Link, Process, bool], Sample]:
    def measure(link: Link, process: Process, quick: bool) -> Sample:
        bootload.http(link, process.http_port, process.image_path, site.IMAGE, clients=1, count=2)
        count = connections if quick else _GETS
        answers = bootload.http(
            link, process.http_port, process.image_path, site.IMAGE, clients=connections, count=count
        )
        return sample_of(answers, answers.mb_per_s)

    return measure
