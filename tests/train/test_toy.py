"""The game in the plane: its points, its pictures, its figures."""

import io

import numpy as np
import pytest
from PIL import Image

from minigan.cli import run
from minigan.data import toy
from minigan.modes import mode_report
from minigan.train import pictures
from minigan.train.config import ToyConfig
from minigan.train.errors import ConfigError
from minigan.train.toy import FreshPoints, ToyTrainer, target, unit_of
from minigan.train.toy_figures import measure_toy


@pytest.fixture
def config():
    return ToyConfig(steps=4, batch_size=8, width=4, hidden_layers=1, eval_samples=100)


def decode(png):
    return np.asarray(Image.open(io.BytesIO(png)))


def test_points_are_functions_of_the_step_and_never_come_again():
    batches, again = (FreshPoints("ring", batch_size=5, seed=3) for _ in range(2))
    again.at(0)
    np.testing.assert_array_equal(batches.at(7), again.at(7))
    assert batches.at(7).dtype == np.float32
    drawn = np.concatenate([batches.at(t) for t in range(20)])
    assert len(np.unique(drawn, axis=0)) == 100


@pytest.mark.parametrize("name", toy.TOYS)
def test_networks_see_about_unit_variance(name):
    points = FreshPoints(name, batch_size=4000, seed=0).at(0)
    assert 0.5 < points.std() < 1.5


@pytest.mark.parametrize("name", toy.TOYS)
def test_every_toy_is_played_drawn_and_measured(config, name):
    trainer = ToyTrainer(config.replace(data=name))
    for _ in range(2):
        assert np.isfinite(list(trainer.step().values())).all()
    (png,) = trainer.pictures().values()
    assert decode(png).shape[:2] == (480, 480)
    report = trainer.measure(trainer.sampler(), trainer.config)
    assert report.samples == 100
    known = {"distance", "captured", "high_quality", "reverse_kl"}
    assert set(report.as_dict()["floor"]) == (known if report.modes else {"distance"})


def test_real_points_are_at_the_floor_and_those_of_one_mode_are_not():
    ring = toy.ring()
    real = target(ToyConfig(), 2500) * unit_of("ring")
    one = np.repeat(ring.centres[:1], 2500, axis=0).astype(np.float32)
    report = measure_toy(ring, real, one)
    assert report.generator.captured == report.floor.captured == 8
    assert report.generator.distance == pytest.approx(report.floor.distance, abs=0.05)
    assert report.generator.high_quality == pytest.approx(1 - np.exp(-4.5), abs=0.01)
    assert report.untrained.captured == 1
    assert report.untrained.reverse_kl == pytest.approx(np.log(8))
    assert report.untrained.distance > 10 * report.floor.distance
    assert mode_report(real, ring)[0] == 8


def test_without_a_sample_of_high_quality_the_divergence_is_infinite_and_json_has_none():
    far = np.full((100, 2), 50.0, np.float32)
    found = measure_toy(toy.ring(), far, far)
    assert found.generator.reverse_kl == float("inf")
    assert found.as_dict()["generator"]["reverse_kl"] is None


def test_the_figures_are_in_the_units_of_the_target(config):
    """A generator that is right in the networks' units is at the floor in those of the grid."""
    trainer = ToyTrainer(config.replace(data="grid", eval_samples=2500, latent=2))
    points = target(trainer.config, 2500)

    class Known(type(trainer.sampler())):
        def forward(self, z):
            start = int(self.seen)
            self.seen += len(z)
            return type(z)(points[start : start + len(z)])

    known = Known()
    object.__setattr__(known, "seen", 0)
    report = trainer.measure(known, trainer.config)
    assert report.generator.captured == 25
    assert report.generator.high_quality > 0.97


def test_frames_of_a_film_have_the_same_axes():
    behind = target(ToyConfig(), 200)
    near, far = (pictures.points_png(points, behind=behind) for points in (behind, 100 * behind))
    empty = decode(pictures.points_png(np.full((1, 2), 1e3), behind=behind))
    np.testing.assert_array_equal(decode(far)[:, :60], empty[:, :60])  # the axis on the left
    assert not np.array_equal(decode(near), decode(far))


def test_points_have_no_columns(config):
    with pytest.raises(ConfigError, match="--columns and --scale are for images, not points"):
        ToyTrainer.draw(np.zeros((2, 2)), config, columns=3)


def test_a_run_is_sampled_as_a_picture_of_points(tmp_path, capsys):
    tiny = ("--batch-size=8", "--width=4", "--eval-samples=100", "--out", str(tmp_path))
    assert run(["train", "toy", "--steps=2", *tiny]) == 0
    said = capsys.readouterr().out
    assert "Wasserstein-1 distance" in said
    assert "modes captured" in said
    folder = tmp_path / "00000-toy"
    assert run(["sample", str(folder), "--seeds=0-9"]) == 0
    assert decode((folder / "grid.png").read_bytes()).shape[:2] == (480, 480)
    assert run(["sample", str(folder), "--columns=3"]) == 1
    assert "not points" in capsys.readouterr().err
    assert run(["evaluate", str(folder), "--samples=200"]) == 0
    assert run(["report", str(folder)]) == 0
    assert "Wasserstein-1 distance" in (folder / "report.html").read_text()


def test_a_wrong_name_is_answered_with_the_nearest(tmp_path, capsys):
    assert run(["train", "toy", "--data=rnig", "--out", str(tmp_path)]) == 1
    assert "did you mean 'ring'?" in capsys.readouterr().err
    assert run(["train", "toy", "--size=8", "--out", str(tmp_path)]) == 1
    assert "--size is no option of toy" in capsys.readouterr().err
