"""/metrics: what is counted, in a form that Prometheus reads, with a number of series that no peer can raise."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

from pxed.assets.mirror.index import Index, Release
from pxed.boot.decide import Ignore
from pxed.events import Event, Kind, Level, Value
from pxed.server import counters as counting
from pxed.server.counters import Counters
from pxed.server.histogram import Histogram
from pxed.server.metricnames import METRICS
from pxed.status.boots import Boot, Outcome, Span, Speaker, Stage
from pxed.status.faults import finding
from pxed.status.records import Standing, State
from pxed.status.wordings import Fault
from tests.server.httpsite import MAC1, Site, serving
from tests.server.keeper import Keeper

ROOT = Path(__file__).parents[2]
NOW = 1795000000.0
Sample = tuple[str, tuple[tuple[str, str], ...]]


def event(kind: Kind, **data: Value) -> Event:
    return Event(kind, NOW, "node1", MAC1, "", Level.INFO, data)


async def scraped(site: Site) -> dict[Sample, float]:
    """Every sample of pxed's own metrics, parsed as Prometheus does it."""
    answer = await site.ask("/metrics")
    assert answer.status == 200
    families = list(text_string_to_metric_families(answer.text))
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
        if family.name.startswith("pxed_")
    }


COUNTED: dict[str, tuple[Event, dict[Sample, float]]] = {
    "an offer, by client and architecture": (
        event(Kind.OFFER, client="PXE firmware", arch="x86_64-efi"),
        {("pxed_offers_total", (("arch", "x86_64-efi"), ("client", "PXE firmware"))): 1},
    ),
    "iPXE's question is an offer too": (
        event(Kind.IPXE, client="iPXE", arch="x86-bios"),
        {("pxed_offers_total", (("arch", "x86-bios"), ("client", "iPXE"))): 1},
    ),
    "silence, by a word for its reason": (
        event(Kind.IGNORED, reason="it names another server, 10.0.0.9"),
        {("pxed_ignored_total", (("reason", "other-server"),)): 1},
    ),
    "a loader by TFTP": (
        event(Kind.LOADER, file="snponly.efi", bytes=250_000, blksize=1468, retransmits=3, transport="tftp"),
        {
            ("pxed_tftp_transfers_total", (("result", "complete"),)): 1,
            ("pxed_tftp_bytes_total", ()): 250_000,
            ("pxed_tftp_retransmits_total", ()): 3,
        },
    ),
    "a TFTP transfer that timed out": (
        event(Kind.TRANSFER, bytes=1000, blksize=512, retransmits=9, transport="tftp", result="timed-out", reason="x"),
        {("pxed_tftp_transfers_total", (("result", "timed-out"),)): 1, ("pxed_tftp_bytes_total", ()): 1000},
    ),
    "a file that TFTP does not have": (
        event(Kind.REFUSED, file="nothing", transport="tftp", status=1),
        {("pxed_tftp_transfers_total", (("result", "refused"),)): 1},
    ),
    "a kernel by HTTP": (
        event(Kind.KERNEL, file="vmlinuz", bytes=60_000_000, transport="http"),
        {("pxed_http_bytes_total", ()): 60_000_000, ("pxed_tftp_bytes_total", ()): 0},
    ),
    "a machine's report": (event(Kind.RUNNING), {("pxed_reports_total", (("stage", "running"),)): 1}),
    "an alert": (event(Kind.ALERT, what="replay"), {("pxed_alerts_total", (("what", "replay"),)): 1}),
    "a datagram that is no DHCP": (
        event(Kind.UNDECODABLE, port=67),
        {("pxed_undecodable_total", (("port", "67"),)): 1},
    ),
    "events that were lost": (event(Kind.DROPPED, lost=17), {("pxed_events_dropped_total", ()): 17}),
}


@pytest.mark.parametrize(("happened", "expected"), COUNTED.values(), ids=COUNTED)
async def test_each_event_is_counted(tmp_path: Path, happened: Event, expected: dict[Sample, float]) -> None:
    async with serving(tmp_path) as site:
        site.bus.emit(happened)
        samples = await scraped(site)
    assert {key: samples.get(key) for key in expected} == expected


