"""An attacker on the machines' own network wants their secrets, or their state, and gets neither (SECURITY.md).

The machines and the attacker are played: hosts of their own on the laboratory's bridge, which send what they want. pxed
and the DHCP server beside it are the real ones. What the attacker can do all the same is told at the end.
"""

from __future__ import annotations

import contextlib
import json
import re
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_flatcar import sync
from tests.lab import operator, releaseserver
from tests.lab.daemon import URL
from tests.lab.inventory import document, profile
from tests.lab.laboratory import Lab, fresh, laboratory
from tests.lab.played import Answer, Asking, Played, plugged
from tests.lab.process import ROOT, run
from tests.lab.vm import Firmware, Guest
from tests.releases.__main__ import key_of
from tests.releases.tree import Tree

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120 * 2)]

NAMES = ("once1", "sealed1", "report1", "install1", "checked1", "mallory")
MACHINES = {name: Guest(name, Firmware.BIOS, number) for number, name in enumerate(NAMES)}
PACKED = ("sealed1", "install1")  # whose configs are not to be read as they are
ASSET = "RACK-7-UNIT-12"
MADE_UP = "A" * 43
SIZE = 400_000  # of a config that does not fit into the buffers on its way
OWN_MAC = "02:00:00:00:00:66"  # of the attacker's NIC


def marker(name: str) -> str:
    """The secret in a machine's config."""
    return f"the-secret-of-{name}-and-of-nobody-else"


def inventory(directory: Path) -> dict[str, Any]:
    """Every way to give out a config, with the defaults of ignition_access."""
    source = {"source": "data:,{{ machine.vars.secret }}{{ '.' * machine.vars.size }}"}
    config = {"ignition": {"version": "3.3.0"}, "storage": {"files": [{"path": "/etc/secret", "contents": source}]}}
    (directory / "secret.ign").write_text(json.dumps(config))
    secret = "variant: flatcar\nversion: 1.0.0\nstorage:\n  files:\n    - path: /etc/secret\n      contents: {inline: "
    (directory / "system.bu").write_text(secret + '"{{ machine.vars.secret }}"}\n')
    base = profile("x", ignition="secret.ign")
    profiles = {
        "once1": base,
        "sealed1": base | {"ignition_delivery": "embedded"},
        "report1": base | {"report": True},
        "install1": {"image": "flatcar", "boot": "install", "install": {"disk": "/dev/vda", "butane": "system.bu"}},
        "checked1": base | {"ignition_check": ["serial", "uuid", "asset"]},
        "mallory": base,
    }
    own: dict[str, dict[str, Any]] = {
        name: {"vars": {"secret": marker(name), "size": SIZE if name == "once1" else 1}} for name in NAMES
    }
    guest = MACHINES["checked1"]
    own["checked1"] |= {"serial": guest.serial, "uuid": guest.uuid, "asset_tag": ASSET}
    found = document(directory, {MACHINES[name]: name for name in NAMES}, profiles, own)
    found["images"]["flatcar"] = {"flatcar": {"channel": "stable", "arch": "amd64", "version": "current"}}
    found["server"] |= {
        "mirror": releaseserver.settings(directory / "releases"),
        "api_token_file": str(operator.token_file(directory)),
    }
    return found


def target_in(source: str) -> str:
    """The path and query of the URL in a file for curl, which a config has as a data URL."""
    with urllib.request.urlopen(source) as response:
        text: str = response.read().decode()
    found = re.search(r"https?://[^/]+([^\"\s]+)", text)
    assert found, text
    return found[1]


