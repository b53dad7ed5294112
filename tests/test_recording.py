"""Recording on and off, per thread, restored whatever happens; the watcher of ops."""

import threading

import numpy as np
import pytest

import minigan as mg


def leaf(value):
    return mg.tensor(np.array(value), requires_grad=True)


def test_no_grad_is_restored_when_an_exception_passes():
    def fail():
        assert not mg.is_grad_enabled()
        with mg.enable_grad():
            assert mg.is_grad_enabled()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), mg.no_grad():
        fail()
    assert mg.is_grad_enabled()


def test_no_grad_decorates_functions():
    @mg.no_grad()
    def double(x):
        return x * 2.0

    assert not double(leaf(1.0)).requires_grad
    assert mg.is_grad_enabled()


def test_threads_are_independent():
    inside, outside, results = threading.Event(), threading.Event(), []

    def other():
        inside.wait(5)
        results.append(mg.is_grad_enabled())
        outside.set()

    thread = threading.Thread(target=other)
    thread.start()
    with mg.no_grad():
        inside.set()
        outside.wait(5)
    thread.join()
    assert results == [True]


def test_trace_sees_every_op_and_stops_at_the_end_of_the_block():
    seen = []
    x = leaf(1.0)
    with mg.trace(lambda name, out: seen.append(name)):
        (x * 2.0 + 1.0).sum()
    x + x
    assert seen == ["multiply", "add", "sum"]


def test_one_block_shared_by_two_threads_restores_each():
    shared, inside, leave = mg.no_grad(), threading.Event(), threading.Event()
    results = []

    def other():
        with shared:
            inside.set()
            leave.wait(5)
        results.append(mg.is_grad_enabled())

    thread = threading.Thread(target=other)
    with mg.no_grad():
        thread.start()
        inside.wait(5)
        with shared:
            pass
        assert not mg.is_grad_enabled()
        leave.set()
        thread.join()
    assert results == [True]


def test_generators_are_not_decorated():
    def numbers():
        yield 1

    with pytest.raises(TypeError, match="numbers is a generator"):
        mg.no_grad()(numbers)
