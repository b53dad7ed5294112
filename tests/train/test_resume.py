"""Going on with a run: 10 steps and 10 more are 20 steps, to the last bit, for every recipe."""

import io

import pytest
from rich.console import Console

from minigan.cli import run
from minigan.train import loop
from minigan.train.config import CONFIGS
from minigan.train.errors import CheckpointError, ConfigError
from minigan.train.records import read_records
from minigan.train.run_folder import RunFolder

# What of a recipe's options changes what its state consists of.
VARIANTS = [
    *[(recipe, {}) for recipe in CONFIGS],
    ("digits", {"spectral_norm": True}),
    ("vae-digits", {"likelihood": "bernoulli"}),
]
pytestmark = pytest.mark.usefixtures("quick_curves")

OFF_BEAT = {"log_every": 3, "save_every": 4, "preview_every": 5}


def command(*words):
    assert run([str(word) for word in words]) == 0


def run_of(root):
    (path,) = root.iterdir()
    return RunFolder.open(path)


@pytest.mark.parametrize(("recipe", "options"), VARIANTS, ids=str)
def test_ten_steps_and_ten_more_are_twenty(tmp_path, small, content, recipe, options):
    settings = small(CONFIGS[recipe], **OFF_BEAT, **options)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    command("train", recipe, "--out", whole, "--steps=20", *settings)
    command("train", recipe, "--out", parts, "--steps=10", *settings)
    command("resume", run_of(parts).path, "--steps=20")
    expected, got = content(run_of(whole)), content(run_of(parts))
    extra = {"step-000010.png"} - expected["samples"].keys()  # where the first part ended
    for name in extra:
        del got["samples"][name]
    assert got == expected
    assert max(r["step"] for r in got["records"]) == 20


def test_one_step_at_a_time_is_the_same(tmp_path, small, content):
    settings = small(CONFIGS["digits"], log_every=1, save_every=1, preview_every=1)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    command("train", "--out", whole, "--steps=5", *settings)
    command("train", "--out", parts, "--steps=1", *settings)
    for steps in range(2, 6):
        command("resume", run_of(parts).path, f"--steps={steps}")
    assert content(run_of(parts)) == content(run_of(whole))


# -- what is given when going on -------------------------------------------------------------------


@pytest.fixture
def stopped(tmp_path, config):
    """A run of six steps that has taken four, with a checkpoint at 2, 3 and 4."""
    folder = RunFolder.create(tmp_path, config.replace(steps=6))
    trainer = loop.make_trainer(folder.config())
    loop.begin(trainer, folder)
    quiet = Console(file=io.StringIO())

    def stop(trainer, losses):
        if trainer.step_count == 3:
            loop.save(trainer, folder)
        if trainer.step_count == 4:
            raise KeyboardInterrupt

    loop.run(trainer, folder, quiet, hook=stop)
    assert folder.checkpoints.steps() == [2, 3, 4]
    return folder


def resumed(folder, *, force=False, **options):
    """Resume with some options changed; return (trainer, what was told)."""
    told = []
    config = folder.config().replace(**options)
    return loop.resume(folder, config, force=force, tell=told.append), told


def damage(path):
    path.write_bytes(path.read_bytes()[:-1])


def test_nothing_is_told_where_all_is_well(stopped):
    trainer, told = resumed(stopped)
    assert (trainer.step_count, told) == (4, [])


def test_every_changed_option_is_listed(stopped):
    before = stopped.config_file.read_bytes()
    message = (
        "step-000004.safetensors was trained with other options: lr was 0.002 and is 0.25, "
        "seed was 0 and is 7, gamma was 0.5 and is 3.0; put that back, or go on .* with --force$"
    )
    with pytest.raises(ConfigError, match=message):
        resumed(stopped, lr=0.25, seed=7, gamma=3.0)
    assert stopped.config_file.read_bytes() == before


def test_force_makes_it_a_run_of_the_new_options(stopped):
    trainer, _ = resumed(stopped, lr=0.25, force=True)
    assert trainer.step_count == 4
    assert stopped.config().lr == 0.25
    again, told = resumed(stopped)  # asks for no force any more
    assert (again.step_count, again.config.lr, told) == (4, 0.25, [])
    damage(stopped.checkpoints.path(4))
    with pytest.raises(ConfigError, match="step-000003.safetensors was .*lr was 0.002 and is 0.25"):
        resumed(stopped)


def test_force_does_not_make_weights_fit(stopped):
    with pytest.raises(CheckpointError, match="does not fit its config.toml"):
        resumed(stopped, width=3, force=True)
    assert stopped.config().width == 2


