"""One level of a check: the analytic and the numerical derivative, and how far apart they may be.

With u a direction in the inputs and v a cotangent, the two sides are <vjp(v), u> and <v, jvp(u)>:

    |analytic - numeric| <= C * (error of the numeric side + eps * sum |g u| + noise)

The scale is sum |g u| and not the product itself, which may cancel. `noise` is what round-off does
to the analytic side, found by moving the point by a few units in the last place; it is only
measured where the first two terms do not explain a difference.

A complex step is wrong, in the same way as a rule may be, where a kernel drops part of a complex
number (`x * x.real`): the scan for kinks leaves five real values along one random direction, and
where they contradict it, five-point differences take its place.

Letters: n inputs, m outputs, K directions, L cotangents. Unless n * m is large, u and v run over
unit vectors, and the whole Jacobian is compared entry by entry.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from minigan.testing.failure import failure
from minigan.testing.levels import Level, away_from_zero
from minigan.testing.numeric import (
    COMPLEX_STEP,
    Derivative,
    NotAnalyticError,
    Stencil,
    complex_step,
    find_kink,
    five_point,
    look_around,
)
from minigan.testing.report import GradcheckError, InconclusiveError, NonDifferentiablePoint
from minigan.testing.sides import Settings, Sides


@dataclass(frozen=True)
class LevelResult:
    """What a level came to: its worst relative error, the method, a verdict per input."""

    order: int
    method: str
    relative_error: float
    full: bool
    verdicts: dict[str, str]


def check_level(level: Level, settings: Settings) -> LevelResult:
    """Compare both sides at one level; raise where they disagree or where there is a kink."""
    rng = np.random.default_rng([settings.seed, level.order])
    scan = _refuse_kink(level, rng) if settings.kinks and level.inputs.size else None
    cotangents, directions, full = _projections(level, settings, rng)
    gradients = level.pullback(cotangents)
    derivative, method = _differentiate(level, directions, settings.method)
    sides = Sides(
        cotangents, directions, gradients, derivative, _scale(level, gradients, directions, full),
        full, float(np.finfo(level.problem.dtype).eps),
    )  # fmt: skip
    if sides.wrong(settings.factor).any():
        sides = replace(sides, noise=_noise(level, sides, rng))
    if method == "complex":
        sides, method = _doubted(level, sides, settings, scan)
    if sides.wrong(settings.factor).any():
        if method == "five_point" and settings.kinks:  # differences reach further than the scan
            _refuse_kink(level, rng, near=True)
        raise failure(level, sides, method, settings)
    verdicts = _verdicts(level, sides, rng)
    if "pass" in verdicts.values():
        _refuse_doubt(level, sides, settings.factor)
    return LevelResult(level.order, method, sides.relative_error, full, verdicts)


def _projections(
    level: Level, settings: Settings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Cotangents (L, m), directions (K, n): unit vectors, or random ones per input and joint."""
    n, m, k = level.inputs.size, level.outputs.size, settings.directions
    if n * m <= settings.full_limit:
        return np.eye(m), np.eye(n), True
    joint = away_from_zero(rng, (k, n))
    single = [away_from_zero(rng, (k, n)) for _ in level.inputs.names]
    for rows, part in zip(single, level.inputs.slices, strict=True):
        rows[:, : part.start] = rows[:, part.stop :] = 0
    return away_from_zero(rng, (k, m)), np.concatenate([joint, *single]), False


def _differentiate(level: Level, directions: np.ndarray, method: str) -> tuple[Derivative, str]:
    if method != "five_point":
        try:
            return complex_step(level.evaluate, level.point, directions), "complex"
        except NotAnalyticError as why:
            if method == "complex":
                raise GradcheckError(
                    f"{level.problem.name}: complex step is impossible, {why}"
                ) from why
    return five_point(level.evaluate, level.point, directions), "five_point"


def _doubted(
    level: Level, sides: Sides, settings: Settings, scan: Stencil | None
) -> tuple[Sides, str]:
    """Both sides again, where the complex step may be what is wrong; and the method by now."""
    suspect = sides.wrong(settings.factor).any(axis=0)  # (K,)
    if suspect.any():
        sides = _with_truncation(level, sides, suspect)
        suspect = sides.wrong(settings.factor).any(axis=0)
    if settings.method != "auto":
        return sides, "complex"
    if scan is not None and _contradicted(level, sides, scan):
        suspect[:] = True
    return _referee(level, sides, suspect) if suspect.any() else (sides, "complex")


