import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from minigan import nn
from minigan.train import files
from minigan.train.checkpoint import (
    FORMAT,
    checksum,
    fitting,
    group,
    load_checkpoint,
    load_part,
    nest,
    save_checkpoint,
    shape_of,
    step_of,
)
from minigan.train.errors import CheckpointError

ARRAYS = {
    "g/weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "g/count": np.array(7),
    "empty": np.zeros((0, 2), np.float64),
}


def test_arrays_and_notes_come_back_bit_for_bit(tmp_path):
    path = save_checkpoint(tmp_path / "c.safetensors", ARRAYS, {"step": 3, "state": {"a": 2**100}})
    arrays, notes = load_checkpoint(path)
    assert notes == {"step": 3, "state": {"a": 2**100}}
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)


def test_memory_order_does_not_matter(tmp_path):
    array = np.arange(24.0).reshape(2, 3, 4).transpose(2, 0, 1)[::2]
    arrays, _ = load_checkpoint(save_checkpoint(tmp_path / "c", {"a": array}, {}))
    np.testing.assert_array_equal(arrays["a"], array)


def test_the_same_content_gives_the_same_bytes(tmp_path):
    a = save_checkpoint(tmp_path / "a", ARRAYS, {"x": 1, "y": 2}).read_bytes()
    b = save_checkpoint(tmp_path / "b", ARRAYS, {"y": 2, "x": 1}).read_bytes()
    assert a == b


def test_a_failed_write_keeps_the_former_checkpoint(tmp_path, monkeypatch):
    path = save_checkpoint(tmp_path / "c", ARRAYS, {"step": 1})

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(files.os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        save_checkpoint(path, ARRAYS, {"step": 2})
    assert load_checkpoint(path)[1] == {"step": 1}


@pytest.mark.parametrize("damage", ["truncate", "garbage", "empty", "flip"])
def test_damage_gives_one_line(tmp_path, damage):
    path = save_checkpoint(tmp_path / "c", ARRAYS, {})
    data = path.read_bytes()
    broken = {
        "truncate": data[:-8],
        "garbage": b"not a checkpoint at all",
        "empty": b"",
        "flip": b"\xff" * 8 + data[8:],
    }
    path.write_bytes(broken[damage])
    with pytest.raises(CheckpointError, match="cannot read checkpoint") as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)


def test_a_change_of_any_byte_is_noticed_or_changes_nothing(tmp_path):
    """Every byte in turn: what is then read is refused, or (blanks, key order) is the same."""
    arrays = {"g/w": np.arange(3, dtype=np.float32), "n": np.array(7)}
    path = save_checkpoint(tmp_path / "c", arrays, {"step": 3})
    data, noticed = path.read_bytes(), 0
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :])
        try:
            loaded, notes = load_checkpoint(path)
        except CheckpointError:
            noticed += 1
            continue
        assert notes == {"step": 3}
        assert loaded.keys() == arrays.keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(loaded[name], array)
    assert noticed >= len(data) - 8  # the padding of the header


def test_the_checksum_covers_names_types_shapes_values_and_notes():
    a = np.arange(4, dtype=np.float32)
    others = [
        ({"a": a}, {"step": 2}),
        ({"b": a}, {"step": 1}),
        ({"a": a.view(np.int32)}, {"step": 1}),
        ({"a": a.reshape(2, 2)}, {"step": 1}),
        ({"a": -a}, {"step": 1}),
        ({"a": a, "b": a}, {"step": 1}),
        ({}, {"step": 1}),
    ]
    sums = {checksum(arrays, notes) for arrays, notes in [({"a": a}, {"step": 1}), *others]}
    assert len(sums) == 8
    assert checksum({"a": a, "b": a}, {}) == checksum({"b": a, "a": a}, {})


def test_a_flipped_bit_says_so(tmp_path):
    path = save_checkpoint(tmp_path / "c", ARRAYS, {})
    data = path.read_bytes()
    path.write_bytes(data[:-5] + bytes([data[-5] ^ 1]) + data[-4:])
    message = "c is damaged: its content does not match its checksum$"
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(path)


