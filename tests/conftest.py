"""What all tests share: hypothesis profiles, a seeded generator, a watch over global state, and
a headless Chromium behind a pipe, with enough of the DevTools protocol to look at one page.
"""

import contextlib
import itertools
import json
import os
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

import minigan as mg

_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("bounded", max_examples=25, derandomize=True, **_COMMON)
settings.register_profile("thorough", max_examples=400, **_COMMON)
settings.load_profile(os.environ.get("MINIGAN_HYPOTHESIS_PROFILE", "bounded"))


@pytest.fixture
def rng():
    """A NumPy generator with a fixed seed."""
    return np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _nothing_global_is_left_changed():
    """Fail a test that leaves recording off, another default device or a moved NumPy seed."""
    before = np.random.get_state()[1].copy()
    yield
    assert mg.is_grad_enabled(), "the test left recording switched off"
    assert mg.current_device() == "cpu", "the test left another default device"
    assert (np.random.get_state()[1] == before).all(), "the test moved NumPy's global generator"


# -- web pages ------------------------------------------------------------------------------------


class Outline(HTMLParser):
    """Tags with their attributes; complains of tags that do not close in order."""

    VOID = frozenset(("meta", "link", "img", "br", "hr", "input"))

    def __init__(self, text):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="session")
def tags_of():
    """A function that returns the (tag, attributes) of a page, which must be well formed."""
    return lambda text: Outline(text).tags


NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
)
LAUNCH = """
import os, sys
os.dup2(int(sys.argv[1]), 3), os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


# What ends beyond the screen's right edge and is not inside something that scrolls by itself.
STICKING_OUT = """
[...document.querySelectorAll("body *")].filter(e => {
  if (e.getBoundingClientRect().right <= innerWidth + 1) return false;
  for (let p = e.parentElement; p !== document.body; p = p.parentElement)
    if (getComputedStyle(p).overflowX === "auto") return false;
  return true;
}).map(e => e.tagName + "." + e.className).join(" ")
"""


class Browser:
    """One tab. Messages are JSON, each ended by a zero byte; the browser reads fd 3, writes 4."""

    def __init__(self, program, profile):
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        command = [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        self.process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, str(theirs_in), str(theirs_out), *command],
            pass_fds=(theirs_in, theirs_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in), os.close(theirs_out)
        self._numbers, self._rest, self._session, self.events = itertools.count(1), b"", None, []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method, **params):
        """Send a command and return its result; events that come meanwhile are kept."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        answer = self._until(lambda m: m.get("id") == number)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def open(self, url, *, width, height=844, dark=False):
        """Load a page as a screen of this width would show it."""
        self.events.clear()
        mobile = width < 600
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}
        self.send("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])
        self.send("Page.navigate", url=url)
        if not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self._until(lambda m: m.get("method") == "Page.loadEventFired")

    def evaluate(self, expression):
        """Return the value of a JavaScript expression in the page."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def press(self, key):
        """Press a key and let it go."""
        for kind in ("rawKeyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, code=key)

    def point(self, x, y, *, press=False):
        """Move the mouse to a place of the window; press its button there if asked to."""
        for kind in ("mouseMoved", *("mousePressed", "mouseReleased") * press):
            button = {"button": "none" if kind == "mouseMoved" else "left", "clickCount": 1}
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, **button)

    def sticking_out(self):
        """Return the elements that are wider than the screen, "" if there are none."""
        return self.evaluate(STICKING_OUT)

    def complaints(self):
        """Return what went wrong in the page since it was opened: errors and refusals."""
        wrong = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")
        return [event for event in self.events if event["method"] in wrong]

    def requests(self):
        """Return the addresses that the page asked for since it was opened, itself first."""
        sent = (e["params"] for e in self.events if e["method"] == "Network.requestWillBeSent")
        return [params["request"]["url"] for params in sent]

    def close(self):
        with contextlib.suppress(OSError):
            self.send("Browser.close")
        os.close(self._out), os.close(self._in)
        self.process.wait(timeout=30)

    def _until(self, wanted):
        while True:
            while b"\0" not in self._rest:
                more = os.read(self._in, 1 << 16)
                if not more:
                    raise ConnectionError("the browser has gone")
                self._rest += more
            line, _, self._rest = self._rest.partition(b"\0")
            message = json.loads(line)
            if "method" in message:
                self.events.append(message)
            if wanted(message):
                return message


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is installed")
    browser = Browser(program, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()
