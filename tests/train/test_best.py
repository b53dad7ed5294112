"""Figures on the way, and the checkpoint that they say is the best."""

import io

import pytest
from rich.console import Console

from minigan.cli import run
from minigan.train import loop
from minigan.train.errors import CheckpointError, ConfigError
from minigan.train.gan import GANTrainer
from minigan.train.records import append_record, read_records
from minigan.train.run_folder import RunFolder

pytestmark = pytest.mark.usefixtures("quick_curves")


class Distance:
    """A report with nothing but a Frechet distance."""

    def __init__(self, distance):
        self.distance = distance

    def as_dict(self):
        return {"generator": {"frechet": self.distance}}


@pytest.fixture
def measured(monkeypatch):
    """A function that lets the figures be these numbers, in turn; None is an infinite one."""

    def let(*distances):
        waiting = iter(distances)
        monkeypatch.setattr(GANTrainer, "measure", lambda *_: Distance(next(waiting)))

    return let


@pytest.fixture
def often(config):
    return config.replace(
        steps=6, eval_every=1, eval_samples=100, keep_last=2, save_every=100, preview_every=0
    )


def train(root, config, stop=None):
    folder, trainer = RunFolder.create(root, config), loop.make_trainer(config)

    def hook(trainer, losses):
        if trainer.step_count == stop:
            raise KeyboardInterrupt

    loop.run(trainer, folder, Console(file=io.StringIO()), hook=hook)
    return folder, trainer


def test_the_best_one_is_kept_beside_the_last(tmp_path, often, measured):
    measured(5.0, 2.0, 3.0, 4.0, 9.0)
    folder, trainer = train(tmp_path, often)
    assert folder.checkpoints.steps() == [2, 5, 6]
    assert loop.best_step(folder, GANTrainer) == 2
    measured(1.0)
    loop.measure_end(trainer, folder)
    assert folder.checkpoints.steps() == [5, 6]
    assert loop.best_step(folder, GANTrainer) == 6


def test_of_equally_good_ones_the_last_is_best_and_the_infinite_is_none(tmp_path, often, measured):
    measured(None, 3.0, 3.0, 4.0, None)
    folder, _ = train(tmp_path, often.replace(keep_last=9))
    assert loop.best_step(folder, GANTrainer) == 3


def test_figures_come_with_a_checkpoint_and_before_it(tmp_path, often, measured, monkeypatch):
    done = []
    save, write = loop.save, loop.write_figures
    monkeypatch.setattr(
        loop, "save", lambda t, f: (done.append(("save", t.step_count)), save(t, f))
    )
    monkeypatch.setattr(
        loop, "write_figures", lambda *a, **k: (done.append(("figures", a[3])), write(*a, **k))
    )
    measured(*[1.0] * 9)
    train(tmp_path, often.replace(steps=4, eval_every=2))
    assert done == [("figures", 2), ("save", 2), ("save", 4)]


def test_no_figures_no_measuring(tmp_path, often, measured):
    measured()
    folder, _ = train(tmp_path, often.replace(eval_samples=0))
    assert read_records(folder.metrics_file, "quality") == []
    assert loop.best_step(folder, GANTrainer) is None
    with pytest.raises(ConfigError, match="has no figures of a checkpoint, so none is best"):
        loop.load_generator(folder, at="best")


def test_a_resumed_run_catches_up_and_knows_its_best(tmp_path, often, measured, content):
    measured(5.0, 2.0, 3.0, 4.0, 9.0)
    whole, _ = train(tmp_path, often)
    measured(5.0, 2.0)
    folder, _ = train(tmp_path, often, stop=3)
    measured(3.0, 4.0, 9.0)
    trainer = loop.resume(folder, folder.config())
    assert trainer.step_count == 3
    loop.run(trainer, folder, Console(file=io.StringIO()))
    assert folder.checkpoints.steps() == whole.checkpoints.steps() == [2, 5, 6]
    assert content(folder) == content(whole)


def test_samples_may_be_of_the_best_the_last_or_any_step(tmp_path, often, measured, capsys):
    measured(5.0, 2.0, 3.0, 4.0, 9.0)
    folder, _ = train(tmp_path, often)
    for at, step in (("last", 6), ("best", 2), ("5", 5)):
        assert loop.load_generator(folder, at=at)[2] == step
        command = ["sample", str(folder.path), "--seeds=0-3", "--scale=1", f"--at={at}"]
        assert run(command) == 0
        assert f"4 images of step {step}" in capsys.readouterr().out
    with pytest.raises(CheckpointError, match="no checkpoint of step 4 in .*: it has 2, 5, 6"):
        loop.load_generator(folder, at="4")
    with pytest.raises(ConfigError, match="--at is 'first': must be last, best or a step"):
        loop.load_generator(folder, at="first")


def test_figures_of_steps_without_a_checkpoint_do_not_count(tmp_path, often, measured):
    measured(5.0, 2.0, 3.0, 4.0, 9.0)
    folder, _ = train(tmp_path, often)
    lost = {"kind": "quality", "step": 4, "generator": {"frechet": 0.5}}
    append_record(folder.metrics_file, lost)
    assert loop.best_step(folder, GANTrainer) == 2
