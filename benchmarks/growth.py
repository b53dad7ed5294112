"""How cost grows: with the batch, the width, the image, the depth of a graph, the parameters.

    python -m benchmarks.growth

Each quantity is varied alone, and the exponent e of time ~ quantity^e is fitted by least squares
to the logarithms, over the upper part of the range, and once more over its last two values. What
is expected there: 1 for the batch, 2 for the width of convolutions (in and out channels) and for an
image's side, 1 for the depth and for the number of parameters.

What a step pays once, whatever the quantity (for the batch: calls, kernels brought into order, the
optimiser), flattens the exponent without being growth. So the same values are fitted by
time = fixed + rate x quantity^expected as well, by relative least squares, and the fixed part and
the largest deviation are told.
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
    """A WGAN-GP step on 32x32 images with n samples, of the benchmark's width."""
    return wgangp32.Workload(Size(batch=n, width=64, image=32)).step


def width_step(w: int) -> Call:
    """A WGAN-GP step on 32x32 images with w channels in the first layer."""
    return wgangp32.Workload(Size(batch=32, width=w, image=32)).step


def image_step(s: int) -> Call:
    """A style step on s x s images."""
    return style32.Workload(Size(batch=2, width=32, image=s)).step


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


def line(values: Sequence[float], times: Sequence[float], power: float) -> tuple[float, float]:
    """Return the fixed part of time = fixed + rate x value^power, and the largest deviation.

    Both are relative: to the time at the first value, and to each time.
    """
    columns = np.stack([np.ones(len(values)), np.power(np.asarray(values, float), power)], axis=1)
    scaled = columns / np.asarray(times)[:, None]
    found = np.linalg.lstsq(scaled, np.ones(len(times)), rcond=None)[0]
    return float(found[0] / times[0]), float(np.abs(scaled @ found - 1).max())


def measure(series: Series, *, most: int | None = None, repeats: int = 3) -> dict[str, Any]:
    """Time a series (its first `most` values) and fit the exponent."""
    values = series.values[:most]
    with mg.reuse_transforms():  # as a training does
        times = [seconds(series.make(value), repeats=repeats) for value in values]
    fitted = [(v, t) for v, t in zip(values, times, strict=True) if v >= series.fit_from]
    fitted = fitted if len(fitted) > 1 else list(zip(values, times, strict=True))
    fixed, deviation = line(*zip(*fitted, strict=True), series.expected)
    return {
        "name": series.name,
        "values": list(values),
        "seconds": times,
        "fit_from": fitted[0][0],
        "exponent": exponent(*zip(*fitted, strict=True)),
        "last_exponent": exponent(values[-2:], times[-2:]),
        "fixed_share": fixed,
        "deviation": deviation,
        "expected": series.expected,
    }


def print_table(console: Console, found: Sequence[dict[str, Any]]) -> None:
    """Print one row for each quantity."""
    table = Table(box=SIMPLE_HEAD)
    for name in ("quantity", "range", "time", "from", "exponent", "last", "expected", "fixed"):
        table.add_column(
            name, justify="left" if name in ("quantity", "range") else "right", no_wrap=True
        )
    for row in found:
        span = f"{row['values'][0]:,} to {row['values'][-1]:,}"
        times = f"{row['seconds'][0] * 1e3:.3g} to {row['seconds'][-1] * 1e3:.3g} ms"
        exponents = (f"{row[name]:.2f}" for name in ("exponent", "last_exponent"))
        fixed = f"{row['fixed_share']:.0%} \N{PLUS-MINUS SIGN}{row['deviation']:.0%}"
        fit = f"{row['fit_from']:,}", *exponents, f"{row['expected']:.0f}", fixed
        table.add_row(row["name"], span, times, *fit)
    console.print(table)
    console.print(
        "last: between the last two values; fixed: of the time at the first value fitted, and how "
        "far the\nmeasured times are from a straight line in quantity^expected, at most",
        highlight=False,
    )


def main(arguments: list[str] | None = None) -> None:
    """Measure every series; print and store."""
    parser = argparse.ArgumentParser(prog="benchmarks.growth", description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=machine.cores())
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--smoke", action="store_true", help="short series; writes nothing")
    options = parser.parse_args(arguments)
    set_minigan_threads(options.threads)
    console = Console(width=110)
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
