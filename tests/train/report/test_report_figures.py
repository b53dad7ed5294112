import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigan.train.report.figures import (
    figure_text,
    first_figure,
    parse_quality,
    quality_html,
    read_quality,
)

SETS = {
    "step": 30,
    "accuracy": 0.98,
    "untrained": {"frechet": 1131.0, "shares": [0.9, 0.1]},
    "floor": {"frechet": 1.9, "shares": [0.5, 0.5]},
    "generator": {"frechet": 7.6, "own": None, "shares": [0.25, 0.75]},
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=12,
)


def test_the_run_first_then_its_floor_then_the_rest():
    quality = parse_quality(SETS)
    assert quality.columns == ("generator", "floor", "untrained")
    assert quality.rows["frechet"] == {"generator": 7.6, "floor": 1.9, "untrained": 1131.0}
    assert quality.facts == {"accuracy": 0.98}
    assert (quality.step, quality.floorless) == (30, ["own"])
    assert first_figure(quality) == ("Fréchet distance", "7.6", "floor 1.9")


def test_figures_that_hold_their_own_floor_give_the_same_table():
    by_figure = {"frechet": {"floor": 1.9, "value": 7.6}, "kid": {"value": 0.1}}
    quality = parse_quality(by_figure)
    assert quality.columns == ("value", "floor")
    assert quality.rows == {"frechet": {"value": 7.6, "floor": 1.9}, "kid": {"value": 0.1}}
    assert "Without a floor: kid." in quality_html(quality)


def test_bars_are_as_high_as_their_shares():
    html = quality_html(parse_quality(SETS))
    heights = [float(h) for h in re.findall(r'height="([\d.]+)"/>', html)]
    assert heights[0] == pytest.approx(heights[1] / 3, abs=0.1)
    assert html.count('class="mark"') == 2


def test_the_table_has_a_cell_for_every_column():
    html = quality_html(parse_quality(SETS))
    own = next(row for row in re.findall(r"<tr>.*?</tr>", html) if ">own<" in row)
    assert re.findall("<td>(.*?)</td>", own) == ["infinite", "–", "–"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "infinite"),
        (2000, "2,000"),
        (0.123456, "0.1235"),
        (float("nan"), "not finite"),
        (10**250, "1e+250"),
    ],
)
def test_figures_as_text(value, text):
    assert figure_text(value) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [("{", "not JSON"), ("[1]", "no figures"), ("{}", "no figures"), ("[" * 10**5, "not JSON"),
     (" " * (10**6 + 1), "too large")],
)  # fmt: skip
def test_a_file_that_cannot_be_shown(tmp_path, text, reason):
    (tmp_path / "quality.json").write_text(text)
    assert reason in read_quality(tmp_path / "quality.json")


def test_no_file_is_none(tmp_path):
    assert read_quality(tmp_path / "absent") is None


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=5))
def test_any_json_can_be_shown(tags_of, found):
    quality = parse_quality(json.loads(json.dumps(found)))
    if quality is not None:
        tags_of(quality_html(quality))
        first_figure(quality)
