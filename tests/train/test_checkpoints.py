import numpy as np
import pytest

from minigan.train.checkpoints import Checkpoints
from minigan.train.errors import CheckpointError


@pytest.fixture
def checkpoints(tmp_path):
    """Five good ones, of the steps 10 to 50."""
    made = Checkpoints(tmp_path)
    for step in (10, 20, 30, 40, 50):
        made.save({"w": np.full(3, step, np.float32)}, {"step": step})
    return made


def damage(checkpoints, *steps):
    for step in steps:
        path = checkpoints.path(step)
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)


def test_each_step_has_its_file(checkpoints):
    assert checkpoints.steps() == [10, 20, 30, 40, 50]
    assert checkpoints.path(10).name == "step-000010.safetensors"
    found = checkpoints.load(30)
    assert (found.step, found.notes, found.path) == (30, {"step": 30}, checkpoints.path(30))
    np.testing.assert_array_equal(found.arrays["w"], np.full(3, 30, np.float32))


def test_steps_are_in_the_order_of_numbers_and_other_files_are_none(checkpoints):
    checkpoints.save({}, {"step": 1_000_000})
    checkpoints.save({}, {"step": 999_999})
    for name in ("step-abc.safetensors", "step-000060.json", ".step-000070.safetensors.x.part"):
        (checkpoints.folder / name).touch()
    assert checkpoints.steps() == [10, 20, 30, 40, 50, 999_999, 1_000_000]


def test_no_folder_is_no_checkpoints(tmp_path):
    assert Checkpoints(tmp_path / "absent").steps() == []


def test_the_newest_good_one_is_found_and_the_others_are_told_of(checkpoints):
    found = checkpoints.newest()
    assert (found.step, found.passed_over, found.complaint()) == (50, (), "")
    damage(checkpoints, 50)
    found = checkpoints.newest()
    said = f"{checkpoints.path(50)} is damaged: its content does not match its checksum"
    assert (found.step, found.passed_over) == (40, (said,))
    assert found.complaint() == f"{said}; using the last good one, of step 40"
    damage(checkpoints, 40)
    checkpoints.path(30).write_bytes(b"")
    assert checkpoints.newest().step == 20
    assert checkpoints.newest().complaint().startswith(f"{said} (and 2 more); using the last good")


def test_no_good_one_gives_one_line(checkpoints, tmp_path):
    with pytest.raises(CheckpointError, match="no checkpoint in .*: the run stopped before its"):
        Checkpoints(tmp_path / "absent").newest()
    damage(checkpoints, 10, 20, 30, 40, 50)
    with pytest.raises(CheckpointError, match="step-000050.* is damaged: .*; nor is any older one"):
        checkpoints.newest()
    checkpoints.prune(50, last=1)
    with pytest.raises(CheckpointError, match=r"step-000050.* does not match its checksum$"):
        checkpoints.newest()


def test_a_step_without_one_says_which_there_are(checkpoints, tmp_path):
    with pytest.raises(CheckpointError, match="no checkpoint of step 15 in .*: it has 10, 20, 30"):
        checkpoints.load(15)
    with pytest.raises(CheckpointError, match="it has none at all"):
        Checkpoints(tmp_path / "absent").load(15)


def test_a_misnamed_one_is_refused(checkpoints):
    checkpoints.path(10).rename(checkpoints.path(60))
    with pytest.raises(CheckpointError, match="step-000060.safetensors is of step 10: rename it"):
        checkpoints.load(60)
    assert checkpoints.newest().step == 50


@pytest.mark.parametrize(
    ("now", "last", "best", "kept"),
    [
        (50, 3, None, [30, 40, 50]),
        (50, 1, None, [50]),
        (50, 9, None, [10, 20, 30, 40, 50]),
        (50, 2, 10, [10, 40, 50]),
        (50, 2, 40, [40, 50]),
        (30, 2, None, [20, 30]),  # what is later is of a future that is written anew
    ],
)
def test_the_last_ones_and_the_best_are_kept(checkpoints, now, last, best, kept):
    checkpoints.prune(now, last=last, best=best)
    assert checkpoints.steps() == kept
