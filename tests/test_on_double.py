"""Every op on the pretended GPU: the CPU's numbers, to second order, and no wait for the host.

What passes here runs on CuPy without an implicit conversion, without a host array or list among a
kernel's arguments, and without a synchronisation that would stall the device.
"""

import numpy as np
import pytest

import minigan as mg
from minigan.op import OPS
from minigan.testing.cases import CASES
from minigan.testing.cupy_double import cupy_double

# What cannot be helped, by the entry it leaves in the journal.
EXPECTED = {
    ("getitem", "indexing by a boolean array"): "the size of the result is in the data",
    ("getitem", "indexing by a host array"): "the index was given as a list or NumPy array",
    ("scatter", "indexing by a host array"): "the same",
    ("repeat", "indexing by a host array"): "unequal counts become an index, made on the host",
    ("power_iteration", "asarray(host array)"): "the case makes its first vector on the host",
    ("to_device", "array.get()"): "the way between devices leads over the host",
    ("to_device", "asarray(host array)"): "the same",
}


def make_inputs(case, device):
    """Return a case's arguments on a device; floating-point arrays require a gradient."""
    rng = np.random.default_rng(case.seed)
    made = [make(rng) if callable(make) else make for make in case.inputs]
    return [place(value, device) for value in made]


def place(value, device):
    value = value.numpy() if isinstance(value, mg.Tensor) else value
    if not isinstance(value, np.ndarray):
        return value
    return mg.tensor(value, device=device, requires_grad=value.dtype.kind == "f")


def cotangents(tensors, device, seed):
    rng = np.random.default_rng(seed)
    return [mg.tensor(rng.standard_normal(t.shape), dtype=t.dtype, device=device) for t in tensors]


def differentiate_twice(fn, inputs, device, run=lambda call: call()):
    """Return fn(*inputs), its gradients, and the gradients of their products with random numbers.

    `run` is given the forward pass and each backward pass to call.
    """
    outputs = run(lambda: fn(*inputs))
    outputs = list(outputs) if isinstance(outputs, (tuple, list)) else [outputs]
    results = list(outputs)
    leaves = [x for x in inputs if isinstance(x, mg.Tensor) and x.requires_grad]
    for order in (1, 2):
        outputs = [y for y in outputs if y is not None and y.requires_grad]
        if not outputs:
            break
        given = cotangents(outputs, device, seed=order)
        gradients = {"create_graph": order == 1, "allow_unused": True}
        outputs = run(lambda y=outputs, g=given, o=gradients: mg.grad(y, leaves, g, **o))
        results += [g for g in outputs if g is not None]
    return results


def assert_same_on_cuda(case, run=lambda call: call()):
    """Check that a case gives on "cuda" what it gives on "cpu", derivatives included."""
    expected = differentiate_twice(case.fn, make_inputs(case, "cpu"), "cpu")
    actual = differentiate_twice(case.fn, make_inputs(case, "cuda"), "cuda", run)
    assert [result.device for result in actual] == ["cuda"] * len(expected)
    for a, e in zip(actual, expected, strict=True):
        assert a.dtype == e.dtype
        np.testing.assert_allclose(a.numpy(), e.numpy(), rtol=1e-9, atol=1e-11)


def journal_of(case):
    """Return what made the host wait or send something while a case ran, checked as above."""
    journal = []
    with cupy_double() as double:

        def run(call):
            double.reset()
            result = call()
            journal.extend(double.journal)
            return result

        assert_same_on_cuda(case, run)
    return journal


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}-{case.label}")
def test_op(case):
    assert [entry for entry in journal_of(case) if (case.name, entry) not in EXPECTED] == []


def test_every_exception_is_needed():
    names = {name for name, _ in EXPECTED}
    cases = [case for case in CASES if case.name in names]
    assert {(case.name, entry) for case in cases for entry in journal_of(case)} == EXPECTED.keys()


@pytest.mark.gpu
def test_ops_on_the_gpu():
    """The same table on the real CuPy, all failures at once."""
    if not (status := mg.gpu_status()).startswith("GPU ready"):
        pytest.skip(status)
    failures = {}
    for case in CASES:
        try:
            assert_same_on_cuda(case)
        except Exception as error:
            failures[case.name, case.label] = f"{type(error).__name__}: {error}"
    assert failures == {}


def test_a_host_read_inside_an_op_would_be_seen(monkeypatch):
    """The check above can fail: an op that looks at its data is caught."""
    monkeypatch.setitem(OPS, "scaled_by_largest", None)  # taken out again after the test

    @mg.op
    def scaled_by_largest(x):
        return x / float(x.max())

    with cupy_double() as double:
        x = mg.tensor([1.0, 4.0], device="cuda")
        double.reset()
        scaled_by_largest(x)
        assert double.journal == ["float(array)"]
