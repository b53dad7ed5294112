"""Transport on the line against SciPy and quantiles, and slices against their definition."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

import minigan as mg
from minigan.errors import ShapeError
from minigan.testing import gradcheck
from minigan.testing.cupy_double import cupy_double
from minigan.transport import sliced_wasserstein, wasserstein, wasserstein_1d

lines = hnp.arrays(np.float64, st.integers(1, 20), elements=st.floats(-9, 9))
seeds = st.integers(0, 10**6)


@given(lines, lines, seeds)
def test_w1_against_scipy(x, y, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.dirichlet(np.ones(len(x))), rng.dirichlet(np.ones(len(y)))
    plain = wasserstein_1d(x, y).item()
    assert plain == pytest.approx(stats.wasserstein_distance(x, y), rel=1e-12, abs=1e-12)
    ours = wasserstein_1d(x, y, weights_x=a, weights_y=b).item()
    assert ours == pytest.approx(stats.wasserstein_distance(x, y, a, b), rel=1e-12, abs=1e-12)


@given(st.integers(1, 20), seeds, st.sampled_from([1, 2]))
def test_equal_numbers_pair_up_in_order(n, seed, p):
    x, y = np.random.default_rng(seed).normal(size=(2, n))
    expected = (np.abs(np.sort(x) - np.sort(y)) ** p).mean() ** (1 / p)
    assert wasserstein_1d(x, y, p=p).item() == pytest.approx(expected, rel=1e-12)


@given(lines, lines)
def test_w2_against_repeated_points(x, y):
    """Repeating the points of each until both are equally many changes neither distribution."""
    many = math.lcm(len(x), len(y))
    x_many, y_many = (np.sort(np.repeat(v, many // len(v))) for v in (x, y))
    expected = math.sqrt(((x_many - y_many) ** 2).mean())
    assert wasserstein_1d(x, y, p=2).item() == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_weights_are_repetitions_and_zero_weights_do_not_count():
    x, y = np.array([0.0, 1.0]), np.array([5.0, 7.0, 100.0])
    weighted = wasserstein_1d(
        x, y, weights_x=np.array([0.25, 0.75]), weights_y=np.array([0.5, 0.5, 0.0])
    )
    repeated = wasserstein_1d(np.array([0.0, 1.0, 1.0, 1.0]), np.array([5.0, 7.0]))
    assert weighted.item() == pytest.approx(repeated.item(), rel=1e-14)


@pytest.mark.parametrize("p", [1, 2])
def test_derivatives(rng, p):
    x, y = rng.normal(size=5), rng.normal(size=7)
    assert gradcheck(lambda x, y: wasserstein_1d(x, y, p=p), [x, y], order=2, zero_ok=True)


def test_descending_w2_carries_points_onto_points(rng):
    """W_2^2's gradient at a point is 2 / N times the way to its partner."""
    y = rng.normal(size=6)
    x = mg.tensor(rng.normal(size=6), requires_grad=True)
    (g,) = mg.grad(wasserstein_1d(x, y, p=2) ** 2, [x])
    moved = x.numpy() - 3 * g.numpy()
    np.testing.assert_allclose(np.sort(moved), np.sort(y), rtol=1e-12)


def test_equal_points_have_distance_and_derivative_zero():
    x = mg.tensor(np.arange(4.0), requires_grad=True)
    for p in (1, 2):
        distance = wasserstein_1d(x, np.arange(4.0)[::-1].copy(), p=p)
        (g,) = mg.grad(distance, [x])
        assert distance.item() == 0
        assert (g.numpy() == 0).all()


# -- slices ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [1, 2])
def test_slices_are_one_dimensional_distances(rng, p):
    x, y = rng.normal(size=(6, 3)), rng.normal(size=(9, 3)) + 1
    directions = mg.Generator(4).normal((3, 5), dtype=np.float64)
    directions /= np.linalg.norm(directions, axis=0)
    each = [wasserstein_1d(x @ d, y @ d, p=p).item() ** p for d in directions.T]
    ours = sliced_wasserstein(x, y, projections=5, p=p, generator=mg.Generator(4))
    assert ours.item() == pytest.approx(np.mean(each) ** (1 / p), rel=1e-12)


