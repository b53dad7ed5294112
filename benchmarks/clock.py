"""How a call is timed where one process has the machine to itself: the least of several turns.

The least, because whatever else runs on the machine only ever adds; several calls in turn, because
it adds to whoever has the turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

Call = Callable[[], object]


def seconds(call: Call, *, repeats: int = 5, number: int = 1) -> float:
    """Return the least seconds of one call."""
    return seconds_each({"": call}, repeats=repeats, number=number)[""]


def seconds_each(
    calls: Mapping[str, Call], *, repeats: int = 5, number: int = 1
) -> dict[str, float]:
    """Return the least seconds of each call; they take turns, after one call each to warm up."""
    best = dict.fromkeys(calls, float("inf"))
    for call in calls.values():
        call()
    for _ in range(repeats):
        for name, call in calls.items():
            start = time.perf_counter()
            for _ in range(number):
                call()
            best[name] = min(best[name], (time.perf_counter() - start) / number)
    return best


def number_for(call: Call, *, at_least: float) -> int:
    """Return how many calls take `at_least` seconds together, at least one."""
    call()
    start = time.perf_counter()
    call()
    return max(1, round(at_least / max(1e-7, time.perf_counter() - start)))
