"""One step of pix2pix against its formulas, its pairs, its state, and its figures."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from PIL import Image

import minigan as mg
from minigan.data import paired_digits
from minigan.train import pictures
from minigan.train.config import Pix2PixConfig
from minigan.train.errors import ConfigError
from minigan.train.pix2pix import Pix2PixTrainer
from minigan.train.recipes import build_networks
from minigan.train.translation import measure_translation


@pytest.fixture
def config():
    return Pix2PixConfig(steps=8, batch_size=2, width=2, layers=1, lr=1e-2)


@pytest.fixture
def halves(tmp_path):
    """A folder of ten pictures of two halves, 64 pixels each: the right one is the negative."""
    rng = np.random.default_rng(0)
    for number in range(10):
        left = rng.integers(0, 256, (64, 64, 3)).astype(np.uint8)
        both = np.concatenate([left, 255 - left], axis=1)
        Image.fromarray(both).save(tmp_path / f"{number}.png")
    return tmp_path


def play(trainer, steps):
    return [trainer.step() for _ in range(steps)]


def flat(network):
    return np.concatenate([p.numpy().ravel() for p in network.parameters()])


def batch(trainer, t=0):
    return tuple(map(trainer._tensor, trainer.batches.at(t)))


def beside(a, image):
    return mg.concatenate([a, image], axis=1)


# -- one step -------------------------------------------------------------------------------------


def test_the_losses_are_those_of_the_formulas(config):
    trainer, twin = Pix2PixTrainer(config), Pix2PixTrainer(config)
    losses = trainer.step()
    a, b = batch(twin)
    fake = twin.g.ab(a).detach()
    real_scores, fake_scores = twin.d(beside(a, b)), twin.d(beside(a, fake))
    judged = (mg.softplus(-real_scores).mean() + mg.softplus(fake_scores).mean()).item() / 2
    assert losses["ab_judge"] == pytest.approx(judged, rel=1e-5)
    away = np.abs(fake.numpy() - b.numpy()).mean()
    assert losses["ab_distance"] == pytest.approx(away, rel=1e-5)
    twin._step_d(a, b, fake)  # D moves first, and G hears of the new one
    fooled = mg.softplus(-twin.d(beside(a, fake))).mean().item()
    assert losses["ab_adversarial"] == pytest.approx(fooled, rel=1e-5)
    assert fooled != pytest.approx(mg.softplus(-fake_scores).mean().item(), rel=1e-5)


def test_the_generators_gradient_is_that_of_both_terms(config):
    trainer = Pix2PixTrainer(config.replace(adversarial=3.0, l1=7.0))
    a, b = batch(trainer)
    fake = trainer.g.ab(a)
    fooled = mg.softplus(-trainer.d(beside(a, fake))).mean()
    parameters = list(trainer.g.parameters())
    expected = mg.grad(3.0 * fooled + 7.0 * abs(fake - b).mean(), parameters)
    trainer.adam_g.step = lambda: None
    trainer._step_g(a, b, trainer.g.ab(a))
    for parameter, gradient in zip(parameters, expected, strict=True):
        np.testing.assert_allclose(parameter.grad.numpy(), gradient.numpy(), rtol=1e-3, atol=1e-5)


def test_each_player_moves_in_its_own_step_alone(config):
    trainer = Pix2PixTrainer(config)
    a, b = batch(trainer)
    fake = trainer.g.ab(a)
    before = flat(trainer.g), flat(trainer.d)
    trainer._step_d(a, b, fake.detach())
    middle = flat(trainer.g), flat(trainer.d)
    assert np.array_equal(middle[0], before[0])
    assert not np.array_equal(middle[1], before[1])
    assert all(p.grad is None for p in trainer.g.parameters())
    trainer.adam_d.zero_grad()
    trainer._step_g(a, b, fake)
    assert not np.array_equal(flat(trainer.g), middle[0])
    assert np.array_equal(flat(trainer.d), middle[1])
    assert all(p.grad is None for p in trainer.d.parameters())


def test_the_discriminator_sees_the_question_beside_both_answers(config):
    trainer = Pix2PixTrainer(config)
    trainer.adam_d.step = lambda: None
    a, b = batch(trainer)
    other = a[::-1]
    fake = trainer.g.ab(a).detach()
    asked, swapped = (trainer._step_d(q, b, fake)["ab_judge"] for q in (a, other))
    assert asked != swapped
    with mg.no_grad():
        for answer in (b, fake):
            pair, mismatch = (trainer.d(beside(q, answer)).numpy() for q in (a, other))
            assert not np.allclose(pair, mismatch, rtol=1e-4)


@pytest.mark.parametrize("loss", Pix2PixConfig.options()["loss"].metadata["choices"])
def test_every_loss_can_be_played(config, loss):
    losses = play(Pix2PixTrainer(config.replace(loss=loss)), 2)
    assert all(np.isfinite(list(each.values())).all() for each in losses)


def test_every_loss_is_drawn(config):
    (losses,) = play(Pix2PixTrainer(config), 1)
    assert set(losses) <= set(pictures._CURVES)


# -- pairs ----------------------------------------------------------------------------------------


def test_pairs_stay_pairs_through_every_epoch(config):
    trainer = Pix2PixTrainer(config.replace(batch_size=500))
    for t in range(5):  # the images are 1,442: the third batch ends an epoch
        a, b = trainer.batches.at(t)
        np.testing.assert_array_equal(b, trainer.domains.true_map(a))
    first, again = (trainer.batches.a.batches.indices(t)[:400] for t in (0, 3))
    assert not np.array_equal(first, again)


def test_both_sides_are_cut_and_mirrored_alike(config):
    trainer = Pix2PixTrainer(config.replace(batch_size=50, jitter=4, flip=True))
    plain = Pix2PixTrainer(config.replace(batch_size=50)).batches.at(0)[0]
    trainer.domains = dataclasses.replace(trainer.domains, b_train=trainer.domains.a_train)
    a, b = trainer.make_batches().at(0)
    assert a.shape == plain.shape
    np.testing.assert_array_equal(a, b)
    assert all(np.abs(x - y).max() > 0.1 for x, y in zip(a, plain, strict=True))


def test_a_mirrored_pair_is_mirrored_on_both_sides(config):
    trainer = Pix2PixTrainer(config.replace(batch_size=50, flip=True))
    plain, flipped = (
        Pix2PixTrainer(config.replace(batch_size=50)).batches.at(0),
        trainer.batches.at(0),
    )
    turned = [(flipped[side] != plain[side]).any(axis=(1, 2, 3)) for side in (0, 1)]
    np.testing.assert_array_equal(*turned)
    assert 0 < turned[0].sum() < 50
    for side in (0, 1):
        mirrored = plain[side][turned[0]][..., ::-1]
        np.testing.assert_array_equal(flipped[side][turned[0]], mirrored)


# -- the state, and what is shown -----------------------------------------------------------------


def test_four_and_four_steps_are_eight(config):
    whole, first, second = (Pix2PixTrainer(config) for _ in range(3))
    expected = play(whole, 8)
    assert play(first, 4) == expected[:4]
    second.load_state(*first.state())
    assert play(second, 4) == expected[4:]
    for name, array in whole.state()[0].items():
        np.testing.assert_array_equal(array, second.state()[0][name], err_msg=name)


def test_dropout_goes_on_as_if_nothing_had_been(halves):
    config = Pix2PixConfig(
        data=str(halves), steps=4, batch_size=2, width=1, dropout=0.5, jitter=6, flip=True
    )
    whole, first, second = (Pix2PixTrainer(config) for _ in range(3))
    expected = play(whole, 4)
    play(first, 2)
    mg.manual_seed(5)
    second.load_state(*first.state())
    assert play(second, 2) == expected[2:]
    assert play(Pix2PixTrainer(config.replace(dropout=0.0)), 1) != expected[:1]


def test_previews_do_not_disturb_the_game(config):
    quiet, watched = Pix2PixTrainer(config), Pix2PixTrainer(config)
    expected = play(quiet, 2)
    found = []
    for _ in range(2):
        assert watched.preview().shape == (36, 3, 16, 16)
        found += play(watched, 1)
    assert found == expected


def test_a_preview_shows_questions_translations_and_right_answers(config):
    trainer = Pix2PixTrainer(config)
    a, middle, b = np.split(trainer.preview(), 3)
    np.testing.assert_array_equal(a, trainer.domains.a_test[:12])
    np.testing.assert_array_equal(b, trainer.domains.true_map(a))
    sampler = trainer.sampler().eval()
    with mg.no_grad():
        np.testing.assert_array_equal(middle, sampler.ab(mg.tensor(a)).numpy())


def test_the_sampler_goes_one_way(config):
    trainer = Pix2PixTrainer(config)
    for sampler in (trainer.sampler(), Pix2PixTrainer.build_sampler(config)):
        assert sampler.ab(mg.zeros(1, 3, 16, 16)).shape == (1, 3, 16, 16)
        assert not hasattr(sampler, "ba")


# -- networks -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "depth"), [(12, 2), (16, 4), (48, 4), (64, 6), (1024, 8)])
def test_the_generator_is_as_deep_as_the_size_allows(config, size, depth):
    shape = {"channels": 3, "size": size}
    g, d = build_networks(config.replace(width=1), shape)
    assert g.ab.depth == depth
    assert d.in_channels == 6
    assert build_networks(config.replace(width=1, depth=2), shape)[0].ab.depth == 2


@pytest.mark.parametrize(
    ("size", "options", "message"),
    [
        (
            18,
            {},
            "images of 18 pixels can be halved 1 times, not 2: give another --size or --depth",
        ),
        (16, {"depth": 5}, "images of 16 pixels can be halved 4 times, not 5"),
        (16, {"dropout": 0.5}, "no such U-Net: dropout is 0.5: give depth >= 6, or dropout=0"),
        (16, {"layers": 3}, "--layers is 3: images of 16 pixels are too small for that"),
    ],
)
def test_networks_that_do_not_fit_are_refused(config, size, options, message):
    with pytest.raises(ConfigError, match=message):
        build_networks(config.replace(**options), {"channels": 3, "size": size})


@pytest.mark.parametrize("options", [{"norm": "instance"}, {"norm_d": "batch"}], ids=str)
def test_other_norms_can_be_played(config, options):
    usual, other = (Pix2PixTrainer(c).step() for c in (config, config.replace(**options)))
    assert np.isfinite(list(other.values())).all()
    assert other != usual


# -- figures --------------------------------------------------------------------------------------


class Known(mg.nn.Module):
    def __init__(self, function):
        self.function = function

    def forward(self, x):
        return mg.tensor(self.function(x.numpy()))


def test_the_figures_of_the_true_map_are_perfect():
    domains = paired_digits()
    report = measure_translation(Known(domains.true_map), None, domains)
    assert report.learned.error == report.true.error == 0.0
    assert report.learned.labels_kept == report.true.labels_kept == report.accuracy > 0.9
    assert report.identity.error > 3 * report.affine.error > 0.3
    assert not report.two_ways
    shown = report.as_dict()
    assert set(shown) == {"learned", "identity", "affine", "true", "accuracy"}
    assert set(shown["learned"]) == {"error", "labels_kept"}


def test_pairs_of_a_folder_are_the_right_answers(halves):
    config = Pix2PixConfig(data=str(halves), steps=1, batch_size=2, width=1)
    trainer = Pix2PixTrainer(config)
    assert [len(side) for side in trainer.held_out()] == [2, 2]
    assert trainer.preview().shape == (6, 3, 64, 64)
    report = Pix2PixTrainer.measure(trainer.sampler(), config)
    domains = trainer.domains
    assert report.identity.error == pytest.approx(2 * np.abs(domains.a_test).mean(), rel=1e-3)
    assert report.affine.error < 1e-3  # a negative is an affine map of the colours
    assert 0.1 < report.learned.error < 2
    assert set(report.as_dict()) == {"learned", "identity", "affine"}
