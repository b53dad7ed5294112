"""What the machine can do at most, and how near each op and each workload comes.

    python -m benchmarks.roofline                      # all workloads, by op
    python -m benchmarks.roofline dcgan64 --shapes     # by op and shapes

Two ceilings are measured: the fastest product of large matrices (arithmetic) and the fastest copy
of a large array (memory). An op that is a sum of products is held against the first, every other
one against the second.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

import minigan as mg
from benchmarks import machine, report, work
from benchmarks.clock import seconds
from benchmarks.sides import MINIGAN, WORKLOADS, build, set_minigan_threads, training
from benchmarks.workloads.sizes import FULL, SMOKE, STEPS
from minigan.profiler import Profile

RESULTS = Path(__file__).parent / "results"
_EMPTY = {"gflop": 0.0, "gflops": 0.0, "gbs": 0.0}
_PRODUCTS = ((2048, 2048, 2048), (4096, 2304, 256), (4096, 576, 64))  # n, k, m


def ceilings(scale: int = 1) -> dict[str, float]:
    """Return GFLOP/s of the fastest float32 product and GB/s of a copy (read and written)."""
    products = {}
    for n, k, m in _PRODUCTS:
        n, k, m = n // scale, k // scale, m // scale
        a, b = np.ones((n, k), np.float32), np.ones((k, m), np.float32)
        products[f"{n}x{k}x{m}"] = 2e-9 * n * k * m / seconds(lambda a=a, b=b: a @ b)
    source = np.ones(16_000_000 // scale**2, np.float32)
    target = np.zeros_like(source)
    copied = 2e-9 * source.nbytes / seconds(lambda: np.copyto(target, source))
    return {"gemm": max(products.values()), "copy": copied, **products}


def measure(workload: str, *, smoke: bool, threads: int, shapes: bool) -> list[dict[str, Any]]:
    """Return a row for each op of a training step, the longest first, and one for the whole.

    Times are means over some steps, after the first three: those meet fresh memory.
    """
    played = build(MINIGAN, workload, (SMOKE if smoke else FULL)[workload], threads)
    name = work.geometry if shapes else None
    steps = 1 if smoke else STEPS[workload]
    with training(MINIGAN):
        for _ in range(1 if smoke else 3):
            played.step()
        with mg.profile(name=name, work=work.flops) as arithmetic:
            for _ in range(steps):
                played.step()
        with mg.profile(name=name, work=work.traffic) as memory:
            for _ in range(steps):
                played.step()
    rows = [_row(arithmetic, memory, row.name, steps) for row in arithmetic.rows]
    python = (arithmetic.seconds - arithmetic.kernel_seconds) / steps
    rows.append({**_EMPTY, "op": "(Python: engine, optimiser)", "ms": python * 1e3})
    seconds_, total = arithmetic.seconds / steps, sum(row["gflop"] for row in rows)
    whole = {"op": "whole step", "ms": seconds_ * 1e3, "gflop": total}
    rows.sort(key=lambda row: -row["ms"])
    return [{**_EMPTY, **whole, "gflops": total / seconds_}, *rows]


def _row(arithmetic: Profile, memory: Profile, name: str, steps: int) -> dict[str, Any]:
    """Combine what two profiles of the same steps say about one op."""
    row, other = arithmetic[name], memory[name]
    return {
        "op": name,
        "ms": row.total_seconds / steps * 1e3,
        "calls": row.total_calls / steps,
        "phases_ms": {phase: value / steps * 1e3 for phase, value in row.seconds.items()},
        "mb_made": row.allocated / steps / 1e6,
        "gflop": row.work / steps / 1e9,
        "gflops": row.work / 1e9 / row.total_seconds,
        "gbs": other.work / 1e9 / other.total_seconds,
    }


def print_table(
    console: Console, workload: str, rows: list[dict], tops: dict[str, float], most: int
) -> None:
    """Print the rows beside the ceilings."""
    table = Table(box=SIMPLE_HEAD, title=workload)
    table.add_column("op", no_wrap=True)
    for name in ("ms", "share", "GFLOP/s", "of GEMM", "GB/s", "of copy"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows[: most + 1]:
        cells = [f"{row['ms']:.2f}", f"{row['ms'] / rows[0]['ms']:.1%}"]
        arithmetic = [f"{row['gflops']:.1f}", f"{row['gflops'] / tops['gemm']:.0%}"]
        memory = [f"{row['gbs']:.1f}", f"{row['gbs'] / tops['copy']:.0%}"]
        cells += arithmetic if row["gflop"] else ["", ""]
        cells += memory if row["gbs"] and not row["gflop"] else ["", ""]
        table.add_row(row["op"], *cells)
    console.print(table)


def main(arguments: list[str] | None = None) -> None:
    """Measure the ceilings, then the workloads; print and store."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.roofline", description=__doc__.splitlines()[0]
    )
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=", ".join(WORKLOADS))
    parser.add_argument("--shapes", action="store_true", help="a row for each shape, not each op")
    parser.add_argument("--most", type=int, default=12, help="rows of a table (12)")
    parser.add_argument("--threads", type=int, default=machine.cores())
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--smoke", action="store_true", help="tiny networks; writes nothing")
    options = parser.parse_args(arguments)
    console = Console(width=110)
    set_minigan_threads(options.threads)
    tops = ceilings(scale=8 if options.smoke else 1)
    console.out(f"ceilings: {tops['gemm']:.0f} GFLOP/s (GEMM), {tops['copy']:.1f} GB/s (copy)")
    found = {}
    for workload in options.workloads or WORKLOADS:
        rows = found[workload] = measure(
            workload, smoke=options.smoke, threads=options.threads, shapes=options.shapes
        )
        print_table(console, workload, rows, tops, options.most)
    if not options.smoke:
        whole = {"machine": machine.facts(options.threads), "ceilings": tops, "workloads": found}
        console.out(f"{report.write(options.out, 'roofline', whole)}")


if __name__ == "__main__":
    main()