@dataclass
class Scene:
    """The laboratory with a victim, which is any of the machines in turn, and an attacker."""

    lab: Lab
    victim: Played
    attacker: Played
    name: str = ""
    script: Answer | None = None
    fetching: Asking | None = None
    config: str = ""
    tests: int = 0
    tokens: set[str] = field(default_factory=set)

    def set(self, name: str) -> None:
        """A new test, about this machine. The attacker comes from an address of its own."""
        self.name, self.script, self.fetching, self.config = name, None, None, ""
        guest, self.tests = MACHINES[name], self.tests + 1
        self.victim.wear(guest.mac)
        self.victim.uuid, self.victim.serial = guest.uuid, guest.serial
        self.attacker.wear(OWN_MAC)
        self.attacker.uuid, self.attacker.serial = "", ""
        self.attacker.take(f"10.77.0.{2 + self.tests}")
        if name == "install1":
            self.order("reset")

    @property
    def mac(self) -> str:
        return MACHINES[self.name].mac

    @property
    def token(self) -> str:
        """The secret of the victim's script, which a careless hand has let out."""
        assert self.script is not None
        return self.script.token()

    @property
    def path(self) -> str:
        """Where the victim's config is."""
        return f"/oem/{self.name}.cpio.gz" if self.name == "sealed1" else f"/ignition/{self.name}"

    def order(self, what: str) -> None:
        """An operator's order, which bears the API's token."""
        url = f"{URL}/api/v1/machines/{self.name}/{what}"
        bearer = f"Authorization: Bearer {operator.TOKEN}"
        run("ip", "netns", "exec", self.lab.network.pxe, "curl", "-sSf", "-X", "POST", "-H", bearer, url)

    def be_seen(self) -> None:
        """The victim's ROM and its iPXE have asked by DHCP."""
        self.victim.rom()
        self.victim.ipxe()

    def ask_script(self) -> None:
        """The victim has its script."""
        self.be_seen()
        self.script = self.victim.ask(self.victim.script_path(asset=ASSET))
        assert self.token, self.script.text
        self.tokens.add(self.token)

    def begin_fetch(self) -> None:
        """The victim's config has begun to come."""
        if self.script is None:
            self.ask_script()
        self.fetching = self.victim.begin(f"{self.path}?token={self.token}", window=2048)
        assert self.fetching.head() == 200

    def fetch(self) -> None:
        """The victim has its config, and what it should."""
        if self.fetching is None:
            self.begin_fetch()
        assert self.fetching is not None
        answer, self.fetching = self.fetching.finish(), None
        self.config = answer.text
        assert answer.status == 200
        if self.name not in PACKED:
            assert marker(self.name) in self.config

    def go_on(self) -> None:
        """The victim boots on from where it is, and all is as it would have been; or it boots again."""
        if self.config and self.name != "install1":
            self.script, self.config = None, ""
        if not self.config:
            self.fetch()
        if self.name == "install1":
            self.install()

    def install(self) -> None:
        """What the installer does: it has the installed system's config, and reports."""
        files = {file["path"].rsplit("/", 1)[1]: file for file in json.loads(self.config)["storage"]["files"]}
        system, report = (target_in(files[name]["contents"]["source"]) for name in ("config-url", "report-url"))
        answer = self.victim.ask(system)
        assert (answer.status, marker(self.name) in answer.text) == (200, True)
        assert self.victim.ask(f"{report}&stage=installed", "POST", b"done").status == 200
        assert operator.view(self.lab, self.name)["install"]["state"] == "installed"

    def known(self) -> dict[str, Any]:
        """What pxed says of the victim that only the victim or an operator may change."""
        shown = operator.view(self.lab, self.name)
        boots = [(boot["id"], boot["reported"], boot["message"]) for boot in shown["boots"]]
        return {"install": shown["install"], "next": shown["next"], "attempts": shown["attempts"], "boots": boots}

    def alerts(self) -> set[str]:
        """What pxed has raised about this victim and this attacker."""
        shown = operator.view(self.lab, self.name)["alerts"]
        return {alert["what"] for alert in shown if alert["address"] == self.attacker.address}


