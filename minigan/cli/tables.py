"""What the commands print as tables."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import tomli_w
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from minigan.train.config import Config
from minigan.train.options import describe_range
from minigan.train.progress import losses_text
from minigan.train.quality import COVERED, NEAREST, Figures, Report
from minigan.train.toy_figures import ToyFigures, ToyReport
from minigan.train.translation import TranslationFigures, TranslationReport

if TYPE_CHECKING:  # it imports what draws, and most commands draw nothing
    from minigan.train.overview import Summary

_WIDTH = 70  # columns of the report: a narrower terminal breaks its lines, rich would empty them
_MOST_CLASSES = 20  # that are listed one by one
_WIDE = 120  # columns of a list of runs

_ROWS: tuple[tuple[str, Callable[[Figures], str]], ...] = (
    ("Frechet distance", lambda f: f"{f.frechet:.1f}"),
    ("kernel distance (KID)", lambda f: f"{f.kid:.4f}"),
    ("  its standard error", lambda f: f"{f.kid_error:.4f}"),
    (f"precision (k = {NEAREST})", lambda f: f"{f.precision:.1%}"),
    (f"recall (k = {NEAREST})", lambda f: f"{f.recall:.1%}"),
    ("sliced Wasserstein, pixels", lambda f: f"{f.sliced:.4f}"),
    ("diversity, 1 - MS-SSIM", lambda f: f"{f.diversity:.3f}"),
    ("reverse KL of classes, nats", lambda f: f"{f.reverse_kl:.4f}"),
    ("classes covered (share >= {least:.2g}%)", lambda f: str(f.covered)),
    ("smallest share", lambda f: f"{f.smallest_share:.1%}"),
)


_TRANSLATION_ROWS: tuple[tuple[str, Callable[[TranslationFigures], str]], ...] = (
    ("error, A to B", lambda f: _known(f.error, ".4f")),
    ("error, B to A", lambda f: _known(f.error_back, ".4f")),
    ("cycle error, A", lambda f: _known(f.cycle, ".4f")),
    ("labels kept, A to B", lambda f: _known(f.labels_kept, ".1%")),
)
_OF_THE_WAY_BACK = ("error, B to A", "cycle error, A")


_TOY_ROWS: tuple[tuple[str, Callable[[ToyFigures], str]], ...] = (
    ("Wasserstein-1 distance", lambda f: f"{f.distance:.4f}"),
    ("modes captured", lambda f: str(f.captured)),
    ("samples within 3 sigma", lambda f: f"{f.high_quality:.1%}"),
    ("reverse KL of modes, nats", lambda f: f"{f.reverse_kl:.4f}"),
)


def _known(value: float | None, form: str) -> str:
    return "unknown" if value is None else format(value, form)


def print_config(console: Console, config: Config) -> None:
    """Print every option, those that differ from their default marked with a star."""
    changed = config.changed()
    for line in config.to_toml().splitlines():
        console.out(f"{'*' if line.split(' ')[0] in changed else ' '} {line}", highlight=False)


def print_recipes(console: Console, configs: Mapping[str, type[Config]]) -> None:
    """Print a line for each recipe: what it trains, how many steps, how long."""
    table = _table(console, "recipe", "trains", "steps", "takes")
    for recipe, cls in configs.items():
        table.add_row(recipe, cls.about, str(cls.options()["steps"].default), cls.takes)
    console.print(table)
    console.out("times are for two cores; `minigan recipes RECIPE` lists options", highlight=False)


def print_options(console: Console, cls: type[Config]) -> None:
    """Print the options of a recipe as a TOML file of its defaults, each with help and range."""
    recipe = cls.options()["recipe"].default
    console.out(f"# {recipe}: {cls.about}; {cls.takes} on two cores", highlight=False)
    for name, field in cls.options().items():
        if name != "recipe":
            default = tomli_w.dumps({name: field.default}).strip()
            kind = "true or false" if type(field.default) is bool else describe_range(field)
            console.out(f"{default:26} # {field.metadata['help']} ({kind})", highlight=False)


def print_runs(console: Console, runs: Sequence[Summary]) -> None:
    """Print a line for each run, and below what is wrong with those that are damaged."""
    names = ("run", "recipe", "step", "state", "losses", "figure", "written")
    table = _table(console, *names)
    for run in runs:
        table.add_row(
            run.path.name,
            run.recipe,
            f"{run.step}/{run.steps}",
            run.state,
            losses_text(run.losses) or "-",
            "{} {:.4g}".format(*run.figure) if run.figure else "-",
            time.strftime("%Y-%m-%d %H:%M", time.localtime(run.written)),
        )
    console.print(table)
    for run in runs:
        if run.trouble:
            console.out(f"{run.path.name}: {run.trouble}", highlight=False)


def _table(console: Console, *columns: str) -> Table:
    """Return an empty table of one line a row, however narrow the terminal."""
    console.width = max(console.width, _WIDE)
    table = Table(box=SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table


def print_report(console: Console, report: Report | TranslationReport | ToyReport) -> None:
    """Print the figures of a generator between the floor and the untrained generator.

    Those of a translation stand beside maps that have learned nothing.
    """
    if isinstance(report, TranslationReport):
        _print_translation(console, report)
    elif isinstance(report, ToyReport):
        _print_toy(console, report)
    else:
        _print_images(console, report)


def _print_images(console: Console, report: Report) -> None:
    """Print the figures of a generator of images, and its classes one by one."""
    console.width = max(console.width, _WIDTH)
    table = Table(box=SIMPLE_HEAD, title="Quality, against held-out real images")
    table.add_column()
    for name in ("real (floor)", "generator", "untrained"):
        table.add_column(name, justify="right")
    figures = (report.floor, report.generator, report.untrained)
    classes = len(report.floor.shares)
    for name, show in _ROWS:
        named = name.format(least=100 * COVERED / classes)
        table.add_row(named, *(show(f) for f in figures))
    for k in range(classes if 1 < classes <= _MOST_CLASSES else 0):
        table.add_row(f"share of class {k}", *(f"{f.shares[k]:.1%}" for f in figures))
    console.print(table)
    judge = f"judged by a classifier with {report.accuracy:.1%} accuracy on the held-out images"
    if classes == 1:
        judge = "judged by an untrained network, as the data has no classes"
    console.out(
        f"{report.samples} samples, {judge};\nFrechet distance to recall are in its penultimate "
        f"features, all but the classes\nare of {report.compared} images in each column; what is "
        "nearest to the floor is best",
        highlight=False,
    )


def _print_toy(console: Console, report: ToyReport) -> None:
    """Print the figures of a generator of points; a target without modes has one row."""
    table = Table(box=SIMPLE_HEAD, title="Quality, against the target")
    table.add_column()
    for name in ("real (floor)", "generator", "untrained"):
        table.add_column(name, justify="right")
    figures = (report.floor, report.generator, report.untrained)
    for name, show in _TOY_ROWS[: None if report.modes else 1]:
        table.add_row(name, *(show(f) for f in figures))
    console.print(table)
    of_modes = f", {report.modes} modes" if report.modes else ""
    console.out(f"{report.samples} samples{of_modes}; the distance is exact", highlight=False)


def _print_translation(console: Console, report: TranslationReport) -> None:
    """Print the figures of a translation, a column for each map."""
    console.width = max(console.width, _WIDTH)
    table = Table(box=SIMPLE_HEAD, title="Translation of held-out images")
    table.add_column()
    for name in report.columns:
        table.add_column(name, justify="right")
    for name, show in _TRANSLATION_ROWS:
        if name in _OF_THE_WAY_BACK and not report.two_ways:
            continue
        table.add_row(name, *(show(figures) for figures in report.columns.values()))
    console.print(table)
    console.out("errors are means of |difference| per pixel; 2 is black against white")
    if report.accuracy is not None:
        console.out(f"labels by a classifier with {report.accuracy:.1%} accuracy on real ones of B")
