"""From two sides that disagree to a report: the worst entry, a guess, lines that repeat the check.

Letters: n inputs, m outputs, K directions, L cotangents.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from minigan.testing.levels import Layout, Level
from minigan.testing.numeric import complex_step, five_point
from minigan.testing.report import GradcheckError, Mismatch, entry, hints
from minigan.testing.reproducer import how_to_repeat
from minigan.testing.sides import Settings, Sides


def failure(level: Level, sides: Sides, method: str, settings: Settings) -> GradcheckError:
    """The error to raise where the sides of a level differ by more than their tolerance."""
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
            reproducer=how_to_repeat(level.problem, level.order, settings.asked),
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
