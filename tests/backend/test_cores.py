"""Workers keep off the core of the thread they work for, where that can be said."""

import os
import threading

import pytest

import minigan as mg
from minigan.backend import cores, threads

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0


def test_the_current_core_is_one_of_those_allowed():
    core = cores.current_core()
    assert core is None or core in os.sched_getaffinity(0)


@pytest.fixture
def sleeper():
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    yield thread
    done.set()
    thread.join()


@pytest.mark.skipif(CORES < 2, reason="needs two cores and sched_setaffinity (Linux)")
def test_a_thread_is_kept_off_a_core_and_let_back(sleeper):
    allowed = os.sched_getaffinity(0)
    core = min(allowed)
    cores.keep_off(core, [sleeper])
    assert os.sched_getaffinity(sleeper.native_id) == allowed - {core}
    cores.keep_off(max(allowed), [sleeper])
    assert os.sched_getaffinity(sleeper.native_id) == allowed - {max(allowed)}
    assert os.sched_getaffinity(0) == allowed  # the caller itself may run where it could


@pytest.mark.skipif(CORES < 1, reason="needs sched_setaffinity (Linux)")
def test_with_a_single_core_it_is_shared(sleeper, monkeypatch):
    given = []
    monkeypatch.setattr(cores.os, "sched_getaffinity", lambda who: {3})
    monkeypatch.setattr(cores.os, "sched_setaffinity", lambda who, where: given.append(where))
    cores.keep_off(3, [sleeper])
    assert given == [{3}]


@pytest.mark.skipif(CORES < 1, reason="needs sched_setaffinity (Linux)")
def test_where_it_is_forbidden_work_goes_on(sleeper, monkeypatch):
    asked = []

    def refuse(who, where):
        asked.append(who)
        raise PermissionError("not here")

    allowed = os.sched_getaffinity(sleeper.native_id)
    monkeypatch.setattr(cores.os, "sched_setaffinity", refuse)
    cores.keep_off(0, [sleeper, sleeper])
    assert asked == [sleeper.native_id]  # once: the others would be refused too
    assert os.sched_getaffinity(sleeper.native_id) == allowed


def test_elsewhere_nothing_is_done(sleeper, monkeypatch):
    monkeypatch.setattr(cores.sys, "platform", "darwin")
    assert cores._getcpu.__wrapped__()() == -1
    cores.keep_off(None, [sleeper])


@pytest.mark.skipif(CORES < 2, reason="needs two cores and sched_setaffinity (Linux)")
def test_the_pool_keeps_its_threads_off_the_callers_core():
    mg.set_num_threads(2)
    allowed = os.sched_getaffinity(0)
    threads.parallel(lambda index: None, 4)
    core = threads._pool.avoided
    seen = [os.sched_getaffinity(thread.native_id) for thread in threads._pool.threads]
    assert core in allowed
    assert seen
    assert all(core not in where for where in seen)
