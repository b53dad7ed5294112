"""The style generator's game: how its fakes are mixed, and what its pictures show."""

import numpy as np
import pytest

import minigan as mg
from minigan.train import style
from minigan.train.config import StyleConfig
from minigan.train.sample import images_of, latents
from minigan.train.style import StyleTrainer


@pytest.fixture
def config():
    return StyleConfig(steps=4, batch_size=4, latent=5, width=2, mapping_layers=2, size=8)


@pytest.fixture
def trainer(config):
    trainer = StyleTrainer(config)
    for _ in range(2):
        trainer.step()
    return trainer


def test_without_mixing_a_batch_is_one_of_plain_latents(config):
    trainer = StyleTrainer(config.replace(mixing=0.0))
    trainer.g.eval()
    expected = trainer.g(trainer._latents("latents of G", 3)).numpy()
    np.testing.assert_array_equal(trainer._fakes("latents of G", 3).numpy(), expected)


def test_with_mixing_it_has_the_fine_styles_of_others(config):
    trainer = StyleTrainer(config.replace(mixing=1.0))
    trainer.g.eval()
    differ = [
        not np.array_equal(
            trainer._fakes("latents of G", t).numpy(),
            trainer.g(trainer._latents("latents of G", t)).numpy(),
        )
        for t in range(4)
    ]
    assert all(differ)


def test_the_mixed_latents_are_functions_of_the_step(config):
    a, b = StyleTrainer(config), StyleTrainer(config)
    for trainer in (a, b):
        trainer.g.eval()
    a._fakes("latents of D", 0)
    one, other = (t._fakes("latents of D", 1).numpy() for t in (a, b))
    np.testing.assert_array_equal(one, other)
    assert not np.array_equal(one, b._fakes("latents of G", 1).numpy())


def test_truncation_goes_from_one_image_to_the_samples(trainer):
    g = trainer.sampler()
    rows = style.truncation(g).reshape(len(style.PSIS), 10, 1, 8, 8)
    assert np.ptp(rows[0], axis=0).max() < 1e-6  # psi = 0: the mean image, ten times
    own = images_of(g, latents(range(10), 5))
    np.testing.assert_allclose(rows[-1], own, atol=1e-6)
    spread = [np.ptp(row, axis=0).mean() for row in rows]
    assert spread == sorted(spread)
    assert spread[-1] > spread[1] > spread[0]


def test_mixing_has_the_sources_along_its_edges(trainer):
    g = trainer.sampler()
    picture = style.mixing(g, crossover=2).reshape(7, 7, 1, 8, 8)
    sources = images_of(g, latents(range(12), 5))
    np.testing.assert_allclose(picture[1:, 0], sources[:6], atol=1e-6)
    np.testing.assert_allclose(picture[0, 1:], sources[6:], atol=1e-6)
    assert np.all(picture[0, 0] == -1)
    z = mg.tensor(latents(range(12), 5))
    with mg.no_grad():
        crossed = g(z[2:3], z[9:10], crossover=2).numpy()
    np.testing.assert_allclose(picture[3, 4], crossed[0], atol=1e-6)


@pytest.mark.parametrize("crossover", [0, 4])
def test_at_its_ends_mixing_shows_one_source_alone(trainer, crossover):
    picture = style.mixing(trainer.sampler(), crossover=crossover).reshape(7, 7, 1, 8, 8)
    edge = picture[:1, 1:] if crossover == 0 else picture[1:, :1]
    np.testing.assert_allclose(picture[1:, 1:], np.broadcast_to(edge, (6, 6, 1, 8, 8)), atol=1e-6)


def test_the_preview_is_the_first_of_three_pictures(trainer):
    assert list(trainer.pictures()) == ["step", "truncation", "mixing"]


def test_the_running_mean_of_styles_is_in_the_checkpoint(trainer, config):
    arrays, notes = trainer.state()
    assert np.abs(arrays["g/mean_style"]).max() > 0
    again = StyleTrainer(config)
    again.load_state(arrays, notes)
    np.testing.assert_array_equal(again.g.mean_style.numpy(), arrays["g/mean_style"])
