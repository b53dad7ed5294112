import signal
import threading

import pytest

from minigan.train.interrupt import listening


def test_ctrl_c_is_noted_and_does_not_raise():
    former = signal.getsignal(signal.SIGINT)
    with listening() as stop:
        assert not stop
        signal.raise_signal(signal.SIGINT)
        assert stop
    assert signal.getsignal(signal.SIGINT) is former


def test_a_second_ctrl_c_raises_at_once():
    former = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), listening():  # noqa: PT012
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is former


def test_outside_the_main_thread_nothing_is_changed():
    seen = []

    def work():
        with listening() as stop:
            seen.append((bool(stop), signal.getsignal(signal.SIGINT)))

    former = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(False, former)]
