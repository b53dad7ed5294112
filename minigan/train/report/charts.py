"""Charts as SVG that keeps its letters readable at every width.

A chart is as wide as its place and 220 pixels high: on the left the values of the axis, then the
plot. There horizontal places are percentages, which text and straight lines understand; the curves
are in a picture of their own that is stretched to the width, with strokes that do not stretch with
it. So nothing needs a script, and the script only moves the cursor and writes the values under it
into the legend.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from minigan.train.report.history import Series
from minigan.train.report.scale import Scale, smoothed, thinned
from minigan.train.webpage import text_html

COLOURS = 8  # classes c0 to c7 of style.css; the next eight are dashed

_HEIGHT, _TOP, _BOTTOM = 220, 14, 28  # pixels: of all, above and below the curves
_PLOT = _HEIGHT - _TOP - _BOTTOM
_WIDE = 1000  # units across the curves
_LETTER = 7  # pixels: the width of a digit, rounded up


@dataclass(frozen=True)
class Chart:
    """Series over steps 0 to `last_step`; `levels` are dotted lines, with one name for all."""

    title: str
    series: tuple[Series, ...]
    last_step: int
    note: str = ""
    levels: tuple[float, ...] = ()
    levels_name: str = ""

    @property
    def scale(self) -> Scale:
        values = [v for series in self.series for v in series.values]
        return Scale.around([*values, *self.levels])


def chart_html(chart: Chart, number: int) -> str:
    """Return a chart with its title and legend; `number` is its place in `charts_json`."""
    scale = chart.scale
    return f"""<figure class="chart" data-chart="{number}">
