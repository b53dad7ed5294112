"""Identities that hold between derivatives, whatever the function.

    cotangents      vjp(a v + b w) = a vjp(v) + b vjp(w), and vjp(0) = 0
    symmetry        <w, H r> = <r, H w> for H the Hessian of <v, f>, by double backward
    adjoint         <A x, v> = <x, A^T v> for linear functions

None needs a step size. Each `check_*` takes a `Problem` and raises `PropertyError`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minigan.tensor import Tensor
from minigan.testing.levels import (
    Level,
    Problem,
    away_from_zero,
    first_level,
    join,
    pull,
    random_cotangents,
)
from minigan.testing.report import PropertyError


def check_cotangents(problem: Problem, *, seed: int = 0) -> None:
    """The vector-Jacobian product is linear in its cotangent, and zero where that is zero."""
    level = first_level(problem, seed)
    rng = np.random.default_rng([seed, 7])
    v, w = (away_from_zero(rng, (level.outputs.size,)) for _ in range(2))
    cotangents = np.array([v, w, 0.5 * v - 2 * w, 0 * v])
    gradients = level.pullback(cotangents)
    gv, gw, both, zero = gradients
    size = 0.5 * np.abs(gv) + 2 * np.abs(gw)
    noise = level.noise(cotangents, gradients, rng).max(axis=0)
    for name, part in zip(level.inputs.names, level.inputs.slices, strict=True):
        if zero[part].any():
            raise PropertyError(
                f"{problem.name}: the gradient of {name!r} is not zero for a zero cotangent: the "
                "rule does not multiply by g"
            )
        allowed = 500 * (problem.eps * size[part] + noise[part]).max(initial=0.0)
        if np.abs(both[part] - (0.5 * gv - 2 * gw)[part]).max(initial=0.0) > allowed:
            raise PropertyError(
                f"{problem.name}: the gradient of {name!r} is not linear in the cotangent: a rule "
                "is a linear function of g, whatever the op"
            )


def check_symmetry(problem: Problem, *, seed: int = 0) -> None:
    """Mixed second derivatives agree: <w, H r> = <r, H w>, H the Hessian of <v, f>."""
    level = first_level(problem, seed)
    rng = np.random.default_rng([seed, 5])
    w, r = (away_from_zero(rng, (level.inputs.size,)) for _ in range(2))
    left, right, scale = _mixed(level, seed, w, r, level.point)
    if abs(left - right) <= 500 * problem.eps * scale:
        return
    moved = _mixed(level, seed, w, r, level.point * (1 + 2 * problem.eps))
    noise = abs(moved[0] - left) + abs(moved[1] - right)
    if not abs(left - right) <= 500 * (problem.eps * scale + noise):
        raise PropertyError(
            f"{problem.name}: the second derivative is not symmetric, <w, H r> = {left:.12g} but "
            f"<r, H w> = {right:.12g}: a rule treats something that depends on the inputs as a "
            "constant, or a rule of a rule is wrong"
        )


def _mixed(
    level: Level, seed: int, w: np.ndarray, r: np.ndarray, point: np.ndarray
) -> tuple[float, float, float]:
    """<w, H r>, <r, H w>, and the sum of the sizes of their terms."""
    with level.bound(point) as tensors:
        outs = level.apply(tensors, 1)
        first = pull(outs, tensors, random_cotangents(outs, level.problem, seed), create_graph=True)
        hw, hr = (_hessian_times(level, first, tensors, u) for u in (w, r))
    return float(w @ hr), float(r @ hw), float(np.abs(w) @ np.abs(hr) + np.abs(r) @ np.abs(hw))


def _hessian_times(
    level: Level, first: Sequence[Tensor], tensors: Sequence[Tensor], u: np.ndarray
) -> np.ndarray:
    parts = level.inputs.split(u.astype(level.problem.dtype))
    parts = [Tensor(level.problem.backend.asarray(a.copy())) for a in parts]
    return join([h.numpy() for h in pull(first, tensors, parts, retain=True)]).astype(np.float64)


def check_adjoint(problem: Problem, *, seed: int = 0) -> None:
    """For f linear (or affine) in each input: <f(x) - f(0), v> = <x, vjp(v)>, to round-off."""
    level = first_level(problem, seed)
    rng = np.random.default_rng([seed, 11])
    v = away_from_zero(rng, (level.outputs.size,)).astype(problem.dtype).astype(np.float64)
    (gradient,) = level.pullback(v[None])
    for name, part in zip(level.inputs.names, level.inputs.slices, strict=True):
        x = level.point[part]
        without = level.point.copy()
        without[part] = 0
        rise = level.evaluate(level.point) - level.evaluate(without)  # A x, in double precision
        left, right = float(rise @ v), float(x @ gradient[part])
        scale = np.abs(rise) @ np.abs(v) + np.abs(x) @ np.abs(gradient[part])
        if not abs(left - right) <= 500 * problem.eps * scale:
            raise PropertyError(
                f"{problem.name}: not the adjoint with respect to {name!r}, <A x, v> = {left:.12g} "
                f"but <x, A^T v> = {right:.12g} (ratio {right / left if left else np.inf:.9g})"
            )
