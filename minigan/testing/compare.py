"""One level of a check: the analytic and the numerical derivative, and how far apart they may be.

With u a direction in the inputs and v a cotangent, the two sides are <vjp(v), u> and <v, jvp(u)>:

    |analytic - numeric| <= C * (error of the numeric side + eps * sum |g u| + noise)

The scale is sum |g u| and not the product itself, which may cancel. `noise` is what round-off does
to the analytic side, found by moving the point by a few units in the last place; it is only
measured where the first two terms do not explain a difference.

Letters: n inputs, m outputs, K directions, L cotangents. Unless n * m is large, u and v run over
unit vectors, and the whole Jacobian is compared entry by entry.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from minigan.testing.levels import Layout, Level, Problem, away_from_zero
from minigan.testing.numeric import (
    Derivative,
    NotAnalyticError,
    complex_step,
    find_kink,
    five_point,
)
from minigan.testing.report import (
    GradcheckError,
    InconclusiveError,
    Mismatch,
    NonDifferentiablePoint,
    entry,
    hints,
    reproducer,
)

TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class Settings:
    """What `gradcheck` was asked for."""

    method: str = "auto"
    directions: int = 4
    full_limit: int = 4096
    factor: float = 500.0
    seed: int = 0
    kinks: bool = True


@dataclass
class Sides:
    """Both sides of a comparison, (L, K) each, and what they were made of."""

    cotangents: np.ndarray  # (L, m)
    directions: np.ndarray  # (K, n)
    gradients: np.ndarray  # (L, n), analytic
    derivative: Derivative  # (K, m), numeric
    scale: np.ndarray  # (L, K)
    full: bool
    eps: float
    noise: np.ndarray = field(default_factory=lambda: np.zeros((1, 1)))

    @property
    def analytic(self) -> np.ndarray:
        """<vjp(v), u>."""
        return self.gradients @ self.directions.T

    @property
    def numeric(self) -> np.ndarray:
        """<v, jvp(u)>."""
        return self.cotangents @ self.derivative.values.T

    @property
    def error(self) -> np.ndarray:
        """An estimate of the error of the numerical side."""
        return np.abs(self.cotangents) @ self.derivative.errors.T

    @property
    def difference(self) -> np.ndarray:
        """|analytic - numeric|, infinite where either is not a number."""
        difference = np.abs(self.analytic - self.numeric)
        return np.where(np.isfinite(difference), difference, np.inf)

    def wrong(self, factor: float) -> np.ndarray:
        """Where the difference is more than the tolerance."""
        allowed = factor * (self.error + self.eps * self.scale + self.noise)
        return ~(self.difference <= allowed)

    @property
    def relative_error(self) -> float:
        """The largest difference over sum |g u|, where round-off does not explain it."""
        scale = np.maximum(self.scale + self.noise / self.eps, TINY)
        return float((self.difference / scale).max(initial=0.0))


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
    if settings.kinks and level.inputs.size:
        _refuse_kink(level, rng)
    cotangents, directions, full = _projections(level, settings, rng)
    gradients = level.pullback(cotangents)
    derivative, method = _differentiate(level, directions, settings.method)
    sides = Sides(
        cotangents, directions, gradients, derivative, _scale(level, gradients, directions, full),
        full, float(np.finfo(level.problem.dtype).eps),
    )  # fmt: skip
    if sides.wrong(settings.factor).any():
        sides = replace(sides, noise=_noise(level, sides, rng))
    if sides.wrong(settings.factor).any() and method == "complex" and settings.method == "auto":
        sides, method = _referee(level, sides, settings)
    if sides.wrong(settings.factor).any():
        raise _failure(level, sides, method, settings)
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


def _referee(level: Level, sides: Sides, settings: Settings) -> tuple[Sides, str]:
    """Ask five-point differences whether the complex step or the rule is at fault.

    A kernel may take complex numbers and still not be analytic in them. The complex step is
    dismissed only where the five points tell it from the truth beyond their own error.
    """
    columns = sides.wrong(settings.factor).any(axis=0)
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


def _refuse_kink(level: Level, rng: np.random.Generator) -> None:
    position = find_kink(level.evaluate, level.point, away_from_zero(rng, level.point.shape))
    if position is not None:
        which, index = level.inputs.locate(position)
        raise NonDifferentiablePoint(
            level.problem.name, level.inputs.names[which], index, float(level.point[position])
        )


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


# -- what went wrong -----------------------------------------------------------------------------


def _failure(level: Level, sides: Sides, method: str, settings: Settings) -> GradcheckError:
    wrong = sides.wrong(settings.factor)
    excess = np.where(wrong, sides.difference, -1.0)
    if sides.full:
        row, column = (int(i) for i in np.unravel_index(excess.argmax(), excess.shape))
        analytic, numeric = sides.analytic, sides.numeric  # (m, n)
        place = entry(*_named(level.outputs, row))
        error = float(sides.error[row, column])
    else:
        row = int(np.unravel_index(excess.argmax(), excess.shape)[0])
        analytic, numeric, error = _projected_gradient(level, sides, row, method)  # (1, n)
        column, row, place = int(np.abs(analytic - numeric).argmax()), 0, "<out, random>"
    which, index = level.inputs.locate(column)
    name = level.inputs.names[which]
    part = level.inputs.slices[which]
    output = level.outputs.locate(row)[0] if sides.full else 0
    lines = level.outputs.slices[output] if sides.full else slice(None)
    shape = level.outputs.shapes[output]
    guess = hints(
        analytic[lines, part], numeric[lines, part], shape if sides.full else (),
        level.inputs.shapes[which], shape,
    )  # fmt: skip
    if level.order > 1 and not name.startswith("cotangent"):
        guess = (*guess, _second_order_hint(name, level.order))
    return GradcheckError(
        Mismatch(
            function=level.problem.name,
            order=level.order,
            argument=name,
            place=f"d {place} / d {entry(name, index)}",
            analytic=float(analytic[row, column]),
            numeric=float(numeric[row, column]),
            method=method,
            error=error,
            wrong=int(wrong.sum()),
            entries=wrong.size,
            hints=guess,
            reproducer=how_to_repeat(level.problem, level.order, settings),
        )
    )


def _second_order_hint(name: str, order: int) -> str:
    return (
        f"order: derivative {order - 1} is right and its own derivative is not, so its rule treats "
        f"something that depends on {name} (a statistic, a mask) as a constant: compute it in ops"
    )


def _projected_gradient(
    level: Level, sides: Sides, row: int, method: str
) -> tuple[np.ndarray, np.ndarray, float]:
    """Both gradients of <out, v> (1, n), one entry at a time where there are not too many."""
    v = sides.cotangents[row]
    difference = complex_step if method == "complex" else five_point
    entries = _suspects(level, sides, row, difference)
    units = np.zeros((len(entries), level.inputs.size))
    units[np.arange(len(entries)), entries] = 1
    found = difference(lambda z: np.atleast_1d(level.evaluate(z) @ v), level.point, units)
    analytic = sides.gradients[row : row + 1]
    numeric = analytic.copy()
    numeric[0, entries] = found.values[:, 0]
    return analytic, numeric, float(found.errors.max(initial=0.0))


def _suspects(level: Level, sides: Sides, row: int, difference: Callable) -> np.ndarray:
    """All entries of the inputs; of more than 4096, the one that halving the direction leads to."""
    entries = np.arange(level.inputs.size)
    u = sides.directions[0]

    def gap(part: np.ndarray) -> float:
        along = np.where(np.isin(np.arange(u.size), part), u, 0.0)
        d = difference(level.evaluate, level.point, along[None]).values[0] @ sides.cotangents[row]
        return abs(float(d - sides.gradients[row] @ along))

    if entries.size <= 4096:
        return entries
    while entries.size > 1:
        halves = np.array_split(entries, 2)
        entries = max(halves, key=gap)
    return entries


def _named(layout: Layout, position: int) -> tuple[str, tuple[int, ...]]:
    which, index = layout.locate(position)
    return layout.names[which], index


def how_to_repeat(problem: Problem, order: int, settings: Settings) -> str:
    """Python lines that run a check of this problem again."""
    values = list(problem.given)
    for place, value in zip(problem.places, problem.values, strict=False):
        values[place] = value
    return reproducer(
        problem.fn, problem.given_names, values, len(problem.params), order=order,
        method=None if settings.method == "auto" else settings.method, seed=settings.seed,
    )  # fmt: skip