@pytest.fixture(scope="module")
def everything() -> Iterator[Scene]:
    """One laboratory for all attempts."""
    directory = fresh(ROOT / ".cache" / "artifacts" / "attacker")
    releases = directory / "releases"
    Tree(releases, key_of(releases)).publish("stable", "amd64", "4593.2.5", install_image=b"an image")
    described = inventory(directory)
    with (
        laboratory(directory, described, taps=0, beside=lambda net: releaseserver.serving(net, releases)) as lab,
        plugged(lab.network, "victim", MACHINES["once1"].mac) as victim,
        plugged(lab.network, "attacker", OWN_MAC) as attacker,
    ):
        assert sync(lab) == (0, "")
        # The daemon looks once a second for what another process has mirrored; until then this is a 503.
        image, again = f"{URL}/images/flatcar/flatcar_production_pxe.vmlinuz", ("--retry", "20", "--retry-delay", "1")
        run("ip", "netns", "exec", lab.network.pxe, "curl", "-sSf", "--head", *again, image)
        yield Scene(lab, victim, attacker)


@pytest.fixture
def scene(everything: Scene) -> Scene:
    return everything


# What the attacker tries: each gives all that it was answered.

Attempt = Callable[[Scene], list[Answer]]


def guess_the_name(scene: Scene) -> list[Answer]:
    return [scene.attacker.ask(path) for path in (scene.path, f"{scene.path}?token=", f"/ignition/{scene.mac}")]


def guess_the_name_by_head_or_range(scene: Scene) -> list[Answer]:
    return [scene.attacker.ask(scene.path, "HEAD"), scene.attacker.ask(scene.path, Range="bytes=0-40")]


def guess_a_token(scene: Scene) -> list[Answer]:
    guesses = (MADE_UP, "x", "A" * 5000, f"{MADE_UP}&token={MADE_UP}", "%00", "../../token")
    return [scene.attacker.ask(f"{scene.path}?token={guess}") for guess in guesses]


def show_its_own_token(scene: Scene) -> list[Answer]:
    """The attacker's host is a machine of the inventory too, whose boot has a token."""
    attacker = scene.attacker
    attacker.wear(MACHINES["mallory"].mac)
    attacker.ipxe()
    token = attacker.ask(attacker.script_path()).token()
    assert token
    return [attacker.ask(f"{scene.path}?token={token}"), attacker.ask(f"/report/{scene.name}?token={token}", "POST")]


def show_the_victims_token(scene: Scene) -> list[Answer]:
    target = f"{scene.path}?token={scene.token}"
    ways: list[dict[str, str]] = [{}, {"Range": "bytes=0-40"}, {"X_Forwarded_For": scene.victim.address}]
    return [*(scene.attacker.ask(target, **headers) for headers in ways), scene.attacker.ask(target, "HEAD")]


def show_the_victims_token_elsewhere(scene: Scene) -> list[Answer]:
    """Where a token is not looked for."""
    token, url = scene.token, f"http://10.77.0.2:8080{scene.path}?token={scene.token}"
    headers = {"Authorization": f"Bearer {token}", "Referer": url, "Cookie": f"token={token}", "X_Token": token}
    return [scene.attacker.ask(scene.path, **headers), scene.attacker.ask(scene.path, "HEAD", **headers)]


def show_the_victims_token_for_another(scene: Scene) -> list[Answer]:
    return [scene.attacker.ask(f"/ignition/mallory?token={scene.token}")]


def ask_for_the_script(scene: Scene) -> list[Answer]:
    attacker = scene.attacker
    paths = [attacker.script_path(mac=scene.mac), f"/boot.ipxe?mac={scene.mac}&announced=1"]
    return [*(attacker.ask(path) for path in paths), attacker.ask(paths[0], "HEAD")]


def say_the_victims_boot(scene: Scene) -> list[Answer]:
    assert scene.script is not None
    boot = scene.script.boot()
    assert boot
    return [scene.attacker.ask(scene.attacker.script_path(mac=scene.mac, boot=boot))]


