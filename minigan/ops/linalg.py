"""Singular values, exactly (SVD) and by power iteration: what spectral normalisation is made of.

Letters: x is (M, N), K = min(M, N), and x = U diag(s) V^T with U (M, K), s (K,) descending,
V^T (K, N). A step dx moves the singular values by ds = diag(U^T dx V), so that

    d(g . s)/dx = U diag(g) V^T,

which no gap between singular values enters: it is finite, and a subgradient, where they repeat.

**Second derivatives.** Write P = U^T C V for a direction C. The derivative of U diag(g) V^T along
C has, in the basis of U and V, for i != j the entries

    (g_j - g_i) / (s_j - s_i) * (P + P^T)_ij / 2  +  (g_i + g_j) / (s_i + s_j) * (P - P^T)_ij / 2

and, beyond the K x K block of a matrix that is not square, g_j / s_j times what of C the smaller
basis misses. Where a denominator is 0 (repeated values, or zero ones) the quotient is taken as 0:
finite, exact for sums of singular values such as the nuclear norm, whose g is equal at equal
values, and a convention for functions that have no second derivative there.

**Further derivatives** pass through U and V (`svd`): right for distinct singular values, and
finite, by the same convention, for equal ones.
"""

from __future__ import annotations

from typing import Any

from minigan.backend import Generator, backend_of, default_generator, xp_of
from minigan.errors import DeviceError, ShapeError
from minigan.op import op
from minigan.ops.elementwise import where
from minigan.ops.linear import reshape, transpose
from minigan.ops.products import matmul
from minigan.tensor import Tensor, as_tensor

__all__ = [
    "power_iteration",
    "singular_values",
    "spectral_matrix",
    "svd",
    "svd_packed",
    "top_singular_triple",
]

# -- singular values ------------------------------------------------------------------------------


@op
def singular_values(x):  # (M, N) -> (K,)
    """Return the singular values of a matrix, in descending order.

    x: (M, N), real -> (min(M, N),). The gradient of g . s is U diag(g) V^T; the head of
    `ops/linalg.py` says what happens where values repeat.

    >>> import minigan as mg
    >>> mg.singular_values(mg.tensor([[3.0, 0.0], [0.0, -4.0]])).numpy().round(6).tolist()
    [4.0, 3.0]
    """
    _need_matrix(x, "singular_values")
    _need_real(x, "singular_values")
    return xp_of(x).linalg.svd(x, compute_uv=False)


singular_values.vjp(x=lambda g, x: spectral_matrix(x, g))


@op
def spectral_matrix(x, g):  # (M, N), (K,) -> (M, N)
    """Return U diag(g) V^T: the singular vectors of x with other values g, K of them.

    It is the gradient of g . singular_values(x); with g = 1 it is the orthogonal factor of x.
    """
    u, s, vh = _svd_arrays(x)
    if g.shape != s.shape:
        raise ShapeError(f"spectral_matrix: g has shape {g.shape}, x {x.shape} has {s.size} values")
    return (u * g) @ vh


spectral_matrix.vjp(
    x=lambda c, x, g: _curvature(c, x, g),
    g=lambda c, x: _along_singular_vectors(c, x),
)


def _along_singular_vectors(c: Tensor, x: Tensor) -> Tensor:
    """Return diag(U^T c V): how fast the singular values of x move along c."""
    u, _, vh = svd(x)
    return (matmul(transpose(u), c) * vh).sum(axis=1)  # (K, N) -> (K,)


def _curvature(c: Tensor, x: Tensor, g: Tensor) -> Tensor:
    """Return the derivative of U diag(g) V^T along c, g held: formula at the head of the file.

    This linear map of c is its own adjoint (a Hessian), so it serves as the rule.
    """
    u, s, vh = svd(x)
    ut, v = transpose(u), transpose(vh)  # (K, M), (N, K)
    p = matmul(matmul(ut, c), v)  # (K, K)
    column, row = reshape(s, (-1, 1)), reshape(s, (1, -1))  # s_i, s_j
    g_column, g_row = reshape(g, (-1, 1)), reshape(g, (1, -1))
    near_zero = _tolerance(s, *x.shape)
    even = _ratio(g_row - g_column, row - column, near_zero) * (p + transpose(p))
    odd = _ratio(g_row + g_column, row + column, near_zero) * (p - transpose(p))
    result = matmul(matmul(u, (even + odd) / 2), vh)
    m, n = x.shape
    if m == n:
        return result
    stretched = _ratio(g, s, near_zero)  # (K,)
    if m > n:  # the columns of U do not span R^M
        missed = matmul(c, v) - matmul(u, p)  # (M, K)
        return result + matmul(missed * stretched, vh)
    missed = matmul(ut, c) - matmul(p, vh)  # (K, N)
    return result + matmul(u * stretched, missed)


