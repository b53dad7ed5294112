"""Numerical derivatives of vector functions, each with an estimate of its own error.

Letters: n entries of the point, m entries of the value, K directions.

    complex step     D = Im f(x + i t u) / t, t = 1e-20     no subtraction, so no round-off to trade
    five points      D = (8 [f(t) - f(-t)] - [f(2t) - f(-2t)]) / 12 t      error O(t^4) + O(eps / t)

The complex step is exact to round-off but asks f to be analytic code: no conjugates, no `abs` of a
complex number, comparisons on real parts. The five-point rule asks nothing; it is the Richardson
extrapolation of central differences at t and 2t, taken over a ladder of steps, and the difference
between neighbouring rungs says how far it can be trusted.

Source: Squire & Trapp, "Using complex variables to estimate derivatives", SIAM Review 40 (1998).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Function = Callable[[np.ndarray], np.ndarray]  # (n,) -> (m,)

EPS = float(np.finfo(np.float64).eps)
COMPLEX_STEP = 1e-20
LARGEST_STEP, SMALLEST_STEP = 2.0**-5, 2.0**-14  # of the ladder; each step is half of the last
KINK_STEP = 1e-6  # of a scan for kinks, for an entry near 1


class NotAnalyticError(TypeError):
    """The function cannot be differentiated by a complex step."""


@dataclass(frozen=True)
class Derivative:
    """Directional derivatives `values` (K, m) and an estimate of their `errors` (K, m)."""

    values: np.ndarray
    errors: np.ndarray


def complex_step(
    f: Function, x: np.ndarray, directions: np.ndarray, *, step: float = COMPLEX_STEP
) -> Derivative:
    """Differentiate f at x along each row of `directions` by a complex step.

    x: (n,) float64, directions: (K, n) -> values (K, m). Raises `NotAnalyticError` where f refuses
    complex numbers, drops the imaginary part, or changes its real part when given complex input.

    >>> complex_step(lambda z: z**3, np.array([2.0]), np.array([[1.0]])).values
    array([[12.]])
    """
    value = f(x)
    rows = [_complex_step_along(f, x, step * u, value) / step for u in directions]
    values = np.array(rows).reshape(len(directions), value.size)  # (K, m)
    return Derivative(values, EPS * np.abs(values))


def _complex_step_along(f: Function, x: np.ndarray, u: np.ndarray, value: np.ndarray) -> np.ndarray:
    moved = _call_on_complex(f, x + 1j * u)
    if not np.iscomplexobj(moved):
        raise NotAnalyticError("the imaginary part is lost: a step returns a real array")
    size = np.abs(value).max(initial=0.0)
    if not np.allclose(moved.real, value, rtol=1e-9, atol=1e-9 * size, equal_nan=True):
        raise NotAnalyticError("the real part changes when the input is complex")
    return moved.imag


def _call_on_complex(f: Function, z: np.ndarray) -> np.ndarray:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("error", np.exceptions.ComplexWarning)
        try:
            return f(z)
        except (TypeError, ValueError, np.exceptions.ComplexWarning, np.linalg.LinAlgError) as why:
            raise NotAnalyticError(f"a step fails on complex input: {why}") from why


def five_point(f: Function, x: np.ndarray, directions: np.ndarray) -> Derivative:
    """Differentiate f at x along each row of `directions` by five-point differences.

    x: (n,) float64, directions: (K, n) -> values (K, m). The step is chosen for each entry of the
    value by itself, as the one whose estimated error (truncation plus round-off) is smallest; the
    estimate is good to a small factor.

    >>> d = five_point(np.exp, np.array([0.0]), np.array([[1.0]]))
    >>> bool(abs(d.values[0, 0] - 1) < d.errors[0, 0] < 1e-10)
    True
    """
    value = f(x)
    pairs = [_five_point_along(f, x, u, np.abs(value)) for u in directions]
    shape = (len(directions), value.size)
    values = np.array([v for v, _ in pairs]).reshape(shape)  # (K, m)
    return Derivative(values, np.array([e for _, e in pairs]).reshape(shape))


def _five_point_along(
    f: Function, x: np.ndarray, u: np.ndarray, size: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    steps = _ladder(x)[:, None]  # (S, 1)
    with np.errstate(all="ignore"):
        ahead = np.array([f(x + t * u) for t in steps[:, 0]])  # (S, m)
        behind = np.array([f(x - t * u) for t in steps[:, 0]])  # (S, m)
        central = (ahead - behind) / (2 * steps)  # (S, m)
        rule = (4 * central[1:] - central[:-1]) / 3  # (S-1, m): five points each
        size = np.maximum(size, np.maximum(np.abs(ahead[1:]), np.abs(behind[1:])))
        change = np.abs(np.diff(rule, axis=0))  # (S-2, m)
        # where f is smooth a change is 1/16 of the last: one much smaller is a coincidence
        trusted = np.maximum(change[1:], change[:-1] / 16)  # (S-3, m)
        errors = trusted + 4 * EPS * size[2:] / steps[3:]  # (S-3, m): and round-off
    errors = np.where(np.isfinite(errors), errors, np.inf)
    best = errors.argmin(axis=0)[None]  # (1, m): the rung each entry trusts most
    return np.take_along_axis(rule[2:], best, 0)[0], np.take_along_axis(errors, best, 0)[0]


def _ladder(x: np.ndarray) -> np.ndarray:
    """Steps halved from 2^-5 to 2^-14, and beyond as far as the largest entry of x is from 1."""
    size = float(np.clip(np.abs(x).max(initial=0.0) or 1.0, 2.0**-20, 2.0**30))
    first = LARGEST_STEP * max(1.0, size)
    count = int(np.log2(first / (SMALLEST_STEP * min(1.0, size)))) + 1
    return first / 2.0 ** np.arange(count)


# -- kinks ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stencil:
    """A function at x, x +- w and x +- w/2: enough for a kink, and for the slope along w."""

    step: np.ndarray  # (n,): w
    value: np.ndarray  # (m,), as the four below
    ahead: np.ndarray
    behind: np.ndarray
    half_ahead: np.ndarray
    half_behind: np.ndarray

    @property
    def bend(self) -> np.ndarray:
        """|f(x + w) - 2 f(x) + f(x - w)|, (m,)."""
        return np.abs(self.ahead - 2 * self.value + self.behind)

    @property
    def kinked(self) -> bool:
        """Whether some output has a kink, a jump, or an end of its domain at x.

        Along a smooth function the second difference falls by 4 when the step is halved; at a kink
        it falls by 2, at a jump not at all.
        """
        with np.errstate(all="ignore"):
            half_bend = np.abs(self.half_ahead - 2 * self.value + self.half_behind)
            rise = np.abs(self.ahead - self.behind)
            half_rise = np.abs(self.half_ahead - self.half_behind)
            size = np.abs(self.value) + np.abs(self.value).max(initial=0.0)
            kink = (self.bend > 1e-11 * size + 1e-2 * rise) & (half_bend > 0.4 * self.bend)
            jump = (rise > 1e-9 * size) & (half_rise > 0.75 * rise)
        defined = np.isfinite(self.ahead) & np.isfinite(self.behind)
        return bool(np.any(kink | jump | (np.isfinite(self.value) & ~defined)))

    def contradicts(self, slope: np.ndarray, scale: np.ndarray) -> bool:
        """Whether some output's derivative along w cannot be `slope`, a sum of terms of `scale`.

        Five points at one small step: crude, but it shares no assumption with a complex step.
        """
        with np.errstate(all="ignore"):
            outer, inner = self.ahead - self.behind, self.half_ahead - self.half_behind
            gap = np.abs((8 * inner - outer) / 6 - slope)
            doubt = np.abs(inner - outer / 2) + self.bend  # truncation, a kink too weak to count
            return bool(np.any(gap > doubt + 1e-4 * scale + 1e3 * EPS * np.abs(self.value)))


def look_around(
    f: Function, x: np.ndarray, direction: np.ndarray, *, near: bool = False
) -> Stencil:
    """Evaluate f around x along `direction`, each entry of it scaled to what suits that entry of x.

    The steps are 1e-6, so that a network's many kinks nearby do not count; less beside an entry
    below 1e-3, where a smooth function may have a pole that near (log at 1e-7); more beside one
    above 1e3, for the sake of round-off. With `near`, small entries get the full step too.
    """
    w = direction * (_full_step(x) if near else _steps(x))
    with np.errstate(all="ignore"):
        return Stencil(w, *(f(x + s * w) for s in (0.0, 1.0, -1.0, 0.5, -0.5)))


def _full_step(x: np.ndarray) -> float:
    return KINK_STEP * max(1.0, 1e-3 * np.abs(x).max(initial=0.0))


def _steps(x: np.ndarray) -> np.ndarray:
    size = np.abs(x)
    steps = np.maximum(np.minimum(1e-3 * size, KINK_STEP), 1e-3 * KINK_STEP * size)
    return np.where(size > COMPLEX_STEP, steps, _full_step(x))  # 0 has no scale of its own


def find_kink(
    f: Function, x: np.ndarray, direction: np.ndarray, *, near: bool = False
) -> int | None:
    """The index of an entry of x at which f has a kink or a jump, or None if it is smooth there.

    The direction is halved until one entry is left, log2(n) times. `near`: see `look_around`.

    >>> find_kink(np.abs, np.array([1.0, 0.0, -2.0]), np.ones(3))
    1
    """
    if not look_around(f, x, direction, near=near).kinked:
        return None
    entries = np.arange(x.size)
    while len(entries) > 1:
        half = entries[: len(entries) // 2]
        mask = np.isin(np.arange(x.size), half)
        kinked = look_around(f, x, direction * mask, near=near).kinked
        entries = half if kinked else entries[len(half) :]
    return int(entries[0])