def test_a_missing_file_and_a_foreign_one_give_one_line(tmp_path):
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        load_checkpoint(tmp_path / "absent")
    save_file({"a": np.zeros(2)}, tmp_path / "foreign")
    with pytest.raises(CheckpointError, match=f"its metadata has no '{FORMAT}'"):
        load_checkpoint(tmp_path / "foreign")
    save_file({"a": np.zeros(2)}, tmp_path / "foreign", {FORMAT: "{}"})
    with pytest.raises(CheckpointError, match=f"its metadata has no '{FORMAT}'"):
        load_checkpoint(tmp_path / "foreign")
    save_file({"a": np.zeros(2)}, tmp_path / "foreign", {FORMAT: "{"})
    with pytest.raises(CheckpointError, match="cannot read checkpoint"):
        load_checkpoint(tmp_path / "foreign")


def test_groups_are_flattened_and_found_again():
    flat = nest({"g": {"a.b": 1}, "ga": {"c": 2}})
    assert flat == {"g/a.b": 1, "ga/c": 2}
    assert group(flat, "g") == {"a.b": 1}


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(tmp_path, value):
    path = save_checkpoint(tmp_path / "c", {"g/w": np.array([0.0, value])}, {})
    with pytest.raises(CheckpointError, match="c is damaged: g/w has values that are not finite"):
        load_checkpoint(path)


@pytest.mark.parametrize("dtype", ["BF16", "F8_E5M2"])
def test_types_that_numpy_has_not_give_one_line(tmp_path, dtype):
    size = 4 if dtype == "BF16" else 2
    header = json.dumps({"w": {"dtype": dtype, "shape": [2], "data_offsets": [0, size]}}).encode()
    path = tmp_path / "c"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(size))
    with pytest.raises(CheckpointError, match="cannot read checkpoint|no minigan checkpoint"):
        load_checkpoint(path)


@pytest.mark.parametrize("notes", ["{nope", "[1]", "3", "[" * 100_000])
def test_notes_that_are_no_notes_give_one_line(tmp_path, notes):
    save_file({"a": np.zeros(2)}, tmp_path / "c", {FORMAT: notes})
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(tmp_path / "c")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("step", [None, "abc", "3", 1.5, True, float("inf"), -5, 11])
def test_a_step_is_a_number_within_the_run(step):
    assert step_of({"step": 10}, steps=10) == 10
    with pytest.raises(ValueError, match="its step is .*, not one from 0 to 10"):
        step_of({"step": step}, steps=10)


def test_integers_in_the_place_of_floats_are_refused():
    part = nn.Linear(2, 1)
    state = {**part.state_dict(), "bias": np.zeros(1, np.int32)}
    with pytest.raises(ValueError, match="bias is int32, must be float32"):
        load_part(part, state)


def test_a_long_list_of_faults_is_cut_short():
    faults = ", ".join(f"layer{i}.weight" for i in range(100))
    refused = pytest.raises(CheckpointError, match="run.*does not fit.*and more$")
    with refused as caught, fitting("run/checkpoint"):
        raise ValueError(faults)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"channels": 0, "size": 8}, "its channels is 0, not a number from 1 to 4096"),
        ({"channels": 1, "size": 10**9}, "its size is 1000000000, not"),
        ({"channels": True, "size": 8}, "its channels is True, not"),
        ([1, 8], r"its shape is \[1, 8\], not"),
    ],
)
def test_a_shape_that_is_none_of_images_is_refused(shape, message):
    with pytest.raises(ValueError, match=message):
        shape_of({"shape": shape})


def test_a_shape_may_be_missing_or_that_of_points():
    assert shape_of({}) is None
    assert shape_of({"shape": {}}) == {}
    assert shape_of({"shape": {"channels": 3, "size": 64}}) == {"channels": 3, "size": 64}
