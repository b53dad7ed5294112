import io
import json

import numpy as np
import pytest
from rich.console import Console

from minigan.cli import run
from minigan.models.vae import LIKELIHOODS
from minigan.testing.cupy_double import cupy_double
from minigan.train import loop, quality
from minigan.train.config import GANConfig, VAEConfig
from minigan.train.errors import CheckpointError, ConfigError, Diverged
from minigan.train.recipes import build_generator, build_networks
from minigan.train.records import read_records
from minigan.train.run_folder import RunFolder
from minigan.train.vae import VAETrainer

TINY = {"steps": 4, "batch_size": 4, "latent": 3, "width": 2, "log_every": 1, "eval_samples": 0}


@pytest.fixture
def config():
    return VAEConfig(**TINY)


def play(trainer, steps):
    return [trainer.step() for _ in range(steps)]


def assert_same_state(a, b):
    (arrays_a, notes_a), (arrays_b, notes_b) = a.state(), b.state()
    assert notes_a == notes_b
    assert arrays_a.keys() == arrays_b.keys()
    for name, array in arrays_a.items():
        np.testing.assert_array_equal(array, arrays_b[name], err_msg=name)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_the_loss_is_the_weighted_sum_of_its_parts(config, likelihood):
    losses = VAETrainer(config.replace(kl_weight=0.5, likelihood=likelihood)).step()
    assert list(losses) == ["loss", "reconstruction", "kl"]
    assert losses["loss"] == pytest.approx(losses["reconstruction"] + 0.5 * losses["kl"], rel=1e-5)
    assert losses["kl"] > 0


def test_every_weight_moves(config):
    trainer = VAETrainer(config)
    before = [p.numpy().copy() for p in trainer.vae.parameters()]
    trainer.step()
    after = [p.numpy() for p in trainer.vae.parameters()]
    assert not any(map(np.array_equal, before, after))


def test_the_same_seed_trains_the_same_vae_bit_for_bit(config):
    a, b = VAETrainer(config), VAETrainer(config)
    assert play(a, 3) == play(b, 3)
    assert_same_state(a, b)
    assert play(VAETrainer(config.replace(seed=1)), 1) != play(VAETrainer(config), 1)


def test_two_and_two_steps_are_four_bit_for_bit(config):
    whole, first, second = (VAETrainer(config) for _ in range(3))
    expected = play(whole, 4)
    assert play(first, 2) == expected[:2]
    second.load_state(*first.state())
    assert play(second, 2) == expected[2:]
    assert_same_state(whole, second)


def test_training_raises_the_bound(config):
    losses = play(VAETrainer(config.replace(steps=60, batch_size=32, width=4)), 60)
    first, last = (np.mean([r["loss"] for r in part]) for part in (losses[:5], losses[-5:]))
    assert last < first - 10


def test_a_gpu_sees_the_same_noise(config):
    on_cpu = play(VAETrainer(config), 2)
    with cupy_double():
        on_gpu = play(VAETrainer(config.replace(device="cuda")), 2)
    for a, b in zip(on_cpu, on_gpu, strict=True):
        assert a == pytest.approx(b, rel=1e-4)


def test_a_loss_that_is_not_finite_is_named(config):
    trainer = VAETrainer(config)
    bias = trainer.vae.encoder[-1].bias
    bias.assign_(np.full(bias.shape, np.nan, np.float32))
    with pytest.raises(Diverged, match="loss is nan at step 1: try a lower --lr"):
        trainer.step()


def test_its_generator_is_the_gans_network(config):
    gan = build_networks(GANConfig(**TINY))[0]
    vae = build_generator(config)
    assert type(gan) is type(vae)
    shapes = {name: array.shape for name, array in vae.state_dict().items()}
    assert shapes == {name: array.shape for name, array in gan.state_dict().items()}


def test_a_run_leaves_the_files_of_a_gans(tmp_path, config):
    folder, trainer = RunFolder.create(tmp_path, config), loop.make_trainer(config)
    assert folder.path.name == "00000-vae-digits"
    loop.begin(trainer, folder)
    out = io.StringIO()
    assert loop.run(trainer, folder, Console(file=out, width=200))
    assert "loss " in out.getvalue()
    assert "rec " in out.getvalue()
    assert (folder.losses_picture).is_file()
    assert [r["step"] for r in read_records(folder.metrics_file)] == [1, 2, 3, 4]
    again = loop.resume(folder, folder.config())
    assert_same_state(again, trainer)
    generator, loaded, step = loop.load_generator(folder)
    assert (loaded, step) == (config, 4)
    for name, array in generator.state_dict().items():
        np.testing.assert_array_equal(array, trainer.ema.state_dict()[name])


def test_a_run_of_the_other_recipe_is_refused(tmp_path, config):
    folder, trainer = RunFolder.create(tmp_path, config), loop.make_trainer(config)
    loop.save(trainer, folder)
    folder.config_file.write_text(GANConfig(**TINY).to_toml())
    with pytest.raises(ConfigError, match="recipe was 'vae-digits' and is 'digits'"):
        loop.resume(folder, folder.config())
    with pytest.raises(CheckpointError, match="does not fit its config.toml"):
        loop.resume(folder, folder.config(), force=True)


def test_the_command_line_trains_samples_and_evaluates(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(quality, "_JUDGE_STEPS", 3)
    tiny = ("--steps=2", "--batch-size=4", "--latent=3", "--width=2")
    arguments = ["train", "vae-digits", "--out", str(tmp_path), "--eval-samples=100", *tiny]
    assert run(arguments) == 0
    said = capsys.readouterr().out
    assert "Frechet distance" in said
    folder = tmp_path / "00000-vae-digits"
    first = json.loads((folder / "quality.json").read_text())
    assert run(["sample", str(folder), "--seeds=0-8"]) == 0
    assert (folder / "grid.png").is_file()
    assert run(["evaluate", str(folder)]) == 0
    assert json.loads((folder / "quality.json").read_text()) == first
    assert run(["resume", str(folder)]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["vae"], "no recipe is called 'vae': use one of digits, dcgan, wgan-gp"),
        (["vae-digits", "--gamma=1"], "--gamma is no option of vae-digits: leave it out"),
        (["vae-digits", "--likelihood=poisson"], "must be bernoulli or binomial or gaussian"),
        (["--kl-weight=2"], "--kl-weight is no option of digits: leave it out"),
    ],
)
def test_a_bad_option_gives_one_line(capsys, arguments, message):
    assert run(["train", *arguments]) == 1
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