def send_the_victims_dhcp(scene: Scene) -> list[Answer]:
    """From its own NIC, as the ROM and iPXE of the victim, and as a relay."""
    scene.attacker.ipxe(mac=scene.mac)
    scene.attacker.ipxe(mac=scene.mac, giaddr=scene.attacker.address)
    return ask_for_the_script(scene)


@contextlib.contextmanager
def behind_a_router(scene: Scene) -> Iterator[Played]:
    """The attacker at an address of another network, with a NIC that pxed cannot see: it is its own router."""
    attacker, pxe, far = scene.attacker, scene.lab.network.pxe, f"10.99.0.{scene.tests}"
    run("ip", "-n", pxe, "route", "add", f"{far}/32", "via", attacker.address)
    run("ip", "-n", attacker.namespace, "addr", "add", f"{far}/32", "dev", "eth0")
    run("ip", "-n", attacker.namespace, "route", "add", "10.77.0.2/32", "dev", "eth0", "src", far)
    attacker.address = far
    yield attacker
    run("ip", "-n", pxe, "route", "del", f"{far}/32")


def forge_a_relay(scene: Scene) -> list[Answer]:
    """From its own network; the script is asked for from where pxed sees no NIC."""
    scene.attacker.ipxe(mac=scene.mac, giaddr=scene.attacker.address)
    with behind_a_router(scene):
        return ask_for_the_script(scene)


def wear_the_victims_mac(scene: Scene) -> list[Answer]:
    """And ask for the script, but send no DHCP."""
    attacker = scene.attacker
    attacker.wear(scene.mac)
    first, second = attacker.ask(attacker.script_path()), attacker.ask(attacker.script_path(announced="1"))
    assert "dhcp netX" in first.text
    attacker.wear(OWN_MAC)
    return [first, second]


def be_the_victim_but_for_its_hardware(scene: Scene) -> list[Answer]:
    """The MAC, the DHCP, and guesses of the rest."""
    attacker, guest = scene.attacker, MACHINES[scene.name]
    attacker.wear(scene.mac)
    attacker.ipxe()
    said: list[dict[str, str]] = [
        {},
        {"uuid": guest.uuid, "serial": guest.serial},
        {"uuid": guest.uuid, "asset": ASSET},
        {"serial": guest.serial, "asset": ASSET},
        {"uuid": guest.uuid, "serial": "", "asset": ASSET},
    ]
    answers = [attacker.ask(attacker.script_path(**words)) for words in said]
    attacker.wear(OWN_MAC)
    return answers


def report_for_it(scene: Scene) -> list[Answer]:
    """Without a token, with one that is made up, and with that of the victim's config."""
    shown = ["", f"&token={MADE_UP}"] + ([f"&token={scene.token}"] if scene.script else [])
    stages = ("installed", "failed", "running", "installing")
    targets = [f"/report/{scene.name}?stage={stage}{token}" for stage in stages for token in shown]
    return [scene.attacker.ask(target, "POST", b"x") for target in targets]


def order_through_the_api(scene: Scene) -> list[Answer]:
    tries: list[dict[str, str]] = [{}] + [{"Authorization": f"Bearer {guess}"} for guess in ("", "x", MADE_UP)]
    machine = f"/api/v1/machines/{scene.name}"
    orders = [f"{machine}/{order}" for order in ("install", "local", "reset")]
    return [scene.attacker.ask(order, "POST", **headers) for order in orders for headers in tries]


def read_the_api(scene: Scene) -> list[Answer]:
    pages = ("machines", f"machines/{scene.name}", "boots", "alerts")
    return [scene.attacker.ask(f"/api/v1/{page}") for page in pages]


