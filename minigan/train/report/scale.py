"""From numbers to places on a chart: ranges, ticks, and curves that are no longer than they look.

Letters: T points of a series.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from minigan.train.report.history import Series

_LOG_FROM = 50.0  # ratio of largest and smallest from which a logarithmic axis shows more
_MARGIN = 0.06  # of the range, above and below the curves
_BUCKETS = 400  # of a curve: two points each
_SMOOTHED_FROM = 120  # points
_WINDOW = 1 / 40  # of the points, for the moving average


@dataclass(frozen=True)
class Scale:
    """An axis from `low` to `high`, linear or logarithmic."""

    low: float
    high: float
    log: bool = False

    @classmethod
    def around(cls, values: Iterable[float]) -> Scale:
        """Return an axis that holds all these values; logarithmic if they are of many sizes.

        A linear axis starts at 0 where the values come near it.

        >>> Scale.around([1.0, 2.0]).low, Scale.around([1.0, 1000.0]).log
        (0.0, True)
        """
        finite = [v for v in values if math.isfinite(v)]
        low, high = min(finite, default=0.0), max(finite, default=1.0)
        if low > 0 and high / low >= _LOG_FROM:
            margin = (high / low) ** _MARGIN
            return cls(low / margin, high * margin, log=True)
        margin = _MARGIN * ((high - low) or abs(high) or 1.0)
        near_zero = 0 <= low <= 0.6 * high
        return cls(0.0 if near_zero else low - margin, high + margin)

    def place(self, value: float) -> float:
        """Return where a value lies: 0 at the low end, 1 at the high one."""
        low, high, value = (self._straight(v) for v in (self.low, self.high, value))
        return (value - low) / (high - low)

    def ticks(self, count: int = 6) -> list[float]:
        """Return round values within the axis, at most about `count` of them.

        >>> Scale(0.0, 1.06).ticks()
        [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
        >>> Scale(0.02, 30.0, log=True).ticks()
        [0.1, 1.0, 10.0]
        """
        return list(self._decades(count) if self.log else self._even(count))

    def _straight(self, value: float) -> float:
        return math.log10(value) if self.log else value

    def _even(self, count: int) -> Iterator[float]:
        step = round_step((self.high - self.low) / count)
        for i in range(math.ceil(self.low / step), math.floor(self.high / step) + 1):
            yield float(f"{i * step:.12g}")

    def _decades(self, count: int) -> Iterator[float]:
        """Yield powers of ten, not all if there are many; with 2 and 5 times those if few."""
        low, high = math.log10(self.low), math.log10(self.high)
        first, last = math.floor(low), math.ceil(high)
        every = math.ceil((last - first) / count)
        factors = (1, 2, 5) if high - low <= 2 else (1,)
        for power in range(first - first % every, last + 1, every):
            values = (float(f"{factor}e{power}") for factor in factors)
            yield from (v for v in values if self.low <= v <= self.high)


def round_step(least: float) -> float:
    """Return the smallest of ..., 0.1, 0.2, 0.5, 1, 2, 5, 10, ... that is at least `least`."""
    power = math.floor(math.log10(least))
    return next(s for f in (1, 2, 5, 10) if (s := f * 10.0**power) >= least * (1 - 1e-9))


def thinned(series: Series) -> Series:
    """Return a series that looks the same with at most 800 points: each bucket's extremes.

    A bucket in which nothing is finite stays a gap.
    """
    count = len(series.steps)
    if count <= 2 * _BUCKETS:
        return series
    size = -(-count // _BUCKETS)
    buckets = np.full((_BUCKETS, size), math.nan)
    buckets.flat[:count] = series.values  # (T,) -> (400, size), NaN after the last
    gaps, first = np.isnan(buckets), np.arange(_BUCKETS) * size
    lows = first + np.where(gaps, math.inf, buckets).argmin(axis=1)  # (400,)
    highs = first + np.where(gaps, -math.inf, buckets).argmax(axis=1)  # (400,)
    kept = np.union1d(lows, highs)
    kept = kept[kept < count].tolist()  # the last buckets may be empty
    return Series(series.name, [series.steps[i] for i in kept], [series.values[i] for i in kept])


def is_long(series: Series) -> bool:
    """Say whether a series has so many points that its average shows more than itself."""
    return len(series.steps) >= _SMOOTHED_FROM


def smoothed(series: Series) -> Series | None:
    """Return the moving average over a fortieth of the points; None for a short series."""
    if not is_long(series):
        return None
    values = np.asarray(series.values)  # (T,)
    there = np.isfinite(values)
    window = np.ones(2 * round(len(series.steps) * _WINDOW / 2) + 1)
    with np.errstate(over="ignore", invalid="ignore"):  # of values near 1e300: a gap
        sums = np.convolve(np.where(there, values, 0.0), window, mode="same")
        means = sums / np.maximum(np.convolve(there, window, mode="same"), 1)
    means[~there | ~np.isfinite(means)] = math.nan
    return thinned(Series(series.name, series.steps, means.tolist()))