<figcaption><h3>{text_html(chart.title)}</h3>
{_notes(chart, scale)}{_legend(chart)}</figcaption>
<div class="axes">{_value_ticks(scale)}
<svg class="plot" width="100%" height="{_HEIGHT}" role="img" aria-label="{_spoken(chart)}">
{_grid(scale)}{_time_ticks(chart.last_step)}{_levels(chart, scale)}
<svg y="{_TOP}" width="100%" height="{_PLOT}" viewBox="0 0 {_WIDE} {_PLOT}" \
preserveAspectRatio="none">
{"".join(_curves(i, series, chart, scale) for i, series in enumerate(chart.series))}</svg>
<line class="cursor" y1="{_TOP}" y2="{_TOP + _PLOT}" x1="100%" x2="100%" visibility="hidden"/>
</svg></div>
</figure>
"""


def charts_json(charts: Sequence[Chart]) -> str:
    """Return what the script needs of the charts as JSON: numbers alone, so nothing to escape."""
    found = [
        {"last": c.last_step, "series": [_points(thinned(s)) for s in c.series]} for c in charts
    ]
    return json.dumps(found, separators=(",", ":"), allow_nan=False)


def number_text(value: float) -> str:
    """Return a value with four digits, and what is not finite in words.

    >>> number_text(-0.123456), number_text(math.nan), number_text(123456.0)
    ('−0.1235', 'not finite', '1.235e+05')
    """
    return f"{value:.4g}".replace("-", "\N{MINUS SIGN}") if math.isfinite(value) else "not finite"


def step_text(step: float) -> str:
    """Return a step with its thousands apart: 12,000."""
    return f"{step:,.0f}"


def colour(number: int) -> str:
    """Return the classes of a curve by its number."""
    return f"c{number % COLOURS}" + " dashed" * (number // COLOURS % 2)


# -- in words -------------------------------------------------------------------------------------


def _notes(chart: Chart, scale: Scale) -> str:
    notes = [chart.note] * bool(chart.note) + ["Logarithmic scale."] * scale.log
    told = f'<p class="note">{text_html(" ".join(notes))}</p>\n' if notes else ""
    return told + "".join(map(_broken, chart.series))


def _broken(series: Series) -> str:
    broken = series.broken
    if not broken:
        return ""
    text = (
        f"{series.name} is not a finite number in {len(broken)} of {len(series.steps)} records, "
        f"first at step {step_text(broken[0])}."
    )
    return f'<p class="failed">{text_html(text)}</p>\n'


def _legend(chart: Chart) -> str:
    items = [
        f'<li>{_key(colour(i))}{text_html(s.name)} <b data-series="{i}">'
        f"{number_text(s.values[-1])}</b></li>"
        for i, s in enumerate(chart.series)
    ]
    if chart.levels:
        items.append(f"<li>{_key('level')}{text_html(chart.levels_name)}</li>")
    return f'<ul class="legend">{"".join(items)}</ul>\n'


def _key(classes: str) -> str:
    return (
        '<svg class="key" width="22" height="10" aria-hidden="true">'
        f'<path class="line {classes}" d="M1 5h20"/></svg>'
    )


def _spoken(chart: Chart) -> str:
    """Describe the curves to those who cannot see them."""
    told = []
    for s in chart.series:
        finite = [v for v in s.values if math.isfinite(v)]
        if finite:
            first, last, low, high = map(
                number_text, (finite[0], finite[-1], min(finite), max(finite))
            )
            told.append(f"{s.name} goes from {first} to {last}, between {low} and {high}")
    return text_html(f"{chart.title}: {'; '.join(told)}.")


# -- in lines -------------------------------------------------------------------------------------


def _curves(number: int, series: Series, chart: Chart, scale: Scale) -> str:
    """Return one series: faint under its moving average where it is long enough for that."""
    average = smoothed(series)
    raw = _path(thinned(series), chart, scale, "line" if average is None else "raw", number)
    return raw + (_path(average, chart, scale, "line", number) if average is not None else "")


def _path(series: Series, chart: Chart, scale: Scale, kind: str, number: int) -> str:
    """Draw a series; every gap begins the curve anew, and a point alone is a dot."""
    drawn, pen_up = [], True
    for step, value in zip(series.steps, series.values, strict=True):
        if math.isnan(value):
            pen_up = True
            continue
        x, y = _WIDE * step / max(chart.last_step, 1), _PLOT * (1 - scale.place(value))
        drawn.append(f"M{x:.1f} {y:.1f}h0" if pen_up else f"L{x:.1f} {y:.1f}")
        pen_up = False
    return f'<path class="{kind} {colour(number)}" d="{"".join(drawn)}"/>\n' if drawn else ""


def _grid(scale: Scale) -> str:
    places = (_height(scale, tick) for tick in scale.ticks())
    return "".join(f'<line class="grid" x2="100%" y1="{y}" y2="{y}"/>' for y in places)


def _value_ticks(scale: Scale) -> str:
    """Write the axis in a column of its own, as wide as its longest value."""
    ticks = [(_height(scale, tick), number_text(tick)) for tick in scale.ticks()]
    end = _LETTER * max((len(text) for _, text in ticks), default=0)
    texts = (
        f'<text class="tick" x="{end}" y="{y}" dy="4" text-anchor="end">{text}</text>'
        for y, text in ticks
    )
    size = f'width="{end + 8}" height="{_HEIGHT}"'
    return f'<svg class="values" {size} aria-hidden="true">{"".join(texts)}</svg>'


def _time_ticks(last_step: int) -> str:
    ticks = Scale(0, max(last_step, 1)).ticks(4)
    return "".join(_time_tick(tick, 100 * tick / max(last_step, 1)) for tick in ticks)


def _time_tick(step: float, percent: float) -> str:
    if step != int(step):
        return ""
    anchor = "start" if percent < 3 else "end" if percent > 93 else "middle"
    label = "step 0" if step == 0 else step_text(step)
    return (
        f'<text class="tick" x="{percent:.3f}%" y="{_HEIGHT - 8}" text-anchor="{anchor}">'
        f"{label}</text>"
    )


def _levels(chart: Chart, scale: Scale) -> str:
    places = (_height(scale, value) for value in chart.levels)
    return "".join(f'<line class="level" x2="100%" y1="{y}" y2="{y}"/>' for y in places)


def _height(scale: Scale, value: float) -> str:
    return f"{_TOP + _PLOT * (1 - scale.place(value)):.1f}"


def _points(series: Series) -> dict[str, Any]:
    values = [None if math.isnan(v) else float(f"{v:.4g}") for v in series.values]
    return {"steps": series.steps, "values": values}
