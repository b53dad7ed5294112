"""Single ops against a stored baseline, in units of a matrix product of the same run.

    python -m benchmarks.micro            # compare with the baseline; exit 1 where an op got slower
    python -m benchmarks.micro --save     # make this the baseline

A time means little on another day or machine. Each op takes turns with one product of two matrices
and its time is given as a multiple of that product's, so a busy machine slows down both.
"""

from __future__ import annotations

import argparse
import functools
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks import machine, report
from benchmarks.clock import Call, number_for, seconds_each
from benchmarks.sides import set_minigan_threads
from benchmarks.suite import SUITE

RESULTS = Path(__file__).parent / "results"
SLOWER = 1.5  # from this multiple of the baseline on an op is said to have become slower
_SIZE = 1024  # of the matrices in the product


def cases(only: str = "") -> Iterator[tuple[str, Call]]:
    """Yield (name, call) for every `time_...` method and parameter of the suite."""
    for family in SUITE:
        methods = [name for name in vars(family) if name.startswith("time_")]
        for param in family.params:
            names = [f"{family.__name__}.{name[5:]} {_show(param)}" for name in methods]
            if not any(only in name for name in names):
                continue
            prepared = family()
            prepared.setup(param)
            for method, name in zip(methods, names, strict=True):
                if only in name:
                    yield name, functools.partial(getattr(prepared, method), param)


def _show(param: object) -> str:
    return " ".join(map(str, param)) if isinstance(param, tuple) else str(param)


def measure(call: Call, *, repeats: int, at_least: float) -> float:
    """Return the time of a call as a multiple of the product's."""
    matrix = np.ones((_SIZE, _SIZE), np.float32)
    number = number_for(call, at_least=at_least)
    product_number = number_for(lambda: matrix @ matrix, at_least=at_least)

    def product() -> None:
        for _ in range(product_number):
            matrix @ matrix

    def several() -> None:
        for _ in range(number):
            call()

    best = seconds_each({"call": several, "product": product}, repeats=repeats)
    return (best["call"] / number) / (best["product"] / product_number)


def verdict(now: float, before: float | None) -> str:
    """Compare with the baseline: "slower", "faster", "new", or nothing."""
    if before is None:
        return "new"
    if now > SLOWER * before:
        return "slower"
    return "faster" if now < before / SLOWER else ""


def print_table(console: Console, found: dict[str, float], baseline: dict[str, float]) -> None:
    """Print each op's multiple now and in the baseline."""
    table = Table(box=SIMPLE_HEAD, caption=f"times in units of a {_SIZE}^3 product of the same run")
    for name in ("op", "now", "baseline", "change", ""):
        table.add_column(name, justify="left" if name in ("op", "") else "right", no_wrap=True)
    for name, now in found.items():
        before = baseline.get(name)
        old = ["", ""] if before is None else [f"{before:.3f}", f"{now / before:.2f}"]
        table.add_row(name, f"{now:.3f}", *old, verdict(now, before))
    console.print(table)


def main(arguments: list[str] | None = None) -> int:
    """Measure, compare, and with `--save` store; return 1 where an op became slower."""
    parser = argparse.ArgumentParser(prog="benchmarks.micro", description=__doc__.splitlines()[0])
    parser.add_argument("only", nargs="?", default="", help="run the ops with this in their name")
    parser.add_argument("--save", action="store_true", help="store this run as the baseline")
    parser.add_argument("--threads", type=int, default=machine.cores())
    parser.add_argument("--baseline", type=Path, default=RESULTS / "micro.json")
    parser.add_argument("--smoke", action="store_true", help="one short repeat of each")
    options = parser.parse_args(arguments)
    set_minigan_threads(options.threads)
    repeats, at_least = (1, 0.0) if options.smoke else (7, 0.02)
    found = {
        name: measure(call, repeats=repeats, at_least=at_least)
        for name, call in cases(options.only)
    }
    baseline = _read(options.baseline)
    print_table(Console(width=100), found, baseline)
    if options.save:
        whole = {"machine": machine.facts(options.threads), "multiples": {**baseline, **found}}
        report.write(options.baseline.parent, options.baseline.stem, whole)
        return 0
    slower = [n for n, now in found.items() if verdict(now, baseline.get(n)) == "slower"]
    return int(bool(slower) and not options.smoke)


def _read(path: Path) -> dict[str, float]:
    return json.loads(path.read_text(encoding="utf-8"))["multiples"] if path.exists() else {}


if __name__ == "__main__":
    raise SystemExit(main())