def _with_truncation(level: Level, sides: Sides, columns: np.ndarray) -> Sides:
    """Add what the O(t^2) of the complex step may be: it is all there is of x^3 at 0."""
    smaller = complex_step(
        level.evaluate, level.point, sides.directions[columns], step=1e-5 * COMPLEX_STEP
    )
    truncation = np.zeros_like(sides.derivative.values)  # (K, m)
    truncation[columns] = np.abs(smaller.values - sides.derivative.values[columns])
    return replace(sides, noise=sides.noise + np.abs(sides.cotangents) @ truncation.T)


def _contradicted(level: Level, sides: Sides, scan: Stencil) -> bool:
    """Whether real steps say otherwise than the complex step, along the direction of the scan."""
    if sides.full:
        values, w = sides.derivative.values, scan.step  # (n, m), (n,)
    else:
        values, w = complex_step(level.evaluate, level.point, scan.step[None]).values, np.ones(1)
    return scan.contradicts(w @ values, np.abs(w) @ np.abs(values))


def _referee(level: Level, sides: Sides, columns: np.ndarray) -> tuple[Sides, str]:
    """Ask five-point differences whether the complex step or the rule is at fault.

    The complex step is dismissed only where the five points tell it from the truth beyond their
    own error.
    """
    second = five_point(level.evaluate, level.point, sides.directions[columns])
    gap = np.abs(second.values - sides.derivative.values[columns])
    if not np.any(gap > 10 * second.errors):
        return sides, "complex"
    values, errors = sides.derivative.values.copy(), sides.derivative.errors.copy()
    values[columns], errors[columns] = second.values, second.errors
    return replace(sides, derivative=Derivative(values, errors)), "five_point"


def _scale(level: Level, gradients: np.ndarray, directions: np.ndarray, full: bool) -> np.ndarray:
    """sum |g u| (L, K); with unit vectors the largest entry of the same gradient by one input."""
    size = np.abs(gradients)  # (L, n)
    if full:
        for part in level.inputs.slices:
            size[:, part] = size[:, part].max(axis=1, initial=0.0, keepdims=True)
    return size @ np.abs(directions).T


def _noise(level: Level, sides: Sides, rng: np.random.Generator) -> np.ndarray:
    """What round-off does to the analytic side (L, K).

    Where an entry vanishes by cancellation at a point near 0 (the curvature of a sigmoid), moving
    the point shows nothing: some units in the last place of the largest entry are granted to all.
    """
    largest = np.abs(sides.gradients).max(axis=1, initial=0.0, keepdims=True)  # (L, 1)
    noise = level.noise(sides.cotangents, sides.gradients, rng) + 0.02 * sides.eps * largest
    return _scale(level, noise, sides.directions, sides.full)


def _refuse_kink(level: Level, rng: np.random.Generator, *, near: bool = False) -> Stencil:
    """Raise at a kink, naming the entry that sits on it; else return what the scan saw."""
    direction = away_from_zero(rng, level.point.shape)
    scan = look_around(level.evaluate, level.point, direction, near=near)
    if scan.kinked:
        position = find_kink(level.evaluate, level.point, direction, near=near)
        which, index = level.inputs.locate(position)
        raise NonDifferentiablePoint(
            level.problem.name, level.inputs.names[which], index, float(level.point[position])
        )
    return scan


def _refuse_doubt(level: Level, sides: Sides, factor: float) -> None:
    """Raise where the tolerance had to grow so much that the comparison proves nothing."""
    doubt = factor * float((sides.error + sides.noise).max(initial=0.0))
    signal = float(sides.scale.max(initial=0.0))
    if not doubt <= 0.05 * signal:
        raise InconclusiveError(
            f"{level.problem.name}: inconclusive, at order {level.order} the numerical derivative "
            f"is known to {doubt:.1e} and the gradient is {signal:.1e}: choose inputs at which the "
            "function is smooth and well-conditioned"
        )


def _verdicts(level: Level, sides: Sides, rng: np.random.Generator) -> dict[str, str]:
    """For each input "pass", or "zero" where its gradient is no more than round-off, or "empty"."""
    biggest = [np.abs(sides.gradients[:, p]).max(initial=0.0) for p in level.inputs.slices]
    floor = np.zeros(level.inputs.size)
    if any(0 < big < 1e-6 for big in biggest):  # suspiciously small: is it more than noise?
        noise = level.noise(sides.cotangents, sides.gradients, rng)  # (L, n)
        floor = 10 * noise.max(axis=0, initial=0.0)
    verdicts = {}
    for name, part, big in zip(level.inputs.names, level.inputs.slices, biggest, strict=True):
        zero = big <= floor[part].max(initial=0.0)
        empty = part.start == part.stop or not level.outputs.size
        verdicts[name] = "empty" if empty else "zero" if zero else "pass"
    return verdicts
