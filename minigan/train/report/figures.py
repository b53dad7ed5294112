"""quality.json as a table: every figure beside its floor.

The file of a run says of each set of images ("floor", "generator", "untrained", ...) what was
measured of it. A file may also say of each figure its "value" and "floor"; the table is the same.
Whatever else is in it, numbers by themselves, stands under the table.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minigan.train.report.charts import number_text
from minigan.train.report.history import LARGEST_STEP
from minigan.train.webpage import shortened, text_html

_LARGEST_FILE = 10**6  # bytes
_MOST_ROWS, _MOST_COLUMNS, _MOST_BARS = 60, 6, 100
_FIRST = ("generator", "value", "learned")  # what the run is about; then its floor; then the rest
_FLOOR = "floor"
_NAMES = {
    "frechet": "Fréchet distance",
    "reverse_kl": "reverse KL of the classes, nats",
    "covered": "classes covered",
    "accuracy": "accuracy of the judge",
    "samples": "samples",
    "compared": "images in each distance",
    "shares": "shares of the classes",
    "distance": "Wasserstein-1 distance",
    "captured": "modes captured",
    "high_quality": "samples within 3 sigma of a mode",
}
_HEIGHT, _TOP, _LABELS = 150, 6, 22  # pixels of a bar chart


@dataclass(frozen=True)
class Quality:
    """What quality.json holds: `rows[name][column]`, lists likewise, and single numbers."""

    step: int | None
    columns: tuple[str, ...]
    rows: dict[str, dict[str, float | None]] = field(default_factory=dict)
    lists: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    facts: dict[str, float | None] = field(default_factory=dict)

    @property
    def floorless(self) -> list[str]:
        """The figures that stand without a floor."""
        return [name for name, row in self.rows.items() if _FLOOR not in row]


def read_quality(path: Path) -> Quality | str | None:
    """Read a quality.json: None where there is none, a reason where it cannot be read."""
    if not path.is_file():
        return None
    if path.stat().st_size > _LARGEST_FILE:
        return "it is too large"
    try:
        found = json.loads(path.read_text(encoding="utf-8", errors="replace"))
    except (ValueError, RecursionError):
        return "it is not JSON"
    if not isinstance(found, dict):
        return "it holds no figures"
    return parse_quality(found) or "it holds no figures"


def parse_quality(found: Mapping[str, Any]) -> Quality | None:
    """Sort what a quality.json says into rows and columns; None where it says nothing."""
    step = found.get("step")
    groups = {k: v for k, v in found.items() if isinstance(v, dict)}
    if any("value" in group for group in groups.values()):
        groups = _turned(groups)
    columns = sorted(groups, key=_order)[:_MOST_COLUMNS]
    quality = Quality(
        step if type(step) is int and 0 <= step <= LARGEST_STEP else None,
        tuple(columns),
        dict(list(_by_row(groups, columns, _is_figure).items())[:_MOST_ROWS]),
        dict(list(_by_row(groups, columns, _is_list).items())[:3]),
        {k: v for k, v in found.items() if k != "step" and _is_figure(v)},
    )
    return quality if quality.rows or quality.facts else None


def quality_html(quality: Quality) -> str:
    """Return the figures as a table, lists as bars, and the rest in a line."""
    facts = ", ".join(f"{figure_name(k)} {figure_text(v)}" for k, v in quality.facts.items())
    table = _table(quality) if quality.rows else ""
    bars = "".join(_bars(name, lists) for name, lists in quality.lists.items())
    floorless = ", ".join(map(figure_name, quality.floorless))
    note = f'<p class="note">Without a floor: {text_html(floorless)}.</p>\n' if floorless else ""
    line = f'<p class="note">{text_html(facts)}.</p>\n' if facts else ""
    return f'<div class="figures">{table}{bars}</div>\n{note}{line}'


def figure_text(value: float | None) -> str:
    """Return a figure with four digits; JSON's null stands for infinity."""
    if value is None:
        return "infinite"
    return f"{value:,}" if type(value) is int and abs(value) < 10**9 else number_text(float(value))


def figure_name(key: str) -> str:
    """Return what a figure is called on the page."""
    return _NAMES.get(key, shortened(key.replace("_", " ")))


