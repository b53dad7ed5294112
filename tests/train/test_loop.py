import io
import json

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

import minigan as mg
from minigan.testing.cupy_double import cupy_double
from minigan.train import loop, quality
from minigan.train.checkpoint import load_checkpoint, save_checkpoint
from minigan.train.checkpoints import Checkpoints
from minigan.train.errors import CheckpointError, ConfigError, Diverged
from minigan.train.gan import GANTrainer
from minigan.train.recipes import training_images
from minigan.train.records import TIMES, read_records
from minigan.train.run_folder import RunFolder
from minigan.train.sample import images_of, latents


def train(root, config, hook=None, folder=None):
    """Train in a new folder, or go on in the given one; return (folder, whether it finished)."""
    if folder is None:
        folder, trainer = new(root, config)
    else:
        trainer = loop.resume(folder, config)
    return folder, loop.run(trainer, folder, Console(file=io.StringIO()), hook=hook)


def new(root, config):
    folder, trainer = RunFolder.create(root, config), GANTrainer(config)
    loop.begin(trainer, folder)
    return folder, trainer


def stop_at(step):
    def hook(trainer, losses):
        if trainer.step_count == step:
            raise KeyboardInterrupt

    return hook


def untimed(folder):
    return [
        {k: v for k, v in r.items() if k not in TIMES} for r in read_records(folder.metrics_file)
    ]


def last(folder):
    """The bytes of a run's newest checkpoint."""
    return folder.checkpoints.path(folder.checkpoints.steps()[-1]).read_bytes()


def files(folder):
    return sorted(str(p.relative_to(folder.path)) for p in folder.path.rglob("*") if p.is_file())


def test_a_run_leaves_its_files(tmp_path, config):
    folder, finished = train(tmp_path, config)
    assert finished
    assert files(folder) == [
        "checkpoints/step-000002.safetensors",
        "checkpoints/step-000004.safetensors",
        "command.txt",
        "config.toml",
        "losses.png",
        "metrics.jsonl",
        "samples/latest.png",
        "samples/reals.png",
        "samples/step-000000.png",
        "samples/step-000002.png",
        "samples/step-000004.png",
    ]
    records = read_records(folder.metrics_file)
    assert [r["step"] for r in records] == [1, 2, 3, 4]
    assert set(records[0]) == {"kind", "step", "loss_d", "r1", "loss_g", *TIMES}
    notes = {"step": 4, "version": mg.__version__, "config": config.decisive()}
    notes["shape"] = {"channels": 1, "size": 8}
    assert folder.checkpoints.newest().notes == notes
    last = (folder.samples / "step-000004.png").read_bytes()
    assert (folder.samples / "latest.png").read_bytes() == last
    assert (folder.samples / "step-000000.png").read_bytes() != last


def test_the_same_seed_gives_the_same_run(tmp_path, config):
    a, _ = train(tmp_path, config)
    b, _ = train(tmp_path, config)
    assert untimed(a) == untimed(b)
    for name in ("checkpoints/step-000004.safetensors", "samples/latest.png", "losses.png"):
        assert (a.path / name).read_bytes() == (b.path / name).read_bytes(), name


def test_what_is_written_does_not_feed_back(tmp_path, config):
    a, _ = train(tmp_path, config)
    b, _ = train(tmp_path, config.replace(log_every=3, preview_every=100, save_every=1))
    assert last(a) == last(b)
    assert [r["step"] for r in read_records(b.metrics_file)] == [3, 4]


def test_ctrl_c_saves_and_the_run_goes_on_as_if_nothing_had_been(tmp_path, config):
    whole, _ = train(tmp_path, config)
    folder, finished = train(tmp_path, config, stop_at(3))
    assert not finished
    assert loop.saved_step(folder) == 3
    assert (folder.samples / "step-000003.png").exists()
    folder, finished = train(tmp_path, config, folder=folder)
    assert finished
    assert untimed(folder) == untimed(whole)
    assert last(folder) == last(whole)


