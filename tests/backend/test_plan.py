"""The plan: who serves what, what is cheapest, and the reader's own choice."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan.backend import blocked, generic, plan, winograd
from minigan.backend.columns import Geometry
from minigan.backend.device import get_backend
from minigan.testing.cupy_double import cupy_double

ONE = (1, 1)
SAME = Geometry(16, 128, 128, (32, 32), (3, 3), (32, 32), ONE, ONE, ONE, 1)
HALVING = Geometry(64, 64, 128, (32, 32), (4, 4), (16, 16), (2, 2), ONE, ONE, 1)
IMAGE = Geometry(64, 3, 64, (64, 64), (4, 4), (32, 32), (2, 2), ONE, ONE, 1)
TO_IMAGE = Geometry(1, 64, 3, (64, 64), (7, 7), (64, 64), ONE, (3, 3), ONE, 1)
POINTWISE = Geometry(8, 64, 32, (16, 16), ONE, (16, 16), ONE, (0, 0), ONE, 1)
GROUPED = replace(SAME, groups=4)
DILATED = replace(SAME, dilation=(2, 2), padding=(2, 2))
KERNELS = ("conv2d", "conv_transpose2d", "conv2d_weight")


def chosen(kernel, geo):
    """The name of the cheapest candidate in float32."""
    return min(plan.candidates(kernel, geo, True), key=lambda c: c.cost(geo)).name


@pytest.mark.parametrize(
    ("geo", "names"),
    [
        (SAME, ("winograd", "winograd", "winograd")),
        (HALVING, ("winograd", "winograd", "winograd")),
        (IMAGE, ("direct", "taps", "direct")),
        (TO_IMAGE, ("taps", "phases", "turned")),
        (POINTWISE, ("direct", "phases", "direct")),
        (replace(SAME, channels=4, filters=4), ("direct", "phases", "direct")),
        (replace(SAME, batch=1, size=(4, 4), out=(4, 4)), ("direct", "phases", "direct")),
    ],
)
def test_the_cheapest_of_typical_layers(geo, names):
    found = tuple(chosen(kernel, geo) for kernel in KERNELS)
    exchanged = {"turned": "direct"}  # with as many channels on both sides they cost the same
    if geo.channels == geo.filters:
        found = tuple(exchanged.get(name, name) for name in found)
    assert found == names


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(
    "dtypes",
    [("f4", "f8"), ("f8", "f8"), ("c16", "c16"), ("f2", "f2"), ("f2", "f4"), ("f4", "i4")],
)
def test_other_precisions_are_never_done_by_winograd(kernel, dtypes):
    tiled = {c.run for row in plan._CANDIDATES.values() for c in row if c.name == "winograd"}
    arrays = [np.zeros(1, dtype) for dtype in dtypes]
    for name in ("auto", "winograd", "direct"):
        with mg.conv_algorithm(name):
            assert plan.choose(kernel, SAME, *arrays) not in tiled
    single = np.zeros(1, np.float32)
    assert plan.choose(kernel, SAME, single, single) in tiled


def test_groups_and_dilated_gradients_are_left_to_the_generic_kernels():
    x = np.zeros(1, np.float32)
    for kernel in KERNELS:
        expected = generic.choose(kernel, GROUPED)
        assert plan.choose(kernel, GROUPED, x, x) is expected
    assert "phases" not in {c.name for c in plan.candidates("conv_transpose2d", DILATED, True)}


def test_another_array_library_takes_the_generic_kernels():
    with cupy_double():
        x = get_backend("cuda").asarray(np.zeros(1, np.float32))
        for kernel in KERNELS:
            assert plan.choose(kernel, SAME, x, x) is generic.choose(kernel, SAME)


@given(
    st.sampled_from(KERNELS),
    st.integers(1, 4),
    st.sampled_from([1, 3, 16, 64]),
    st.sampled_from([1, 3, 16, 64]),
    st.sampled_from([SAME, HALVING, IMAGE, TO_IMAGE]),
)
def test_costs_are_positive_and_grow_with_the_batch(kernel, batch, channels, filters, like):
    geo = replace(like, batch=batch, channels=channels, filters=filters)
    twice = replace(geo, batch=2 * batch)
    for candidate in plan.candidates(kernel, geo, True):
        assert 0 < candidate.cost(geo) < candidate.cost(twice) <= 2.001 * candidate.cost(geo)


# -- the reader's choice --------------------------------------------------------------------------


def names(kernel="conv2d", geo=SAME):
    return {c.name for c in plan.candidates(kernel, geo, True, plan._choice.name)}


def test_the_choice_holds_in_the_block_and_is_restored():
    assert names() == {"direct", "taps", "winograd"}
    with mg.conv_algorithm("direct"):
        assert names() == {"direct", "taps"}
        with mg.conv_algorithm("winograd"):
            assert names() == {"winograd"}
            assert names(geo=IMAGE) == {"winograd"}  # 4x4 with stride 2: few channels or not
            assert names(geo=POINTWISE) == {"direct", "taps"}  # where it cannot be
        assert names() == {"direct", "taps"}
    assert names() == {"direct", "taps", "winograd"}


def test_an_exception_restores_the_choice():
    with pytest.raises(KeyError), mg.conv_algorithm("direct"):
        raise KeyError
    assert "winograd" in names()


def test_the_choice_is_one_threads_own():
    found = []
    with mg.conv_algorithm("direct"):
        thread = threading.Thread(target=lambda: found.append(names()))
        thread.start()
        thread.join(30)
    assert found == [{"direct", "taps", "winograd"}]


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match=r"conv_algorithm\('fft'\): use 'auto', 'direct' or"):
        mg.conv_algorithm("fft")


def test_the_choice_reaches_the_ops_and_their_gradients(monkeypatch, rng):
    called = []
    plan._cheapest.cache_clear()
    for kernel in KERNELS:
        for module, way in ((winograd, "winograd"), (blocked, "direct")):
            run = getattr(module, kernel)

            def spy(a, b, geo, run=run, way=way):
                called.append(way)
                return run(a, b, geo)

            row = plan._CANDIDATES[kernel]
            changed = tuple(c._replace(run=spy) if c.run is run else c for c in row)
            monkeypatch.setitem(plan._CANDIDATES, kernel, changed)
    x = mg.tensor(rng.standard_normal((1, 4, 8, 8)).astype(np.float32), requires_grad=True)
    w = mg.tensor(rng.standard_normal((4, 4, 3, 3)).astype(np.float32), requires_grad=True)
    results = {}
    for name in ("winograd", "direct"):
        with mg.conv_algorithm(name):
            y = mg.conv2d(x, w, padding=1)
            results[name] = (y, *mg.grad((y * y).sum(), (x, w)))
    plan._cheapest.cache_clear()
    assert called[:3] == ["winograd"] * 3
    assert "winograd" not in called[3:]
    for one, other in zip(*results.values(), strict=True):
        scale = np.abs(other.numpy()).max()
        assert np.abs(one.numpy() - other.numpy()).max() <= 1e-5 * scale
