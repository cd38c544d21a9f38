"""Real Chromium by ChromeDriver: of WebDriver (https://www.w3.org/TR/webdriver2/) the little that the tests need."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tests.lab.process import LabError, Program, spawn
from tests.ports import free_port

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--hide-scrollbars",
)  # fmt: skip
INSECURE = "pxed.test"  # this host under a name that is no secure context: http without navigator.clipboard
PATIENCE = 20.0  # seconds
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # WebDriver 12: what an element's reference is called
KEYS = {
    "Enter": "\ue007", "Escape": "\ue00c", "Tab": "\ue004", "ArrowDown": "\ue015", "ArrowUp": "\ue013", "End": "\ue010",
    "Home": "\ue011", "PageDown": "\ue00f", "PageUp": "\ue00e", "Shift": "\ue008", "Backspace": "\ue003",
}  # fmt: skip
_Value = TypeVar("_Value")


class WebDriverError(Exception):
    """ChromeDriver's own words."""


class Browser:
    """One window."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call
        self._session = ""

    def start(self, profile: Path) -> None:
        """Open a window with a new profile in `profile`."""
        resolve = f"--host-resolver-rules=MAP {INSECURE} 127.0.0.1"
        options = {"args": [*FLAGS, resolve, f"--user-data-dir={profile}", "--window-size=1400,900"]}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        answer = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = answer["sessionId"]
        self.command("POST", "/timeouts", {"script": 60_000, "pageLoad": 60_000, "implicit": 0})

    def command(self, method: str, path: str, body: object = None) -> Any:
        return self._call(method, f"/session/{self._session}{path}", body)

    def cdp(self, method: str, **parameters: object) -> Any:
        """A command of the DevTools protocol."""
        return self.command("POST", "/goog/cdp/execute", {"cmd": method, "params": parameters})

    def go(self, url: str) -> None:
        self.command("POST", "/url", {"url": url})

    def run(self, script: str, *arguments: object) -> Any:
        """What the body of a function returns."""
        return self.command("POST", "/execute/sync", {"script": script, "args": arguments})

    def run_async(self, script: str, *arguments: object) -> Any:
        """The same of one that returns a promise."""
        body = f"const done = arguments[arguments.length - 1]; (async () => {{ {script} }})().then(done)"
        return self.command("POST", "/execute/async", {"script": body, "args": arguments})

    def press(self, *keys: str) -> None:
        """Keys one after the other, by their names or as text."""
        actions: list[dict[str, str]] = []
        for key in keys:
            for character in (KEYS[key],) if key in KEYS else key:
                actions += ({"type": "keyDown", "value": character}, {"type": "keyUp", "value": character})
        self.command("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def click(self, selector: str) -> None:
        self.command("POST", f"/element/{self._find(selector)}/click", {})

    def text(self, selector: str = "body") -> str:
        """What is to be read there; "" where there is no such element."""
        found: str | None = self.run("return document.querySelector(arguments[0])?.innerText", selector)
        return found or ""

    def wait(self, script: str, *arguments: object, patience: float = PATIENCE) -> Any:
        """What the body of a function returns as soon as that is something."""
        return self.until(lambda: self.run(script, *arguments), script, patience)

    def wait_text(self, text: str, selector: str = "main", patience: float = PATIENCE) -> None:
        """Until some text is to be read."""
        self.until(lambda: text in self.text(selector), f"{text!r} in {selector}", patience, selector)

    def until(
        self, look: Callable[[], _Value], what: str, patience: float = PATIENCE, selector: str = "main"
    ) -> _Value:
        end = time.monotonic() + patience
        while not (found := look()):
            if time.monotonic() > end:
                raise AssertionError(
                    f"{what} did not come in {patience} s; the page has:\n{self.text(selector)[:2000]}"
                )
            self.run_async("await new Promise(requestAnimationFrame)")
        return found

    def size(self, width: int, height: int) -> None:
        """Of the viewport, as a phone or a screen has it."""
        self.cdp(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )

    def scheme(self, name: str, motion: str = "no-preference") -> None:
        """What the host prefers: light or dark."""
        features = [
            {"name": "prefers-color-scheme", "value": name},
            {"name": "prefers-reduced-motion", "value": motion},
        ]
        self.cdp("Emulation.setEmulatedMedia", features=features)

    def screenshot(self, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self.command("GET", "/screenshot")))
        return path

    def log(self) -> list[str]:
        """What the console has that nobody read yet."""
        return [entry["message"] for entry in self.command("POST", "/se/log", {"type": "browser"})]

    def quit(self) -> None:
        self._call("DELETE", f"/session/{self._session}", None)

    def _find(self, selector: str) -> str:
        found = self.command("POST", "/element", {"using": "css selector", "value": selector})
        return str(found[ELEMENT])


def caller(address: str, port: int) -> Callable[..., Any]:
    def call(method: str, path: str, body: object = None) -> Any:
        connection = http.client.HTTPConnection(address, port, timeout=90)
        try:
            text = None if method in ("GET", "DELETE") else json.dumps(body if body is not None else {})
            connection.request(method, path, text, {"Content-Type": "application/json"})
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return value_of(answer)

    return call


def value_of(answer: dict[str, Any]) -> Any:
    """What a command gave. Raises WebDriverError."""
    value = answer["value"]
    if isinstance(value, dict) and "error" in value and "message" in value:
        raise WebDriverError(f"{value['error']}: {value['message'].splitlines()[0]}")
    return value


@contextlib.contextmanager
def driver(directory: Path, namespace: str = "") -> Iterator[tuple[Program, int]]:
    """ChromeDriver on a port of its own, in a network namespace if one is named."""
    port = free_port(socket.SOCK_STREAM)
    argv: Sequence[str] = ["chromedriver", f"--port={port}", "--allowed-ips=", "--allowed-origins=*"]
    program = spawn(argv, log=directory / "chromedriver.log", namespace=namespace, name="chromedriver")
    try:
        if program.output.wait(lambda line: "started successfully" in line or None, 20) is None:
            raise LabError(f"chromedriver did not start:\n{program.output.end()}")
        yield program, port
    finally:
        program.stop()


def curling(namespace: str, port: int) -> Callable[..., Any]:
    """As caller(), to a driver in a network namespace: its loopback is another one than ours."""

    def call(method: str, path: str, body: object = None) -> Any:
        argv = ["ip", "netns", "exec", namespace, "curl", "-sS", "-X", method, f"http://127.0.0.1:{port}{path}"]
        if method == "POST":
            argv += ["-H", "Content-Type: application/json", "--data-binary", "@-"]
        text = json.dumps(body if body is not None else {})
        done = subprocess.run(argv, input=text, capture_output=True, text=True, check=True, timeout=90)
        return value_of(json.loads(done.stdout))

    return call


@contextlib.contextmanager
def browsing(directory: Path, namespace: str = "") -> Iterator[Browser]:
    """A window for the length of the block."""
    with driver(directory, namespace) as (_, port), tempfile.TemporaryDirectory(prefix="pxed-chromium-") as profile:
        browser = Browser(curling(namespace, port) if namespace else caller("127.0.0.1", port))
        browser.start(Path(profile))
        try:
            yield browser
        finally:
            with contextlib.suppress(OSError, WebDriverError):  # the driver is ended anyway
                browser.quit()