@given(seeds, st.sampled_from([1, 2]))
def test_slices_are_never_more_than_the_whole(seed, p):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(7, 2)), rng.normal(size=(7, 2))
    sliced = sliced_wasserstein(x, y, p=p, generator=mg.Generator(seed)).item()
    assert 0 < sliced <= wasserstein(x, y, p=p) + 1e-12


def test_slices_of_a_translation():
    """|<t, d>| averages to 2 / pi |t| over directions d in the plane, its square to |t|^2 / 2."""
    x = mg.Generator(0).normal((50, 2), dtype=np.float64)
    y = x + [3.0, 4.0]
    options = {"projections": 20000, "generator": mg.Generator(1)}
    assert sliced_wasserstein(x, y, **options).item() == pytest.approx(10 / math.pi, rel=0.02)
    assert sliced_wasserstein(x, y, p=2, **options).item() == pytest.approx(
        5 / math.sqrt(2), rel=0.02
    )


def test_slices_are_differentiable_and_name_their_directions(rng):
    x, y = rng.normal(size=(4, 2)), rng.normal(size=(5, 2))

    def distance(x, y):
        return sliced_wasserstein(x, y, projections=3, p=2, generator=mg.Generator(0))

    assert gradcheck(distance, [x, y], order=2)
    assert distance(x, y).item() == distance(x, y).item()
    images = rng.normal(size=(3, 1, 2, 2)).astype(np.float32)
    value = sliced_wasserstein(images, images + np.float32(1), generator=mg.Generator(0))
    assert value.dtype == np.float32
    assert 0 < value.item() < 2


# -- devices and refusals -------------------------------------------------------------------------


def test_on_the_double_of_cupy(rng):
    x, y = rng.normal(size=(6, 2)), rng.normal(size=(4, 2))

    def both(x, y):
        line = wasserstein_1d(x[:, 0], y[:, 0], p=2)
        return [line, sliced_wasserstein(x, y, generator=mg.Generator(0))]

    here = both(mg.tensor(x), mg.tensor(y))
    with cupy_double():
        x, y = mg.tensor(x, device="cuda", requires_grad=True), mg.tensor(y, device="cuda")
        there = both(x, y)
        assert {t.device for t in there} == {"cuda"}
        assert mg.grad(there[0] + there[1], [x])[0].device == "cuda"
        np.testing.assert_allclose([t.item() for t in there], [t.item() for t in here], rtol=1e-13)


@pytest.mark.parametrize(
    ("call", "error", "line"),
    [
        (lambda: wasserstein_1d(np.ones((2, 1)), np.ones(2)), ShapeError, r"x has shape \(2, 1\)"),
        (lambda: wasserstein_1d(np.ones(2), np.ones(0)), ShapeError, r"y has shape \(0,\)"),
        (lambda: wasserstein_1d(np.ones(2), np.ones(2), p=3), ValueError, "p is 3: use 1 or 2"),
        (lambda: wasserstein_1d(np.ones(2), np.array([np.nan])), ValueError, "y holds NaN"),
        (
            lambda: wasserstein_1d(np.ones(2), np.ones(2), weights_x=np.ones(2)),
            ValueError,
            "weights_x sums to 2, not to 1",
        ),
        (
            lambda: wasserstein_1d(np.ones(2), np.ones(2), weights_y=np.ones(1)),
            ShapeError,
            r"weights_y has shape \(1,\)",
        ),
        (
            lambda: sliced_wasserstein(np.ones((2, 2)), np.ones((2, 3))),
            ShapeError,
            "x have 2 coordinates, of y 3",
        ),
        (
            lambda: sliced_wasserstein(np.ones((2, 2)), np.ones((2, 2)), projections=0),
            ValueError,
            "projections is 0",
        ),
    ],
)
def test_refusals(call, error, line):
    with pytest.raises(error, match=line):
        call()
