"""The names of pxed's metrics, what each says, and its labels.

The table of docs/reference/metrics.md is made from it.
"""

from __future__ import annotations

from typing import Literal, NamedTuple


class Metric(NamedTuple):
    """One family. The names of counters are without the "_total" that Prometheus adds."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()


METRICS = (
    Metric("pxed_build_info", "gauge", "Always 1: the version of pxed.", ("version",)),
    Metric("pxed_boots", "counter", "Boots that have ended.", ("outcome",)),
    Metric("pxed_boot_stage_seconds", "histogram", "How long a boot was in a stage, until the next began.", ("stage",)),
    Metric("pxed_boots_open", "gauge", "Boots that go on, by the stage that they have reached.", ("stage",)),
    Metric("pxed_stuck", "gauge", "Machines whose last boot does not go on, by its cause.", ("fault",)),
    Metric("pxed_machines", "gauge", "Listed machines by where their installation is.", ("state",)),
    Metric("pxed_offers", "counter", "DHCP requests that were answered.", ("client", "arch")),
    Metric("pxed_ignored", "counter", "Requests that were left unanswered, by the reason.", ("reason",)),
    Metric("pxed_undecodable", "counter", "Datagrams and connections that made no request.", ("port",)),
    Metric("pxed_tftp_transfers", "counter", "TFTP transfers that have ended.", ("result",)),
    Metric("pxed_tftp_bytes", "counter", "Bytes that TFTP clients have acknowledged."),
    Metric("pxed_tftp_retransmits", "counter", "TFTP windows that were sent again."),
    Metric("pxed_http_responses", "counter", "HTTP answers, by route and class of status.", ("route", "status")),
    Metric("pxed_http_bytes", "counter", "Bytes of HTTP bodies that were sent."),
    Metric("pxed_ignition", "counter", "Answers to requests for an Ignition config.", ("result",)),
    Metric("pxed_reports", "counter", "Reports of machines, by the stage they report.", ("stage",)),
    Metric("pxed_mirror_ready", "gauge", "1 when an image has a release to boot, else 0.", ("image",)),
    Metric("pxed_mirror_age_seconds", "gauge", "Since the newest release of an image was verified.", ("image",)),
    Metric(
        "pxed_mirror_release_info",
        "gauge",
        "Always 1: the newest mirrored release of an image.",
        ("image", "channel", "arch", "version"),
    ),
    Metric("pxed_state_commit_seconds", "histogram", "How long the state store took for a transaction."),
    Metric("pxed_state_failing", "gauge", "1 while the state store fails, else 0."),
    Metric("pxed_events_dropped", "counter", "Events and log lines that were lost."),
    Metric("pxed_alerts", "counter", "Alerts that were raised.", ("what",)),
    Metric("pxed_webhook_deliveries", "counter", "Messages to webhooks, by what became of them.", ("result",)),
    Metric("pxed_webhook_waiting", "gauge", "Messages to webhooks that wait."),
)
