"""Fitting a state to its places: what is wrong is sorted by kind, and nothing is changed."""

import numpy as np
import pytest

import minigan as mg
from minigan.nn.state import fit
from minigan.testing.cupy_double import cupy_double


def places():
    return {"a": mg.zeros(2), "b": mg.zeros(3, dtype="float64"), "n": mg.tensor([0])}


def test_arrays_are_copies_in_the_dtype_of_their_place():
    state = {"a": np.array([1, 2]), "b": np.ones(3), "n": np.array([7.0])}
    found = fit(state, places())
    assert found.faults() == ""
    assert [found.arrays[name].dtype for name in "abn"] == ["float32", "float64", "int64"]
    assert not np.shares_memory(found.arrays["b"], state["b"])
    assert found.arrays["n"].tolist() == [7]


def test_faults_by_kind():
    state = {"a": np.zeros(3), "n": np.array([2**0.5]), "c": np.zeros(1)}
    found = fit(state, places())
    assert found.faults() == (
        "missing: b; unexpected: c; misshapen: a is (3,), must be (2,); "
        "unfit: n holds values of float64 that do not exist in int64"
    )
    assert found.faults(strict=False).startswith("misshapen: ")
    assert fit({"a": np.zeros(2), "c": 1}, places()).faults(strict=False) == ""
    assert found.arrays == {}


@pytest.mark.parametrize("dtype", ["float16", "float32", "complex64"])
def test_infinities_pass_and_overflow_does_not(dtype):
    place = {"a": mg.zeros(2, dtype=dtype)}
    kept = fit({"a": np.array([np.inf, np.nan])}, place)
    assert not np.isfinite(kept.arrays["a"]).any()
    assert fit({"a": np.array([1.0, 1e200])}, place).faults().startswith("unfit: a holds values")


def test_arrays_arrive_on_the_device_of_their_place():
    with cupy_double():
        found = fit({"a": mg.ones(2)}, {"a": mg.zeros(2, device="cuda")})
        assert mg.Tensor(found.arrays["a"]).device == "cuda"
        back = fit({"a": mg.ones(2, device="cuda")}, {"a": mg.zeros(2)})
        assert type(back.arrays["a"]) is np.ndarray
