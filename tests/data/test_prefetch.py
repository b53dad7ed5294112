import gc
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigan.data import Batches, Prefetch


class Failing:
    """Batches whose step 3 cannot be had."""

    def __init__(self):
        self.asked = []

    def at(self, step):
        self.asked.append(step)
        if step == 3:
            raise OSError("disk on fire")
        return np.array([step])


def threads():
    return [t.name for t in threading.enumerate() if t.name.startswith("minigan-prefetch")]


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    yield
    assert threads() == []


@given(st.lists(st.integers(0, 12), max_size=20), st.integers(1, 4), st.integers(0, 9))
def test_batches_are_the_same_in_any_order(steps, ahead, seed):
    images = np.random.default_rng(seed).normal(size=(17, 1, 2, 2)).astype(np.float32)
    batches = Batches(images, batch_size=5, seed=seed)
    with Prefetch(batches, ahead=ahead) as ready:
        for step in [*range(6), *steps]:
            got, expected = ready.at(step), batches.at(step)
            assert got.tobytes() == expected.tobytes()
            assert got.dtype == expected.dtype


def test_the_next_batches_are_prepared_by_the_thread_before_they_are_asked_for():
    made = []

    class Recording:
        def at(self, step):
            made.append((step, threading.current_thread().name))
            return step

    with Prefetch(Recording(), ahead=3) as ready:
        assert ready.at(0) == 0
        deadline = time.monotonic() + 10
        while len(made) < 4 and time.monotonic() < deadline:
            time.sleep(0.001)
        assert [step for step, _ in made] == [0, 1, 2, 3], "three ahead, and no more"
        assert all(name.startswith("minigan-prefetch") for _, name in made)


def test_an_error_is_raised_for_the_step_it_belongs_to_and_again():
    with Prefetch(Failing(), ahead=2) as ready:
        assert [ready.at(step).item() for step in range(3)] == [0, 1, 2]
        for _ in range(2):
            with pytest.raises(OSError, match="disk on fire"):
                ready.at(3)
        assert ready.at(4).item() == 4


def test_an_error_of_a_step_never_asked_for_is_no_error():
    batches = Failing()
    with Prefetch(batches, ahead=2) as ready:
        assert ready.at(2).item() == 2
    assert set(batches.asked) <= {2, 3, 4}


def test_an_error_in_the_block_ends_the_thread_too():
    def interrupted():
        with Prefetch(Failing()) as ready:
            ready.at(0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert threads() == []


def test_closed_means_closed():
    ready = Prefetch(Failing())
    ready.at(0)
    ready.close()
    ready.close()
    with pytest.raises(RuntimeError, match="the prefetch is closed"):
        ready.at(1)


def test_one_that_is_forgotten_ends_its_thread():
    ready = Prefetch(Failing())
    ready.at(0)
    assert len(threads()) == 1
    del ready
    gc.collect()
    deadline = time.monotonic() + 10
    while threads() and time.monotonic() < deadline:
        time.sleep(0.001)


def test_a_program_that_does_not_close_it_ends():
    code = (
        "import numpy as np\n"
        "from minigan.data import Batches, Prefetch\n"
        "ready = Prefetch(Batches(np.arange(9), batch_size=4, seed=0))\n"
        "print(len(ready.at(0)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("4\n", "")


def test_ahead_is_at_least_one():
    with pytest.raises(ValueError, match="ahead is 0: give an integer >= 1"):
        Prefetch(Failing(), ahead=0)