NOT = frozenset({403})
NO_TOKEN, WRONG, FOREIGN = {"no-token"}, {"wrong-token"}, {"foreign-token"}
BOUND = {"foreign-address", "replay"}
SPOOFED, UNSEEN, RELAY = {"spoofed"}, {"unseen"}, {"relay"}
SCRIPT = frozenset({200})  # one without a secret
OFF, SEEN, SCRIPTED, FETCHING, DONE = (
    "before its boot",
    "when its DHCP was seen",
    "when it has its script",
    "while it fetches its config",
    "after it has its config",
)
PHASES: dict[str, Callable[[Scene], None]] = {
    OFF: lambda scene: None,
    SEEN: Scene.be_seen,
    SCRIPTED: Scene.ask_script,
    FETCHING: Scene.begin_fetch,
    DONE: Scene.fetch,
}
ANY = (OFF, SEEN, FETCHING, DONE)
# the attempt, the machine, when, the answers' status, alerts of which one must be raised
ATTEMPTS: dict[str, tuple[Attempt, str, tuple[str, ...], frozenset[int], set[str]]] = {
    "guesses its name": (guess_the_name, "once1", ANY, NOT, NO_TOKEN),
    "guesses the name of its initrd": (guess_the_name, "sealed1", (OFF, SCRIPTED), NOT | {404}, NO_TOKEN),
    "guesses the name of one that is installed": (guess_the_name, "install1", (OFF, SCRIPTED), NOT, NO_TOKEN),
    "asks by HEAD and for a range": (guess_the_name_by_head_or_range, "once1", (OFF, FETCHING), NOT, NO_TOKEN),
    "makes up a token": (guess_a_token, "once1", ANY, NOT | {414}, WRONG),
    "shows the token of its own boot": (show_its_own_token, "once1", ANY, NOT | {400}, FOREIGN),
    "shows the victim's token": (show_the_victims_token, "once1", (FETCHING, DONE), NOT, BOUND),
    "shows the victim's token in headers": (show_the_victims_token_elsewhere, "once1", (SCRIPTED,), NOT, NO_TOKEN),
    "asks for the victim's script": (ask_for_the_script, "once1", ANY, SCRIPT, SPOOFED),
    "asks for the script of an installation": (ask_for_the_script, "install1", ANY, SCRIPT, SPOOFED),
    "says which boot the victim's is": (say_the_victims_boot, "once1", (SCRIPTED, FETCHING), SCRIPT, SPOOFED),
    "sends the victim's DHCP from its own NIC": (send_the_victims_dhcp, "once1", ANY, SCRIPT, SPOOFED),
    "wears the victim's MAC": (wear_the_victims_mac, "once1", (OFF, FETCHING, DONE), SCRIPT, UNSEEN),
    "forges a relay's DHCP from behind a router": (forge_a_relay, "once1", (OFF, FETCHING, DONE), SCRIPT, RELAY),
    "wears the MAC and sends the DHCP of one whose hardware is checked": (
        be_the_victim_but_for_its_hardware,
        "checked1",
        (OFF, SEEN),
        SCRIPT,
        {"other-hardware"},
    ),
    "reports for one that is installed": (report_for_it, "install1", (OFF, SCRIPTED, DONE), NOT, NO_TOKEN),
    "reports for one that reports": (report_for_it, "report1", (OFF, SCRIPTED, DONE), NOT, NO_TOKEN),
    "orders through the API": (order_through_the_api, "install1", (OFF, DONE), frozenset({401, 429}), set()),
    "reads the API": (read_the_api, "checked1", (SCRIPTED,), frozenset({200}), set()),
}
CASES = [
    pytest.param(phase, *rest, id=f"{sentence}, {phase}")
    for sentence, (attempt, name, phases, *others) in ATTEMPTS.items()
    for phase in phases
    for rest in [(attempt, name, *others)]
]


@pytest.mark.parametrize(("phase", "attempt", "name", "statuses", "alerts"), CASES)
def test_the_attacker_gets_nothing_when_it(
    scene: Scene, phase: str, attempt: Attempt, name: str, statuses: frozenset[int], alerts: set[str]
) -> None:
    scene.set(name)
    PHASES[phase](scene)
    before = scene.known()
    answers = attempt(scene)
    assert {answer.status for answer in answers} <= statuses
    for answer in answers:
        everything = f"{answer.head}{answer.text}"
        assert not [one for one in NAMES if marker(one) in everything]
        assert "token=" not in everything
        assert not [token for token in scene.tokens if token in everything]
    assert not alerts or scene.alerts() & alerts, scene.alerts()
    assert scene.known() == before
    scene.go_on()


