import json

import pytest

from minigan.train import records
from minigan.train.errors import RunError
from minigan.train.records import append_record, drop_after, figure, read_records

STEPS = [{"kind": "step", "step": n, "loss_d": n / 10} for n in (10, 20, 30)]
QUALITY = {"kind": "quality", "step": 30, "accuracy": 0.98}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "metrics.jsonl"
    for record in (*STEPS, QUALITY):
        append_record(path, record)
    return path


def test_one_json_object_a_line(file):
    assert [json.loads(line) for line in file.read_text().splitlines()] == [*STEPS, QUALITY]
    assert read_records(file) == [*STEPS, QUALITY]
    assert read_records(file, "step") == STEPS


def test_no_file_is_no_records(tmp_path):
    assert read_records(tmp_path / "absent") == []


def test_a_last_line_cut_short_is_passed_over(file):
    with open(file, "a") as out:
        out.write('{"kind": "st')
    assert read_records(file, "step") == STEPS


def test_what_is_added_after_a_line_cut_short_takes_its_place(file):
    with open(file, "a") as out:
        out.write('{"kind": "st')
    append_record(file, STEPS[0])
    assert read_records(file) == [*STEPS, QUALITY, STEPS[0]]


def test_a_file_of_half_a_line_is_begun_again(tmp_path):
    (tmp_path / "a").write_text('{"kind": "st')
    append_record(tmp_path / "a", QUALITY)
    assert read_records(tmp_path / "a") == [QUALITY]


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "[1]",
        '{"step": 3}',
        "",
        "\udcff",
        '{"kind": "step", "step": null}',
        '{"kind": "step", "step": 1.5}',
        '{"kind": "step", "step": true}',
        '{"kind": ["step"], "step": 1}',
        '{"kind": "step", "step": 1, "loss_d": "low"}',
        '{"kind": "step", "step": 1, "loss_d": NaN}',
        '{"kind": "step", "step": 1, "loss_d": 1e400}',
        '{"kind": "step", "step": ' + "9" * 5000 + "}",
        "[" * 100_000,
    ],
    ids=range(14),
)
def test_other_damage_gives_one_line(file, line):
    good = file.read_bytes()
    file.write_bytes(good + line.encode("utf-8", "surrogateescape") + b"\n" + good)
    with pytest.raises(RunError, match="line 5, is not a record of a run: repair or delete it"):
        read_records(file)


def test_what_came_after_a_step_is_dropped(file):
    drop_after(file, 20)
    assert read_records(file) == STEPS[:2]


def test_the_figures_stay_with_their_step(file):
    before = file.read_bytes()
    drop_after(file, 30)
    assert file.read_bytes() == before
    drop_after(file, 29)
    assert read_records(file) == STEPS[:2]


def test_losses_off_the_beat_were_those_of_a_shorter_run(file):
    drop_after(file, 30, every=20)
    assert read_records(file) == [*STEPS[:2], QUALITY]
    drop_after(file, 20, every=20)
    assert read_records(file) == STEPS[:2]


@pytest.mark.parametrize(
    ("place", "value"),
    [(("a", "b"), 1.5), (("n",), 3.0), (("a",), None), (("x", "y"), None), (("none",), None)],
)
def test_a_figure_is_a_number_at_its_place(place, value):
    record = {"kind": "quality", "a": {"b": 1.5}, "n": 3, "none": None, "yes": True}
    assert figure(record, place) == value
    assert figure(record, ("yes",)) is None


def test_a_full_disk_names_the_file(file, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(records, "_drop_half_line", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        append_record(file, QUALITY)
    assert caught.value.filename == str(file)


def test_what_json_cannot_hold_is_refused(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        append_record(tmp_path / "a", {"loss": float("nan")})
