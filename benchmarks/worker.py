"""One side of a comparison in a process of its own: it trains when it is told to.

It reads one line of JSON at a time from its input, `{"steps": 5}`, trains so many steps and
answers with one line: seconds by the clock, seconds of processor time, the losses of each step,
and the most memory it has had so far. Started by `turns.py`; it ends with its input.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict

from benchmarks.machine import peak_memory_mib
from benchmarks.sides import Side, Workload, build, training
from benchmarks.workloads.sizes import Size


def main() -> None:
    """Build what the only argument describes, say so, and obey."""
    task = json.loads(sys.argv[1])
    try:
        workload = build(
            Side(**task["side"]), task["workload"], Size(**task["size"]), task["threads"]
        )
    except (ImportError, RuntimeError) as error:  # no such framework, or no such device
        answer({"absent": " ".join(str(error).split())})
        return
    answer({"ready": True})
    with training(Side(**task["side"])):
        for line in sys.stdin:
            answer(turn(workload, **json.loads(line)))


def turn(workload: Workload, steps: int) -> dict:
    """Train some steps and say what they took."""
    losses = []
    processor, clock = time.process_time(), time.perf_counter()
    for _ in range(steps):
        losses.append(workload.step())
    seconds, busy = time.perf_counter() - clock, time.process_time() - processor
    return {"seconds": seconds, "busy": busy, "losses": losses, "peak_mib": peak_memory_mib()}


def answer(message: dict) -> None:
    """Write one line of JSON."""
    print(json.dumps(message), flush=True)


def describe(side: Side, workload: str, size: Size, threads: int) -> str:
    """Return the argument with which `main` is started."""
    task = {"side": asdict(side), "workload": workload, "size": asdict(size), "threads": threads}
    return json.dumps(task)


if __name__ == "__main__":
    main()
