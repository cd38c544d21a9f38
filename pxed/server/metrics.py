"""GET /metrics: what was counted, and where things stand, in Prometheus' text format or OpenMetrics.

prometheus-client is imported when somebody first scrapes, in a thread: it takes 60 ms. Names of machines and MACs are
no labels: who can send a datagram can invent them.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from aiohttp import web

from pxed import __version__
from pxed.assets.mirror.rollout import newest
from pxed.inventory.model import Inventory
from pxed.server.counters import Counters
from pxed.server.histogram import Histogram
from pxed.server.keeping import Keeper
from pxed.server.live import Live
from pxed.server.metricnames import METRICS, Metric
from pxed.server.replies import SERVER, Asked
from pxed.status.boots import Boot, Outcome
from pxed.status.records import Standing
from pxed.status.wordings import Severity

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric as Family

Labels = tuple[str, ...]
Values = Mapping[Labels, float]


class Standings(Protocol):
    """Where installations are (pxed.server.machines)."""

    def names(self) -> Iterable[str]: ...
    def standing(self, name: str) -> Standing | None: ...


class Boots(Protocol):
    """The boots that are known (pxed.server.tracker)."""

    def names(self) -> Iterable[str]: ...
    def current(self, name: str) -> Boot | None: ...


@dataclass(frozen=True, slots=True)
class Sources:
    """What is looked at when somebody scrapes."""

    live: Live
    machines: Standings
    keeper: Keeper
    commits: Histogram
    boots: Boots | None = None
    waiting: Callable[[], int] = lambda: 0  # messages to webhooks


class MetricsPage:
    """Answers a scrape."""

    def __init__(self, counters: Counters, sources: Sources) -> None:
        self._counters = counters
        self._sources = sources
        self._encode: Callable[[str], tuple[bytes, str]] | None = None

    async def metrics(self, asked: Asked) -> web.StreamResponse:
        """All of them."""
        if self._encode is None:
            self._encode = await asyncio.to_thread(_encoder, self.families)
        body, content_type = self._encode(asked.request.headers.get("Accept", ""))
        headers = {"Server": SERVER, "Cache-Control": "no-store", "Content-Type": content_type}
        return web.Response(body=body, headers=headers)

    def families(self) -> Iterator[Family]:
        """Each metric with its samples."""
        from prometheus_client import metrics_core as core

        now = {**self._counted(), **self._gauges()}
        times: dict[str, Mapping[Labels, Histogram]] = {
            "pxed_boot_stage_seconds": {(stage,): kept for stage, kept in self._counters.stages.items()},
            "pxed_state_commit_seconds": {(): self._sources.commits},
        }
        makers: dict[str, Any] = {"counter": core.CounterMetricFamily, "gauge": core.GaugeMetricFamily}
        for metric in METRICS:
            if metric.kind == "histogram":
                yield _histogram(metric, times[metric.name])
                continue
            family = makers[metric.kind](metric.name, metric.help, labels=metric.labels)
            for labels, value in now[metric.name].items():
                family.add_metric(labels, value)
            yield family

    def _counted(self) -> dict[str, Values]:
        counters = self._counters
        return {
            "pxed_boots": _by_one(counters.boots),
            "pxed_offers": _by_labels(counters.offers),
            "pxed_ignored": _by_one(counters.ignored),
            "pxed_undecodable": _by_one(counters.undecodable),
            "pxed_tftp_transfers": _by_one(counters.tftp_transfers),
            "pxed_tftp_bytes": {(): counters.tftp_bytes},
            "pxed_tftp_retransmits": {(): counters.tftp_retransmits},
            "pxed_http_responses": _by_labels(counters.responses),
            "pxed_http_bytes": {(): counters.http_bytes},
            "pxed_ignition": _by_one(counters.ignition),
            "pxed_reports": _by_one(counters.reports),
            "pxed_events_dropped": {(): counters.dropped},
            "pxed_alerts": _by_one(counters.alerts),
            "pxed_webhook_deliveries": _by_one(counters.webhooks),
        }

    def _gauges(self) -> dict[str, Values]:
        sources = self._sources
        current = _current(sources.boots)
        stuck = (boot.finding.fault for boot in current if boot.finding and boot.finding.severity is Severity.STUCK)
        return {
            "pxed_build_info": {(__version__,): 1},
            "pxed_boots_open": _by_one(Counter(str(boot.stage) for boot in current if boot.outcome is Outcome.OPEN)),
            "pxed_stuck": _by_one(Counter(str(fault) for fault in stuck)),
            "pxed_machines": _by_one(_states(sources.live.snapshot.inventory, sources.machines)),
            "pxed_webhook_waiting": {(): sources.waiting()},
            "pxed_state_failing": {(): int(sources.keeper.fault is not None)},
            **_mirrored(sources.live),
        }


def _encoder(families: Callable[[], Iterator[Family]]) -> Callable[[str], tuple[bytes, str]]:
    """Accept header -> body and content type. A registry of its own: the usual one brings collectors of others."""
    from prometheus_client import CollectorRegistry, ProcessCollector
    from prometheus_client.exposition import choose_encoder
    from prometheus_client.registry import Collector

    class Pxed(Collector):
        def collect(self) -> Iterator[Family]:
            return families()

    registry = CollectorRegistry()
    registry.register(Pxed())
    ProcessCollector(registry=registry)

    def encode(accept: str) -> tuple[bytes, str]:
        generate, content_type = choose_encoder(accept)
        return generate(registry), content_type

    return encode


def _histogram(metric: Metric, kept: Mapping[Labels, Histogram]) -> Family:
    from prometheus_client.metrics_core import HistogramMetricFamily

    family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
    for labels, histogram in kept.items():
        family.add_metric(labels, list(histogram.buckets()), histogram.sum)
    return family


def _by_one(counts: Mapping[str, int]) -> Values:
    return {(label,): count for label, count in counts.items()}


def _by_labels(counts: Mapping[tuple[str, str], int]) -> Values:
    return dict(counts.items())


def _current(boots: Boots | None) -> list[Boot]:
    names = boots.names() if boots is not None else ()
    return [boot for name in names if boots is not None and (boot := boots.current(name)) is not None]


def _states(inventory: Inventory, machines: Standings) -> Mapping[str, int]:
    """How many listed machines are in each state; "none" for those that were never installed by pxed."""
    standings = (machines.standing(name) for name in machines.names() if name in inventory.machines)
    states = Counter(str(standing.state) for standing in standings if standing is not None and standing.state)
    return {**states, "none": len(inventory.machines) - states.total()}


def _mirrored(live: Live) -> dict[str, Values]:
    ready: dict[Labels, float] = {}
    ages: dict[Labels, float] = {}
    releases: dict[Labels, float] = {}
    for name, image in live.snapshot.inventory.images.items():
        if image.flatcar is None:
            continue
        version = newest(name, image.flatcar, live.index)
        release = live.index.releases.get((image.flatcar.channel, image.flatcar.arch, version)) if version else None
        ready[name,] = int(release is not None)
        if release is not None:
            ages[name,] = max(0.0, time.time() - release.verified)
            releases[name, release.channel, release.arch, release.version] = 1
    return {"pxed_mirror_ready": ready, "pxed_mirror_age_seconds": ages, "pxed_mirror_release_info": releases}
