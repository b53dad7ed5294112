"""Numerical derivatives against closed forms, and their error estimates against their errors."""

import numpy as np
import pytest
from scipy.special import gamma, psi

from minigan.testing.numeric import (
    NotAnalyticError,
    complex_step,
    find_kink,
    five_point,
    look_around,
)

X = np.array([0.7, -1.3, 2.1])
SMOOTH = {
    "exp": (np.exp, np.exp),
    "sin": (lambda x: np.sin(3 * x), lambda x: 3 * np.cos(3 * x)),
    "rational": (lambda x: 1 / (1 + x * x), lambda x: -2 * x / (1 + x * x) ** 2),
    "tiny": (lambda x: np.exp(x - 200), lambda x: np.exp(x - 200)),
    "large": (lambda x: 1e9 * x**3, lambda x: 3e9 * x**2),
    "steep": (lambda x: np.tanh(20 * x), lambda x: 20 / np.cosh(20 * x) ** 2),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_complex_step_is_exact_to_round_off(name):
    f, slope = SMOOTH[name]
    found = complex_step(f, X, np.eye(3)).values
    np.testing.assert_allclose(np.diag(found), slope(X), rtol=1e-14)
    assert not (found - np.diag(np.diag(found))).any()


@pytest.mark.parametrize("name", SMOOTH)
def test_five_points_err_about_as_much_as_they_say(name):
    f, slope = SMOOTH[name]
    found = five_point(f, X, np.eye(3))
    error = abs(np.diag(found.values) - slope(X))
    assert (error <= 5 * np.diag(found.errors)).all()
    assert (error <= 1e-10 * abs(slope(X)) + 1e-10 * abs(f(X))).all()


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e4, 1e6])
def test_five_points_find_the_scale_of_the_function(size):
    x = size * np.array([1.1, 2.3])
    for f, slope in [(np.sin, np.cos), (np.log, lambda z: 1 / z), (np.square, lambda z: 2 * z)]:
        found = np.diag(five_point(f, x, np.eye(2)).values)
        np.testing.assert_allclose(found, slope(x), rtol=1e-7, atol=1e-16 * size**2)
        assert find_kink(f, x, np.array([1.0, -0.7])) is None


def test_five_points_need_no_complex_numbers():
    x = np.array([1.5, 2.5])
    found = five_point(lambda z: gamma(z), x, np.ones((1, 2)))
    np.testing.assert_allclose(found.values[0], gamma(x) * psi(x), rtol=1e-10)


def test_directions_are_combined():
    u = np.array([[1.0, 2.0, -1.0]])
    f = lambda z: np.atleast_1d(z[0] * z[1] * z[2])  # noqa: E731
    expected = X[1] * X[2] + 2 * X[0] * X[2] - X[0] * X[1]
    assert complex_step(f, X, u).values.item() == pytest.approx(expected, rel=1e-14)
    assert five_point(f, X, u).values.item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(
    ("f", "words"),
    [
        (lambda z: z.real, "imaginary part is lost"),
        (np.abs, "imaginary part is lost"),
        (lambda z: z.astype(np.float64), "fails on complex input"),
        (lambda z: np.where(np.iscomplexobj(z), 2 * z, z), "real part changes"),
        (lambda z: z % 2, "fails on complex input"),
    ],
)
def test_a_function_that_is_not_analytic_is_refused(f, words):
    with pytest.raises(NotAnalyticError, match=words):
        complex_step(f, X, np.eye(3))


@pytest.mark.parametrize("position", range(5))
@pytest.mark.parametrize(
    "f",
    [np.abs, np.sign, np.round, lambda x: np.maximum(x, 0.2 * x), lambda x: np.sqrt(abs(x))],
    ids=["abs", "sign", "round half", "leaky", "cusp"],
)
def test_a_kink_or_jump_is_found(f, position):
    x = np.array([0.3, -0.7, 1.2, -1.9, 0.9])
    x[position] = 0.5 if f is np.round else 0.0
    assert find_kink(f, x, np.array([1.0, -0.5, 0.7, 0.4, -1.2])) == position


def test_the_edge_of_a_domain_is_a_kink():
    with np.errstate(invalid="ignore"):
        assert find_kink(np.sqrt, np.array([1.0, 0.0]), np.ones(2)) == 1


def test_a_tie_is_a_kink():
    assert find_kink(lambda x: x.max()[None], np.array([1.0, 3.0, 3.0]), X) in (1, 2)


@pytest.mark.parametrize("name", SMOOTH)
def test_no_kink_in_smooth_functions(name):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        assert find_kink(SMOOTH[name][0], rng.normal(size=4), rng.normal(size=4)) is None


def test_no_kink_in_a_constant():
    assert find_kink(lambda x: np.ones(2), X, X) is None


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (np.log, [1e-7]),
        (np.log, [1e8, 1e-2]),
        (np.log, [1e-9, 1.0, 1e6]),
        (np.sqrt, [1e-8, 1.0]),
        (lambda z: 1 / z, [1e-6, -3e-7, 2.0]),
        (lambda z: np.log(z[:1] * z[1:]), [1e5, 1e-7]),
    ],
)
def test_a_pole_nearby_is_no_kink(f, x):
    for seed in range(10):
        u = np.random.default_rng(seed).normal(size=len(x))
        assert find_kink(f, np.array(x), u) is None


@pytest.mark.parametrize("beside", [1e-6, 1.0, 1e4, 1e8])
def test_a_kink_at_zero_is_found_beside_entries_of_any_size(beside):
    assert find_kink(np.abs, np.array([beside, 0.0]), np.array([1.0, -0.6])) == 1


def test_a_tie_of_small_entries_is_a_kink():
    x = np.array([1e-5, 1e-5, 2.0])
    assert find_kink(lambda z: np.maximum(z[:1], z[1:]), x, np.array([1.0, 0.3, 0.5])) in (0, 1)


def test_the_whole_step_reaches_what_is_near():
    x = np.array([1e-9, 1.0])
    assert find_kink(np.abs, x, np.ones(2)) is None
    assert find_kink(np.abs, x, np.ones(2), near=True) == 0


@pytest.mark.parametrize("name", SMOOTH)
def test_real_steps_tell_a_right_slope_from_a_wrong_one(name):
    f, slope = SMOOTH[name]
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x, u = rng.uniform(0.05, 0.2, size=4), rng.normal(size=4)
        scan = look_around(f, x, u)
        right = slope(x) * scan.step
        assert not scan.contradicts(right, abs(right))
        assert scan.contradicts(1.01 * right, abs(right))
