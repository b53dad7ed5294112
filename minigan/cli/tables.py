"""What the commands print as tables."""

from __future__ import annotations

from collections.abc import Callable

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from minigan.train.config import Config
from minigan.train.quality import COVERED, NEAREST, Figures, Report

_WIDTH = 70  # columns of the report: a narrower terminal breaks its lines, rich would empty them

_ROWS: tuple[tuple[str, Callable[[Figures], str]], ...] = (
    ("Frechet distance", lambda f: f"{f.frechet:.1f}"),
    ("kernel distance (KID)", lambda f: f"{f.kid:.4f}"),
    ("  its standard error", lambda f: f"{f.kid_error:.4f}"),
    (f"precision (k = {NEAREST})", lambda f: f"{f.precision:.1%}"),
    (f"recall (k = {NEAREST})", lambda f: f"{f.recall:.1%}"),
    ("sliced Wasserstein, pixels", lambda f: f"{f.sliced:.4f}"),
    ("diversity, 1 - MS-SSIM", lambda f: f"{f.diversity:.3f}"),
    ("reverse KL of classes, nats", lambda f: f"{f.reverse_kl:.4f}"),
    (f"classes covered (>= {COVERED:.0%})", lambda f: str(f.covered)),
    ("smallest share", lambda f: f"{f.smallest_share:.1%}"),
)


def print_config(console: Console, config: Config) -> None:
    """Print every option, those that differ from their default marked with a star."""
    changed = config.changed()
    for line in config.to_toml().splitlines():
        console.out(f"{'*' if line.split(' ')[0] in changed else ' '} {line}", highlight=False)


def print_report(console: Console, report: Report) -> None:
    """Print the figures of a generator between the floor and the untrained generator."""
    console.width = max(console.width, _WIDTH)
    table = Table(box=SIMPLE_HEAD, title="Quality, against held-out real images")
    table.add_column()
    for name in ("real (floor)", "generator", "untrained"):
        table.add_column(name, justify="right")
    figures = (report.floor, report.generator, report.untrained)
    for name, show in _ROWS:
        table.add_row(name, *(show(f) for f in figures))
    for k in range(len(report.floor.shares)):
        table.add_row(f"share of class {k}", *(f"{f.shares[k]:.1%}" for f in figures))
    console.print(table)
    console.out(
        f"{report.samples} samples, judged by a classifier with {report.accuracy:.1%} accuracy on "
        "the held-out images;\nFrechet distance to recall are in its penultimate features, all "
        f"but the classes\nare of {report.compared} images in each column; what is nearest to the "
        "floor is best",
        highlight=False,
    )
