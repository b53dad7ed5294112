"""The figures of a GAN in the plane, beside real samples in its place and the untrained generator.

    distance       Wasserstein-1 to fresh samples of the target, exactly: the mean of several, since
                   one of 500 points varies by a third of the floor
    captured       modes with a sample within 3 sigma; high quality: the share of such samples
    reverse_kl     between the modes' shares of them and equal shares, in nats; see `minigan.modes`

A target without modes has the distance alone.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from minigan.data import stream
from minigan.data.toy import Toy
from minigan.modes import mode_report
from minigan.transport import wasserstein

_COMPARED = 500  # points on each side of a distance, whose cost grows with their cube
_DISTANCES = 5


@dataclass(frozen=True)
class ToyFigures:
    """The figures of one set of points; those of modes are None where there are none."""

    distance: float
    captured: int | None = None
    high_quality: float | None = None
    reverse_kl: float | None = None


@dataclass(frozen=True)
class ToyReport:
    """The figures of fresh real samples (the floor), the generator and the untrained one.

    `modes`: how many the target has, None for none.
    """

    modes: int | None
    samples: int
    floor: ToyFigures
    generator: ToyFigures
    untrained: ToyFigures

    def as_dict(self) -> dict[str, Any]:
        """Return the report as what JSON can hold: what there is not is left out, infinity None."""
        sides = {name: asdict(getattr(self, name)) for name in ("floor", "generator", "untrained")}
        known = {
            name: {k: _finite(v) for k, v in side.items() if v is not None}
            for name, side in sides.items()
        }
        facts = {"samples": self.samples} | ({"modes": self.modes} if self.modes else {})
        return {**facts, **known}


def measure_toy(target: Toy, generated: np.ndarray, untrained: np.ndarray) -> ToyReport:
    """Measure points (N, 2) of a generator and of the untrained one, as many of each."""
    count = len(generated)
    fresh, reals = (
        target.sample(count, generator=stream(0, f"points for the figures, {purpose}"))
        for purpose in ("compared with", "in its place")
    )

    def figures(points: np.ndarray) -> ToyFigures:
        distance = _mean_distance(points, fresh)
        if target.centres is None:
            return ToyFigures(distance)
        return ToyFigures(distance, *mode_report(points, target))

    modes = None if target.centres is None else len(target.centres)
    return ToyReport(modes, count, figures(reals), figures(generated), figures(untrained))


def _mean_distance(points: np.ndarray, others: np.ndarray) -> float:
    """Return the mean distance of parts with `_COMPARED` points, or less where there are less."""
    starts = range(0, max(1, len(points) - _COMPARED + 1), _COMPARED)[:_DISTANCES]
    parts = [slice(start, start + _COMPARED) for start in starts]
    return float(np.mean([wasserstein(points[part], others[part]) for part in parts]))


def _finite(value: float) -> float | None:
    """Round to six digits; JSON has no infinity."""
    if type(value) is int:
        return value
    return float(f"{value:.6g}") if math.isfinite(value) else None
