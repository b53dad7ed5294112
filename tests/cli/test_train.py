import json
import signal

import numpy as np
import pytest
from PIL import Image
from threadpoolctl import threadpool_info

from minigan.cli import run
from minigan.train import loop, quality
from minigan.train.errors import RunError
from minigan.train.gan import GANTrainer
from minigan.train.run_folder import RunFolder

TINY = ("--batch-size=4", "--latent=3", "--width=2", "--save-every=2", "--log-every=1")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def trained(out, capsys):
    """A finished run of three steps, without figures."""
    assert run(["train", "--out", str(out), "--steps=3", "--eval-samples=0", *TINY]) == 0
    capsys.readouterr()
    return out / "00000-digits"


def saved(folder):
    """The step of a run's last good checkpoint."""
    return loop.saved_step(RunFolder(folder))


def fails(capsys, arguments, *, code=1):
    """Run a command that must fail, and return the one line it says."""
    assert run(list(map(str, arguments))) == code
    said = capsys.readouterr().err
    assert said.startswith("minigan: ")
    assert said.count("\n") == 1
    return said


# -- train ----------------------------------------------------------------------------------------


def test_train_ends_with_figures(out, capsys, monkeypatch):
    monkeypatch.setattr(quality, "_JUDGE_STEPS", 3)
    assert run(["train", "--out", str(out), "--steps=2", "--eval-samples=100", *TINY]) == 0
    said = capsys.readouterr().out
    for text in ("step 2/2", "Frechet distance", "reverse KL", "share of class 9", "accuracy"):
        assert text in said
    folder = out / "00000-digits"
    assert said.splitlines()[-1].startswith(f"done: {folder}")
    report = json.loads((folder / "quality.json").read_text())
    assert set(report) >= {"accuracy", "floor", "generator", "untrained"}
    command = (folder / "command.txt").read_text()
    assert command.startswith(f"minigan train --out {out} --steps=2")


