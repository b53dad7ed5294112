"""A headless Chromium behind a pipe: enough of the DevTools protocol to look at one page."""

import contextlib
import itertools
import json
import os
import shutil
import subprocess
import sys

import pytest

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
        """Load a page as a screen of this width would show it; return the events on the way."""
        self.events.clear()
        mobile = width < 600
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}
        self.send("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])
        self.send("Page.navigate", url=url)
        if not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self._until(lambda m: m.get("method") == "Page.loadEventFired")
        return self.events

    def evaluate(self, expression):
        """Return the value of a JavaScript expression in the page."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

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


GOOD = '''"""01. Sums and <tags>.

The *sum* of two numbers, a < b:

    a + b

Run it with `python examples/01_sums.py`.
"""

import argparse
import os
from pathlib import Path

import numpy as np
from PIL import Image

parser = argparse.ArgumentParser()
parser.add_argument("--out", type=Path)
parser.add_argument("--smoke", action="store_true")
options = parser.parse_args()
print("1 + 1 = 2 & 1 < 2", "smoke" if options.smoke else "in full", os.environ["MPLBACKEND"])
print("ä ‖")
picture = options.out / "01_sums.png"
Image.fromarray(np.full((3, 700), 200, np.uint8)).save(picture)
print(f"picture: {picture}")
'''

BAD = '''"""02. A program that fails.

It prints 1.0 and then divides by zero.
"""

print(1.0)
1 / 0
'''

THEORY = """# 1. Sums

Of $a < b$, in a line so long that a phone must scroll it:

$$\\sum_{i=1}^{n} a_i = a_1 + a_2 + a_3 + a_4 + a_5 + a_6 + a_7 + a_8 + a_9 + a_{10}$$

[Example 01](../01_sums.py)

| sum | formula |
|---|---|
| of two, which has a name so long that the table is wide | $\\mathbb{E}_P \\max(0, 1 - s)$ |

Then <b>this</b>.
"""


@pytest.fixture
def folder(tmp_path):
    """A folder of examples: one that works, one that fails, and a chapter about the first."""
    folder = tmp_path / "examples"
    (folder / "lecture").mkdir(parents=True)
    (folder / "01_sums.py").write_text(GOOD, encoding="utf-8")
    (folder / "02_fails.py").write_text(BAD, encoding="utf-8")
    (folder / "helper.py").write_text("not an example")
    (folder / "lecture" / "1_sums.md").write_text(THEORY, encoding="utf-8")
    return folder
