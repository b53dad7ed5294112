"""Which series of a run go into which chart."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from minigan.train.report.charts import Chart
from minigan.train.report.figures import figure_name
from minigan.train.report.gather import Gathered
from minigan.train.report.history import Series
from minigan.train.report.scale import is_long

_PLAYER = re.compile(r"loss_([dg])(?:_(.+))?")
_TOGETHER = 8  # curves in one chart of losses
_NAMES = {
    "r1": "R1",
    "reconstruction": "−log p(x|z)",
    "kl": "KL(q(z|x) ‖ N(0, I))",
}


def charts_of(run: Gathered) -> list[Chart]:
    """Return the charts of a run: losses, norms, and figures that were taken more than once."""
    history = run.history
    return [
        *_losses(run, list(history.losses.values())),
        *_one(run, "Spectral norms of D's layers", history.sigma, note="As they are used."),
        *_one(
            run,
            "Spectral norms of the trained weights",
            history.trained,
            note="Before spectral norm divides by them.",
        ),
        *_one(run, "Gradient norms", history.gradient, note="Of all parameters of a network."),
        *(_quality(run, s) for s in history.figures.values() if len(s.steps) > 1),
    ]


def note_of_curves(run: Gathered) -> tuple[str, str]:
    """Return how to read the curves, and which kinds of them are missing; "" for nothing to say."""
    history = run.history
    kinds = (
        ("losses", history.losses),
        ("spectral norms of D", history.sigma),
        ("gradient norms", history.gradient),
    )
    missing = ", no ".join(what for what, found in kinds if not found)
    averaged = any(is_long(s) for _, found in kinds for s in found.values())
    return (
        "Bold lines are averages over a fortieth of the run." if averaged else "",
        f"metrics.jsonl has no {missing}." if missing else "",
    )


def _losses(run: Gathered, losses: Sequence[Series]) -> Iterator[Chart]:
    """Put the players' losses into one chart, and every other term into its own."""
    players = [s for s in losses if s.name.startswith("loss")]
    for i in range(0, len(players), _TOGETHER):
        yield _chart(
            run,
            "Losses",
            players[i : i + _TOGETHER],
            levels=() if i else run.config.indifference,
            levels_name="where D cannot tell real from fake",
        )
    yield from (_chart(run, _name(s.name), [s]) for s in losses if s not in players)


def _one(run: Gathered, title: str, found: Mapping[str, Series], *, note: str) -> list[Chart]:
    return [_chart(run, title, list(found.values()), note=note)] if found else []


def _quality(run: Gathered, series: Series) -> Chart:
    """Draw a figure that was taken several times, its floor as a level if the last one has it."""
    row = run.quality.rows.get(series.name, {}) if run.quality is not None else {}
    floor = row.get("floor")
    levels = (float(floor),) if floor is not None and math.isfinite(floor) else ()
    named = Series(figure_name(series.name), series.steps, series.values)
    return _chart(run, named.name, [named], levels=levels, levels_name="floor")


def _chart(run: Gathered, title: str, series: Sequence[Series], **options: Any) -> Chart:
    named = tuple(Series(_name(s.name), s.steps, s.values) for s in series)
    return Chart(title, named, run.last_step, **options)


def _name(key: str) -> str:
    """Return what a loss is called in a legend.

    >>> _name("loss_d"), _name("loss_g_a2b"), _name("r1"), _name("cycle")
    ('D', 'G a2b', 'R1', 'cycle')
    """
    if player := _PLAYER.fullmatch(key):
        return " ".join(filter(None, (player[1].upper(), player[2])))
    return _NAMES.get(key, key)