def test_a_config_file_and_the_command_line(out, tmp_path, capsys):
    file = tmp_path / "mine.toml"
    file.write_text("steps = 7\nwidth = 3\nspectral_norm = true\n")
    assert run(["train", "--config", str(file), "--width=5", "--out", str(out), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "* steps = 7" in said
    assert "* width = 5" in said
    assert "* spectral_norm = true" in said
    assert "  latent = 32" in said
    assert "Conv2d(1, 5, 3, padding=1)" in said
    assert str(out / "00000-digits") in said
    assert not out.exists()


def test_ctrl_c_saves_and_says_how_to_go_on(out, capsys, monkeypatch):
    step = GANTrainer.step

    def interrupted(self):
        losses = step(self)
        if self.step_count == 3:
            signal.raise_signal(signal.SIGINT)
        return losses

    with monkeypatch.context() as patched:
        patched.setattr(GANTrainer, "step", interrupted)
        arguments = ["train", "--out", out, "--steps=5", "--eval-samples=0", *TINY]
        said = fails(capsys, arguments, code=130)
    folder = out / "00000-digits"
    assert f"stopped at step 3, saved; `minigan resume {folder}` goes on, draw with" in said
    assert f"`minigan resume {folder}` goes on" in said
    assert run(["sample", str(folder)]) == 0
    assert run(["resume", str(folder)]) == 0
    assert "steps 3 to 5" in capsys.readouterr().out
    assert saved(folder) == 5
    assert len((folder / "command.txt").read_text().splitlines()) == 2


def test_ctrl_c_while_measuring_keeps_the_training(out, capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("minigan.train.trainer.evaluate", interrupted)
    said = fails(capsys, ["train", "--out", out, "--steps=2", *TINY], code=130)
    assert "trained and saved, but not measured; `minigan evaluate" in said


def test_ctrl_c_anywhere_else_gives_one_line(trained, capsys, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("minigan.train.loop.load_generator", interrupted)
    assert run(["sample", str(trained)]) == 130
    assert capsys.readouterr().err.strip() == "minigan: interrupted"


def test_divergence_gives_one_line_and_keeps_the_checkpoint(out, capsys, monkeypatch):
    step = GANTrainer.step

    def spoiled(self):
        if self.step_count == 2:
            self.g.to_image[0].bias.assign_(np.nan)
        return step(self)

    monkeypatch.setattr(GANTrainer, "step", spoiled)
    said = fails(capsys, ["train", "--out", out, "--steps=5", *TINY])
    assert "loss_d is nan at step 3" in said
    assert "try a lower --lr" in said
    assert said.endswith("; the last checkpoint is of step 2\n")
    assert saved(out / "00000-digits") == 2


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--steps=0"], 1, "--steps is 0: must be from 1"),
        ([f"--steps={'9' * 400}"], 1, "--steps is a huge number: must be from 1"),
        (["--steps=many"], 2, "Invalid value for '--steps'"),
        (["--stepz=3"], 2, "No such option"),
        (["--lr=-1"], 1, "--lr is -1.0: must be above 0 and at most 1"),
        (["--data=digit"], 1, "digit: no such dataset: neither one of digits, stacked-digits, nor"),
        (["--data=digit"], 1, "; did you mean 'digits'?"),
        (["--size=12"], 1, "--size is 12: must be 0 or 8 or 16 or"),
        (["--config=absent.toml"], 1, "cannot read config absent.toml: No such file"),
        (["--set=stepz=3"], 1, "no option 'stepz'; did you mean 'steps'?"),
        (["--set=steps=3", "--steps=4"], 1, "steps is given twice"),
        (["diggits"], 1, "no recipe is called 'diggits': use one of"),
        (["--out=/dev/null/runs"], 1, "cannot write runs to /dev/null/runs: Not a directory"),
    ],
)
def test_a_bad_option_gives_one_line(capsys, arguments, code, message):
    assert message in fails(capsys, ["train", *arguments], code=code)


def test_a_missing_gpu_gives_one_line_and_no_folder(out, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cupy", None)
    assert "no GPU" in fails(capsys, ["train", "--device=cuda", "--out", out])
    assert not out.exists()


def test_out_of_memory_leaves_no_run(out, capsys, monkeypatch):
    def too_much(*_):
        raise MemoryError

    monkeypatch.setattr(GANTrainer, "step", too_much)
    said = fails(capsys, ["train", "--out", out, *TINY])
    assert "out of memory: use a smaller --width" in said
    assert list(out.iterdir()) == []


def test_out_of_memory_later_keeps_the_run(trained, out, capsys, monkeypatch):
    step = GANTrainer.step

    def too_much(self):
        if self.step_count == 2:
            raise MemoryError
        return step(self)

    monkeypatch.setattr(GANTrainer, "step", too_much)
    fails(capsys, ["train", "--out", out, *TINY])
    assert saved(out / "00001-digits") == 2


def test_a_run_in_use_is_left_alone(trained, capsys):
    before = {p: p.read_bytes() for p in trained.rglob("*") if p.is_file()}
    with RunFolder.open(trained).locked():
        for command in (["resume", trained], ["evaluate", trained]):
            assert f"{trained} is in use by another minigan" in fails(capsys, command)
        assert run(["sample", str(trained), "--out", str(trained.parent / "a.png")]) == 0
    assert {p: p.read_bytes() for p in trained.rglob("*") if p.is_file()} == before


def test_a_new_run_is_in_use_while_it_trains(out, capsys, monkeypatch):
    step, refused = GANTrainer.step, []

    def visited(self):
        with pytest.raises(RunError, match="in use"), RunFolder.open(out / "00000-digits").locked():
            pass
        refused.append(True)
        return step(self)

    monkeypatch.setattr(GANTrainer, "step", visited)
    assert run(["train", "--out", str(out), "--steps=2", "--eval-samples=0", *TINY]) == 0
    assert len(refused) == 2


def test_ctrl_c_in_the_last_step_skips_the_figures(out, capsys, monkeypatch):
    step = GANTrainer.step

    def interrupted(self):
        losses = step(self)
        if self.step_count == 2:
            signal.raise_signal(signal.SIGINT)
        return losses

    monkeypatch.setattr(GANTrainer, "step", interrupted)
    said = fails(capsys, ["train", "--out", out, "--steps=2", *TINY], code=130)
    assert "trained and saved, but not measured; `minigan evaluate" in said
    assert not (out / "00000-digits" / "quality.json").exists()


@pytest.mark.parametrize(
    ("step", "saved"), [(1, "there is no checkpoint"), (3, "the last checkpoint is of step 2")]
)
def test_a_second_ctrl_c_says_what_is_saved(out, capsys, monkeypatch, step, saved):
    play = GANTrainer.step

    def interrupted(self):
        if self.step_count == step:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        return play(self)

    monkeypatch.setattr(GANTrainer, "step", interrupted)
    said = fails(capsys, ["train", "--out", out, "--steps=5", *TINY], code=130)
    assert said == f"minigan: stopped at once at step {step}; {saved}\n"


def test_blas_has_the_threads_of_the_run(out, monkeypatch):
    step, seen = GANTrainer.step, set()

    def counted(self):
        seen.update(p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas")
        return step(self)

    monkeypatch.setattr(GANTrainer, "step", counted)
    for threads in (1, 2):
        seen.clear()
        command = ["train", "--out", str(out), "--steps=1", "--eval-samples=0", *TINY]
        assert run([*command, f"--threads={threads}"]) == 0
        if not seen:
            pytest.skip("NumPy uses a BLAS that threadpoolctl does not know")
        assert seen == {threads}


# -- sample ---------------------------------------------------------------------------------------


def test_a_seed_names_an_image(trained, tmp_path, capsys):
    grid, alone = tmp_path / "grid.png", tmp_path / "alone.png"
    assert run(["sample", str(trained), "--seeds=0-63", "--out", str(grid), "--scale=1"]) == 0
    assert run(["sample", str(trained), "--seeds=7", "--out", str(alone), "--scale=1"]) == 0
    assert "64 images of step 3" in capsys.readouterr().out
    with Image.open(grid) as many, Image.open(alone) as one:
        assert many.size == (73, 73)
        left = 1 + 7 * 9
        np.testing.assert_array_equal(
            np.asarray(many)[1:9, left : left + 8], np.asarray(one)[1:9, 1:9]
        )


def test_the_grid_lies_in_the_run_unless_named(trained):
    assert run(["sample", str(trained), "--seeds=1,2,5-6", "--columns=4", "--scale=1"]) == 0
    with Image.open(trained / "grid.png") as grid:
        assert grid.size == (4 * 9 + 1, 10)


def test_sample_says_what_is_wrong(trained, tmp_path, capsys):
    assert "--seeds has '5-3'" in fails(capsys, ["sample", trained, "--seeds=5-3"])
    assert "no run at" in fails(capsys, ["sample", tmp_path / "absent"])
    said = fails(capsys, ["sample", trained, "--out", tmp_path / "absent" / "a.png"])
    assert "is no folder; make it first" in said
    for bad in ("a.jpg", "", tmp_path):
        assert "must be a file that ends in .png" in fails(
            capsys, ["sample", trained, "--out", bad]
        )
    huge = ["sample", trained, "--seeds=0-999", "--scale=64"]
    assert "pixels is too large" in fails(capsys, huge)
    checkpoints = RunFolder(trained).checkpoints
    for step in checkpoints.steps():
        data = checkpoints.path(step).read_bytes()
        checkpoints.path(step).write_bytes(data[:100])
    said = fails(capsys, ["sample", trained])
    assert "cannot read checkpoint" in said
    assert "nor is any older one good" in said
    for step in checkpoints.steps():
        checkpoints.path(step).unlink()
    assert "no checkpoint in" in fails(capsys, ["sample", trained])


# -- evaluate -------------------------------------------------------------------------------------


def test_evaluate_writes_the_figures_again(trained, capsys, monkeypatch):
    monkeypatch.setattr(quality, "_JUDGE_STEPS", 3)
    reports = []
    for _ in range(2):
        assert run(["evaluate", str(trained), "--samples=100"]) == 0
        reports.append((trained / "quality.json").read_text())
    assert reports[0] == reports[1]
    assert json.loads(reports[0])["samples"] == 100
    assert "100 samples, judged by" in capsys.readouterr().out


def test_evaluate_needs_enough_samples(trained, capsys):
    assert "--samples is 5: must be at least 100" in fails(
        capsys, ["evaluate", trained, "--samples=5"]
    )


@pytest.mark.parametrize(("recipe", "smaller"), [("cyclegan", ["blocks=0"]), ("pix2pix", [])])
def test_a_translation_is_trained_measured_and_not_sampled(tmp_path, capsys, recipe, smaller):
    small = ["width=2", "batch_size=2", "layers=1", *smaller]
    settings = [f"--set={setting}" for setting in small]
    assert run(["train", recipe, "--steps=2", "--out", str(tmp_path), *settings]) == 0
    said = capsys.readouterr().out
    assert "best affine" in said
    assert "error, A to B" in said
    assert "labels kept" in said
    assert ("cycle error" in said) == ("error, B to A" in said) == (recipe == "cyclegan")
    folder = tmp_path / f"00000-{recipe}"
    assert f"done: {folder}; see {folder / 'samples' / 'latest.png'}" in said
    assert run(["evaluate", str(folder)]) == 0
    assert run(["report", str(folder)]) == 0
    capsys.readouterr()
    assert run(["sample", str(folder)]) == 1
    assert f"is of {recipe}, whose images are not drawn from seeds" in capsys.readouterr().err


def test_a_folder_of_two_domains_that_is_none_is_refused(tmp_path, capsys):
    command = ["train", "cyclegan", "--out", str(tmp_path / "runs"), "--set"]
    assert run([*command, f"data={tmp_path}"]) == 1
    assert "no folder trainA nor trainB" in capsys.readouterr().err
    assert run([*command, "data=photograph"]) == 1
    assert "did you mean 'photographs'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("data=photographs", "photographs: no such pair of domains with paired images: neither"),
        ("depth=5", "images of 16 pixels can be halved 4 times, not 5: give another --size or"),
        ("layers=4", "--layers is 4: images of 16 pixels are too small for that"),
        ("dropout=0.5", "no such U-Net: dropout is 0.5: give depth >= 6"),
    ],
)
def test_what_pairs_and_their_networks_cannot_be_is_one_line(out, capsys, setting, message):
    assert message in fails(capsys, ["train", "pix2pix", "--out", out, "--set", setting])
    assert not out.exists()


def test_a_style_run_is_sampled_with_truncation(out, tmp_path, capsys):
    assert run(["train", "style", "--out", str(out), "--steps=1", "--eval-samples=0", *TINY]) == 0
    folder, pictures = out / "00000-style", []
    for psi in ("1", "0.5", "0"):
        target = tmp_path / f"{psi}.png"
        sample = ["sample", str(folder), "--seeds=0-3", f"--psi={psi}", "--out", str(target)]
        assert run(sample) == 0
        pictures.append(np.asarray(Image.open(target)).astype(int))
    target = tmp_path / "plain.png"
    assert run(["sample", str(folder), "--seeds=0-3", "--out", str(target)]) == 0
    np.testing.assert_array_equal(np.asarray(Image.open(target)), pictures[0])
    away = [np.abs(picture - pictures[2]).mean() for picture in pictures]
    assert away[0] > away[1] > away[2] == 0
    capsys.readouterr()
    said = fails(capsys, ["sample", folder, "--psi=7"])
    assert "--psi is 7.0: must be from -2 to 2" in said


def test_truncation_is_for_style_alone(trained, capsys):
    assert "--psi is for runs of style, not of digits" in fails(
        capsys, ["sample", trained, "--psi=0.5"]
    )