# -- the full decomposition -----------------------------------------------------------------------


def svd(x: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Decompose a matrix as x = U diag(s) V^T; returns (U, s, Vh) like `numpy.linalg.svd`.

    x: (M, N), real -> U (M, K), s (K,) descending, Vh (K, N), with K = min(M, N). The sign of each
    pair of vectors is fixed: the largest entry of a column of U is positive. Derivatives of U and
    Vh exist for distinct positive singular values; where values are equal (or zero) the
    infinite coefficients 1 / (s_j^2 - s_i^2) and 1 / s_j are taken as 0.
    """
    x = as_tensor(x)
    packed = svd_packed(x)
    m, n = x.shape
    return _unpack(packed, m, n)


@op
def svd_packed(x):  # (M, N) -> (M*K + K + K*N,)
    """Return U, s and V^T of x one after the other in a flat array: an op has one result.

    `svd` unpacks it. Source of the rule: Giles 2008, "Collected matrix derivative results for
    forward and reverse mode algorithmic differentiation", section 3.2.
    """
    u, s, vh = _svd_arrays(x)
    return xp_of(x).concatenate([u.reshape(-1), s, vh.reshape(-1)])


svd_packed.vjp(x=lambda g, out, x_shape: _svd_rule(g, out, x_shape))


def _svd_rule(g: Tensor, out: Tensor, x_shape: tuple[int, int]) -> Tensor:
    """Return the gradient of x, given those of U, s and V^T packed like the result itself."""
    m, n = x_shape
    (u, s, vh), (gu, gs, gvh) = _unpack(out, m, n), _unpack(g, m, n)
    ut, v, gv = transpose(u), transpose(vh), transpose(gvh)  # (K, M), (N, K), (N, K)
    ut_gu, vt_gv = matmul(ut, gu), matmul(vh, gv)  # (K, K) both
    row, column = reshape(s, (1, -1)), reshape(s, (-1, 1))  # s_j, s_i
    near_zero = _tolerance(s, m, n)
    f = _ratio(1.0, row - column, near_zero) * _ratio(1.0, row + column, near_zero)
    turn_u = f * (ut_gu - transpose(ut_gu)) * row
    turn_v = column * (f * (vt_gv - transpose(vt_gv)))
    result = matmul(u * gs, vh) + matmul(matmul(u, turn_u + turn_v), vh)
    if m == n:
        return result
    inverse = _ratio(1.0, s, near_zero)  # (K,)
    if m > n:  # what moves U out of the span of its columns
        return result + matmul((gu - matmul(u, ut_gu)) * inverse, vh)
    return result + matmul(u * inverse, transpose(gv - matmul(v, vt_gv)))


def _unpack(packed: Tensor, m: int, n: int) -> tuple[Tensor, Tensor, Tensor]:
    """Split a packed decomposition into (M, K), (K,) and (K, N)."""
    k = min(m, n)
    u = reshape(packed[: m * k], (m, k))
    return u, packed[m * k : m * k + k], reshape(packed[m * k + k :], (k, n))


def _svd_arrays(x: Any) -> tuple[Any, Any, Any]:
    """Return U, s, V^T as arrays, the largest entry of each column of U positive."""
    _need_matrix(x, "svd")
    _need_real(x, "svd")
    xp = xp_of(x)
    u, s, vh = xp.linalg.svd(x, full_matrices=False)
    largest = xp.argmax(xp.abs(u), axis=0)  # (K,)
    sign = xp.where(u[largest, xp.arange(u.shape[1])] < 0, -1, 1).astype(x.dtype)
    return u * sign, s, vh * sign[:, None]


def _ratio(numerator: Any, denominator: Tensor, near_zero: Any) -> Tensor:
    """Return numerator / denominator, and 0 where the denominator is within `near_zero` of 0."""
    d = denominator.data
    zero = xp_of(d).abs(d) <= near_zero
    return where(zero, 0.0, numerator / where(zero, 1.0, denominator))


# -- the largest singular value -------------------------------------------------------------------


def top_singular_triple(x: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Return (u, sigma, v) of the largest singular value, exactly, by SVD.

    sigma = u^T x v with u (M,) and v (N,) constants, so that d sigma/dx = u v^T exactly, finite
    also where the largest value repeats, and the second derivative is 0: the convention of
    spectral normalisation. For the second derivative of sigma itself take
    `singular_values(x)[0]`. x: (M, N) -> (M,), (), (N,).
    Source: Miyato et al. 2018, arXiv:1802.05957, equation 11.

    >>> import minigan as mg
    >>> u, sigma, v = mg.top_singular_triple(mg.tensor([[0.0, 2.0], [1.0, 0.0]]))
    >>> round(sigma.item(), 6), abs(v.numpy()).round(6).tolist()
    (2.0, [0.0, 1.0])
    """
    x = as_tensor(x)
    u, _, vh = _svd_arrays(x.data.real)
    return _triple(u[:, 0], x, vh[0])


def power_iteration(
    x: Any,
    u: Any = None,
    *,
    steps: int,
    generator: Generator | None = None,
    eps: float = 1e-12,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return (u, sigma, v), an estimate of the largest singular value that sharpens by `steps`.

    Each step sets v = x^T u / |x^T u|, u = x v / |x v|; then sigma = u^T x v, with u and v
    constants: d sigma/dx = u v^T. The error shrinks by (s_2 / s_1)^2 a step.
    x: (M, N) -> (M,), (), (N,). u: (M,), the former estimate (never written to), or None to draw
    one from `generator` (default: the global one). With steps=0 u stays and v follows from it.
    A vector shorter than `eps` is not normalised: for x = 0, u stays, v and sigma are 0.
    Source: Miyato et al. 2018, arXiv:1802.05957, algorithm 1.
    """
    x = as_tensor(x)
    _need_matrix(x.data, "power_iteration")
    if steps < 0:
        raise ValueError(f"power_iteration: steps is {steps}, expected 0 or more")
    w = x.data.real
    u = _start(u, w, generator)
    v = _unit(w.T @ u, eps, otherwise=0)
    for step in range(steps):
        if step:
            v = _unit(w.T @ u, eps, otherwise=0)
        u = _unit(w @ v, eps, otherwise=u)
    return _triple(u, x, v)


def _triple(u: Any, x: Tensor, v: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Return u, sigma = u^T x v and v; only x is differentiated."""
    row, column = Tensor(u.reshape(1, -1)), Tensor(v.reshape(-1, 1))
    sigma = reshape(matmul(matmul(row, x), column), ())  # (1, M) (M, N) (N, 1) -> ()
    return Tensor(u), sigma, Tensor(v)


def _start(u: Any, w: Any, generator: Generator | None) -> Any:
    """Return the vector to begin with: the given one, or a random direction."""
    m = w.shape[0]
    if u is None:
        drawn = (generator or default_generator()).normal((m,), dtype=w.dtype)
        u = backend_of(w).asarray(drawn)
        return u / xp_of(w).sqrt((u * u).sum())
    u = as_tensor(u).data
    if u.shape != (m,):
        raise ShapeError(f"power_iteration: u has shape {u.shape}, x {w.shape} needs ({m},)")
    if backend_of(u) is not backend_of(w):
        raise DeviceError(
            f"power_iteration: x is on {backend_of(w).name}, u on {backend_of(u).name}; use u.to()"
        )
    return u.astype(w.dtype, copy=False)


def _unit(vector: Any, eps: float, *, otherwise: Any) -> Any:
    """Return the vector divided by its length; `otherwise` if it is shorter than eps."""
    xp = xp_of(vector)
    length = xp.sqrt((vector * vector).sum())
    unit = vector / xp.maximum(length, eps)
    return xp.where(length > eps, unit, otherwise).astype(vector.dtype, copy=False)


# -- checks ---------------------------------------------------------------------------------------


def _need_matrix(x: Any, name: str) -> None:
    if x.ndim != 2 or 0 in x.shape:
        raise ShapeError(f"{name}: x has shape {x.shape}, expected a matrix (M, N); reshape it")


def _need_real(x: Any, name: str) -> None:
    """Refuse complex and integer numbers.

    The decomposition of a complex matrix involves conjugates: it is not the analytic function a
    complex step needs, and would be wrong without a word.
    """
    if x.dtype.kind != "f":
        raise TypeError(f"{name}: x has dtype {x.dtype}, expected float32 or float64")


def _tolerance(s: Tensor, m: int, n: int) -> Any:
    """Return the distance, (1,), below which rounding does not tell two singular values apart."""
    return 10 * max(m, n) * float(xp_of(s.data).finfo(s.dtype).eps) * s.data[:1]
