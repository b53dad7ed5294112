import io

import pytest
from rich.console import Console

from minigan.train import loop
from minigan.train.config import VAEConfig
from minigan.train.errors import RunError
from minigan.train.overview import summarize, survey
from minigan.train.records import append_record
from minigan.train.run_folder import RunFolder

pytestmark = pytest.mark.usefixtures("quick_curves")


@pytest.fixture
def train(tmp_path, config):
    """A function that trains a run up to some step."""

    def to(step, **options):
        folder = RunFolder.create(tmp_path, config.replace(save_every=1, **options))
        trainer = loop.make_trainer(folder.config())

        def hook(trainer, losses):
            if trainer.step_count == step:
                raise KeyboardInterrupt

        loop.run(trainer, folder, Console(file=io.StringIO()), hook=hook)
        return folder

    return to


def damage(folder, step):
    path = folder.checkpoints.path(step)
    path.write_bytes(path.read_bytes()[:-1])


def test_a_finished_run(train):
    folder = train(4)
    append_record(
        folder.metrics_file, {"kind": "quality", "step": 4, "generator": {"frechet": 6.4}}
    )
    found = summarize(folder.path)
    assert (found.state, found.recipe, found.step, found.steps) == ("done", "digits", 4, 4)
    assert found.figure == ("frechet", 6.4)
    assert list(found.losses) == ["loss_d", "r1", "loss_g"]
    assert found.losses["loss_d"] == loop.read_records(folder.metrics_file, "step")[-1]["loss_d"]
    assert found.written == folder.metrics_file.stat().st_mtime
    assert found.trouble == ""


def test_an_interrupted_run_and_one_without_a_checkpoint(train, tmp_path, config):
    found = summarize(train(2).path)
    assert (found.state, found.step, found.steps, found.figure) == ("interrupted", 2, 4, None)
    folder = RunFolder.create(tmp_path, config)
    found = summarize(folder.path)
    assert (found.state, found.step, found.losses) == ("interrupted", 0, {})
    assert found.written == folder.config_file.stat().st_mtime


def test_a_running_one_is_as_far_as_its_records(train):
    folder = train(2)
    append_record(folder.metrics_file, {"kind": "step", "step": 3, "loss_d": 1.0})
    damage(folder, 2)  # what a running run does with its checkpoints is its own affair
    with folder.locked():
        found = summarize(folder.path)
    assert (found.state, found.step, found.trouble) == ("running", 3, "")


def test_damage_is_seen_and_said(train):
    folder = train(3)
    damage(folder, 3)
    found = summarize(folder.path)
    assert (found.state, found.step) == ("damaged", 2)
    assert "step-000003.safetensors" in found.trouble
    assert found.trouble.endswith("using the last good one, of step 2")
    for step in (1, 2):
        damage(folder, step)
    found = summarize(folder.path)
    assert (found.state, found.step) == ("damaged", 0)
    assert "nor is any older one good" in found.trouble


@pytest.mark.parametrize(
    ("name", "trouble"),
    [("config.toml", "is not valid TOML"), ("metrics.jsonl", "line 1, is not a record of a run")],
)
def test_files_that_cannot_be_read_are_damage(train, name, trouble):
    folder = train(2)
    (folder.path / name).write_text("{\n")
    found = summarize(folder.path)
    assert (found.state, found.recipe) == ("damaged", "?")
    assert trouble in found.trouble


def test_all_runs_in_a_folder_and_nothing_else(train, tmp_path):
    train(2), RunFolder.create(tmp_path, VAEConfig())
    (tmp_path / "notes").mkdir()
    (tmp_path / "file").touch()
    found = survey(tmp_path)
    assert [s.path.name for s in found] == ["00000-digits", "00001-vae-digits"]
    assert [s.recipe for s in found] == ["digits", "vae-digits"]
    assert survey(tmp_path / "notes") == []
    with pytest.raises(RunError, match="no folder .*absent: give the one that"):
        survey(tmp_path / "absent")


def test_looking_changes_nothing(train, tmp_path):
    train(3)
    before = {p: (p.stat().st_mtime_ns, p.is_dir() or p.read_bytes()) for p in tmp_path.rglob("*")}
    survey(tmp_path)
    after = {p: (p.stat().st_mtime_ns, p.is_dir() or p.read_bytes()) for p in tmp_path.rglob("*")}
    assert after == before