def test_of_many_at_once_who_show_one_token_exactly_one_gets_the_config(scene: Scene) -> None:
    """From the victim's own address, so that nothing but the token decides; the victim's next boot is as any other."""
    scene.set("once1")
    scene.ask_script()
    asking = [scene.victim.begin(f"{scene.path}?token={scene.token}", window=2048) for _ in range(24)]
    statuses = [one.head() for one in asking]
    answers = [one.finish() for one in asking]
    assert statuses.count(200) == 1, statuses
    assert set(statuses) <= {200, 403, 503}
    assert sum(marker("once1") in answer.text for answer in answers) == 1
    scene.script = None
    scene.go_on()


# What remains, as SECURITY.md has it. A change here is a change there.


def be_the_victim(scene: Scene) -> Answer:
    """The MAC, the DHCP, and what the victim would say of itself."""
    attacker, guest = scene.attacker, MACHINES[scene.name]
    attacker.wear(scene.mac)
    attacker.ipxe()
    script = attacker.ask(attacker.script_path(uuid=guest.uuid, serial=guest.serial, asset=ASSET))
    answer = attacker.ask(f"{scene.path}?token={script.token()}")
    attacker.wear(OWN_MAC)
    return answer


def look_into_the_victims_packets(scene: Scene) -> Answer:
    """And be faster than the victim."""
    scene.ask_script()
    return scene.attacker.ask(f"{scene.path}?token={scene.token}")


def come_from_behind_a_router(scene: Scene) -> Answer:
    """A host whose NIC pxed cannot see when it asks, and that has sent the victim's DHCP in the victim's network."""
    scene.attacker.ipxe(mac=scene.mac)
    with behind_a_router(scene) as attacker:
        script = attacker.ask(attacker.script_path(mac=scene.mac))
        return attacker.ask(f"{scene.path}?token={script.token()}")


REMAINS: dict[str, tuple[Callable[[Scene], Answer], str]] = {
    "wears the victim's MAC and speaks its DHCP": (be_the_victim, "once1"),
    "knows the hardware that is checked too": (be_the_victim, "checked1"),
    "reads the wire and is faster": (look_into_the_victims_packets, "once1"),
    "sends its DHCP in its network and asks from behind a router": (come_from_behind_a_router, "once1"),
}


@pytest.mark.parametrize(("attempt", "name"), REMAINS.values(), ids=REMAINS)
def test_the_attacker_gets_a_secret_when_it(scene: Scene, attempt: Callable[[Scene], Answer], name: str) -> None:
    scene.set(name)
    answer = attempt(scene)
    assert (answer.status, marker(name) in answer.text) == (200, True)
    scene.script = None
    scene.go_on()


def test_a_victim_whose_secret_was_taken_is_refused_and_an_alert_says_so(scene: Scene) -> None:
    scene.set("once1")
    assert look_into_the_victims_packets(scene).status == 200
    assert scene.victim.ask(f"{scene.path}?token={scene.token}").status == 403
    alerts = operator.view(scene.lab, "once1")["alerts"]
    assert {alert["address"] for alert in alerts if alert["what"] in BOUND} >= {scene.victim.address}


def test_who_boots_as_the_victim_ends_the_victims_boot_which_then_begins_anew(scene: Scene) -> None:
    """The one attempt that disturbs: the older of two boots of one machine is refused its config."""
    scene.set("once1")
    scene.ask_script()
    assert be_the_victim(scene).status == 200
    assert scene.victim.ask(f"{scene.path}?token={scene.token}").status == 403
    scene.script = None
    scene.go_on()
