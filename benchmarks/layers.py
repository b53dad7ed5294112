"""Convolutions of the workloads, one by one, beside the machine's fastest product of matrices.

    python -m benchmarks.layers                  # forward, layers with 64 channels or more
    python -m benchmarks.layers --all            # gradients as well

A convolution counts as its definition says, whatever algorithm computes it, so Winograd's may
exceed the ceiling. That is measured anew before each layer, by BLAS on its own threads; these wait
in a busy loop afterwards, and the layer waits until they sleep. The last column is of a layer that
reuses its kernel, transformed or put in order before (`mg.reuse_transforms()`), as it does in a
training but for the first time after a step of the optimiser.
"""

from __future__ import annotations

import argparse
import math
import time
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
from minigan.backend import conv, plan
from minigan.backend.columns import Geometry

RESULTS = Path(__file__).parent / "results"
SIDE = 2048  # of the matrices whose product is the ceiling
ASLEEP = 0.1  # seconds after which BLAS's threads sleep
KERNELS = ("conv2d", "conv_transpose2d", "conv2d_weight")

# (workload, batch, channels, filters, side of x, kernel, stride, padding)
LAYERS = (
    ("wgangp32", 64, 64, 128, 16, 4, 2, 1),
    ("wgangp32", 64, 128, 256, 8, 4, 2, 1),
    ("dcgan64", 64, 64, 128, 32, 4, 2, 1),
    ("dcgan64", 64, 128, 256, 16, 4, 2, 1),
    ("dcgan64", 64, 256, 512, 8, 4, 2, 1),
    ("style32", 16, 128, 128, 32, 3, 1, 1),
    ("style32", 16, 128, 128, 16, 3, 1, 1),
    ("cyclegan128", 1, 256, 256, 34, 3, 1, 0),
    ("cyclegan128", 1, 64, 128, 128, 3, 2, 1),
    ("cyclegan128", 1, 128, 256, 64, 3, 2, 1),
    ("cyclegan128", 1, 256, 512, 16, 4, 1, 1),
    ("(5x5)", 16, 64, 64, 32, 5, 1, 2),
    ("(1x1)", 16, 256, 256, 32, 1, 1, 0),
)


def geometry_of(layer: tuple) -> Geometry:
    """Return the geometry of a row of LAYERS."""
    _, batch, channels, filters, side, kernel, stride, padding = layer
    out = (side + 2 * padding - kernel) // stride + 1
    pairs = [(n, n) for n in (side, kernel, out, stride, padding, 1)]
    return Geometry(batch, channels, filters, *pairs, 1)


def call_of(kernel: str, geometry: Geometry) -> Call:
    """Return a call of a kernel on random channels-last arrays of a geometry."""
    g, rng = geometry, np.random.default_rng(0)

    def images(channels: int, size: tuple[int, int]) -> np.ndarray:
        last = rng.standard_normal((g.batch, *size, channels), dtype=np.float32)
        return last.transpose(0, 3, 1, 2)  # NCHW, channels last in memory

    x, y = images(g.channels, g.size), images(g.filters, g.out)
    w = rng.standard_normal((g.filters, g.channels, *g.kernel), dtype=np.float32)
    pairs = {"stride": g.stride, "padding": g.padding, "dilation": g.dilation, "groups": 1}
    return {
        "conv2d": lambda: conv.conv2d(x, w, size=g.out, **pairs),
        "conv_transpose2d": lambda: conv.conv_transpose2d(y, w, size=g.size, **pairs),
        "conv2d_weight": lambda: conv.conv2d_weight(x, y, kernel_size=g.kernel, **pairs),
    }[kernel]


def measure(kernels: tuple[str, ...], repeats: int) -> list[dict[str, Any]]:
    """Return a row for each layer and kernel, in GFLOP/s and as a share of the ceiling."""
    a = np.random.default_rng(0).standard_normal((SIDE, SIDE), dtype=np.float32)
    rows = []
    for layer in LAYERS:
        g = geometry_of(layer)
        work = 2e-9 * g.batch * math.prod(g.out) * g.window * g.filters
        for kernel in kernels:
            ceiling = 2e-9 * SIDE**3 / seconds(lambda: a @ a, repeats=min(repeats, 3))
            time.sleep(ASLEEP)
            best, kept = _times(call_of(kernel, g), repeats)
            gflops = work / best
            shape = f"{g.batch} x {g.channels} to {g.filters}, {g.size[0]}, k{g.kernel[0]}"
            row = {"workload": layer[0], "layer": f"{shape} s{g.stride[0]}", "kernel": kernel}
            row |= {"algorithm": plan.name_of(kernel, g), "ms": best * 1e3}
            row |= {"gflops": gflops, "ceiling": ceiling, "share": gflops / ceiling}
            rows.append({**row, "kept_ms": kept * 1e3, "kept_share": work / kept / ceiling})
    return rows


def _times(call: Call, repeats: int) -> tuple[float, float]:
    """Return the seconds of a call, and of one that finds its kernel ready."""
    best = seconds(call, repeats=repeats)
    with mg.reuse_transforms():
        return best, seconds(call, repeats=repeats)


def print_table(console: Console, rows: list[dict[str, Any]]) -> None:
    """Print one row for each layer and kernel."""
    table = Table(box=SIMPLE_HEAD)
    for name in ("workload", "layer", "kernel", "algorithm"):
        table.add_column(name, no_wrap=True)
    for name in ("ms", "GFLOP/s", "of GEMM", "reused"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        names = (row[name] for name in ("workload", "layer", "kernel", "algorithm"))
        shares = f"{row['share']:.0%}", f"{row['kept_share']:.0%}"
        table.add_row(*names, f"{row['ms']:.2f}", f"{row['gflops']:.0f}", *shares)
    console.print(table)


def main(arguments: list[str] | None = None) -> None:
    """Measure every layer; print and store."""
    parser = argparse.ArgumentParser(prog="benchmarks.layers", description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="the gradients as well")
    parser.add_argument("--threads", type=int, default=machine.cores())
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--smoke", action="store_true", help="one call of each; writes nothing")
    options = parser.parse_args(arguments)
    set_minigan_threads(options.threads)
    console = Console(width=110)
    rows = measure(KERNELS if options.all else KERNELS[:1], 1 if options.smoke else 30)
    print_table(console, rows)
    if not options.smoke:
        whole = {"machine": machine.facts(options.threads), "layers": rows}
        console.out(f"{report.write(options.out, 'layers', whole)}")


if __name__ == "__main__":
    main()
