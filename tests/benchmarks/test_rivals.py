"""The bench's own wire and a rival on it: real answers, and nothing left behind."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks import bootload, rivals, runner, site
from benchmarks.cases import tftp
from benchmarks.link import Link, link

pytestmark = [
    pytest.mark.net,
    pytest.mark.skipif(not shutil.which("dnsmasq", path="/usr/sbin:/usr/bin"), reason="dnsmasq is the rival here"),
]


def namespaces() -> set[str]:
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    return {line.split()[0] for line in listed.splitlines() if line}


def test_dnsmasq_makes_offers_over_the_wire_and_ends_with_the_measurement() -> None:
    with link() as wire:
        with rivals.dnsmasq_proxy(3, only_listed=True).serve(wire) as process:
            answers = bootload.dhcp(wire, 10, in_flight=1, cycle=3, count=6)
            assert (answers.checked, answers.wrong) == (6, 0)
            assert process.rss_mb() > 0
            assert process.log_lines() > 0
        assert not Path(f"/proc/{process.pid}").exists()


def test_unlisted_machines_get_no_offer_from_a_rival_that_knows_only_the_listed() -> None:
    with link() as wire, rivals.dnsmasq_proxy(3, only_listed=True).serve(wire):
        answers = bootload.dhcp(wire, 0.3, in_flight=1, first=bootload.FIRST_MAC + 3)
        assert answers.checked == 0


def test_a_case_measures_a_rival_round_by_round() -> None:
    site.lay()
    case = next(case for case in tftp.cases() if case.name == "tftp-16")
    with link() as wire:
        result = runner.run(case, wire, 2, quick=True, skip=frozenset({"pxed", "tftpd-hpa", "atftpd"}))
    assert result.problems() == []
    assert [sample.details["checked"] for sample in result.samples["dnsmasq"]] == [60, 60]
    assert all(sample.value > 0 for sample in result.samples["dnsmasq"])


def test_a_broken_measurement_leaves_no_namespace() -> None:
    made: list[Link] = []
    with pytest.raises(ZeroDivisionError), link() as wire:
        made.append(wire)
        raise ZeroDivisionError
    assert not namespaces() & {made[0].server_namespace, made[0].load_namespace}
