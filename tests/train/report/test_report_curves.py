import json
import math

from minigan.train.report.curves import charts_of, note_of_curves
from minigan.train.report.gather import gather


def test_players_share_a_chart_and_terms_have_their_own(folder, record):
    losses = {"loss_d_a": 1.0, "cycle": 2.0, "loss_g": 3.0, "identity": 4.0}
    record(folder, [{"kind": "step", "step": 30, **losses}])
    charts = charts_of(gather(folder))
    assert [c.title for c in charts] == ["Losses", "cycle", "identity"]
    assert [s.name for s in charts[0].series] == ["D a", "G"]
    assert charts[0].levels == (2 * math.log(2), math.log(2))


def test_many_players_are_shared_out(folder, record):
    record(folder, [{"kind": "step", "step": 1, **{f"loss_{i}": 1.0 for i in range(10)}}])
    charts = charts_of(gather(folder))
    assert [len(c.series) for c in charts] == [8, 2]


def test_all_charts_have_the_same_time(folder):
    assert {c.last_step for c in charts_of(gather(folder))} == {30}


def test_figures_taken_several_times_are_drawn_with_their_floor(folder, record):
    quality = json.loads(folder.quality_file.read_text())
    record(folder, [{**quality, "step": step} for step in (10, 20)])
    charts = {c.title: c for c in charts_of(gather(folder))}
    assert charts["Fréchet distance"].levels == (1.9,)
    assert charts["Fréchet distance"].series[0].values == [7.6, 7.6]


def test_what_is_missing_is_said_and_the_bold_line_explained(folder, record):
    record(folder, [{"kind": "step", "step": t, "loss_d": 1.0} for t in range(200)])
    note, missing = note_of_curves(gather(folder))
    assert note == "Bold lines are averages over a fortieth of the run."
    assert missing == "metrics.jsonl has no spectral norms of D, no gradient norms."
