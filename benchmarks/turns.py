"""Sides that take turns: one process each, so that none sees another's memory or threads.

A busy machine slows down whoever has the turn. So the sides alternate, A B C A B C ..., each with
the same few steps, and what is reported are ratios within a round, never times from two runs.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.sides import Side
from benchmarks.worker import describe
from benchmarks.workloads.sizes import Size

ROOT = Path(__file__).resolve().parents[1]
LOSS_STEPS, TOLERANCE = 3, 1e-3
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class SideFailed(RuntimeError):
    """A side that stopped answering; the text says why."""


class SideAbsent(SideFailed):
    """A side whose framework or device is not there; the text says why."""


@dataclass
class Times:
    """What one side showed: its first losses, seconds a step in each round, memory, or an error."""

    losses: list[list[float]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    peak_mib: float = 0.0
    error: str | None = None
    absent: bool = False  # the error is that the framework or the device is not there

    @property
    def median(self) -> float:
        """Seconds a step, the median of the rounds."""
        return statistics.median(self.seconds)


def play(
    workload: str, size: Size, sides: Sequence[Side], *, steps: int, rounds: int, threads: int
) -> dict[Side, Times]:
    """Let the sides train in turn and return what each showed.

    The first three steps of each are its warm-up, and their losses must agree with those of the
    first side: one that disagrees, or fails, gets an error and is not timed.
    """
    results = {side: Times() for side in sides}
    with ExitStack() as stack:
        running = {}
        for side in sides:
            try:
                running[side] = stack.enter_context(_started(side, workload, size, threads))
                _warm_up(running[side], results[side])
            except SideFailed as failure:
                results[side].error = str(failure)
                results[side].absent = isinstance(failure, SideAbsent)
        _judge(results)
        for _ in range(rounds):
            for side, process in running.items():
                if results[side].error is None:
                    _time(process, results[side], steps)
    return results


def ratios(times: Times, others: Times, what: str = "seconds") -> list[float]:
    """Return the ratio of two sides in each round; `what`: "seconds" by the clock, or "busy"."""
    pairs = zip(getattr(times, what), getattr(others, what), strict=True)
    return [mine / theirs for mine, theirs in pairs]


def disagreement(losses: list[list[float]], others: list[list[float]]) -> float:
    """Return the largest difference of two sequences of losses, relative where they exceed 1."""
    pairs = zip(sum(losses, []), sum(others, []), strict=True)
    return max(abs(mine - theirs) / max(1.0, abs(theirs)) for mine, theirs in pairs)


def _judge(results: dict[Side, Times]) -> None:
    """Give an error to every side whose losses are not those of the first side that has any."""
    sound = {side: times for side, times in results.items() if times.error is None}
    if not sound:
        return
    (first, reference), *others = sound.items()
    for _, times in others:
        difference = disagreement(times.losses, reference.losses)
        if not difference <= TOLERANCE:
            times.error = f"its losses differ from those of {first} by {difference:.1e}"


# -- one process ----------------------------------------------------------------------------------


@contextmanager
def _started(side: Side, workload: str, size: Size, threads: int) -> Iterator[subprocess.Popen]:
    """Start a worker, wait until its networks stand, and end it afterwards."""
    task = describe(side, workload, size, threads)
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.worker", task],
        cwd=ROOT,
        env={**os.environ, **dict.fromkeys(_THREAD_VARIABLES, str(threads))},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            _answer(process)
            yield process
        finally:
            process.kill()


def _ask(process: subprocess.Popen, steps: int) -> dict:
    try:
        process.stdin.write(json.dumps({"steps": steps}) + "\n")
        process.stdin.flush()
    except BrokenPipeError:
        pass  # it has died; what it wrote before tells why
    return _answer(process)


def _answer(process: subprocess.Popen) -> dict:
    line = process.stdout.readline()
    if not line:
        said = process.stderr.read().strip().splitlines() or ["nothing was said"]
        raise SideFailed(f"the process ended: {said[-1]}")
    message = json.loads(line)
    if "absent" in message:
        raise SideAbsent(message["absent"])
    return message


def _warm_up(process: subprocess.Popen, times: Times) -> None:
    times.losses = _ask(process, LOSS_STEPS)["losses"]


def _time(process: subprocess.Popen, times: Times, steps: int) -> None:
    message = _ask(process, steps)
    times.seconds.append(message["seconds"] / steps)
    times.busy.append(message["busy"] / steps)
    times.peak_mib = message["peak_mib"]
