"""A standard output that is closed, full, or read by nobody any more."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from minigan.train import loop
from minigan.train.run_folder import RunFolder

needs_dev_full = pytest.mark.skipif(
    not Path("/dev/full").exists(), reason="this system has no /dev/full"
)

TINY = ("--batch-size=4", "--latent=3", "--width=2")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "runs"


@pytest.mark.parametrize("command", [["--version"], ["train", "--help"], ["info"]])
def test_a_closed_standard_output_is_no_output(command):
    code = "import os, sys; os.close(1); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    done = _python("-c", code, "-m", "minigan", *command)
    assert (done.returncode, done.stderr) == (0, "")


@needs_dev_full
def test_a_full_standard_output_gives_one_line():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "minigan", "info"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 1
    assert done.stderr == "minigan: standard output: No space left on device\n"


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_lost_reader_does_not_lose_the_training(out, unbuffered):
    """As in `minigan train | head -1`."""
    done = _train_into(out, closed_pipe(), unbuffered)
    assert (done.returncode, done.stderr) == (0, "")
    assert loop.saved_step(RunFolder(out / "00000-digits")) == 3


@needs_dev_full
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_standard_output_does_not_lose_the_training(out, unbuffered):
    with open("/dev/full", "w") as full:
        done = _train_into(out, full, unbuffered)
    assert done.returncode == 1
    assert done.stderr == "minigan: standard output: No space left on device\n"
    assert loop.saved_step(RunFolder(out / "00000-digits")) == 3


def closed_pipe():
    reader, writer = os.pipe()
    os.close(reader)
    return os.fdopen(writer, "w")


def _train_into(out, stdout, unbuffered):
    command = ["train", "--out", str(out), "--steps=3", "--eval-samples=0", *TINY]
    with stdout:
        return subprocess.run(
            [sys.executable, "-m", "minigan", *command],
            stdout=stdout,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            stderr=subprocess.PIPE,
            text=True,
        )


def _python(*arguments):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
