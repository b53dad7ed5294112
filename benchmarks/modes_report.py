"""The report of `modes.py`: tables beside the published ones, Markdown, JSON and the picture."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from modes_training import METHODS, TARGETS

import minigan as mg
from minigan.data import toy
from minigan.train.files import write_text

Record = dict[str, Any]

# What is asked of every single run of a method, on both targets.
BOUNDS = {"ring": 8, "grid": 24, "high_quality": 0.80, "reverse_kl": 0.2}

# (paper, method) -> for each target (modes, high quality in %, reverse KL), as printed there.
PUBLISHED = {
    ("VEEGAN", "GAN (DCGAN)"): (("1", "99.3", ""), ("3.3", "0.5", "")),
    ("VEEGAN", "ALI"): (("2.8", "0.13", ""), ("15.8", "1.6", "")),
    ("VEEGAN", "Unrolled GAN"): (("7.6", "35.6", ""), ("23.6", "16", "")),
    ("VEEGAN", "VEEGAN"): (("8", "52.9", ""), ("24.6", "40", "")),
    ("PacGAN", "GAN"): (
        ("6.3±0.5", "98.2±0.2", "0.45±0.09"),
        ("17.3±0.8", "94.8±0.7", "0.70±0.07"),
    ),
    ("PacGAN", "ALI"): (
        ("6.6±0.3", "97.6±0.4", "0.36±0.04"),
        ("24.1±0.4", "95.7±0.6", "0.14±0.03"),
    ),
    ("PacGAN", "PacGAN2"): (
        ("7.9±0.1", "95.6±2.0", "0.07±0.03"),
        ("23.8±0.7", "91.3±0.8", "0.13±0.04"),
    ),
    ("PacGAN", "PacGAN3"): (
        ("7.8±0.1", "97.7±0.3", "0.10±0.02"),
        ("24.6±0.4", "94.2±0.4", "0.06±0.02"),
    ),
    ("PacGAN", "PacGAN4"): (
        ("7.8±0.1", "95.9±1.4", "0.07±0.02"),
        ("24.8±0.2", "93.6±0.6", "0.04±0.01"),
    ),
}

CAVEAT = """\
The published figures are not the same experiment, for the architectures differ: from ours (three
hidden layers in both networks) and between the papers, whose plain GANs are a factor of five apart
in modes. PacGAN's generator has 4 layers of 400 with batch norm, its discriminator 3 of 200 maxout
units, and they trained for 400,000 steps. Read the published rows as an introduction to the
columns, not as rivals. Perfect samples would get 98.9% of high quality and a reverse KL of 0.001
(ring) and 0.005 (grid)."""

HEADER = ("method", "runs", "modes", "HQ %", "reverse KL", "worst run: modes", "HQ %", "KL")


# -- the figures ----------------------------------------------------------------------------------


def passes(record: Record) -> bool:
    """Say whether one run meets the bounds."""
    kl = record["reverse_kl"]
    return (
        record["modes"] >= BOUNDS[record["target"]]
        and record["high_quality"] >= BOUNDS["high_quality"]
        and kl is not None
        and kl <= BOUNDS["reverse_kl"]
    )


def verdict(records: Sequence[Record]) -> str:
    """Say in one sentence which methods meet the bounds."""
    names = ", ".join(passing(records)) or "no method"
    bounds = "8/8 and >= 24/25 modes, >= 80% high quality and reverse KL <= 0.2"
    return f"{bounds} in every run, 5 and more on each target: {names}."


def passing(records: Sequence[Record]) -> list[str]:
    """List the methods of which every run meets the bounds, at least 5 of them on each target."""
    return [m for m in METHODS if _passes_everywhere([r for r in records if r["method"] == m])]


def _passes_everywhere(records: Sequence[Record]) -> bool:
    seeds = [{r["seed"] for r in records if r["target"] == target} for target in TARGETS]
    return min(map(len, seeds)) >= 5 and all(map(passes, records))


def rows(records: Iterable[Record], target: str) -> list[tuple[str, ...]]:
    """Return the table of one target: a row a method, then the published ones."""
    ours = [r for r in records if r["target"] == target]
    table = [_row(m, [r for r in ours if r["method"] == m]) for m in METHODS]
    column = TARGETS.index(target)
    published = [
        (f"{name} [{paper}]", {"VEEGAN": "5", "PacGAN": "10"}[paper], *figures[column], "", "", "")
        for (paper, name), figures in PUBLISHED.items()
    ]
    return [row for row in table if row] + published


def _row(method: str, records: Sequence[Record]) -> tuple[str, ...]:
    if not records:
        return ()
    found = [r["modes"] for r in records]
    quality = [100.0 * r["high_quality"] for r in records]
    kl = [float("inf") if r["reverse_kl"] is None else r["reverse_kl"] for r in records]
    means = _mean(found, 1), _mean(quality, 1), _mean(kl, 3)
    return (
        method, str(len(records)), *means,
        str(min(found)), f"{min(quality):.1f}", f"{max(kl):.3f}",
    )  # fmt: skip


def _mean(values: Sequence[float], digits: int) -> str:
    """Return mean ± standard error of the mean, as PacGAN prints it."""
    if len(values) < 2 or not np.isfinite(values).all():
        return f"{np.mean(values):.{digits}f}"
    error = statistics.stdev(values) / len(values) ** 0.5
    return f"{np.mean(values):.{digits}f}±{error:.{digits}f}"


# -- as text --------------------------------------------------------------------------------------


def text_table(table: Sequence[tuple[str, ...]]) -> str:
    """Lay out rows under the header, in columns."""
    cells = [HEADER, *table]
    widths = [max(len(row[i]) for row in cells) for i in range(len(HEADER))]
    lines = []
    for first, *rest in cells:
        others = (cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))
        lines.append("  ".join([first.ljust(widths[0]), *others]).rstrip())
    return "\n".join(lines)


def markdown_table(table: Sequence[tuple[str, ...]]) -> str:
    """Return rows under the header as a Markdown table."""
    rule = ("---", *["--:"] * (len(HEADER) - 1))
    return "\n".join("| " + " | ".join(row) + " |" for row in (HEADER, rule, *table))


def markdown(records: Sequence[Record], tuning: str) -> str:
    """Return the whole report as Markdown."""
    facts = machine()
    settings = records[0]["settings"]
    spent = sum(r["processor_seconds"] for r in records)
    parts = [
        "# Modes: the catalogue on ring and grid",
        "Made by `python benchmarks/modes.py`. 2,500 samples a run; a sample is of high quality "
        "(HQ) within 3 sigma of its nearest mode; a mode is captured by one such sample; reverse "
        "KL between the modes' shares of them and equal shares. Mean ± standard error over runs.",
        verdict(records),
        *_cut_short(records),
        *[f"## {t.capitalize()}\n\n{markdown_table(rows(records, t))}" for t in TARGETS],
        CAVEAT,
        "![samples of every method over the modes](modes.png)",
        f"## What was run\n\n{tuning}",
        "Shared: " + ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in settings.items()) + ".",
        f"Machine: {facts['cpu']}, {facts['cores']} cores; Python {facts['python']}, NumPy "
        f"{facts['numpy']}, minigan {facts['minigan']}. {len(records)} runs, "
        f"{spent / 60:.0f} minutes of processor time.",
    ]
    return "\n\n".join(parts) + "\n"


def _cut_short(records: Sequence[Record]) -> list[str]:
    """Say which methods have fewer than 5 runs on a target, in one paragraph or none."""
    runs = Counter((r["method"], r["target"]) for r in records)
    few = [m for m in METHODS if min(runs[m, target] for target in TARGETS) < 5]
    if not few:
        return []
    return [f"Fewer than 5 seeds, for want of time: {', '.join(few)}. The same command adds them."]


def machine() -> dict[str, Any]:
    """Return what a reader needs to judge the figures: processor and versions, no names."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "minigan": mg.__version__,
    }