def test_a_run_that_was_killed_goes_on_from_its_last_checkpoint(tmp_path, config):
    def die(trainer, losses):
        if trainer.step_count == 3:
            raise MemoryError

    folder, trainer = new(tmp_path, config)
    with pytest.raises(MemoryError):
        loop.run(trainer, folder, Console(file=io.StringIO()), hook=die)
    assert loop.saved_step(folder) == 2
    train(tmp_path, config, folder=folder)
    assert [r["step"] for r in read_records(folder.metrics_file)] == [1, 2, 3, 4]
    whole, _ = train(tmp_path, config)
    assert last(folder) == last(whole)


def test_divergence_keeps_the_last_good_checkpoint(tmp_path, config):
    def spoil(trainer, losses):
        if trainer.step_count == 3:
            bias = trainer.d.head[1].bias
            bias.assign_(np.full(bias.shape, np.nan, np.float32))

    folder, trainer = new(tmp_path, config)
    with pytest.raises(Diverged, match="loss_d is nan at step 4"):
        loop.run(trainer, folder, Console(file=io.StringIO()), hook=spoil)
    found = folder.checkpoints.newest()
    assert found.step == 2
    assert all(np.isfinite(a).all() for a in found.arrays.values())
    assert [r["step"] for r in read_records(folder.metrics_file)] == [1, 2, 3]


def test_a_broken_weight_does_not_overwrite_the_checkpoint(tmp_path, config):
    def spoil(trainer, losses):
        if trainer.step_count == 4:  # after the last step: the losses are fine to the end
            trainer.ema.module.to_image[0].bias.assign_(np.nan)

    folder, trainer = new(tmp_path, config.replace(save_every=3))
    with pytest.raises(Diverged, match="ema/to_image.0.bias is not finite at step 4"):
        loop.run(trainer, folder, Console(file=io.StringIO()), hook=spoil)
    assert loop.saved_step(folder) == 3


def test_previews_show_what_the_seeds_name(tmp_path, config):
    folder, _ = train(tmp_path, config)
    generator, loaded, step = loop.load_generator(folder)
    assert (loaded, step) == (config, 4)
    assert not generator.training
    z = latents(range(64), config.latent)
    expected = loop.pictures.grid_png(images_of(generator, z))
    assert (folder.samples / "latest.png").read_bytes() == expected
    with Image.open(folder.samples / "latest.png") as picture:
        assert picture.size == (8 * 73, 8 * 73)  # 8 images and 9 gaps, 8 times


def test_a_checkpoint_of_another_network_is_refused(tmp_path, config):
    folder, _ = train(tmp_path, config)
    folder.config_file.write_text(config.replace(width=3).to_toml())
    with pytest.raises(CheckpointError, match="does not fit its config.toml"):
        loop.load_generator(folder)
    with pytest.raises(CheckpointError, match="does not fit its config.toml"):
        loop.resume(folder, folder.config(), force=True)


def test_the_figures_are_written(tmp_path, config, monkeypatch):
    monkeypatch.setattr(quality, "_JUDGE_STEPS", 3)
    folder, _ = train(tmp_path, config)
    generator, _, step = loop.load_generator(folder)
    report = loop.write_figures(folder, generator, config.replace(eval_samples=100), step)
    written = json.loads(folder.quality_file.read_text())
    assert written == read_records(folder.metrics_file, "quality")[-1]
    assert written["step"] == 4
    assert written["samples"] == 100
    assert written["generator"]["frechet"] == pytest.approx(report.generator.frechet, rel=1e-5)


def test_a_run_on_a_gpu_leaves_what_any_machine_can_read(tmp_path, config):
    with cupy_double():
        folder, finished = train(tmp_path, config.replace(device="cuda"))
    assert finished
    generator, loaded, _ = loop.load_generator(folder)
    assert loaded.device == "cpu"
    on_cpu, _ = train(tmp_path, config)
    z = latents(range(4), config.latent)
    expected = images_of(loop.load_generator(on_cpu)[0], z)
    np.testing.assert_allclose(images_of(generator, z), expected, atol=1e-3)


