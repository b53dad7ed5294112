import re

import pytest

from minigan.cli import run
from minigan.train import loop
from minigan.train.run_folder import RunFolder

TINY = ("--batch-size=4", "--latent=3", "--width=2", "--save-every=2", "--eval-samples=0")


@pytest.fixture
def trained(tmp_path, capsys):
    """A finished run of three steps, without figures."""
    assert run(["train", "--out", str(tmp_path), "--steps=3", *TINY]) == 0
    capsys.readouterr()
    return RunFolder.open(tmp_path / "00000-digits")


def fails(capsys, arguments, *, code=1):
    """Run a command that must fail, and return the one line it says."""
    assert run(list(map(str, arguments))) == code
    said = capsys.readouterr().err
    assert said.startswith("minigan: ")
    assert said.count("\n") == 1
    return said


def test_a_run_goes_on_to_a_number_of_steps_in_all(trained, capsys):
    assert run(["resume", str(trained.path), "--steps=5", "--set", "log_every=1"]) == 0
    said = capsys.readouterr().out
    assert f"{trained.path}: steps 3 to 5" in said
    assert loop.saved_step(trained) == 5
    assert (trained.config().steps, trained.config().log_every) == (5, 1)
    commands = (trained.path / "command.txt").read_text().splitlines()
    assert commands[1] == f"minigan resume {trained.path} --steps=5 --set log_every=1"


def test_a_finished_run_has_nothing_to_do(trained, capsys):
    before = trained.checkpoints.path(3).read_bytes()
    assert run(["resume", str(trained.path)]) == 0
    assert "steps 3 to 3" in capsys.readouterr().out
    assert trained.checkpoints.path(3).read_bytes() == before


def test_changed_options_are_listed_and_need_force(trained, capsys):
    command = [
        "resume",
        trained.path,
        "--steps=4",
        "--set=lr=0.01",
        "--set=gamma=2",
        "--set=width=2",
    ]
    said = fails(capsys, command)
    assert "lr was 0.002 and is 0.01, gamma was 0.5 and is 2.0; put that back, or go on" in said
    assert "width" not in said
    assert trained.config().lr == 0.002
    assert len((trained.path / "command.txt").read_text().splitlines()) == 1
    assert run([*map(str, command), "--force"]) == 0
    assert loop.saved_step(trained) == 4
    assert (trained.config().lr, trained.config().gamma) == (0.01, 2.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--steps=2"], "--steps is 2: .* is at step 3"),
        (["--steps=0"], "--steps is 0: must be from 1"),
        (["--set=stepz=4"], "no option 'stepz'; did you mean 'steps'"),
        (["--set=lr=fast"], "--lr is 'fast': must be a number"),
        (["--set=steps=4", "--steps=4"], "steps is given twice"),
        (["--set=likelihood=gaussian"], "no option 'likelihood'"),
    ],
)
def test_a_bad_option_gives_one_line(trained, capsys, arguments, message):
    said = fails(capsys, ["resume", trained.path, *arguments])
    assert re.search(message, said)


def test_what_is_no_run_gives_one_line(tmp_path, capsys):
    assert "no run at" in fails(capsys, ["resume", tmp_path / "absent"])
    assert "is not a run" in fails(capsys, ["resume", tmp_path])


def test_a_config_that_was_changed_by_hand_is_noticed(trained, capsys):
    file = trained.config_file
    file.write_text(file.read_text().replace("seed = 0", "seed = 5"))
    assert "seed was 0 and is 5; put that back" in fails(capsys, ["resume", trained.path])


def test_a_damaged_checkpoint_is_said_to_be_passed_over(trained, capsys):
    path = trained.checkpoints.path(3)
    path.write_bytes(path.read_bytes()[:-1])
    assert run(["sample", str(trained.path), "--seeds=0-3", "--scale=1"]) == 0
    passed_over, drawn = capsys.readouterr().out.splitlines()
    assert passed_over.startswith(f"cannot read checkpoint {path}")
    assert passed_over.endswith("using the last good one, of step 2")
    assert drawn.endswith("4 images of step 2")
    assert run(["resume", str(trained.path)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == [passed_over, f"{trained.path}: steps 2 to 3"]
    assert loop.saved_step(trained) == 3


def test_a_missing_gpu_gives_one_line_and_changes_nothing(trained, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cupy", None)
    assert "no GPU" in fails(capsys, ["resume", trained.path, "--set=device=cuda"])
    assert trained.config().device == "cpu"
