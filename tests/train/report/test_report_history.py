import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigan.train.records import append_record
from minigan.train.report import history
from minigan.train.report.history import read_history

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)
LIKE_A_RECORD = st.fixed_dictionaries(
    {"kind": st.sampled_from(["step", "norms", "quality", "else"]), "step": JSON},
    optional=dict.fromkeys(["loss", "sigma", "gradient", "generator", "seconds"], JSON),
)


def test_series_by_kind(folder):
    found = read_history(folder.metrics_file)
    assert list(found.losses) == ["loss_d", "loss_g", "r1"]
    assert found.losses["r1"].steps == [10, 20, 30]
    assert found.losses["r1"].values == [1 / 10, 1 / 20, 1 / 30]
    assert list(found.sigma) == ["head.1", "from_image.0"]
    assert found.gradient["g"].values == [0.25] * 3
    assert found.timing["seconds"].values == [1, 2, 3]
    assert (found.last_step, found.unread, found.left_out, found.cut) == (30, 0, set(), False)


def test_no_file_is_an_empty_history(tmp_path):
    found = read_history(tmp_path / "absent")
    assert (found.losses, found.last_step, found.unread) == ({}, 0, 0)


def test_figures_over_time(tmp_path):
    for step in (100, 200):
        figures = {"frechet": 10 / step, "shares": [0.5]}
        append_record(tmp_path / "a", {"kind": "quality", "step": step, "generator": figures})
    found = read_history(tmp_path / "a")
    assert {n: s.values for n, s in found.figures.items()} == {"frechet": [0.1, 0.05]}


def test_records_are_put_in_order(tmp_path):
    for step in (20, 10, 30):
        append_record(tmp_path / "a", {"kind": "step", "step": step, "loss": float(step)})
    loss = read_history(tmp_path / "a").losses["loss"]
    assert (loss.steps, loss.values) == ([10, 20, 30], [10.0, 20.0, 30.0])


@pytest.mark.parametrize("value", ["NaN", "-Infinity", "null", "1e301", "1" * 400])
def test_what_is_not_finite_is_a_gap(tmp_path, value):
    line = '{{"kind": "step", "step": {}, "loss": {}}}\n'
    (tmp_path / "a").write_text(line.format(1, 1.0) + line.format(2, value))
    loss = read_history(tmp_path / "a").losses["loss"]
    assert loss.values[0] == 1.0
    assert math.isnan(loss.values[1])
    assert loss.broken == [2]


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "[1]",
        '{"kind": "step"}',
        '{"step": 1}',
        '{"kind": 1, "step": 1}',
        '{"kind": "step", "step": 1.0}',
        '{"kind": "step", "step": true}',
        '{"kind": "step", "step": -1}',
        '{"kind": "step", "step": 1000000000001}',
        "[" * 10_000,
        "1" * 10_000,
    ],
)
def test_what_is_no_record_is_counted(tmp_path, line):
    good = '{"kind": "step", "step": 1, "loss": 1.0}'
    (tmp_path / "a").write_text(f"{line}\n{good}\n")
    found = read_history(tmp_path / "a")
    assert (found.unread, found.losses["loss"].values) == (1, [1.0])


def test_a_last_line_cut_short_is_no_fault(folder):
    with open(folder.metrics_file, "a") as file:
        file.write('{"kind": "st')
    assert read_history(folder.metrics_file).unread == 0


@given(st.lists(JSON | LIKE_A_RECORD, max_size=6))
def test_any_json_is_read(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("any") / "a"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = read_history(path)
    for kind in (found.losses, found.sigma, found.gradient, found.figures, found.timing):
        for series in kind.values():
            assert len(series.steps) == len(series.values) > 0
            assert all(math.isnan(v) or abs(v) < 1e300 for v in series.values)


def test_there_is_an_end_to_names(tmp_path):
    many = {f"loss{i}": 1.0 for i in range(100)}
    append_record(tmp_path / "a", {"kind": "step", "step": 1, **many, "x" * 81: 1.0})
    found = read_history(tmp_path / "a")
    assert list(found.losses) == [f"loss{i}" for i in range(40)]
    assert len(found.left_out) == 40


def test_there_is_an_end_to_lines_and_files(tmp_path, monkeypatch):
    monkeypatch.setattr(history, "_LONGEST_LINE", 100)
    monkeypatch.setattr(history, "_LARGEST_FILE", 1000)
    line = '{"kind": "step", "step": 1, "loss": 1.0}\n'
    (tmp_path / "a").write_text("x" * 250 + "\n" + line * 100)
    found = read_history(tmp_path / "a")
    assert (found.unread, found.cut) == (3, True)
    assert len(found.losses["loss"].values) == (1000 - 251) // len(line)
