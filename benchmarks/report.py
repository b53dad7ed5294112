"""What a comparison found: as JSON, as a table in the terminal, as a picture."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.sides import Side
from benchmarks.turns import Times, disagreement, ratios
from benchmarks.workloads.sizes import Size

# The ratios minigan / PyTorch that the project has set itself, (must, aim).
TARGETS = {
    "toy": (0.9, 0.6),
    "wgangp32": (1.0, 0.8),
    "dcgan64": (1.0, 0.85),
    "style32": (0.95, 0.75),
    "cyclegan128": (0.95, 0.75),
}


@dataclass(frozen=True)
class Spread:
    """The middle of some ratios, and the quarter of them below and above."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summarise at least one value."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high)

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}-{self.high:.2f})"


def summary(workload: str, size: Size, results: dict[Side, Times]) -> dict[str, Any]:
    """Return everything that was found about one workload, ready for JSON.

    The first side is the one whose ratios are taken; "best" is the fastest other variant of each
    framework, which is the one that counts.
    """
    (subject, own), *others = results.items()
    rows = {str(side): _row(times, own) for side, times in results.items()}
    return {
        "workload": workload,
        "size": asdict(size),
        "subject": str(subject),
        "sides": rows,
        "best": _best(dict(others)),
        "targets": TARGETS.get(workload),
    }


def _row(times: Times, own: Times) -> dict[str, Any]:
    if times.error is not None:
        return {"error": times.error, "absent": times.absent, "losses": times.losses}
    row = {
        "seconds": times.seconds,
        "busy": times.busy,
        "median_ms": times.median * 1e3,
        "peak_mib": times.peak_mib,
        "losses": times.losses,
    }
    if times is not own and own.error is None:
        row["disagreement"] = disagreement(own.losses, times.losses)
        row["ratio"] = asdict(Spread.of(ratios(own, times)))
        row["busy_ratio"] = asdict(Spread.of(ratios(own, times, "busy")))
        row["memory_ratio"] = own.peak_mib / times.peak_mib
    return row


def _best(others: dict[Side, Times]) -> dict[str, str]:
    """Return the fastest side of each framework."""
    best: dict[str, Side] = {}
    for side, times in others.items():
        if times.error is None and (
            side.framework not in best or times.median < others[best[side.framework]].median
        ):
            best[side.framework] = side
    return {framework: str(side) for framework, side in best.items()}


# -- the table ------------------------------------------------------------------------------------


def print_table(console: Console, summaries: Sequence[dict[str, Any]]) -> None:
    """Print one row for each side of each workload; a star marks the variant that counts."""
    table = Table(box=SIMPLE_HEAD)
    for name in ("workload", "side", "ms/step", "ratio", "busy", "MiB", "memory"):
        justify = "left" if name in ("workload", "side") else "right"
        table.add_column(name, justify=justify, no_wrap=True)
    for found in summaries:
        for i, (side, row) in enumerate(found["sides"].items()):
            star = "*" if side in found["best"].values() else ""
            label = found["workload"] if i == 0 else ""
            table.add_row(label, f"{side} {star}", *_cells(row))
    console.print(table)
    for found in summaries:
        for side, row in found["sides"].items():
            if "error" in row:
                console.out(f"{found['workload']}, {side}: {row['error']}")
    console.out(
        "ratio: the first side's time over this one's, median of the rounds (quartiles); busy: the "
        "same of\nprocessor time; memory: of the peaks. Below 1 the first side is better."
    )


def _cells(row: dict[str, Any]) -> list[str]:
    if "error" in row:
        return ["absent" if row["absent"] else "failed"]
    cells = [f"{row['median_ms']:.1f}", "", "", f"{row['peak_mib']:.0f}", ""]
    if "ratio" in row:
        cells[1], cells[2] = str(Spread(**row["ratio"])), f"{row['busy_ratio']['median']:.2f}"
        cells[4] = f"{row['memory_ratio']:.2f}"
    return cells


# -- files ----------------------------------------------------------------------------------------


def write(folder: Path, name: str, report: dict[str, Any]) -> Path:
    """Write a report as JSON and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return path


def plot(path: Path, summaries: Sequence[dict[str, Any]]) -> None:
    """Draw the ratios to the best variant of each framework, with quartiles.

    Grey lines are the targets: what must be reached, and in light grey what is aimed at.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7.5, 3.6), layout="constrained")
    frameworks = sorted({name for found in summaries for name in found["best"]})
    for j, framework in enumerate(frameworks):
        points = [(i, found["sides"][found["best"][framework]]) for i, found in
                  enumerate(summaries) if framework in found["best"]]  # fmt: skip
        _draw_ratios(axes, framework, points, shift=0.15 * (j - (len(frameworks) - 1) / 2))
    for i, found in enumerate(summaries):
        if found["targets"]:
            must, aim = found["targets"]
            axes.hlines([must, aim], i - 0.35, i + 0.35, color=("0.4", "0.75"), lw=1)
    axes.axhline(1.0, color="black", lw=0.8, label="as fast as the peer")
    axes.set_xticks(range(len(summaries)), [found["workload"] for found in summaries])
    axes.set_ylabel("time of a step, relative to the peer")
    axes.set_ylim(bottom=0.0)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def _draw_ratios(axes: Any, label: str, points: list[tuple[int, dict]], shift: float) -> None:
    spreads = [Spread(**row["ratio"]) for _, row in points]
    middle = [s.median for s in spreads]
    errors = [[s.median - s.low for s in spreads], [s.high - s.median for s in spreads]]
    x = [i + shift for i, _ in points]
    axes.errorbar(x, middle, errors, fmt="o", capsize=3, label=f"to {label}")
