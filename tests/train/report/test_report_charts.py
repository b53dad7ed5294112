import json
import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigan.train.report.charts import Chart, chart_html, charts_json, number_text
from minigan.train.report.history import Series
from minigan.train.report.scale import Scale, round_step, smoothed, thinned

FINITE = st.floats(-1e299, 1e299)


def svg(chart):
    """The chart's plot, as a tree."""
    html = chart_html(chart, 0)
    return ElementTree.fromstring(html[html.index('<svg class="plot"') : html.rindex("</div>")])


def paths(chart):
    return [p.get("d") for p in svg(chart).iter("path")]


# -- scales ---------------------------------------------------------------------------------------


@given(st.lists(FINITE | st.just(math.nan), max_size=6))
def test_a_scale_holds_its_values_and_its_ticks(values):
    scale = Scale.around(values)
    assert scale.low < scale.high
    for value in filter(math.isfinite, [*values, *scale.ticks()]):
        assert -1e-9 <= scale.place(value) <= 1 + 1e-9
    assert scale.place(scale.low) == 0
    assert scale.place(scale.high) == 1


@given(st.floats(1e-3, 1e3), st.floats(1e-6, 1e6))
def test_ticks_are_few_and_round(low, width):
    ticks = Scale(low, low + width).ticks()
    assert 2 <= len(ticks) <= 7
    steps = np.diff(ticks)
    np.testing.assert_allclose(steps, round_step(width / 6), rtol=1e-6)


def test_a_logarithmic_scale_where_sizes_differ():
    assert not Scale.around([1.0, 49.0]).log
    assert Scale.around([1.0, 50.0]).log
    assert not Scale.around([0.0, 1e6]).log, "0 has no logarithm"
    assert Scale(0.9e-6, 1.1e6, log=True).ticks() == [1e-6, 1e-3, 1.0, 1e3, 1e6]
    assert Scale(0.9, 60.0, log=True).ticks() == [1, 2, 5, 10, 20, 50]


@pytest.mark.parametrize(("least", "expected"), [(1, 1), (1.1, 2), (0.03, 0.05), (60, 100)])
def test_round_steps(least, expected):
    assert round_step(least) == pytest.approx(expected)


# -- curves ---------------------------------------------------------------------------------------


def test_a_thin_series_keeps_every_extreme_of_its_bucket(rng):
    values = rng.normal(size=10_000)
    values[1234] = 99.0
    series = thinned(Series("a", list(range(10_000)), values.tolist()))
    assert len(series.steps) <= 800
    assert all(values[s] == v for s, v in zip(series.steps, series.values, strict=True))
    assert series.steps == sorted(series.steps)
    assert (1234, 99.0) in zip(series.steps, series.values, strict=True)
    for bucket in np.array_split(np.arange(10_000), 400):
        assert {values[bucket].min(), values[bucket].max()} <= set(series.values)


def test_a_thin_series_keeps_a_long_gap():
    values = [1.0] * 5000 + [math.nan] * 5000
    series = thinned(Series("a", list(range(10_000)), values))
    assert math.isnan(series.values[-1])
    assert sum(map(math.isnan, series.values)) == 200


def test_an_average_is_the_mean_of_its_window(rng):
    values = rng.normal(size=400)
    series = smoothed(Series("a", list(range(400)), values.tolist()))
    assert series.values[200] == pytest.approx(values[195:206].mean())
    assert series.values[0] == pytest.approx(values[:6].mean())
    assert smoothed(Series("a", [1, 2], [1.0, 2.0])) is None


def test_a_gap_stays_a_gap_and_does_not_spread():
    values = [1.0] * 200
    values[100] = math.nan
    series = smoothed(Series("a", list(range(200)), values))
    assert [i for i, v in enumerate(series.values) if math.isnan(v)] == [100]
    assert [v for v in series.values if not math.isnan(v)] == pytest.approx([1.0] * 199)


# -- SVG ------------------------------------------------------------------------------------------


def test_points_are_where_they_belong():
    (path,) = paths(Chart("a", (Series("x", [0, 50, 100], [0.0, 1.0, 0.5]),), 100))
    xs, ys = zip(*re.findall(r"([\d.]+) ([\d.]+)", path), strict=True)
    assert [float(x) for x in xs] == [0, 500, 1000]
    low, high, middle = map(float, ys)
    assert low == 178  # the bottom of the plot
    assert 0 < high < 15
    assert middle == pytest.approx((low + high) / 2, abs=0.1)


def test_a_gap_lifts_the_pen_and_a_point_is_a_dot():
    values = [1.0, 2.0, math.nan, 1.0]
    chart = Chart("a", (Series("x", [0, 1, 2, 3], values),), 3)
    (path,) = paths(chart)
    assert re.sub(r"[\d. ]+", "", path) == "MhLMh"
    assert "x is not a finite number in 1 of 4 records, first at step 2." in chart_html(chart, 0)


def test_nothing_to_draw_is_no_path():
    chart = Chart("a", (Series("x", [0], [math.nan]),), 0)
    assert paths(chart) == []
    assert "not finite" in chart_html(chart, 0)


def test_scale_and_levels_are_told():
    series = Series("x", [0, 1], [0.001, 1.0])
    html = chart_html(Chart("a", (series,), 1, note="Note.", levels=(0.1,), levels_name="floor"), 3)
    assert "Note. Logarithmic scale." in html
    assert html.count('class="level"') == 1
    assert ">floor</li>" in html
    assert 'data-chart="3"' in html
    assert 'aria-label="a: x goes from 0.001 to 1, between 0.001 and 1."' in html


@given(st.lists(FINITE | st.just(math.nan), min_size=1, max_size=5), st.text(max_size=8))
def test_any_series_makes_a_well_formed_chart(values, name):
    chart = Chart(name, (Series(name, list(range(len(values))), values),), len(values))
    tree = svg(chart)
    numbers = [float(n) for p in paths(chart) for n in re.findall(r"-?[\d.]+", p)]
    assert all(-0.1 <= n <= 1000 for n in numbers)
    assert tree.get("aria-label").endswith(".")
    (found,) = json.loads(charts_json([chart]))
    assert [v is None for v in found["series"][0]["values"]] == [math.isnan(v) for v in values]


def test_json_cannot_end_its_element():
    assert charts_json([]) == "[]"
    assert "<" not in charts_json([Chart("</script>", (Series("</script>", [0], [1.0]),), 1)])


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1"), (-0.5, "−0.5"), (1e-9, "1e−09"), (math.inf, "not finite")],
)
def test_numbers_in_words(value, text):
    assert number_text(value) == text