async def test_http_answers_are_counted_by_route_and_class_and_a_refused_config_by_its_result(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        for target in ("/healthz", "/healthz", "/nothing", "/images/rescue/vmlinuz", "/ignition/node1", "/ignition/no"):
            await site.ask(target)
        samples = await scraped(site)
    counted = {
        (labels["route"], labels["status"]): value
        for (name, pairs), value in samples.items()
        if name == "pxed_http_responses_total" and (labels := dict(pairs))
    }
    assert counted == {
        ("health", "2xx"): 2, ("none", "4xx"): 1, ("image", "2xx"): 1, ("ignition", "2xx"): 1, ("ignition", "4xx"): 1,
    }  # fmt: skip
    results = {dict(labels)["result"]: value for (name, labels), value in samples.items() if "ignition" in name}
    assert results == {"served": 1, "refused": 1}
    assert samples["pxed_http_bytes_total", ()] > 131_072


async def test_a_boot_that_ended_is_counted_with_the_time_of_each_stage(tmp_path: Path) -> None:
    spans = [
        Span(Stage.OFFER, Speaker.ROM, NOW, NOW + 4),
        Span(Stage.LOADER, Speaker.ROM, NOW + 4, NOW + 5),
        Span(Stage.OFFER, Speaker.ROM, NOW + 2, NOW + 4),  # asked again: one stage all the same
        Span(Stage.SCRIPT, Speaker.IPXE, NOW + 40),
    ]
    async with serving(tmp_path) as site:
        site.bus.counters.ended(Boot("a", "node1", MAC1, NOW, NOW + 40, outcome=Outcome.RUNNING, spans=spans))
        samples = await scraped(site)
    assert samples["pxed_boots_total", (("outcome", "running"),)] == 1
    sums = {stage: samples["pxed_boot_stage_seconds_sum", (("stage", stage),)] for stage in ("offer", "loader")}
    assert sums == {"offer": 4.0, "loader": 36.0}
    assert samples["pxed_boot_stage_seconds_bucket", (("le", "30.0"), ("stage", "loader"))] == 0
    assert samples["pxed_boot_stage_seconds_bucket", (("le", "60.0"), ("stage", "loader"))] == 1
    assert samples["pxed_boot_stage_seconds_count", (("stage", "script"),)] == 0


async def test_where_things_stand_is_looked_up_at_the_scrape(tmp_path: Path) -> None:
    text = """
server: {data_dir: data, http: {port: PORT}}
images: {flatcar: {flatcar: {channel: stable}}, far: {flatcar: {channel: beta}}}
profiles: {worker: {image: flatcar, boot: install, install: {disk: /dev/sda}}}
machines:
  node1: {mac: "52:54:00:00:00:01", profile: worker}
  node2: {mac: "52:54:00:00:00:02", profile: worker}
"""
    keeper = Keeper()
    keeper.contents.standings["node1"] = Standing("node1", (MAC1,), State.FAILED, NOW)
    stuck = finding(Fault.NO_DHCP_SERVER, "offer", NOW, interface="eth1")
    async with serving(tmp_path, text=text, keeper=keeper) as site:
        release = Release("stable", "amd64", "4593.2.5", {}, time.time() - 3600, "A" * 40)
        site.live.index = Index({release.key: release}, {("stable", "amd64", "current"): "4593.2.5"})
        site.boots.boots = {
            "node1": Boot("a", "node1", MAC1, NOW, NOW, Stage.OFFER, outcome=Outcome.STUCK, finding=stuck),
            "node2": Boot("b", "node2", MAC1, NOW, NOW, Stage.KERNEL),
            "node3": Boot("c", "node3", MAC1, NOW, NOW, Stage.RUNNING, outcome=Outcome.RUNNING),
        }
        keeper.failing = True
        samples = await scraped(site)
    info = (("arch", "amd64"), ("channel", "stable"), ("image", "flatcar"), ("version", "4593.2.5"))
    expected = {
        ("pxed_machines", (("state", "failed"),)): 1, ("pxed_machines", (("state", "none"),)): 1,
        ("pxed_boots_open", (("stage", "kernel"),)): 1, ("pxed_stuck", (("fault", "no-dhcp-server"),)): 1,
        ("pxed_mirror_ready", (("image", "flatcar"),)): 1, ("pxed_mirror_ready", (("image", "far"),)): 0,
        ("pxed_mirror_release_info", info): 1, ("pxed_state_failing", ()): 1,
    }  # fmt: skip
    assert {key: samples.get(key) for key in expected} == expected
    assert 3600 <= samples["pxed_mirror_age_seconds", (("image", "flatcar"),)] < 3700
    assert ("pxed_boots_open", (("stage", "offer"),)) not in samples


async def test_whatever_peers_invent_adds_no_series(tmp_path: Path) -> None:
    """Two floods of invented values: what the first had is as many series as both have."""
    seed = random.Random(5)

    def flood() -> None:
        for kind, _ in itertools.product(Kind, range(300)):
            word = f"{seed.randrange(2**40):x}"
            data = dict.fromkeys(("client", "arch", "reason", "what", "result", "stage", "port", "fault"), word)
            site.bus.counters.observe([Event(kind, NOW, word, word, word, Level.INFO, {**data, "transport": "tftp"})])

    async with serving(tmp_path) as site:
        flood()
        for word in ("a", "b"):
            await site.ask(f"/{word}", method="GET")
            await site.ask(f"/ignition/{word}")
        before = set(await scraped(site))
        flood()
        for word in ("c", "d"):
            await site.ask(f"/{word}")
            await site.ask(f"/ignition/{word}")
        after = set(await scraped(site))
    grown = after - before
    assert {name for name, _ in grown} == {"pxed_http_responses_total"}  # of the first scrape itself
    assert {dict(labels)["route"] for _, labels in grown} == {"metrics"}


async def test_openmetrics_is_given_to_who_asks_for_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        answer = await site.ask("/metrics", Accept="application/openmetrics-text;version=1.0.0")
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert {family.name for family in openmetrics_families(answer.text)} >= {metric.name for metric in METRICS}


async def test_promtool_finds_nothing_wrong(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("Debian's package prometheus is not installed")
    async with serving(tmp_path) as site:
        for happened, _ in COUNTED.values():
            site.bus.emit(happened)
        body = (await site.ask("/metrics")).body
    done = await asyncio.to_thread(subprocess.run, [promtool, "check", "metrics"], input=body, capture_output=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def reasons() -> set[str]:
    """The beginning of every reason of silence that the source has."""
    source = "".join((ROOT / "pxed" / path).read_text() for path in ("boot/decide.py", "dhcp/pxe.py"))
    found = re.findall(r'(?:Ignore|NoBootRequest)\(\s*f?"([^"]+)"', source)
    return {re.sub(r"\{[^}]*\}", "?", text) for text in found}


@pytest.mark.parametrize("reason", sorted(reasons()))
def test_each_reason_of_silence_has_a_word(reason: str) -> None:
    counters = Counters()
    counters.observe([event(Kind.IGNORED, reason=Ignore(reason).reason)])
    assert counting.OTHER not in counters.ignored


def test_reasons_are_found_in_the_source() -> None:
    assert len(reasons()) >= 8


def test_each_alert_has_its_word() -> None:
    source = "".join(path.read_text() for path in (ROOT / "pxed").glob("*/*.py"))
    whats = set(re.findall(r'alert\(\s*"([a-z-]+)"', source)) | set(re.findall(r'Denied\(\d+, "([a-z-]+)"', source))
    assert whats >= {"too-many", "replay"}
    assert whats <= counting.ALERTS


def test_a_histogram_counts_up() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 9.0):
        histogram.observe(value)
    assert list(histogram.buckets()) == [("1.0", 2), ("2.0", 3), ("+Inf", 4)]
    assert histogram.sum == 12.0


def test_the_daemon_starts_without_prometheus() -> None:
    code = "import sys, pxed.cli.serve; assert not {name for name in sys.modules if name.startswith('prometheus')}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def expressions() -> list[str]:
    dashboard = json.loads((ROOT / "docs/grafana/pxed.json").read_text())
    return [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]


def test_each_expression_of_the_dashboard_names_metrics_that_exist() -> None:
    suffixes = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
    known = {f"{metric.name}{suffix}" for metric in METRICS for suffix in suffixes[metric.kind]}
    known |= {"process_resident_memory_bytes"}
    used = {name for text in expressions() for name in re.findall(r"\b(?:pxed|process)_[a-z_]+", text)}
    assert used <= known
    labels = {label for metric in METRICS for label in metric.labels} | {"le"}
    for text in expressions():
        assert set(re.findall(r"(\w+)=~?\"", text)) <= labels | {"instance", "job"}, text
        for group in re.findall(r"by \(([^)]*)\)", text):
            assert {label.strip() for label in group.split(",")} <= labels, text
    undrawn = {name for name in known if not name.endswith(("_sum", "_count"))} - used
    assert undrawn <= {"pxed_build_info", "pxed_mirror_release_info", "pxed_webhook_waiting"}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="Debian's package prometheus is not installed")
def test_promtool_reads_each_expression(tmp_path: Path) -> None:
    texts = [re.sub(r"\$__\w+", "5m", text) for text in expressions()]
    rules = [{"record": f"test:rule{number}", "expr": text} for number, text in enumerate(texts)]
    (tmp_path / "rules.yaml").write_text(json.dumps({"groups": [{"name": "all", "rules": rules}]}))
    command = ["promtool", "check", "rules", "rules.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
