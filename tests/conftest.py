"""What all tests share: hypothesis profiles, a seeded generator, and a watch over global state."""

import os

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