def first_figure(quality: Quality) -> tuple[str, str, str] | None:
    """Return (name, value, "floor ...") of the figure at the top of the table, if there is one."""
    for name, row in quality.rows.items():
        column = quality.columns[0]
        if column in row and column != _FLOOR:
            floor = f"floor {figure_text(row[_FLOOR])}" if _FLOOR in row else "without a floor"
            return figure_name(name), figure_text(row[column]), floor
    return None


# -- sorting --------------------------------------------------------------------------------------


def _turned(groups: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Turn {figure: {column: value}} into {column: {figure: value}}."""
    turned: dict[str, dict[str, Any]] = {}
    for figure, group in groups.items():
        for column, value in group.items():
            turned.setdefault(column, {})[figure] = value
    return turned


def _order(column: str) -> tuple[int, str]:
    places = {**dict.fromkeys(_FIRST, 0), _FLOOR: 1}
    return places.get(column, 2), column


def _by_row(groups: Mapping[str, Any], columns: Sequence[str], wanted: Any) -> dict[str, Any]:
    rows: dict[str, dict[str, Any]] = {}
    for column in columns:
        for name, value in groups[column].items():
            if wanted(value):
                rows.setdefault(name, {})[column] = value
    return rows


def _is_figure(value: Any) -> bool:
    return value is None or type(value) is float or (type(value) is int and abs(value) < 10**300)


def _is_list(value: Any) -> bool:
    return (
        isinstance(value, list)
        and 0 < len(value) <= _MOST_BARS
        and all(type(v) in (int, float) and 0 <= v < 1e300 for v in value)
    )


# -- drawing --------------------------------------------------------------------------------------


def _table(quality: Quality) -> str:
    head = "".join(f'<th scope="col">{text_html(figure_name(c))}</th>' for c in quality.columns)
    rows = "".join(_row(name, row, quality.columns) for name, row in quality.rows.items())
    return (
        f'<table class="numbers" tabindex="0"><thead><tr><td></td>{head}</tr></thead>'
        f"<tbody>\n{rows}</tbody></table>\n"
    )


def _row(name: str, row: Mapping[str, Any], columns: Sequence[str]) -> str:
    cells = "".join(f"<td>{figure_text(row[c]) if c in row else '–'}</td>" for c in columns)
    return f'<tr><th scope="row">{text_html(figure_name(name))}</th>{cells}</tr>\n'


def _bars(name: str, lists: Mapping[str, list[float]]) -> str:
    """Return a list as bars, with a mark where the floor's bar would end."""
    column = next(c for c in lists)
    values, floor = lists[column], lists.get(_FLOOR, [])
    highest = max([*values, *floor]) or 1.0
    marks = zip(values, [*floor, *[None] * len(values)], strict=False)
    bars = "".join(_bar(i, len(values), v, f, highest) for i, (v, f) in enumerate(marks))
    shown = text_html(figure_name(name).capitalize())
    legend = "bars, floor lines" if floor and column != _FLOOR else "bars"
    return f"""<figure class="bars"><figcaption><h3>{shown}</h3>
<p class="note">{text_html(figure_name(column))} {legend}</p></figcaption>
<svg class="plot" width="100%" height="{_HEIGHT}" role="img" aria-label="{shown}">{bars}</svg>
</figure>
"""


def _bar(i: int, count: int, value: float, floor: float | None, highest: float) -> str:
    slot, plot = 100 / count, _HEIGHT - _TOP - _LABELS
    height = plot * value / highest
    bar = (
        f'<rect class="bar" x="{(i + 0.12) * slot:.2f}%" width="{0.76 * slot:.2f}%" '
        f'y="{_TOP + plot - height:.1f}" height="{height:.1f}"/>'
    )
    if floor is not None:
        y = f"{_TOP + plot * (1 - floor / highest):.1f}"
        ends = f'x1="{(i + 0.04) * slot:.2f}%" x2="{(i + 0.96) * slot:.2f}%"'
        bar += f'<line class="mark" {ends} y1="{y}" y2="{y}"/>'
    if count <= 20:
        place = f'x="{(i + 0.5) * slot:.2f}%" y="{_HEIGHT - 6}"'
        bar += f'<text class="tick" {place} text-anchor="middle">{i}</text>'
    return bar
