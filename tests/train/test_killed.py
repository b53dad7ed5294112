"""A run that is killed at any instant, in the middle of writing too, goes on as if it had not been.

`MINIGAN_KILLS` says how many kills at random moments there are, by default 25.
"""

import os
import random
import shutil
import signal
import subprocess
import sys

import pytest

from minigan.cli import run
from minigan.train.run_folder import RunFolder
from tests.train import lives

KILLS = int(os.environ.get("MINIGAN_KILLS", "25"))

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="kills by SIGKILL and looks into /proc"
)


def settings(**options):
    small = {"batch_size": 4, "latent": 3, "width": 2, "log_every": 1, "save_every": 1}
    chosen = {**small, "keep_last": 1, "preview_every": 3, "eval_samples": 0, **options}
    return [f"--set={name}={value}" for name, value in chosen.items()]


def undisturbed(root, *options):
    assert run(["train", "--out", str(root), *options]) == 0
    return RunFolder.open(root / "00000-digits")


def parts(folder):
    """The temporary files in a run."""
    return list(folder.path.rglob(".*.part"))


# -- at chosen moments -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return undisturbed(tmp_path_factory.mktemp("whole"), "--steps=5", *settings())


@pytest.mark.parametrize("moment", lives.MOMENTS)
def test_a_kill_in_the_middle_of_writing_leaves_a_run_that_goes_on(
    tmp_path, whole, content, moment
):
    command = ["train", "--out", str(tmp_path), "--steps=5", *settings()]
    assert lives.ended(lives.start(lives.live_until, command, moment)) == -signal.SIGKILL
    folder = RunFolder.open(tmp_path / "00000-digits")
    found = folder.checkpoints.newest()
    assert not found.passed_over
    assert found.step in (2, 3)
    assert bool(parts(folder)) == (
        moment in ("half a checkpoint", "half a picture", "before the move")
    )
    assert run(["resume", str(folder.path)]) == 0
    assert content(folder) == content(whole)
    assert folder.checkpoints.steps() == [5]
    assert parts(folder) == []


# -- at random moments -----------------------------------------------------------------------------


def test_kills_at_random_moments_change_nothing(tmp_path, content):
    """One training after another, each killed again and again until it is done.

    Half of the time on a slow disk, where most kills meet a file half written.
    """
    options = ("--steps=90", *settings(width=16, preview_every=20))
    expected = content(undisturbed(tmp_path / "whole", *options))
    moments, kills = random.Random(0), 0
    while kills < KILLS:
        folder, code = RunFolder(tmp_path / f"killed-{kills}" / "00000-digits"), None
        while code != 0:
            longest = 1.0 if kills < KILLS else 60.0  # enough is enough: let it end
            code = life(folder, options, moments.uniform(0.0, longest), moments.random() < 0.5)
            kills += code == -signal.SIGKILL
            for step in folder.checkpoints.steps():  # whatever happened, none is damaged
                folder.checkpoints.load(step)
        assert content(folder) == expected
        assert not parts(folder)


def life(folder, options, seconds, slowly):
    """Train or go on for some seconds; return 0 if the run is done, or else what ended it."""
    command = ["train", "--out", str(folder.path.parent), *options]
    if folder.config_file.exists():
        command = ["resume", str(folder.path)]
    else:  # killed before it was a run: there is nothing to lose
        shutil.rmtree(folder.path, ignore_errors=True)
    work = (lives.live_slowly, command, 0.03) if slowly else (lives.live, command)
    process = lives.start(*work)
    process.join(seconds)
    process.kill()
    code = lives.ended(process)
    assert code in (0, -signal.SIGKILL)
    return code


def test_a_process_of_the_command_line_is_killed_and_goes_on(tmp_path, whole, content):
    """The same as a user's: Python started anew, and nothing patched."""
    command = [sys.executable, "-m", "minigan", "train", "--out", str(tmp_path), "--steps=5"]
    folder = RunFolder(tmp_path / "00000-digits")
    with subprocess.Popen([*command, *settings()], stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line.startswith("step 3/5"):
                process.kill()
    assert process.returncode == -signal.SIGKILL
    assert run(["resume", str(folder.path)]) == 0
    assert content(folder) == content(whole)
