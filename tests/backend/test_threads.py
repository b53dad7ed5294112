"""The pool: every task once, errors passed on, BLAS put back, forks survived, scratch reused."""

import contextlib
import gc
import os
import subprocess
import sys
import threading
import time
import weakref
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import minigan as mg
from minigan.backend import blas, threads
from minigan.backend.threads import parallel, scratch, single_threaded_blas

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _settings_are_restored():
    size, count = mg.get_num_threads(), blas.find_blas().get()
    yield
    mg.set_num_threads(size)
    blas.find_blas().set(count)


@contextmanager
def blas_at(count):
    """BLAS at `count` threads within the block, or a skip where there is no switch."""
    switch = blas.find_blas()
    if switch.name == "none":
        pytest.skip("this NumPy's BLAS has no switch for threads")
    former = switch.get()
    switch.set(count)
    try:
        yield switch
    finally:
        switch.set(former)


def run_python(code):
    """Run code in a fresh interpreter, at most 60 s, and return what it printed."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.split()


# -- tasks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 7, 100])
def test_every_task_is_done_once(size, count):
    mg.set_num_threads(size)
    done = []
    parallel(done.append, count)
    assert sorted(done) == list(range(count))


def test_two_threads_work_at_the_same_time():
    mg.set_num_threads(2)
    meeting = threading.Barrier(2, timeout=30)
    parallel(lambda index: meeting.wait(), 2)  # would break if one thread did both


def test_a_task_may_call_parallel():
    mg.set_num_threads(3)
    seen = np.zeros((6, 5), int)

    def outer(row):
        def inner(column):
            seen[row, column] += 1

        parallel(inner, 5)

    parallel(outer, 6)
    assert (seen == 1).all()


def test_many_callers_at_once_share_the_pool():
    mg.set_num_threads(2)
    totals = np.zeros(8, int)

    def caller(number):
        for _ in range(20):
            done = []
            parallel(done.append, 4)
            totals[number] += len(set(done))

    callers = [threading.Thread(target=caller, args=(n,)) for n in range(8)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join(60)
    assert (totals == 80).all()


def test_tasks_see_the_error_state_of_their_caller():
    mg.set_num_threads(2)
    meeting = threading.Barrier(2, timeout=30)
    states = [None, None]

    def task(index):
        meeting.wait()
        states[index] = np.geterr()["divide"]

    with np.errstate(divide="raise"):
        parallel(task, 2)
    assert states == ["raise", "raise"]


# -- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 3])
def test_the_first_error_is_raised_and_the_rest_is_not_begun(size):
    mg.set_num_threads(size)
    begun = []

    def task(index):
        begun.append(index)
        if index >= 2:
            raise ValueError(f"task {index}")

    with pytest.raises(ValueError, match="task 2"):
        parallel(task, 1000)
    assert len(begun) <= 2 + 2 * size
    done = []
    parallel(done.append, 10)  # the pool still works
    assert sorted(done) == list(range(10))


@pytest.mark.parametrize("count", [1, 4])
def test_an_error_restores_the_threads_of_blas(count):
    with blas_at(2) as switch:
        seen = []

        def task(index):
            seen.append(switch.get())
            raise KeyError(index)

        with pytest.raises(KeyError):
            parallel(task, count)
        assert set(seen) == {1}
        assert switch.get() == 2


def test_blas_comes_back_after_the_last_of_several_blocks():
    with blas_at(2) as switch:
        with single_threaded_blas():
            with single_threaded_blas():
                assert switch.get() == 1
            assert switch.get() == 1
        assert switch.get() == 2


def test_a_block_that_ctrl_c_left_open_ends_with_the_next_one():
    with blas_at(2) as switch:
        single_threaded_blas().__enter__()  # and it is gone
        with single_threaded_blas():
            assert switch.get() == 1
        assert switch.get() == 2


def test_after_ctrl_c_what_other_threads_still_do_is_out_of_the_way(monkeypatch):
    work = threads._Job.work

    def interrupted(job):
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        work(job)

    monkeypatch.setattr(threads._Job, "work", interrupted)
    before = scratch("shared by tasks", (4,), np.float64)
    with pytest.raises(KeyboardInterrupt):
        parallel(lambda index: None, 2)
    assert not np.shares_memory(before, scratch("shared by tasks", (4,), np.float64))


@pytest.mark.parametrize("entering", [True, False])
def test_the_next_block_makes_good_what_ctrl_c_broke_off(monkeypatch, entering):
    with blas_at(2) as switch:
        turns = []

        def turn(count):
            turns.append(count)
            if entering:
                switch.set(count)
            if turns == ([1] if entering else [1, 2]):
                raise KeyboardInterrupt
            switch.set(count)

        monkeypatch.setattr(threads, "find_blas", lambda: switch._replace(set=turn))
        with pytest.raises(KeyboardInterrupt), single_threaded_blas():
            pass
        assert switch.get() == 1
        with single_threaded_blas():
            assert switch.get() == 1
        assert switch.get() == 2


def test_an_error_leaves_no_circle_of_references():
    class Fault(Exception):
        pass

    faults = []

    def fault():
        made = Fault()
        faults.append(weakref.ref(made))
        return made

    def task(index):
        raise fault()

    gc.collect()
    gc.disable()
    try:
        with contextlib.suppress(Fault):
            parallel(task, 1)
        assert [one() for one in faults] == [None]
    finally:
        gc.enable()


@pytest.mark.parametrize("count", [0, -1, 1.5, True, "2", None])
def test_a_wrong_number_of_threads_is_refused(count):
    before = mg.get_num_threads()
    with pytest.raises(ValueError, match=r"set_num_threads: count=.*give an int >= 1"):
        mg.set_num_threads(count)
    assert mg.get_num_threads() == before


# -- processes ------------------------------------------------------------------------------------


def test_no_thread_is_started_before_there_is_work_to_share():
    code = """