# -- as files -------------------------------------------------------------------------------------


def write(records: Sequence[Record], out: Path, tuning: str) -> None:
    """Write modes.json, modes.md and modes.png into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    kept = ("method", "target", "seed", "steps", "modes", "high_quality", "reverse_kl",
            "seconds", "processor_seconds")  # fmt: skip
    content = {
        "machine": machine(),
        "settings": records[0]["settings"],
        "methods": {r["method"]: r["options"] for r in records},
        "tuning": tuning,
        "bounds": BOUNDS,
        "passing": passing(records),
        "runs": [{key: r[key] for key in kept} for r in records],
    }
    write_text(out / "modes.json", json.dumps(content, indent=1, allow_nan=False) + "\n")
    write_text(out / "modes.md", markdown(records, tuning))
    picture(records, out / "modes.png")


def picture(records: Sequence[Record], path: Path) -> None:
    """Draw the samples of every method's first run over the modes, a row a target."""
    methods = [m for m in METHODS if any(r["method"] == m for r in records)]
    figure = Figure(figsize=(2.1 * len(methods), 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(TARGETS), len(methods), squeeze=False)
    for line, target in zip(panels, TARGETS, strict=True):
        for panel, method in zip(line, methods, strict=True):
            runs = [r for r in records if (r["method"], r["target"]) == (method, target)]
            _draw(panel, target, min(runs, key=lambda r: r["seed"]) if runs else None)
            panel.set_title(method, fontsize=9)
    figure.savefig(path, dpi=110)


def _draw(panel: Any, target: str, record: Record | None) -> None:
    centres = toy.get(target).centres
    reach = 1.3 * float(np.abs(centres).max())
    panel.scatter(*centres.T, s=60, facecolors="none", edgecolors="tab:orange", linewidths=0.8)
    if record is not None:
        panel.plot(*np.array(record["samples"]).T, ".", color="tab:blue", ms=1.5, alpha=0.4)
        panel.set_xlabel(f"{record['modes']} modes, {record['high_quality']:.0%} HQ", fontsize=8)
    panel.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[], aspect="equal")
