"""What the engine costs: microseconds per op on arrays too small to cost anything themselves.

Two tables. *Recorded op*: one call on tensors that require a gradient, minus the bare NumPy call
on the same arrays. *Chain*: a chain of hundreds of ops, forward and backward, per op. The sides
take turns within every repeat, so that a busy machine slows all of them alike, and the medians
are reported. PyTorch's columns appear where it is installed.

    python -m benchmarks.engine_overhead            # the figures
    python -m benchmarks.engine_overhead --smoke    # does it run?
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import minigan as mg
from benchmarks import machine

RESULTS = Path(__file__).parent / "results" / "engine_overhead.json"
TARGETS = {"recorded_op_minus_numpy_us": 3.0, "forward_backward_us": 7.0}
SIZE = 4  # matrices are SIZE x SIZE: the arithmetic is nothing beside the call
LENGTH = 300  # ops in a chain

Call = Callable[[], Any]

# name -> how to apply the op with a library's own functions: (library, x, y) -> result
OPS = {
    "add": lambda lib, x, y: x + y,
    "mul": lambda lib, x, y: x * y,
    "tanh": lambda lib, x, y: lib.tanh(x),
    "matmul": lambda lib, x, y: x @ y,
}


# -- what is timed --------------------------------------------------------------------------------


def operands() -> tuple[np.ndarray, np.ndarray]:
    """Return two matrices whose powers and products stay of the order of 1."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0.5, 1.0, (SIZE, SIZE)).astype(np.float32)
    rotation, _ = np.linalg.qr(rng.normal(size=(SIZE, SIZE)))
    return x, rotation.astype(np.float32)


def single_calls(name: str) -> dict[str, Call]:
    """Return one call of an op: bare, recorded, and recorded by PyTorch."""
    x, y = operands()
    apply = OPS[name]
    mx, my = (mg.tensor(a, requires_grad=True) for a in (x, y))
    calls = {"numpy": lambda: apply(np, x, y), "minigan": lambda: apply(mg, mx, my)}
    if torch := load_torch():
        tx, ty = (torch.from_numpy(a).requires_grad_() for a in (x, y))
        calls["torch"] = lambda: apply(torch, tx, ty)
    return calls


def chain_calls(name: str) -> dict[str, Call]:
    """Return forward and backward through a chain of LENGTH ops, y held constant.

    Were y tracked too, every op would cost a second derivative and a sum into y's gradient.
    """
    x, y = operands()
    mx, my = mg.tensor(x, requires_grad=True), mg.tensor(y)
    calls = {"minigan": lambda: mg.grad(chain(mg, name, mx, my), [mx], my)}
    if torch := load_torch():
        tx, ty = torch.from_numpy(x).requires_grad_(), torch.from_numpy(y)
        calls["torch"] = lambda: torch.autograd.grad(chain(torch, name, tx, ty), [tx], ty)
    return calls


def chain(lib: Any, name: str, x: Any, y: Any) -> Any:
    """Apply the op LENGTH times, each time to the last result."""
    apply = OPS[name]
    for _ in range(LENGTH):
        x = apply(lib, x, y)
    return x


def load_torch() -> Any:
    """Return PyTorch on one thread, or None where it is not installed."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    torch.set_num_threads(1)
    return torch


# -- the clock ------------------------------------------------------------------------------------


def medians(calls: dict[str, Call], repeats: int, number: int) -> dict[str, float]:
    """Return microseconds per call: medians of repeats in which the calls take turns."""
    times: dict[str, list[float]] = {side: [] for side in calls}
    for call in calls.values():  # warm up
        call()
    for _ in range(repeats):
        for side, call in calls.items():
            start = time.perf_counter()
            for _ in range(number):
                call()
            times[side].append((time.perf_counter() - start) / number * 1e6)
    return {side: statistics.median(series) for side, series in times.items()}


def measure(repeats: int, number: int) -> dict[str, dict[str, dict[str, float]]]:
    """Time every op: alone, and per op of a chain."""
    single = {name: medians(single_calls(name), repeats, number) for name in OPS}
    for row in single.values():
        for side in ("minigan", "torch"):
            if side in row:
                row[f"{side}_minus_numpy"] = row[side] - row["numpy"]
    whole = {name: medians(chain_calls(name), repeats, max(1, number // LENGTH)) for name in OPS}
    per_op = {
        name: {side: value / LENGTH for side, value in row.items()} for name, row in whole.items()
    }
    return {"recorded_op_us": single, "forward_backward_per_op_us": per_op}


# -- the report -----------------------------------------------------------------------------------


def table(title: str, rows: dict[str, dict[str, float]]) -> str:
    """Lay out one measurement as text, a row per op."""
    columns = list(next(iter(rows.values())))
    width = max(map(len, columns)) + 2
    lines = [title, " " * 8 + "".join(f"{c:>{width}}" for c in columns)]
    for name, row in rows.items():
        lines.append(f"{name:8}" + "".join(f"{row[c]:{width}.2f}" for c in columns))
    return "\n".join(lines)


def verdict(figures: dict[str, dict[str, dict[str, float]]]) -> str:
    """Compare the worst elementwise op with the targets."""
    elementwise = ("add", "mul", "tanh")
    single = max(figures["recorded_op_us"][n]["minigan_minus_numpy"] for n in elementwise)
    both = max(figures["forward_backward_per_op_us"][n]["minigan"] for n in elementwise)
    return (
        f"worst elementwise op: {single:.2f} us over NumPy "
        f"(target {TARGETS['recorded_op_minus_numpy_us']}), "
        f"forward + backward {both:.2f} us (target {TARGETS['forward_backward_us']})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=31, help="interleaved repeats (31)")
    parser.add_argument("--number", type=int, default=3000, help="calls per repeat (3000)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the JSON goes")
    parser.add_argument("--smoke", action="store_true", help="a short run that writes nothing")
    options = parser.parse_args()
    repeats, number = (3, LENGTH) if options.smoke else (options.repeats, options.number)
    figures = measure(repeats, number)
    print(table(f"recorded op on {SIZE} x {SIZE} float32, us", figures["recorded_op_us"]))
    print(table(f"chain of {LENGTH}, us per op", figures["forward_backward_per_op_us"]))
    print(verdict(figures))
    if not options.smoke:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        report = {
            "machine": machine.facts(threads=1),
            "repeats": repeats,
            "number": number,
            **figures,
        }
        options.out.write_text(json.dumps({**report, "targets": TARGETS}, indent=2) + "\n")


if __name__ == "__main__":
    main()
