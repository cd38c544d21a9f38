"""The dashboard in real Chromium: what is seen, typed, heard and copied."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from pxed.events import Event, Kind, Level
from pxed.server.alerts import Subject
from pxed.status.boots import Note, Outcome, Stage
from tests.server.httpsite import MAC1, MAC2, STRANGER
from tests.server.standings import TOKEN
from tests.server.timelines import boot_of
from tests.web.axe import axe
from tests.web.chromium import INSECURE, Browser
from tests.web.relay import Relay
from tests.web.site import LARGE, WebSite, mac_of, name_of
from tests.web.told import running_boot, stuck_boot

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120 * 2)]

EVIL = "<img src=x onerror='window.hacked=1'><script>window.hacked=1</script>"
PAGES = ("", "machine/node1", "machine/node3", "unknown", "alerts", "mirror", "network")
FOCUS = "const e = document.activeElement; return e.id || e.getAttribute('role') || e.tagName.toLowerCase()"

ACTIVE = """
    const id = document.activeElement.getAttribute('aria-activedescendant')
    return document.getElementById(id)?.querySelector('a').text
"""
NAME = "const e = document.activeElement; return e.id || e.dataset.group || e.dataset.page || e.getAttribute('role')"


def asked(mac: str = STRANGER, **data: Any) -> Event:
    """An unlisted machine asked to be booted and was left alone."""
    figures = {"uuid": "444c4c45510010358053b4c04f564433", "arch": "x86_64-efi", "interface": "eth1", "wanted": True}
    return Event(
        Kind.IGNORED, time.time(), "", mac, "not listed", Level.INFO, {**figures, "reason": "not listed", **data}
    )


def tell(site: WebSite) -> None:
    """A site with something on every page."""
    now = time.time()
    site.put(running_boot("node1", MAC1, "old", now - 5000), stuck_boot("node1", MAC1, "new", now - 60))
    site.put(boot_of("node2", MAC2, "n2", now - 8), running_boot("node3", "52:54:00:00:00:03", "n3", now - 300))
    site.put(boot_of(STRANGER, STRANGER, "n4", now - 4))
    site.do(site.site.bus.emit, asked(serial="7CV1"))
    site.do(site.site.bus.emit, Event(Kind.OFFER, now - 59, "node1", MAC1, "offered snponly.efi"))
    site.do(site.site.services.alerts.alert, "replay", Subject("node1", MAC1, "10.0.0.66"), "a spent token was refused")
    reply = {"server": "10.0.0.9", "vendor": "PXEClient", "file": "wds.com"}
    site.do(site.tracker.network.on_reply, "eth1", now, reply)


def open_page(browser: Browser, site: WebSite, page: str = "") -> None:
    """Load it anew, and wait until the fleet is followed and the page has what it reads."""
    browser.go("about:blank")
    browser.go(f"{site.url}/#/{page}")
    browser.wait_text("live", "#link")
    browser.wait("return document.querySelector('main h1') && !document.querySelector('main > .page > div:empty')")
    if page.startswith("machine/"):
        browser.wait("return document.querySelector('.machine .preview pre') && document.querySelector('.events h2')")


def row(browser: Browser, name: str) -> str:
    """What the row of a machine says."""
    found: str | None = browser.run(
        "return [...document.querySelectorAll('.row:not([hidden])')].find((row) =>"
        " row.querySelector('a').textContent === arguments[0])?.innerText",
        name,
    )
    return " ".join((found or "").split())


def counters(browser: Browser) -> dict[str, int]:
    found: list[list[str]] = browser.run(
        "return [...document.querySelectorAll('.counter')].map((one) => one.innerText.split('\\n'))"
    )
    return {group: int(number) for number, group in found}


def test_the_fleet_at_a_glance(browser: Browser, site: WebSite) -> None:
    tell(site)
    open_page(browser, site)
    assert row(browser, "node1").startswith("stuck node1 loader · ROM 0% of 1.0 MB")
    assert "TFTP dies after its first packet" in row(browser, "node1")
    assert row(browser, "node2").startswith("booting node2 kernel · iPXE 50% of 60.0 MB")
    assert row(browser, "node3").startswith("running node3 running · OS")
    assert row(browser, "node4").startswith("never seen node4")
    expected = {"all": 5, "booting": 2, "stuck": 1, "installing": 0, "running": 1, "held": 0, "unknown": 1}
    assert counters(browser) == expected
    browser.click('[data-group="stuck"]')
    assert browser.text(".count") == "1 of 5"
    assert (row(browser, "node1") != "", row(browser, "node2")) == (True, "")


def test_what_happens_is_seen_as_it_happens(browser: Browser, site: WebSite) -> None:
    open_page(browser, site)
    boot = boot_of("node2", MAC2, "n2", time.time())
    site.put(boot)
    browser.until(lambda: "50% of 60.0 MB" in row(browser, "node2"), "the download")
    boot.spans[-1].bytes = 45_000_000
    site.put(boot)
    browser.until(lambda: "75% of 60.0 MB" in row(browser, "node2"), "its progress")
    boot.stage, boot.outcome = Stage.RUNNING, Outcome.RUNNING
    site.put(boot)
    browser.until(lambda: row(browser, "node2").startswith("running"), "that it runs")
    site.do(site.site.services.alerts.alert, "replay", Subject("node1"), "a spent token")
    browser.wait_text("1", "#alert-count")


def test_machines_that_come_and_go_are_counted_right(browser: Browser, site: WebSite) -> None:
    open_page(browser, site)
    macs = [f"02:00:00:00:00:{number:02x}" for number in range(40)]
    site.put(*(boot_of(mac, mac, mac) for mac in macs))
    browser.until(lambda: counters(browser)["unknown"] == 40, "the strangers")

    def forget() -> None:
        for mac in macs[:39]:
            site.tracker.put(site.tracker.boots[mac][0])
            del site.tracker.boots[mac]

    site.do(forget)
    browser.until(lambda: counters(browser)["unknown"] == 1, "that they are gone")
    assert (counters(browser)["all"], browser.text(".count")) == (5, "5 of 5")
    assert row(browser, macs[39]).startswith(f"booting {macs[39]}")


def test_a_machines_page_says_why_it_is_stuck_and_shows_its_boots(browser: Browser, site: WebSite) -> None:
    tell(site)
    open_page(browser, site, "machine/node1")
    verdict = browser.text(".verdict")
    for words in ("Stuck at loader", "TFTP dies after its first packet", "0 acknowledgements", "Allow UDP from"):
        assert words in verdict
    stages = "return [...document.querySelectorAll('.waterfall .stage')].map((one) => one.textContent)"
    assert browser.run(stages) == ["discover", "offer", "bootserver", "loader"]
    assert browser.run("return document.querySelectorAll('.waterfall .again').length") == 7
    browser.click("details summary")
    assert "snponly.efi tftp" in " ".join(browser.text(".boot table").split())
    browser.click(".boots [data-id=old]")
    browser.until(lambda: browser.run(stages)[-2:] == ["running", "bytes"], "the older boot")
    assert (browser.text(".verdict"), "Reached target" in browser.text(".boot")) == ("", True)
    assert "offered snponly.efi" in browser.text(".events")
    assert "ignition.config.url=" in browser.text(".preview")
    assert "a spent token was refused" in browser.text("section.alerts")


def test_a_machines_page_follows_its_boot(browser: Browser, site: WebSite) -> None:
    open_page(browser, site, "machine/node2")
    assert "No boot of this machine was seen yet" in browser.text(".boot")
    boot = boot_of("node2", MAC2, "n2", time.time())
    site.put(boot)
    browser.wait("return document.querySelectorAll('.waterfall .bar').length === 7")
    boot.spans.append(running_boot("node2", MAC2, "x", boot.began).spans[7])
    site.put(boot)
    browser.wait("return document.querySelectorAll('.waterfall .bar').length === 8")


def test_everything_works_without_a_mouse(browser: Browser, site: WebSite) -> None:
    tell(site)
    open_page(browser, site)
    browser.press("Tab")
    assert browser.run("return document.activeElement.textContent") == "Skip to the content"
    browser.press("/", "node")
    assert (browser.run(FOCUS), browser.text(".count")) == ("search", "4 of 5")
    browser.press("ArrowDown")
    assert browser.run(FOCUS) == "grid"
    assert browser.run(ACTIVE) == "node1"
    browser.press("ArrowDown", "ArrowDown", "ArrowUp")
    assert browser.run(ACTIVE) == "node2"
    browser.press("End")
    assert browser.run(ACTIVE) == "node4"
    browser.press("Home", "Enter")
    browser.wait_text("TFTP dies")
    assert browser.run("return location.hash") == "#/machine/node1"
    browser.press("Escape")
    browser.wait("return document.querySelector('.rows')")
    assert (browser.run(FOCUS), browser.run(ACTIVE), browser.text(".count")) == ("grid", "node1", "4 of 5")
    browser.press("/", "Escape")
    assert browser.text(".count") == "5 of 5"
    reached = set()
    for _ in range(24):
        browser.press("Tab")
        reached.add(browser.run(NAME))
    assert {"theme", "alerts", "stuck", "search", "grid"} <= reached


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        (name_of(4321), [name_of(4321)]),
        (mac_of(9999).upper(), [name_of(9999)]),
        (mac_of(7).replace(":", ""), [name_of(7)]),
        ("sn000123", [name_of(123)]),
        ("rack249 node39", [name_of(9999)]),
        ("storage rack000", [name_of(number) for number in range(0, 40, 5)]),
        ("nothing like this", []),
    ],
)
def test_the_search_finds_what_there_is_among_10000(
    browser: Browser, hall: WebSite, search: str, expected: list[str]
) -> None:
    open_page(browser, hall)
    browser.press("/", search)
    browser.wait_text(f"{len(expected)} of {LARGE}", ".count")
    names = "return [...document.querySelectorAll('.row:not([hidden]) a')].map((link) => link.textContent).sort()"
    assert browser.run(names) == expected


def test_of_10000_rows_only_those_that_are_seen_exist(browser: Browser, hall: WebSite) -> None:
    open_page(browser, hall)
    assert counters(browser)["all"] == LARGE
    browser.press("/", "Backspace", "ArrowDown", "End")
    browser.until(lambda: row(browser, name_of(LARGE - 1)) != "", "the last machine")
    assert browser.run("return document.querySelectorAll('.row').length") < 80
    browser.click('[data-group="stuck"]')
    stuck = sum(boots[0].outcome is Outcome.STUCK for boots in hall.tracker.boots.values())
    assert browser.text(".count") == f"{stuck} of {LARGE}"
    browser.click('.head [data-key="verdict"] button')
    assert browser.run("return document.querySelector('[aria-sort]').dataset.key") == "verdict"


def test_dark_and_light_follow_the_host_unless_one_is_chosen(browser: Browser, site: WebSite) -> None:
    background = "return getComputedStyle(document.body).backgroundColor"
    browser.scheme("dark")
    open_page(browser, site)
    dark = browser.run(background)
    browser.scheme("light")
    light = browser.run(background)
    assert dark != light
    browser.click("#theme")
    assert (browser.run(background), browser.text("#theme")) == (dark, "Theme: dark")
    open_page(browser, site)
    assert browser.run(background) == dark
    browser.click("#theme")
    browser.scheme("dark")
    assert browser.run(background) == light
    browser.click("#theme")
    assert (browser.run(background), browser.text("#theme")) == (dark, "Theme: auto")


def test_nothing_moves_for_who_wants_that(browser: Browser, site: WebSite) -> None:
    tell(site)
    for motion, expected in (("no-preference", "0.15s"), ("reduce", "0s")):
        browser.scheme("light", motion)
        open_page(browser, site)
        assert browser.run("return getComputedStyle(document.querySelector('.fill')).transitionDuration") == expected


@pytest.mark.parametrize("page", PAGES)
def test_a_phone_need_not_scroll_sideways(browser: Browser, site: WebSite, page: str) -> None:
    tell(site)
    browser.size(390, 844)
    open_page(browser, site, page)
    assert browser.run("return [document.documentElement.scrollWidth, document.querySelector('main').scrollWidth]") == [
        390,
        390,
    ]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 390)])
def test_axe_finds_nothing_wrong_and_the_policy_stops_nothing(
    browser: Browser, site: WebSite, scheme: str, width: int
) -> None:
    tell(site)
    script = axe().read_text()
    browser.size(width, 900)
    browser.scheme(scheme)
    for page in PAGES:
        open_page(browser, site, page)
        assert browser.run("return window.violations || []") == [], page
        browser.run(script)
        found = browser.run_async("return JSON.stringify((await axe.run()).violations)")
        wrong = [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in json.loads(found)]
        assert wrong == [], page
    assert [line for line in browser.log() if "Content Security Policy" in line or "Uncaught" in line] == []


def test_axe_finds_nothing_wrong_in_an_order(browser: Browser, site: WebSite) -> None:
    open_page(browser, site, "machine/node1")
    browser.click(".orders button:nth-of-type(3)")
    browser.run(axe().read_text())
    found = json.loads(browser.run_async("return JSON.stringify((await axe.run()).violations)"))
    assert [one["id"] for one in found] == []


def test_what_machines_say_stays_text(browser: Browser, site: WebSite) -> None:
    boot = stuck_boot("node1", MAC1, "b1", time.time() - 60)
    boot.spans[-1].file = boot.spans[-1].text = boot.loader = boot.firmware = EVIL
    boot.notes = [Note(time.time(), EVIL)]
    boot.addresses = (EVIL,)
    site.put(boot)
    site.do(site.site.bus.emit, Event(Kind.SYSLOG, time.time(), "node1", MAC1, EVIL, Level.DEBUG, {"text": EVIL}))
    site.do(site.site.bus.emit, asked(serial=EVIL[:60], interface=EVIL))
    site.do(site.site.services.alerts.alert, "replay", Subject("node1", MAC1, EVIL), EVIL)
    for page, selectors in (
        ("machine/node1", (".boot", ".events", "section.alerts", ".facts")),
        ("unknown", (".card dl", ".card pre")),
        ("alerts", ("main",)),
        ("", (".row",)),
    ):
        open_page(browser, site, page)
        for selector in selectors:
            assert page == "" or "<img src=x" in browser.text(selector), (page, selector)
        assert browser.run("return [document.querySelectorAll('main img, main script').length, window.hacked]") == [
            0,
            None,
        ]


@pytest.mark.parametrize("host", ["127.0.0.1", INSECURE], ids=["with a clipboard", "by http from another host"])
def test_the_lines_of_an_unknown_machine_are_copied(browser: Browser, site: WebSite, host: str) -> None:
    tell(site)
    browser.cdp("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    browser.go("about:blank")
    browser.go(f"{site.url.replace('127.0.0.1', host)}/#/unknown")
    browser.wait_text("new-020000000099")
    assert browser.run("return window.isSecureContext") == (host != INSECURE)
    browser.click(".card figcaption button")
    browser.wait_text("Copied", ".card figcaption button")
    lines = browser.run("return document.querySelector('.card pre').textContent")
    open_page(browser, site, "unknown")
    assert browser.run_async("return await navigator.clipboard.readText()") == lines
    assert lines.startswith('  new-020000000099:\n    mac: "02:00:00:00:00:99"\n')


def test_an_order_needs_the_token_and_a_wrong_one_is_told(browser: Browser, site: WebSite) -> None:
    open_page(browser, site, "machine/node1")
    browser.click(".orders button:nth-of-type(3)")
    browser.wait("return document.querySelector('#order[open]')")
    browser.run(
        "document.querySelector('#order-profile').value = 'plain'; document.querySelector('#order-token').focus()"
    )
    browser.press("not the token", "Enter")
    browser.wait_text("This is not the API's token.", "#order")
    browser.run("document.querySelector('#order-token').select()")
    browser.press(TOKEN, "Enter")
    browser.wait("return !document.querySelector('#order[open]')")
    browser.wait_text("plain, once", ".facts")
    standing = site.site.services.machines.standing("node1")
    assert standing is not None
    assert standing.next_profile == "plain"
    kept = "return JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])"
    assert TOKEN not in browser.run(kept)


def test_the_servers_sentence_is_shown_when_an_order_makes_no_sense(browser: Browser, site: WebSite) -> None:
    open_page(browser, site, "machine/node1")
    browser.click(".orders button:nth-of-type(1)")
    browser.wait("return document.activeElement.id === 'order-token'")
    browser.press(TOKEN)
    browser.click("#order-keep")
    browser.click("#order [type=submit]")
    browser.wait_text("name one that installs", "#order")
    browser.press("Escape")
    browser.wait("return !document.querySelector('#order[open]')")
    assert browser.run("return location.hash") == "#/machine/node1"


def test_a_connection_that_breaks_is_shown_and_heals(browser: Browser, site: WebSite) -> None:
    relay = Relay(site.site.port)
    site.wait(relay.mend())
    browser.go(f"http://127.0.0.1:{relay.port}/")
    browser.wait_text("live", "#link")
    site.wait(relay.cut())
    browser.wait_text("connection lost", "#link")
    site.put(boot_of("node2", MAC2, "n2", time.time()))
    site.wait(relay.mend())
    browser.wait_text("live", "#link")
    browser.until(lambda: "50% of 60.0 MB" in row(browser, "node2"), "what happened meanwhile")
    site.put(stuck_boot("node1", MAC1, "n1", time.time() - 40))
    browser.until(lambda: row(browser, "node1").startswith("stuck"), "what happens since")
    site.wait(relay.cut())


def test_screenshots(browser: Browser, site: WebSite, hall: WebSite) -> None:
    """For people to look at: .run/screenshots."""
    tell(site)
    shots = Path(__file__).parents[2] / ".run" / "screenshots"
    for scheme in ("light", "dark"):
        for width, height in ((1400, 900), (390, 844)):
            browser.scheme(scheme)
            browser.size(width, height)
            for name, where, page in (
                ("fleet", hall, ""),
                ("stuck", site, "machine/node1"),
                ("unknown", site, "unknown"),
            ):
                open_page(browser, where, page)
                assert browser.screenshot(shots / f"{name}-{scheme}-{width}.png").stat().st_size > 5000
