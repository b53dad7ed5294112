"""The page: what the run is, its pictures over time, its curves, its figures, its options."""

from __future__ import annotations

import math
import platform
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minigan import __version__
from minigan.train.options import flag
from minigan.train.report.charts import Chart, chart_html, charts_json, number_text, step_text
from minigan.train.report.curves import charts_of, note_of_curves
from minigan.train.report.figures import first_figure, quality_html
from minigan.train.report.films import film_html, still_html
from minigan.train.report.gather import Gathered
from minigan.train.webpage import block, document, shortened, text_html

_CYCLING = ("cyclegan",)  # recipes whose runs should have triples

# What is seen in the pictures: in those of samples by recipe, in the others by their name.
_SAMPLES = {
    "cyclegan": "Held-out images of A over their translations, and of B over theirs",
    "pix2pix": "Held-out images, their translations, and the right answers",
}
_PICTURES = {
    "triples": "Real, translated, and translated back",
    "truncation": "Truncation: the same latents in every row, psi from 0, the mean image, to 1",
    "mixing": "Mixed styles: the coarse ones from the left edge, the fine ones from the top",
}


class Section(NamedTuple):
    """A part of the page: its address, its title, and its HTML."""

    name: str
    title: str
    content: str


def build_page(run: Gathered) -> str:
    """Return the report of a run as one HTML text, smaller than 10 MB."""
    charts = charts_of(run)
    sections = [
        _samples(run),
        *_triples(run),
        *_other_pictures(run),
        _curves(run, charts),
        _quality(run),
        _configuration(run),
        _commands(run),
    ]
    body = f"""{_header(run, sections)}
<main>
{"".join(map(_section, sections))}</main>
<footer>{text_html(_colophon(run))}</footer>
<script type="application/json" id="charts">{charts_json(charts)}</script>"""
    title = f"{run.config.recipe}: {_run_name(run)}"
    return document(title, body, style=_asset("style.css"), script=_asset("script.js"))


