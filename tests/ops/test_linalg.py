"""Singular values and their derivatives, against NumPy, SciPy, closed forms and differences."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import linalg

import minigan as mg
from minigan.errors import DeviceError, ShapeError
from minigan.ops.linalg import (
    power_iteration,
    singular_values,
    spectral_matrix,
    svd,
    svd_packed,
    top_singular_triple,
)
from minigan.testing.cupy_double import cupy_double

SHAPES = [(3, 3), (5, 3), (3, 5), (1, 4), (4, 1), (1, 1)]
every_shape = pytest.mark.parametrize("shape", SHAPES)


def randn(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape)


def matrix(values, m, n, seed=0):
    """Return an (m, n) matrix with the given singular values."""
    u, _ = np.linalg.qr(randn(m, len(values), seed=seed))
    v, _ = np.linalg.qr(randn(n, len(values), seed=seed + 1))
    return (u * np.asarray(values)) @ v.T


def spread(m, n, seed=0):
    """Return a random matrix with well separated singular values."""
    return matrix(np.arange(min(m, n), 0, -1) + 0.5, m, n, seed)


def difference(function, x, direction, step=1e-3):
    """Return the derivative along `direction` by five points: error of the order step^4."""
    at = [function(x + k * step * direction) for k in (-2, -1, 1, 2)]
    return (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * step)


def gradient(function, x):
    """Return the gradient of a scalar function of one array."""
    z = mg.tensor(x, requires_grad=True)
    return mg.grad(function(z), [z])[0].data


def slope_of_gradient(function, x, direction):
    """Return the derivative of the gradient along `direction`, by double backward."""
    z = mg.tensor(x, requires_grad=True)
    (first,) = mg.grad(function(z), [z], create_graph=True)
    return mg.grad((first * mg.tensor(direction)).sum(), [z])[0].data


# -- singular values ------------------------------------------------------------------------------


@given(m=st.integers(1, 6), n=st.integers(1, 6), transposed=st.booleans())
def test_singular_values_are_the_roots_of_the_gram_matrix(m, n, transposed):
    x = randn(m, n).T if transposed else randn(m, n)
    s = singular_values(x).data
    gram = x @ x.T if x.shape[0] <= x.shape[1] else x.T @ x
    expected = np.sqrt(np.clip(linalg.eigvalsh(gram)[::-1], 0, None))
    np.testing.assert_allclose(s, expected, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose((s * s).sum(), (x * x).sum(), rtol=1e-12)


@every_shape
def test_first_derivative_equals_differences(shape):
    x, d, g = spread(*shape), randn(*shape, seed=5), randn(min(shape), seed=6)
    got = gradient(lambda z: (singular_values(z) * mg.tensor(g)).sum(), x)
    expected = difference(lambda z: np.linalg.svd(z, compute_uv=False) @ g, x, d)
    np.testing.assert_allclose((got * d).sum(), expected, rtol=1e-8)


@every_shape
def test_second_derivative_equals_differences_of_numpy(shape):
    x, d, e = spread(*shape), randn(*shape, seed=5), randn(*shape, seed=7)
    got = slope_of_gradient(lambda z: (singular_values(z) ** 3).sum(), x, d)

    def slope(z):  # d/dz sum(s^3) = U diag(3 s^2) V^T, by NumPy alone
        u, s, vh = np.linalg.svd(z, full_matrices=False)
        return ((u * (3 * s * s)) @ vh * d).sum()

    np.testing.assert_allclose((got * e).sum(), difference(slope, x, e), rtol=1e-7, atol=1e-7)


@every_shape
def test_third_derivative_equals_differences_of_the_second(shape):
    x, d, e, f = spread(*shape), *(randn(*shape, seed=s) for s in (5, 7, 8))

    def function(z):
        return mg.sin(singular_values(z)).sum()

    def second(z, create_graph):
        (first,) = mg.grad(function(z), [z], create_graph=True)
        (again,) = mg.grad((first * mg.tensor(d)).sum(), [z], create_graph=create_graph)
        return (again * mg.tensor(e)).sum()

    z = mg.tensor(x, requires_grad=True)
    (third,) = mg.grad(second(z, True), [z])
    expected = difference(lambda a: second(mg.tensor(a, requires_grad=True), False).item(), x, f)
    np.testing.assert_allclose((third.data * f).sum(), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("shape", [(4, 4), (6, 4), (4, 6)])
def test_hessian_is_symmetric(shape):
    x, d, e = spread(*shape), randn(*shape, seed=5), randn(*shape, seed=7)

    def function(z):
        return (singular_values(z) ** 3).sum()

    left = (slope_of_gradient(function, x, d) * e).sum()
    np.testing.assert_allclose(left, (slope_of_gradient(function, x, e) * d).sum(), rtol=1e-11)


def test_log_determinant():
    """sum(log s) = log |det x|: gradient x^-T, second derivative -x^-T d^T x^-T."""
    x, d = randn(4, 4), randn(4, 4, seed=5)
    inverse = np.linalg.inv(x).T

    def function(z):
        return mg.log(singular_values(z)).sum()

    np.testing.assert_allclose(gradient(function, x), inverse, rtol=1e-9)
    expected = -inverse @ d.T @ inverse
    np.testing.assert_allclose(slope_of_gradient(function, x, d), expected, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5)])
def test_squares_have_the_constant_second_derivative_two(shape):
    """sum(s^2) = sum(x^2), whose second derivative along d is 2 d."""
    x, d = spread(*shape), randn(*shape, seed=5)
    got = slope_of_gradient(lambda z: (singular_values(z) ** 2).sum(), x, d)
    np.testing.assert_allclose(got, 2 * d, atol=1e-11)


# -- repeated and zero singular values ------------------------------------------------------------

DEGENERATE = {
    "identity": np.eye(3),
    "orthogonal": np.linalg.qr(randn(4, 4))[0],
    "pair": matrix([2.0, 2.0, 1.0], 4, 3),
    "wide pair": matrix([2.0, 2.0, 1.0], 3, 5),
    "rank one": matrix([2.0], 3, 4),
    "rank two of four": matrix([2.0, 1.0], 4, 4),
    "zero": np.zeros((3, 2)),
    "ones": np.ones((3, 3)),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", DEGENERATE)
def test_derivatives_are_finite_where_values_repeat(name, dtype):
    x = DEGENERATE[name].astype(dtype)
    d = randn(*x.shape, seed=5).astype(dtype)
    functions = {
        "top": lambda z: singular_values(z)[0],
        "sum": lambda z: singular_values(z).sum(),
        "condition": lambda z: (singular_values(z) ** 2 - 1).sum() * singular_values(z)[-1],
        "vectors": lambda z: sum((part * part * part).sum() for part in svd(z)),
    }
    for function in functions.values():
        first, second = gradient(function, x), slope_of_gradient(function, x, d)
        for derivative in (first, second):
            assert np.isfinite(derivative).all()
            assert derivative.dtype == dtype
            assert np.abs(derivative).max() < 1e4


@pytest.mark.parametrize("name", ["identity", "orthogonal", "pair", "wide pair"])
def test_nuclear_norm_is_exact_where_values_repeat(name):
    """sum(s) is smooth where no singular value is 0: its derivatives are right, not just finite."""
    x = DEGENERATE[name]
    d, e = randn(*x.shape, seed=5), randn(*x.shape, seed=7)
    np.testing.assert_allclose(
        gradient(lambda z: singular_values(z).sum(), x), _polar_factor(x), atol=1e-12
    )
    got = slope_of_gradient(lambda z: singular_values(z).sum(), x, d)
    expected = difference(lambda z: (_polar_factor(z) * d).sum(), x, e)
    np.testing.assert_allclose((got * e).sum(), expected, rtol=1e-7, atol=1e-8)


def _polar_factor(x):
    """Return x (x^T x)^(-1/2), the gradient of the nuclear norm, without an SVD of x."""
    if x.shape[0] < x.shape[1]:
        return _polar_factor(x.T).T
    values, vectors = linalg.eigh(x.T @ x)
    return x @ (vectors / np.sqrt(values)) @ vectors.T


def test_gradient_of_the_top_value_is_a_unit_rank_one_matrix_where_it_repeats():
    g = gradient(lambda z: singular_values(z)[0], DEGENERATE["orthogonal"])
    np.testing.assert_allclose(np.linalg.svd(g, compute_uv=False), [1, 0, 0, 0], atol=1e-12)


# -- the ops behind it ----------------------------------------------------------------------------


@every_shape
def test_svd_rebuilds_its_matrix(shape):
    x = randn(*shape)
    u, s, vh = (t.data for t in svd(x))
    k = min(shape)
    assert (u.shape, s.shape, vh.shape) == ((shape[0], k), (k,), (k, shape[1]))
    np.testing.assert_allclose((u * s) @ vh, x, atol=1e-13)
    np.testing.assert_allclose(u.T @ u, np.eye(k), atol=1e-13)
    np.testing.assert_allclose(vh @ vh.T, np.eye(k), atol=1e-13)
    assert (np.diff(s) <= 0).all()
    assert (u[np.abs(u).argmax(axis=0), np.arange(k)] > 0).all()


@every_shape
def test_svd_derivatives_equal_differences(shape):
    x, d, e = spread(*shape), randn(*shape, seed=5), randn(*shape, seed=7)
    weights = randn(svd_packed(x).size, seed=6)

    def function(z):
        return (mg.sin(svd_packed(z)) * mg.tensor(weights)).sum()

    expected = difference(lambda z: function(mg.tensor(z)).item(), x, d)
    np.testing.assert_allclose((gradient(function, x) * d).sum(), expected, rtol=1e-7, atol=1e-8)
    expected = difference(lambda z: (gradient(function, z) * d).sum(), x, e)
    got = (slope_of_gradient(function, x, d) * e).sum()
    np.testing.assert_allclose(got, expected, rtol=1e-7, atol=1e-7)


def test_spectral_matrix_replaces_the_singular_values():
    x, g = spread(4, 3), np.array([3.0, -1.0, 0.5])
    y = spectral_matrix(x, g).data
    np.testing.assert_allclose(np.linalg.svd(y, compute_uv=False), [3, 1, 0.5], rtol=1e-12)
    np.testing.assert_allclose(spectral_matrix(x, np.ones(3)).data, linalg.polar(x)[0], atol=1e-13)
    with pytest.raises(ShapeError, match=r"g has shape \(2,\), x \(4, 3\) has 3 values"):
        spectral_matrix(x, g[:2])


# -- the largest one ------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@every_shape
def test_top_triple_and_power_iteration_agree_with_the_svd(shape, dtype):
    x = mg.tensor(spread(*shape).astype(dtype), requires_grad=True)
    u0 = randn(shape[0], seed=3)
    exact, estimate = top_singular_triple(x), power_iteration(x, u0, steps=100)
    left, s, right = np.linalg.svd(x.data)
    for u, sigma, v in (exact, estimate):
        assert (u.dtype, sigma.dtype, v.dtype) == (dtype, dtype, dtype)
        assert not u.requires_grad
        assert not v.requires_grad
        np.testing.assert_allclose(sigma.item(), s[0], rtol=2e-5 if dtype == np.float32 else 1e-12)
        np.testing.assert_allclose(abs(u.data @ left[:, 0]), 1, rtol=1e-5)
        np.testing.assert_allclose(abs(v.data @ right[0]), 1, rtol=1e-5)
        (g,) = mg.grad(sigma, [x])
        np.testing.assert_array_equal(g.data, np.outer(u.data, v.data))
        assert g.dtype == dtype


def test_power_iteration_follows_the_definition():
    x, u = randn(3, 4), np.array([1.0, 2.0, 3.0])
    for steps in (0, 1, 3):
        expected_u, expected_v = u, x.T @ u / np.linalg.norm(x.T @ u)
        for _ in range(steps):
            expected_v = x.T @ expected_u / np.linalg.norm(x.T @ expected_u)
            expected_u = x @ expected_v / np.linalg.norm(x @ expected_v)
        got = power_iteration(x, u, steps=steps)
        np.testing.assert_allclose(got[0].data, expected_u, rtol=1e-12)
        np.testing.assert_allclose(got[1].data, expected_u @ x @ expected_v, rtol=1e-12)
        np.testing.assert_allclose(got[2].data, expected_v, rtol=1e-12)
    np.testing.assert_array_equal(u, [1.0, 2.0, 3.0])


def test_power_iteration_never_overestimates():
    x = randn(6, 5)
    top = np.linalg.svd(x, compute_uv=False)[0]
    estimates = [power_iteration(x, randn(6), steps=k)[1].item() for k in range(1, 30)]
    assert max(estimates) <= top * (1 + 1e-12)
    assert all(a <= b * (1 + 1e-12) for a, b in zip(estimates, estimates[1:], strict=False))


def test_power_iteration_draws_its_start_from_a_generator():
    x = randn(5, 4)
    first = power_iteration(x, steps=1, generator=mg.Generator(3))
    again = power_iteration(x, steps=1, generator=mg.Generator(3))
    other = power_iteration(x, steps=1, generator=mg.Generator(4))
    np.testing.assert_array_equal(first[0].data, again[0].data)
    assert np.abs(first[0].data - other[0].data).max() > 1e-3


def test_power_iteration_survives_the_zero_matrix():
    x, u0 = mg.tensor(np.zeros((3, 2)), requires_grad=True), np.array([0.6, 0.8, 0.0])
    u, sigma, v = power_iteration(x, u0, steps=3)
    np.testing.assert_array_equal(u.data, u0)
    np.testing.assert_array_equal(v.data, np.zeros(2))
    (g,) = mg.grad(sigma * sigma, [x], create_graph=True)
    assert np.isfinite(g.data).all()


def test_spectrally_normalised_weight_has_derivatives_of_both_orders():
    """y = x / sigma(x) with u, v constants: dy = dx / sigma - x (u^T dx v) / sigma^2."""
    x, d = spread(4, 3), randn(4, 3, seed=5)
    u, sigma, v = (t.data for t in top_singular_triple(x))
    g = gradient(lambda z: (z / top_singular_triple(z)[1] * mg.tensor(d)).sum(), x)
    expected = d / sigma - (d * x).sum() / sigma**2 * np.outer(u, v)
    np.testing.assert_allclose(g, expected, rtol=1e-11)
    frozen = slope_of_gradient(lambda z: z.sum() / top_singular_triple(z)[1], x, d)
    uv = np.outer(u, v)
    expected = (
        -d.sum() / sigma**2 * uv
        - (uv * d).sum() / sigma**2
        + 2 * x.sum() * (uv * d).sum() / sigma**3 * uv
    )
    np.testing.assert_allclose(frozen, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    "function", [top_singular_triple, lambda z: power_iteration(z, np.ones(4), steps=300)]
)
def test_top_value_passes_a_complex_step(function):
    x, d = spread(4, 3), randn(4, 3, seed=5)
    slope = function(x + 1e-30j * d)[1].item().imag / 1e-30
    got = gradient(lambda z: function(z)[1], x)
    np.testing.assert_allclose((got * d).sum(), slope, rtol=1e-12)


# -- the other device -----------------------------------------------------------------------------


@every_shape
def test_cupys_rules_are_kept(shape):
    x = spread(*shape)
    with cupy_double() as double:
        z = mg.tensor(x, device="cuda", requires_grad=True)
        (first,) = mg.grad((singular_values(z) ** 3).sum(), [z], create_graph=True)
        (second,) = mg.grad((first * first).sum(), [z])
        u = mg.tensor(np.ones(shape[0]), device="cuda")
        with double.capturing():  # power iteration never waits for the device; an SVD has to
            sigma = power_iteration(z, u, steps=300)[1]
            mg.grad(sigma, [z])
        with pytest.raises(DeviceError, match=r"x is on cuda, u on cpu; use u.to\(\)"):
            power_iteration(z, np.ones(shape[0]), steps=1)
        np.testing.assert_allclose(sigma.numpy(), top_singular_triple(x)[1].numpy(), rtol=1e-12)
        np.testing.assert_allclose(top_singular_triple(z)[1].numpy(), sigma.numpy(), rtol=1e-12)
        got = second.numpy()
    y = mg.tensor(x, requires_grad=True)
    (first,) = mg.grad((singular_values(y) ** 3).sum(), [y], create_graph=True)
    np.testing.assert_allclose(got, mg.grad((first * first).sum(), [y])[0].numpy(), rtol=1e-11)


# -- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: singular_values(randn(3)), ShapeError, r"singular_values: x has shape \(3,\)"),
        (lambda: svd(randn(2, 3, 4)), ShapeError, r"svd: x has shape \(2, 3, 4\)"),
        (lambda: singular_values(np.zeros((0, 3))), ShapeError, r"\(0, 3\), expected a matrix"),
        (lambda: power_iteration(randn(3), steps=1), ShapeError, "power_iteration: x has shape"),
        (lambda: power_iteration(randn(3, 2), randn(2), steps=1), ShapeError, r"needs \(3,\)"),
        (lambda: power_iteration(randn(3, 2), steps=-1), ValueError, "steps is -1"),
        (lambda: singular_values(randn(2, 2) + 1j), TypeError, "dtype complex128, expected float"),
        (lambda: svd(np.eye(2, dtype=np.int64)), TypeError, "dtype int64, expected float32"),
    ],
)
def test_errors_name_the_op_and_the_shape(call, error, message):
    with pytest.raises(error, match=message):
        call()
