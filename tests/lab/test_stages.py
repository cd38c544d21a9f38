"""The story of a boot that stopped, from pxed's events."""

from __future__ import annotations

import pytest

from tests.lab.stages import missing, reached, stop_sentence


def events(*kinds: str) -> list[dict[str, str]]:
    return [{"kind": kind, "machine": "node1"} for kind in kinds] + [{"kind": "running", "machine": "node2"}]


@pytest.mark.parametrize(
    ("kinds", "sentence"),
    [
        pytest.param((), "node1 never reached pxed; missing: its first DHCP", id="silence"),
        pytest.param(
            ("offer",), "node1 stopped after the stage 'offer'; missing: its request on port 4011", id="offer"
        ),
        pytest.param(("kernel", "script"), "node1 stopped after the stage 'kernel'", id="stages have their own order"),
    ],
)
def test_a_stopped_boot_names_its_last_stage_and_what_should_have_come(kinds: tuple[str, ...], sentence: str) -> None:
    assert stop_sentence(events(*kinds), "node1").startswith(sentence)


def test_events_of_another_machine_or_of_no_stage_do_not_count() -> None:
    seen = events("ignored", "script", "script", "ipxe")
    assert reached(seen, "node1") == ["ipxe", "script"]
    assert missing(seen, "node1") == ["kernel", "initrd", "ignition", "running"]
