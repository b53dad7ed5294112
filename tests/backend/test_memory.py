"""Memory that is kept between steps, and given back when asked for."""

import subprocess
import sys

import numpy as np
import pytest

import minigan as mg
from minigan.backend import memory

GLIBC = memory._function("mallopt") is not None

# Allocate and free 64 MB a few times, and count the pages (of 4 KB or of 2 MB) that were fetched.
PROGRAM = """
import resource, sys
import numpy as np
import minigan as mg
if "keep" in sys.argv: assert mg.keep_memory()
if "undo" in sys.argv: assert mg.keep_memory(False)
def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def pages(): return int(open("/proc/self/statm").read().split()[1])
def work(): [np.ones(1 << 23).sum() for _ in range(4)]
work()
before = faults(); work(); print(faults() - before)
before = pages(); mg.free_memory(); print(before - pages())
"""


def run(*options):
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM, *options], capture_output=True, text=True, check=True
    )
    return [int(line) for line in found.stdout.split()]


@pytest.mark.skipif(not GLIBC, reason="the C library is not glibc: it has no mallopt")
def test_freed_arrays_are_used_again():
    assert run("keep")[0] < 50 < run("keep", "undo")[0]


@pytest.mark.skipif(not GLIBC, reason="the C library is not glibc: it has no mallopt")
def test_what_is_kept_can_be_given_back():
    assert run("keep")[1] > 10_000  # pages of 4 KB, of 64 MB


def test_elsewhere_nothing_is_done(monkeypatch):
    monkeypatch.setattr(memory, "_function", lambda name: None)
    assert mg.keep_memory() is False
    mg.free_memory()


def test_another_c_library_is_recognised(monkeypatch):
    monkeypatch.setattr(memory.sys, "platform", "darwin")
    assert memory._function.__wrapped__("mallopt") is None


def test_free_memory_frees_scratch():
    mg.conv2d(mg.ones(1, 64, 16, 16), mg.ones(64, 64, 3, 3))
    assert mg.scratch_bytes() > 0
    mg.free_memory()
    assert mg.scratch_bytes() == 0
    y = mg.conv2d(mg.ones(1, 64, 16, 16), mg.ones(64, 64, 3, 3)).numpy()
    np.testing.assert_array_equal(y, 576.0)
