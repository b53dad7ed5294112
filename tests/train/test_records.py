import json

import pytest

from minigan.train.errors import RunError
from minigan.train.records import append_record, drop_after, read_records

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


@pytest.mark.parametrize("line", ["nonsense", "[1]", '{"step": 3}', "", "\udcff"])
def test_other_damage_gives_one_line(file, line):
    good = file.read_bytes()
    file.write_bytes(good + line.encode("utf-8", "surrogateescape") + b"\n" + good)
    with pytest.raises(RunError, match="line 5, is not a record of a run: repair or delete it"):
        read_records(file)


def test_what_came_after_a_step_is_dropped(file):
    drop_after(file, 20)
    assert read_records(file) == STEPS[:2]


def test_the_figures_are_dropped_too(file):
    drop_after(file, 30)
    assert read_records(file) == STEPS


def test_what_json_cannot_hold_is_refused(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        append_record(tmp_path / "a", {"loss": float("nan")})