def _asset(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _section(section: Section) -> str:
    title = text_html(section.title)
    return f'<section id="{section.name}">\n<h2>{title}</h2>\n{section.content}</section>\n'


# -- what the run is ------------------------------------------------------------------------------


def _header(run: Gathered, sections: Sequence[Section]) -> str:
    state = "finished" if run.finished else "unfinished"
    problems = "".join(f"<li>{text_html(problem)}</li>" for problem in run.problems)
    told = f'<ul class="problems failed">{problems}</ul>\n' if problems else ""
    links = "".join(f'<a href="#{s.name}">{text_html(s.title)}</a>\n' for s in sections)
    return f"""<header>
<p class="label">minigan run {text_html(_run_name(run))}</p>
<h1>{text_html(run.config.recipe)} <span class="state {state}">{state}</span></h1>
<dl class="facts">{"".join(_fact(*fact) for fact in _facts(run))}</dl>
{told}{_unfinished(run)}<nav aria-label="Contents">{links}</nav>
</header>"""


def _facts(run: Gathered) -> Iterator[tuple[str, str, str]]:
    """Yield (name, value, a second line) of what one wants to know first."""
    config, timing = run.config, run.history.timing
    yield "steps", step_text(run.step), f"of {step_text(config.steps)}"
    if "seconds" in timing:
        rates = timing["images_per_second"].values if "images_per_second" in timing else [math.nan]
        yield (
            "trained for",
            _duration(timing["seconds"].values[-1]),
            f"{_count(rates[-1])} {config.makes}/s",
        )
    if run.quality is not None and (figure := first_figure(run.quality)):
        yield figure
    yield "data", shortened(str(config.data), 40), f"seed {config.seed}, on {config.device}"


def _fact(name: str, value: str, more: str) -> str:
    small = f"<small>{text_html(more)}</small>" if more else ""
    return f"<div><dt>{text_html(name)}</dt><dd>{text_html(value)}{small}</dd></div>"


def _unfinished(run: Gathered) -> str:
    if run.finished:
        return ""
    command = text_html(f"minigan resume {_quoted(run)}")
    return f"<p>It is still training, or was stopped; <code>{command}</code> goes on with it.</p>\n"


def _colophon(run: Gathered) -> str:
    trained = f"Trained by minigan {run.version}. " if run.version else ""
    return (
        f"{trained}This page was made by minigan {__version__} with NumPy {np.__version__} and "
        f"Python {platform.python_version()}; it needs no network."
    )


def _duration(seconds: float) -> str:
    """Say a time in its two largest units.

    >>> _duration(13.5), _duration(200), _duration(7500)
    ('14 s', '3 min 20 s', '2 h 5 min')
    """
    if not 0 <= seconds < 1e9:
        return number_text(seconds)
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _count(value: float) -> str:
    return f"{value:,.0f}" if 100 <= value < 1e9 else number_text(value)


def _run_name(run: Gathered) -> str:
    return shortened(run.folder.path.resolve().name)


def _quoted(run: Gathered) -> str:
    return shlex.quote(str(run.folder.path))


def _missing(text: str, command: str = "", rest: str = "") -> str:
    """Say what is not there, and the command that would bring it."""
    code = f" <code>{text_html(command)}</code> {text_html(rest)}" if command else ""
    return f'<p class="missing">{text_html(text)}{code}</p>\n'


# -- pictures and curves --------------------------------------------------------------------------


def _samples(run: Gathered) -> Section:
    film, reals = run.album.films.get("step"), run.album.stills.get("reals")
    if film is None:
        shown = _missing("No pictures of samples yet.")
    else:
        seeds = "Samples of the averaged generator, the same seeds at every step"
        shown = film_html(film, _SAMPLES.get(run.config.recipe, seeds))
    if reals is not None:
        shown += still_html(reals, f"Real {run.config.makes}")
    return Section("samples", "Samples", f'<div class="pictures">{shown}</div>\n')


def _triples(run: Gathered) -> Iterator[Section]:
    album, title = run.album, "Cycles: real, translated, back"
    films = [film_html(f, _caption(n)) for n, f in album.films.items() if _is_triple(n)]
    stills = [still_html(p, _caption(n)) for n, p in album.stills.items() if _is_triple(n)]
    if films or stills:
        yield Section("triples", title, f'<div class="rows">{"".join(films + stills)}</div>\n')
    elif run.config.recipe in _CYCLING:
        yield Section("triples", title, _missing("No triples in samples/ yet."))


def _is_triple(name: str) -> bool:
    return name.startswith("triples")


def _caption(name: str) -> str:
    """Say what a film or a still shows: "triples-a2b" the triples of a2b."""
    kind, _, which = name.partition("-")
    if kind not in _PICTURES:
        return name
    return _PICTURES[kind] + (f": {which}" if which else "")


def _other_pictures(run: Gathered) -> Iterator[Section]:
    """Show whatever else lies in `samples/`."""
    album = run.album
    films = [
        film_html(f, _caption(n))
        for n, f in album.films.items()
        if n != "step" and not _is_triple(n)
    ]
    stills = [
        still_html(p, _caption(n))
        for n, p in album.stills.items()
        if n != "reals" and not _is_triple(n)
    ]
    if films or stills:
        shown = "".join(films + stills)
        yield Section("pictures", "More pictures", f'<div class="pictures">{shown}</div>\n')


def _curves(run: Gathered, charts: Sequence[Chart]) -> Section:
    drawn = "".join(chart_html(chart, i) for i, chart in enumerate(charts))
    note, missing = (_missing(text) if text else "" for text in note_of_curves(run))
    return Section("curves", "Curves", f'{note}<div class="charts">{drawn}</div>\n{missing}')


# -- figures and options --------------------------------------------------------------------------


def _quality(run: Gathered) -> Section:
    if run.quality is None:
        told = _missing("No figures yet:", f"minigan evaluate {_quoted(run)}", "measures them.")
        return Section("quality", "Quality", told)
    at = run.quality.step
    when = "" if at is None or at == run.step else _missing(f"Measured at step {step_text(at)}.")
    return Section("quality", "Quality", when + quality_html(run.quality))


def _configuration(run: Gathered) -> Section:
    changed, fields = run.config.changed(), run.config.options()
    names = sorted(fields, key=lambda name: name not in changed)  # stable: the order of the class
    rows = "".join(
        _option(name, getattr(run.config, name), fields[name], name in changed) for name in names
    )
    count = f"Changed from their defaults: {len(changed)} of {len(fields)} options."
    note = f'<p class="note">{count if changed else "Every option has its default."}</p>\n'
    return Section("configuration", "Configuration", f'{note}<dl class="options">{rows}</dl>\n')


def _option(name: str, value: Any, field: Any, changed: bool) -> str:
    spelt = "recipe" if name == "recipe" else flag(name)
    told, kind = text_html(field.metadata.get("help", "")), ' class="changed"' if changed else ""
    default = f"<small>default {text_html(_shown(field.default))}</small>" if changed else ""
    return (
        f"<div{kind}><dt><code>{text_html(spelt)}</code><small>{told}</small></dt>"
        f"<dd>{text_html(_shown(value))}{default}</dd></div>\n"
    )


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return shortened(str(value), 500) or "(empty)"


def _commands(run: Gathered) -> Section:
    told = block("commands", run.commands) or _missing("command.txt is missing or empty.")
    return Section("commands", "Command lines", told)
