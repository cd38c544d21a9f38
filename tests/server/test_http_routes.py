"""Request lines: what each asks for, and what is refused with which sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxed.server.routes import Found, Refusal, Route, route


@pytest.mark.parametrize(
    ("target", "expected", "args"),
    [
        ("/", Route.INDEX, ()),
        ("", Route.INDEX, ()),
        ("/?x=1", Route.INDEX, ()),
        ("/boot.ipxe", Route.BOOT, ()),
        ("/autoexec.ipxe", Route.AUTOEXEC, ()),
        ("/loaders/autoexec.ipxe", Route.AUTOEXEC, ()),
        ("/a/b/c/AUTOEXEC.IPXE", Route.AUTOEXEC, ()),
        ("/loaders/snponly.efi", Route.LOADER, ("snponly.efi",)),
        ("/loaders/sub/x.efi", Route.LOADER, ("sub/x.efi",)),
        ("/images/rescue/vmlinuz", Route.IMAGE, ("rescue", "vmlinuz")),
        ("//images/./x/../rescue//vmlinuz", Route.IMAGE, ("rescue", "vmlinuz")),
        ("/images\\rescue\\vmlinuz", Route.IMAGE, ("rescue", "vmlinuz")),
        ("/images/rescue/my%20kernel", Route.IMAGE, ("rescue", "my kernel")),
        ("http://10.0.0.1:8080/healthz?x", Route.HEALTH, ()),
        ("HTTP://10.0.0.1", Route.INDEX, ()),
        ("http://h?x=/boot.ipxe", Route.INDEX, ()),
        ("/ignition/52%3A54%3A00%3A00%3A00%3A01", Route.IGNITION, ("52:54:00:00:00:01",)),
        ("/api/v1/machines", Route.MACHINES, ()),
        ("/api/v1/machines/", Route.MACHINES, ()),
        ("/api/v1/machines/node1", Route.MACHINE, ("node1",)),
        ("/api/v1/events", Route.EVENTS, ()),
        ("/api/v1/boots?machine=node1", Route.BOOTS, ()),
        ("/api/v1/alerts", Route.ALERTS, ()),
        ("/web/app.js", Route.WEB, ("app.js",)),
        ("/api/v1/fleet", Route.FLEET, ()),
        ("/api/v1/fleet/events?after=1", Route.FLEET_EVENTS, ()),
        ("/api/v1/machines/node1/boots", Route.TIMELINES, ("node1",)),
        ("/api/v1/machines/node1/preview?arch=7", Route.PREVIEW, ("node1",)),
        ("/api/v1/timelines/b1", Route.TIMELINE, ("b1",)),
        ("/api/v1/unknown", Route.UNKNOWN, ()),
        ("/api/v1/mirror", Route.MIRRORED, ()),
        ("/api/v1/network", Route.NETWORK, ()),
    ],
)
def test_a_path_asks_for_a_page(target: str, expected: Route, args: tuple[str, ...]) -> None:
    for method in ("GET", "HEAD"):
        found = route(method, target)
        assert isinstance(found, Found)
        assert (found.route, found.args) == (expected, args)


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/images", 404),
        ("GET", "/images/rescue", 404),
        ("GET", "/loaders/", 404),
        ("GET", "/ignition", 404),
        ("GET", "/ignition/a/b", 404),
        ("GET", "/boot.ipxe/x", 404),
        ("GET", "/../etc/passwd", 400),
        ("GET", "/images/../../etc/passwd", 400),
        ("GET", "/%2e%2e/etc/passwd", 400),
        ("GET", "/images%2f..%2f..%2fetc", 400),
        ("GET", "/a%00b", 400),
        ("GET", "/%ff", 400),
        ("GET", "/boot.ipxe?a=%ff", 400),
        ("GET", "/?" + "&".join(["a=b"] * 33), 400),
        ("GET", "/" + "x" * 300, 400),
        ("GET", "/" + "x" * 5000, 414),
        ("POST", "/boot.ipxe", 405),
        ("PUT", "/images/rescue/vmlinuz", 405),
        ("DELETE", "/", 405),
        ("GET", "/report/node1", 405),
    ],
)
def test_what_has_no_place_is_refused_with_a_sentence(method: str, target: str, status: int) -> None:
    refusal = route(method, target)
    assert isinstance(refusal, Refusal)
    assert refusal.status == status
    assert refusal.sentence.endswith(".")
    assert "\n" not in refusal.sentence
    assert bool(refusal.allow) == (status == 405)


def test_a_query_keeps_empty_fields_and_the_last_of_equal_ones() -> None:
    found = route("GET", "/boot.ipxe?mac=&uuid=a%20b&x=1&x=2")
    assert isinstance(found, Found)
    assert found.query == {"mac": "", "uuid": "a b", "x": "2"}


@given(st.text(max_size=60))
def test_any_target_is_found_or_refused(target: str) -> None:
    assert isinstance(route("GET", target), Found | Refusal)


@given(
    st.lists(st.sampled_from(["..", ".", "", "%2e%2e", "images", "rescue", "x", "\\..\\", "%2f", "%5c"]), max_size=12)
)
def test_no_argument_of_a_page_ever_climbs(parts: list[str]) -> None:
    found = route("GET", "/" + "/".join(parts))
    if isinstance(found, Found):
        assert all(".." not in argument.split("/") for argument in found.args)
