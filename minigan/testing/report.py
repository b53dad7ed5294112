"""What a failed check says: the place, the two values, a guess at the mistake.

The guesses work on the Jacobian as an array of shape out + arg (or arg alone, where the outputs
were projected on a random vector): a wrong rule usually is the right one negated, scaled, or with
two axes exchanged, and each of these leaves a mark that can be tested for.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MATCH = 1e-6  # relative distance below which two Jacobians count as the same guess


class GradcheckError(AssertionError):
    """A derivative, or the behaviour of an op around it, is wrong."""

    @property
    def mismatch(self) -> Mismatch | None:
        """Where and by how much, if it is a number that is wrong; else None."""
        return self.args[0] if isinstance(self.args[0], Mismatch) else None


class PropertyError(GradcheckError):
    """The numbers may be right, but the op does something it must not do."""


class InconclusiveError(GradcheckError):
    """The check ran and nothing disagreed, but nothing was proved: the gradient is zero."""


class NonDifferentiablePoint(GradcheckError):
    """The function has a kink or a jump at the point of the check.

    `name`, `index`, `value`: the input entry that sits on it.
    """

    def __init__(self, function: str, name: str, index: tuple[int, ...], value: float) -> None:
        super().__init__(
            f"{function}: not differentiable at {entry(name, index)} = {value!r} (or within 1e-6): "
            "move this entry away, or pass kinks=False to check a convention chosen there"
        )
        self.name, self.index, self.value = name, index, value


@dataclass(frozen=True)
class Mismatch:
    """One entry of a derivative on which the two sides disagree, with its surroundings."""

    function: str
    order: int
    argument: str
    place: str
    analytic: float
    numeric: float
    method: str
    error: float
    wrong: int
    entries: int
    hints: tuple[str, ...]
    reproducer: str

    @property
    def ratio(self) -> float:
        """Analytic over numeric value."""
        return self.analytic / self.numeric if self.numeric else math.inf

    def __str__(self) -> str:
        ordinal = {1: "first", 2: "second", 3: "third"}.get(self.order, f"{self.order}th")
        lines = [
            f"{self.function}: the {ordinal} derivative with respect to {self.argument!r} is wrong",
            f"  at        {self.place}",
            f"  analytic  {self.analytic:.15g}",
            f"  numeric   {self.numeric:.15g}   ({self.method}, error about {self.error:.1e})",
            f"  ratio     {self.ratio:.9g}",
            f"  extent    {self.wrong} of {self.entries} numbers compared are wrong",
            *(f"  hint      {hint}" for hint in self.hints),
            "  reproduce with",
            *(f"    {line}" for line in self.reproducer.splitlines()),
        ]
        return "\n".join(lines)


def entry(name: str, index: Sequence[int]) -> str:
    """`name[i, j]`, or the bare name of a 0-d array."""
    return f"{name}[{', '.join(map(str, index))}]" if len(index) else name


# -- guesses -----------------------------------------------------------------------------------


def hints(
    analytic: np.ndarray,
    numeric: np.ndarray,
    out_shape: tuple[int, ...],
    arg_shape: tuple[int, ...],
    full_out_shape: tuple[int, ...] | None = None,
) -> tuple[str, ...]:
    """Guess at the mistake that turned the Jacobian `numeric` into `analytic`.

    Both: shape out + arg, where out is () if the outputs were projected; `full_out_shape` is the
    shape of the output before that. Returns one sentence, or several where the marks agree.

    >>> hints(-np.eye(2), np.eye(2), (2,), (2,))
    ('sign: the analytic derivative is minus the numerical one',)
    """
    a, n = (np.asarray(j).reshape(out_shape + arg_shape) for j in (analytic, numeric))
    out_shape = full_out_shape or out_shape
    guesses = (
        _not_finite(a),
        _imprecise(a, n),
        _zero(a, n),
        _proportional(a, n, out_shape, arg_shape),
        _transposed(a, n),
        _flipped(a, n, len(arg_shape)),
        _half_signed(a, n),
        _broadcast(a, n, out_shape, arg_shape),
        _border(a, n, len(arg_shape)),
    )
    return tuple(itertools.islice(filter(None, guesses), 1)) or (_scattered(a, n),)


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.abs(a - b).max(initial=0.0) <= MATCH * np.abs(b).max(initial=0.0))


def _not_finite(a: np.ndarray) -> str | None:
    bad = np.count_nonzero(~np.isfinite(a))
    return f"not finite: {bad} entries are nan or inf" if bad else None


def _imprecise(a: np.ndarray, n: np.ndarray) -> str | None:
    if not _same(a, n):
        return None
    return (
        "precision: right to 1e-6 of the largest entry; does the rule subtract near-equal numbers?"
    )


def _zero(a: np.ndarray, n: np.ndarray) -> str | None:
    if a.any() or not n.any():
        return None
    return "zero: the rule returns nothing at all; is the input detached, or used as a constant?"


def _proportional(
    a: np.ndarray, n: np.ndarray, out_shape: tuple[int, ...], arg_shape: tuple[int, ...]
) -> str | None:
    norm = float(np.vdot(n, n))
    ratio = float(np.vdot(n, a)) / norm if norm else 0.0
    if ratio == 0 or not _same(a / ratio, n):
        return None
    if abs(ratio + 1) < MATCH:
        return "sign: the analytic derivative is minus the numerical one"
    count = _count_of(abs(ratio), out_shape) or _count_of(abs(ratio), arg_shape)
    sign = "sign and " if ratio < 0 else ""
    if count:
        return f"{sign}mean against sum: the ratio is {_ratio(ratio)}, {count} entries are summed"
    return f"{sign}constant factor: every entry is {ratio:.9g} times what it should be"


def _count_of(ratio: float, shape: tuple[int, ...]) -> int | None:
    """The number N with ratio N or 1/N that is the size of some of the axes together."""
    for r in range(1, len(shape) + 1):
        for sizes in itertools.combinations(shape, r):
            count = math.prod(sizes)
            if count > 1 and min(abs(ratio - count) / count, abs(ratio * count - 1)) < MATCH:
                return count
    return None


def _ratio(ratio: float) -> str:
    return f"{round(ratio)}" if abs(ratio) > 1 else f"1/{round(1 / ratio)}"


def _transposed(a: np.ndarray, n: np.ndarray) -> str | None:
    for p, q in itertools.combinations(range(n.ndim), 2):
        if n.shape[p] == n.shape[q] > 1 and _same(a, n.swapaxes(p, q)):
            return "transposed: two axes of equal size are exchanged"
    return None


def _flipped(a: np.ndarray, n: np.ndarray, arg_ndim: int) -> str | None:
    axes = range(n.ndim - arg_ndim, n.ndim)
    for r in (1, 2):
        for chosen in itertools.combinations(axes, r):
            if _same(a, np.flip(n, chosen)):
                return "flipped: an axis runs backwards (a kernel, or a reversed slice)"
    return None


def _half_signed(a: np.ndarray, n: np.ndarray) -> str | None:
    if _same(np.abs(a), np.abs(n)):
        return "sign: the sizes are right, but some entries have the wrong sign"
    return None


def _broadcast(
    a: np.ndarray, n: np.ndarray, out_shape: tuple[int, ...], arg_shape: tuple[int, ...]
) -> str | None:
    try:
        spread = np.broadcast_shapes(arg_shape, out_shape) == out_shape != arg_shape
    except ValueError:
        return None
    if not spread or math.prod(arg_shape) == math.prod(out_shape):
        return None
    return f"missing sum over broadcast axes: {arg_shape} was stretched to {out_shape} (sum_to)"


def _border(a: np.ndarray, n: np.ndarray, arg_ndim: int) -> str | None:
    wrong = np.abs(a - n) > MATCH * np.abs(n).max(initial=0.0)
    wrong = wrong.reshape(-1, *wrong.shape[wrong.ndim - arg_ndim :]).any(axis=0)  # (arg)
    for axes in (range(max(arg_ndim - 2, 0), arg_ndim), range(arg_ndim)):
        inside = tuple(slice(1, -1) if i in axes else slice(None) for i in range(arg_ndim))
        if wrong[inside].size and not wrong[inside].any():
            return "padding: the entries on the border alone are wrong"
    return None


def _scattered(a: np.ndarray, n: np.ndarray) -> str:
    wrong = np.abs(a - n) > MATCH * np.abs(n).max(initial=0.0)
    ratios = a[wrong & (n != 0)] / n[wrong & (n != 0)]
    if ratios.size and np.ptp(ratios) < MATCH * abs(ratios[0]):
        return f"factor: the wrong entries are {ratios[0]:.9g} times what they should be"
    return "no simple pattern: a term of the rule is wrong or missing"