import threading, minigan as mg
mg.set_num_threads(4)
mg.conv2d(mg.ones(1, 2, 3, 3), mg.ones(2, 2, 3, 3))
print(threading.active_count())
from minigan.backend.threads import parallel
parallel(lambda index: None, 4)
print(threading.active_count(), all(t.daemon for t in threading.enumerate()[1:]))
"""
    assert run_python(code) == ["1", "4", "True"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_has_a_pool_of_its_own():
    code = """
import os, sys, numpy as np
import minigan as mg
from minigan.backend import blas, threads
mg.set_num_threads(2)
x, w = mg.ones(32, 32, 16, 16), mg.ones(32, 32, 3, 3)
here = mg.conv2d(x, w).numpy()
blas.find_blas().set(2)
sys.stdout.flush()
with threads.single_threaded_blas():       # held while forking, by a block the child has not
    child = os.fork()
if child == 0:
    same = np.array_equal(mg.conv2d(x, w).numpy(), here)
    print(int(same), len(threads._pool.threads) > 0)
    sys.stdout.flush()
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert run_python(code) == ["1", "True", "0"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_forked_within_a_block_finds_blas_restored():
    code = """
import os, sys, threading
from minigan.backend import blas, threads
blas.find_blas().set(2)
inside, leave = threading.Event(), threading.Event()
def hold():
    with threads.single_threaded_blas():
        inside.set()
        leave.wait()
thread = threading.Thread(target=hold)
thread.start()
inside.wait()
child = os.fork()
if child == 0:
    print(blas.find_blas().get(), len(threads._limit.blocks))
    sys.stdout.flush()
    os._exit(0)
os.waitpid(child, 0)
leave.set()
thread.join()
print(blas.find_blas().get())
"""
    with blas_at(2):
        assert run_python(code) == ["2", "0", "2"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_may_leave_the_block_in_which_it_was_forked():
    code = """
import os, sys
from minigan.backend import blas, threads
blas.find_blas().set(2)
with threads.single_threaded_blas():
    child = os.fork()
if child == 0:
    with threads.single_threaded_blas():
        print(blas.find_blas().get())
    print(blas.find_blas().get())
    sys.stdout.flush()
    os._exit(0)
os.waitpid(child, 0)
print(blas.find_blas().get())
"""
    with blas_at(2):
        assert run_python(code) == ["1", "2", "2"]


# -- scratch --------------------------------------------------------------------------------------


def test_scratch_is_reused_and_grows():
    mg.free_scratch()
    first = scratch("test", (4, 5), np.float32)
    assert (first.shape, first.dtype, first.flags.c_contiguous) == ((4, 5), np.float32, True)
    assert first.ctypes.data % 64 == 0
    assert np.shares_memory(first, scratch("test", (3,), np.float64))
    assert not np.shares_memory(first, scratch("other", (3,), np.float64))
    assert not np.shares_memory(first, scratch("test", (400,), np.float64))
    assert mg.scratch_bytes() == 3200 + 24
    mg.free_scratch()
    assert mg.scratch_bytes() == 0
    assert scratch("test", (0, 3), np.complex128).shape == (0, 3)


def test_each_thread_has_scratch_of_its_own_until_it_ends():
    mg.free_scratch()
    mine = scratch("test", (10,), np.uint8)
    found = []

    def other():
        found.append(np.shares_memory(mine, scratch("test", (10,), np.uint8)))
        found.append(mg.scratch_bytes())

    thread = threading.Thread(target=other)
    thread.start()
    thread.join(30)
    assert found == [False, 20]
    deadline = time.monotonic() + 10
    while mg.scratch_bytes() != 10 and time.monotonic() < deadline:
        time.sleep(0.01)  # a thread's memory goes shortly after its end
    assert mg.scratch_bytes() == 10


def test_convolutions_keep_scratch_that_can_be_freed():
    x, w = mg.ones(2, 32, 16, 16), mg.ones(32, 32, 3, 3)
    mg.free_scratch()
    before = mg.conv2d(x, w).numpy()
    kept = mg.scratch_bytes()
    assert kept > 0
    mg.conv2d(x, w)
    mg.free_scratch()
    assert mg.scratch_bytes() == 0
    np.testing.assert_array_equal(mg.conv2d(x, w).numpy(), before)


# -- the switch of BLAS ---------------------------------------------------------------------------


def test_the_switch_is_that_of_numpys_own_openblas():
    if "openblas" not in np.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"]:
        pytest.skip("this NumPy is built on another BLAS")
    switch = blas.find_blas()
    assert switch.name in ("openblas", "threadpoolctl")
    with blas_at(1):
        assert switch.get() == 1
        switch.set(2)
        assert switch.get() == 2


def test_threadpoolctl_serves_where_openblas_cannot_be_reached():
    pytest.importorskip("threadpoolctl")
    switch, direct = blas._from_threadpoolctl(), blas.find_blas()
    if switch is None:
        pytest.skip("threadpoolctl finds no BLAS here")
    with blas_at(2):
        switch.set(1)
        assert direct.get() == switch.get() == 1
        switch.set(2)
        assert direct.get() == switch.get() == 2


def test_without_any_switch_the_pool_still_works(monkeypatch):
    nothing = blas.Blas("none", lambda: 1, lambda count: None)
    monkeypatch.setattr(threads, "find_blas", lambda: nothing)
    done = []
    parallel(done.append, 5)
    assert sorted(done) == list(range(5))