def test_ctrl_c_in_the_last_step_is_not_lost(tmp_path, config):
    folder, undisturbed = train(tmp_path, config, stop_at(4))
    assert not undisturbed
    assert loop.saved_step(folder) == 4


def test_the_real_images_are_those_of_the_data(tmp_path, config):
    folder, _ = new(tmp_path, config)
    expected = loop.pictures.grid_png(training_images(config)[:64])
    assert (folder.samples / "reals.png").read_bytes() == expected


def test_nothing_is_written_twice_for_one_step(tmp_path, config, monkeypatch):
    written = []
    save, draw = Checkpoints.save, RunFolder.write_sample
    monkeypatch.setattr(
        Checkpoints, "save", lambda *a: (written.append(("saved", a[2]["step"])), save(*a))
    )
    monkeypatch.setattr(
        RunFolder, "write_sample", lambda *a: (written.append(("drawn", a[2])), draw(*a))
    )
    train(tmp_path, config)
    # on the way the checkpoint comes last, at the end first
    assert written == [("drawn", 0), ("drawn", 2), ("saved", 2), ("saved", 4), ("drawn", 4)]


def test_the_losses_are_drawn_ten_times_whatever_the_number_of_checkpoints(
    tmp_path, config, monkeypatch
):
    drawn = []
    monkeypatch.setattr(loop.pictures, "losses_png", lambda *given: (drawn.append(1), b"")[1])
    train(tmp_path, config.replace(steps=40, save_every=1, preview_every=100))
    assert len(drawn) == 10


def test_the_seconds_of_a_resumed_run_go_on(tmp_path, config):
    folder, _ = train(tmp_path, config, stop_at(2))
    record = read_records(folder.metrics_file)[-1]
    folder.metrics_file.write_text(json.dumps({**record, "seconds": 1000.0}) + "\n")
    train(tmp_path, config, folder=folder)
    assert [r["seconds"] >= 1000 for r in read_records(folder.metrics_file)] == [True] * 3


def test_figures_of_a_generator_that_moves_on_are_removed(tmp_path, config):
    folder, _ = train(tmp_path, config, stop_at(2))
    figures = {"kind": "quality", "step": 2}
    folder.quality_file.write_text(json.dumps(figures))
    loop.append_record(folder.metrics_file, figures)
    train(tmp_path, config, folder=folder)
    assert not folder.quality_file.exists()
    assert figures in read_records(folder.metrics_file)  # they are history
    folder.quality_file.write_text("{}")
    loop.resume(folder, config)  # at its end: nothing moves
    assert folder.quality_file.exists()


def test_the_norms_of_the_networks_are_recorded(tmp_path, config):
    folder, _ = train(tmp_path, config.replace(norms_every=2))
    first, second = read_records(folder.metrics_file, "norms")
    assert (first["step"], second["step"]) == (2, 4)
    trainer = loop.resume(folder, folder.config())
    assert second["sigma"] == trainer.norms()["sigma"]
    assert first["gradient"].keys() == {"g", "d"}
    assert all(value > 0 for value in first["gradient"].values())


def test_a_changed_config_is_noticed(tmp_path, config):
    folder, _ = train(tmp_path, config, stop_at(2))
    folder.config_file.write_text(config.replace(lr=0.5, gamma=1.0).to_toml())
    message = (
        f"^{folder.checkpoints.path(2)} was trained with other options: "
        "lr was 0.002 and is 0.5, gamma was 0.5 and is 1.0; put that back"
    )
    with pytest.raises(ConfigError, match=message):
        loop.resume(folder, folder.config())


@pytest.mark.parametrize("notes", [{}, {"step": None}, {"step": "abc"}, {"step": 9}])
def test_a_generator_of_no_step_is_refused(tmp_path, config, notes):
    folder, _ = train(tmp_path, config)
    for step in folder.checkpoints.steps():
        path = folder.checkpoints.path(step)
        save_checkpoint(path, load_checkpoint(path)[0], notes)
    with pytest.raises(CheckpointError, match="step-000004.safetensors is of step .*: rename it"):
        loop.load_generator(folder)