def test_what_does_not_decide_a_step_may_change(stopped):
    _, told = resumed(stopped, log_every=7, keep_last=1, threads=2)
    assert told == []
    assert (stopped.config().log_every, stopped.config().keep_last) == (7, 1)


def test_more_steps_and_fewer(stopped):
    resumed(stopped, steps=9)
    assert stopped.config().steps == 9
    resumed(stopped, steps=4)
    assert stopped.config().steps == 4
    with pytest.raises(ConfigError, match="--steps is 3: .* is at step 4"):
        resumed(stopped, steps=3)


def test_a_stretched_schedule_is_told_of_where_it_makes_a_difference(tmp_path, config):
    short = config.replace(schedule_steps=4, lr_decay_from=0.5)
    for share, lines in ((0.5, 1), (1.0, 0)):
        folder = RunFolder.create(tmp_path, short.replace(lr_decay_from=share))
        trainer = loop.make_trainer(folder.config())
        loop.run(trainer, folder, Console(file=io.StringIO()))
        trainer, told = resumed(folder, steps=40)
        assert len(told) == lines
        assert trainer.config.schedule_steps == 40
        assert folder.checkpoints.newest().notes["config"]["schedule_steps"] == 40
        assert resumed(folder)[1] == []  # once is enough
    folder = RunFolder.create(tmp_path, short)
    loop.run(loop.make_trainer(short), folder, Console(file=io.StringIO()))
    _, (said,) = resumed(folder, steps=40)
    assert said == (
        "the learning rate has been falling since step 2, to be 0 at 4; "
        "it now follows the schedule of 40 steps"
    )


# -- what is found when going on -------------------------------------------------------------------


def test_a_damaged_checkpoint_is_passed_over_and_told_of(stopped, content, tmp_path):
    damage(stopped.checkpoints.path(4))
    trainer, (said,) = resumed(stopped)
    assert trainer.step_count == 3
    assert "step-000004.safetensors" in said
    assert said.endswith("using the last good one, of step 3")
    assert [r["step"] for r in read_records(stopped.metrics_file)] == [1, 2, 3]
    loop.run(trainer, stopped, Console(file=io.StringIO()))
    (stopped.samples / "step-000004.png").unlink(missing_ok=True)
    whole = RunFolder.create(tmp_path, stopped.config())
    fresh = loop.make_trainer(stopped.config())
    loop.begin(fresh, whole)
    loop.run(fresh, whole, Console(file=io.StringIO()))
    (whole.samples / "step-000004.png").unlink()
    assert content(stopped) == content(whole)


def test_a_damaged_one_does_not_outlive_the_next_save(stopped):
    stopped.checkpoints.path(4).rename(stopped.checkpoints.path(5))  # misnamed
    trainer, told = resumed(stopped)
    assert (trainer.step_count, len(told)) == (3, 1)
    loop.save(trainer, stopped)
    assert stopped.checkpoints.steps() == [2, 3]
    assert resumed(stopped)[1] == []


def test_a_run_killed_before_its_first_checkpoint_begins_anew(tmp_path, config, content):
    whole = RunFolder.create(tmp_path, config)
    fresh = loop.make_trainer(config)
    loop.begin(fresh, whole)
    loop.run(fresh, whole, Console(file=io.StringIO()))

    folder = RunFolder.create(tmp_path, config)
    loop.append_record(folder.metrics_file, {"kind": "step", "step": 1, "loss_d": 1.0})
    with pytest.raises(
        ConfigError, match=f"^{folder.path} was trained .*: seed was 0 and is 1; put"
    ):
        resumed(folder, seed=1)
    trainer, (said,) = resumed(folder)
    assert said == f"{folder.path} has no checkpoint yet: it begins anew"
    assert read_records(folder.metrics_file) == []
    loop.run(trainer, folder, Console(file=io.StringIO()))
    assert content(folder) == content(whole)


def test_what_a_killed_process_left_half_written_is_removed(stopped):
    part = stopped.checkpoints.folder / ".step-000005.safetensors.abc.part"
    part.touch()
    resumed(stopped)
    assert not part.exists()


def test_a_run_of_which_no_checkpoint_is_good_is_not_begun_anew(stopped):
    for step in stopped.checkpoints.steps():
        damage(stopped.checkpoints.path(step))
    with pytest.raises(CheckpointError, match="nor is any older one good"):
        resumed(stopped)
    assert stopped.checkpoints.steps() == [2, 3, 4]
    assert len(read_records(stopped.metrics_file)) == 4
