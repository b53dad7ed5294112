"""How cost grows: with the batch, the width, the image, the depth of a graph, the parameters.

    python -m benchmarks.growth

Each quantity is varied alone, and the exponent e of time ~ quantity^e is fitted by least squares
to the logarithms, over the upper part of the range: below it fixed costs hide the growth. What is
expected: 1 for the batch, 2 for the width of convolutions (in and out channels) and for an image's
side, 1 for the depth and for the number of parameters.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

import minigan as mg
from benchmarks import machine, report
from benchmarks.clock import Call, seconds
from benchmarks.sides import set_minigan_threads
from benchmarks.workloads import style32, wgangp32
from benchmarks.workloads.sizes import Size
from minigan.optim import Adam

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Series:
    """One quantity that is varied: its values, those to fit, and the call for each value."""

    name: str
    values: tuple[int, ...]
    fit_from: int
    expected: float
    make: Callable[[int], Call]


# -- what is varied -------------------------------------------------------------------------------


def batch_step(n: int) -> Call:
    """A WGAN-GP step on 32x32 images with n samples."""
    return wgangp32.Workload(Size(batch=n, width=16, image=32)).step


def width_step(w: int) -> Call:
    """A WGAN-GP step on 32x32 images with w channels in the first layer."""
    return wgangp32.Workload(Size(batch=8, width=w, image=32)).step


def image_step(s: int) -> Call:
    """A style step on s x s images."""
    return style32.Workload(Size(batch=1, width=16, image=s)).step


def depth_call(length: int) -> Call:
    """Forward and backward through a chain of additions."""
    x, one = mg.ones(4, 4, requires_grad=True), mg.ones(4, 4)

    def run() -> None:
        y = x
        for _ in range(length):
            y = y + one
        mg.grad(y.sum(), x)

    return run


def parameters_call(count: int) -> Call:
    """A step of Adam over so many numbers, in tensors of a thousand."""
    params = [mg.zeros(1000, requires_grad=True) for _ in range(max(1, count // 1000))]
    for param in params:
        param.grad = mg.ones(1000)
    return Adam(params).step


SERIES = (
    Series("batch", (1, 2, 4, 8, 16, 32, 64, 128, 256), 8, 1.0, batch_step),
    Series("width", (8, 16, 32, 64, 128), 32, 2.0, width_step),
    Series("image side", (16, 32, 64, 128, 256), 64, 2.0, image_step),
    Series("graph depth", (100, 1000, 10_000, 50_000), 1000, 1.0, depth_call),
    Series("parameters", (10_000, 100_000, 1_000_000, 4_000_000), 100_000, 1.0, parameters_call),
)


# -- how it grows ---------------------------------------------------------------------------------


def exponent(values: Sequence[float], times: Sequence[float]) -> float:
    """Return the slope of log time over log value."""
    return float(np.polyfit(np.log(values), np.log(times), 1)[0])


def measure(series: Series, *, most: int | None = None, repeats: int = 3) -> dict[str, Any]:
    """Time a series (its first `most` values) and fit the exponent."""
    values = series.values[:most]
    times = [seconds(series.make(value), repeats=repeats) for value in values]
    fitted = [(v, t) for v, t in zip(values, times, strict=True) if v >= series.fit_from]
    fitted = fitted if len(fitted) > 1 else list(zip(values, times, strict=True))
    return {
        "name": series.name,
        "values": list(values),
        "seconds": times,
        "fit_from": fitted[0][0],
        "exponent": exponent(*zip(*fitted, strict=True)),
        "expected": series.expected,
    }


def print_table(console: Console, found: Sequence[dict[str, Any]]) -> None:
    """Print one row for each quantity."""
    table = Table(box=SIMPLE_HEAD)
    for name in ("quantity", "range", "time", "exponent", "expected", "fitted from"):
        table.add_column(name, justify="left" if name in ("quantity", "range") else "right")
    for row in found:
        span = f"{row['values'][0]:,} to {row['values'][-1]:,}"
        times = f"{row['seconds'][0] * 1e3:.1f} to {row['seconds'][-1] * 1e3:.1f} ms"
        fit = f"{row['exponent']:.2f}", f"{row['expected']:.0f}", f"{row['fit_from']:,}"
        table.add_row(row["name"], span, times, *fit)
    console.print(table)


def main(arguments: list[str] | None = None) -> None:
    """Measure every series; print and store."""
    parser = argparse.ArgumentParser(prog="benchmarks.growth", description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=machine.cores())
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--smoke", action="store_true", help="short series; writes nothing")
    options = parser.parse_args(arguments)
    set_minigan_threads(options.threads)
    console = Console(width=100)
    found = []
    for series in SERIES:
        with console.status(f"{series.name} ..."):
            found.append(measure(series, most=2, repeats=1) if options.smoke else measure(series))
    print_table(console, found)
    if not options.smoke:
        whole = {"machine": machine.facts(options.threads), "series": found}
        console.out(f"{report.write(options.out, 'growth', whole)}")


if __name__ == "__main__":
    main()
