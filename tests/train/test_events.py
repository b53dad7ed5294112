"""Event files for TensorBoard, read back record by record as its format says."""

import io
import struct
import sys

import pytest
from rich.console import Console

from minigan.cli import run
from minigan.train import loop
from minigan.train.config import GANConfig
from minigan.train.errors import ConfigError
from minigan.train.events import _numbers, check_writer, event_files
from minigan.train.records import read_records
from minigan.train.run_folder import RunFolder

pytestmark = pytest.mark.usefixtures("quick_curves")


def events(folder):
    """The events of a folder, file by file: length, its checksum, the message, its checksum."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    found = []
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            found.append(event_pb2.Event.FromString(data[12 : 12 + length]))
            data = data[16 + length :]
    return found


def numbers(folder):
    """{(tag, step): value} of what TensorBoard shows: a restart voids what came at its step on."""
    shown = {}
    for event in events(folder):
        if event.HasField("session_log"):
            shown = {(tag, step): v for (tag, step), v in shown.items() if step < event.step}
        for value in event.summary.value:
            shown[value.tag, event.step] = value.simple_value
    return shown


def play(folder, trainer, stop=None):
    def hook(trainer, losses):
        if trainer.step_count == stop:
            raise MemoryError  # as if killed: nothing is saved

    loop.run(trainer, folder, Console(file=io.StringIO()), hook=hook)


def test_a_run_that_does_not_ask_has_none(tmp_path, config):
    folder = RunFolder.create(tmp_path, config)
    with event_files(folder.events, config, 0) as note:
        note({"kind": "step", "step": 1, "loss_d": 1.0})
    assert not folder.events.exists()
    check_writer(config)


def test_the_numbers_in_a_record_have_names():
    record = {
        "kind": "quality",
        "step": 3,
        "samples": 7,
        "generator": {"frechet": 6.5, "shares": []},
    }
    named = {"quality/samples": 7.0, "quality/generator/frechet": 6.5}
    assert dict(_numbers("quality", record)) == named


def test_a_missing_library_gives_one_line_and_no_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ConfigError, match="--tensorboard needs tensorboardX: pip install"):
        check_writer(GANConfig(tensorboard=True))
    assert run(["train", "--out", str(tmp_path / "runs"), "--set", "tensorboard=true"]) == 1
    said = capsys.readouterr().err
    assert said == "minigan: --tensorboard needs tensorboardX: pip install tensorboardX\n"
    assert not (tmp_path / "runs").exists()


def test_the_events_are_the_records(tmp_path, config):
    pytest.importorskip("tensorboardX")
    folder = RunFolder.create(tmp_path, config.replace(tensorboard=True))
    play(folder, loop.make_trainer(folder.config()))
    shown = numbers(folder.events)
    records = read_records(folder.metrics_file)
    expected = {
        (f"step/{name}", r["step"]): pytest.approx(value, rel=1e-6)
        for r in records
        for name, value in r.items()
        if name not in ("kind", "step")
    }
    assert shown == expected


def test_a_resumed_run_voids_what_came_after_its_checkpoint(tmp_path, config):
    pytest.importorskip("tensorboardX")
    folder = RunFolder.create(tmp_path, config.replace(tensorboard=True))
    with pytest.raises(MemoryError):
        play(folder, loop.make_trainer(folder.config()), stop=3)
    assert max(step for _, step in numbers(folder.events)) == 3
    trainer = loop.resume(folder, folder.config())
    assert trainer.step_count == 2
    play(folder, trainer)
    restarts = [e.step for e in events(folder.events) if e.HasField("session_log")]
    assert restarts == [1, 3]
    steps = [step for tag, step in numbers(folder.events) if tag == "step/loss_d"]
    assert steps == [1, 2, 3, 4]
