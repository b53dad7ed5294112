"""The default device, and mixing of devices."""

import threading

import numpy as np
import pytest

import minigan as mg
from minigan.backend import Backend, backend_of, get_backend, xp_of
from minigan.backend.device import installed_backend
from minigan.errors import DeviceError


def test_the_type_of_an_array_names_its_backend():
    assert backend_of(np.zeros(1)).name == "cpu"
    assert xp_of(2.0, None, np.zeros(1)) is np
    assert xp_of(1.0) is np


def test_an_unknown_device_is_refused():
    with pytest.raises(DeviceError, match="unknown device 'tpu': use 'cpu' or 'cuda'"):
        get_backend("tpu")
    with pytest.raises(DeviceError):
        mg.device("gpu")


def test_the_default_is_restored_after_an_exception():
    with pytest.raises(KeyError), mg.device("cpu"):
        raise KeyError
    assert mg.current_device() == "cpu"


def test_the_default_belongs_to_a_thread():
    seen = []
    thread = threading.Thread(target=lambda: seen.append(mg.current_device()))
    thread.start()
    thread.join()
    assert seen == ["cpu"]


def test_status_is_one_line_and_never_raises():
    assert "\n" not in mg.gpu_status()


def test_synchronize_waits_for_the_device_it_names():
    waited = []
    array_type = type("OtherArray", (), {})
    other = Backend("cuda", np, array_type, np.asarray, np.asarray, lambda: waited.append(1))
    with installed_backend(other):
        mg.synchronize()  # the current device, the CPU
        assert waited == []
        mg.synchronize("cuda")
    assert waited == [1]
