"""One step of CycleGAN against its formulas, its state, and its figures."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

import minigan as mg
from minigan.data import rerendered_digits
from minigan.train import pictures
from minigan.train.config import CycleGANConfig
from minigan.train.cyclegan import CycleGANTrainer
from minigan.train.translating import distance
from minigan.train.translation import measure_translation
from minigan.translation_measures import as_map


@pytest.fixture
def config():
    return CycleGANConfig(
        steps=8, batch_size=2, width=2, blocks=1, layers=1, pool=3, identity=5.0, lr=1e-2
    )


def play(trainer, steps):
    return [trainer.step() for _ in range(steps)]


def flat(network):
    return np.concatenate([p.numpy().ravel() for p in network.parameters()])


def test_the_losses_are_those_of_the_formulas(config):
    trainer, twin = CycleGANTrainer(config), CycleGANTrainer(config)
    losses = trainer.step()
    a, b = map(twin._tensor, twin.batches.at(0))
    g = twin.generators
    with mg.no_grad():
        fake_b, fake_a = g.ab(a), g.ba(b)
        fooled = ((twin.d_b(fake_b) - 1) ** 2).mean() / 2
        assert losses["ab_adversarial"] == pytest.approx(fooled.item(), rel=1e-5)
        assert losses["ab_cycle"] == pytest.approx(distance(g.ba(fake_b), a).item(), rel=1e-5)
        assert losses["ba_identity"] == pytest.approx(distance(g.ba(a), a).item(), rel=1e-5)
        # The pool is not full yet, so it returns what it is given.
        real, fake = ((twin.d_a(a) - 1) ** 2).mean(), (twin.d_a(fake_a) ** 2).mean()
        assert losses["ba_judge"] == pytest.approx((real + fake).item() / 4, rel=1e-5)


def test_gradients_of_the_terms_add_up_to_that_of_their_sum(config):
    trainer = CycleGANTrainer(config)
    g = trainer.generators
    mg.nn.init.normal_(g.ab.shortcut.weight, 0.0, 0.5)  # away from the zeros of the beginning
    mg.nn.init.normal_(g.ba.shortcut.weight, 0.0, 0.5)
    a, b = map(trainer._tensor, trainer.batches.at(0))
    fake_b, fake_a = g.ab(a), g.ba(b)
    loss = trainer.ab.loss
    whole = config.adversarial * (
        loss.generator(trainer.d_b(fake_b)) + loss.generator(trainer.d_a(fake_a))
    )
    whole = whole + config.cycle * (distance(g.ba(fake_b), a) + distance(g.ab(fake_a), b))
    whole = whole + config.identity * (distance(g.ab(b), b) + distance(g.ba(a), a))
    parameters = list(g.parameters())
    expected = mg.grad(whole, parameters)
    trainer.adam_g.step = lambda: None
    trainer._step_generators(a, b)
    for parameter, gradient in zip(parameters, expected, strict=True):
        np.testing.assert_allclose(parameter.grad.numpy(), gradient.numpy(), rtol=1e-3, atol=1e-5)


def test_each_player_moves_in_its_own_step_alone(config):
    trainer = CycleGANTrainer(config)
    a, b = map(trainer._tensor, trainer.batches.at(0))
    before = [flat(n) for n in (trainer.generators, trainer.d_a, trainer.d_b)]
    _, fakes = trainer._step_generators(a, b)
    middle = [flat(n) for n in (trainer.generators, trainer.d_a, trainer.d_b)]
    assert not np.array_equal(middle[0], before[0])
    assert np.array_equal(middle[1], before[1])
    assert all(p.grad is None for p in trainer.d_a.parameters())
    trainer._step_judges(0, {"ab": b, "ba": a}, fakes)
    after = [flat(n) for n in (trainer.generators, trainer.d_a, trainer.d_b)]
    assert np.array_equal(after[0], middle[0])
    assert not np.array_equal(after[1], middle[1])
    assert not np.array_equal(after[2], middle[2])


def test_the_domains_have_orders_of_their_own(config):
    trainer = CycleGANTrainer(config)
    pairs = trainer.batches
    assert not np.array_equal(pairs.a.batches.indices(0), pairs.b.batches.indices(0))


def test_unpaired_sides_are_cut_and_mirrored_each_by_itself(config):
    """With the very same images on both sides, what is drawn for one is not drawn for the other."""
    plain = CycleGANTrainer(config.replace(batch_size=40))
    images = plain.domains.a_train[:40]
    trainer = CycleGANTrainer(config.replace(batch_size=40, jitter=4, flip=True))
    a, b = (trainer.side(images, of=of).at(0) for of in (" of A", " of B"))
    again = trainer.side(images, of=" of A").at(0)
    assert a.shape == images.shape
    np.testing.assert_array_equal(a, again)
    assert not np.array_equal(np.sort(a.sum(axis=(1, 2, 3))), np.sort(b.sum(axis=(1, 2, 3))))
    np.testing.assert_array_equal(
        plain.side(images, of=" of A").at(0),
        images[plain.side(images, of=" of A").batches.indices(0)],
    )


def test_four_and_four_steps_are_eight_with_pools_and_all(config):
    whole, first, second = (CycleGANTrainer(config) for _ in range(3))
    expected = play(whole, 8)
    assert play(first, 4) == expected[:4]
    arrays, notes = first.state()
    assert len(arrays["pool_ab/images"]) == 3
    second.load_state(arrays, notes)
    assert play(second, 4) == expected[4:]
    for name, array in whole.state()[0].items():
        np.testing.assert_array_equal(array, second.state()[0][name], err_msg=name)


def test_previews_do_not_disturb_the_game(config):
    quiet, watched = CycleGANTrainer(config), CycleGANTrainer(config)
    expected = play(quiet, 2)
    found = []
    for _ in range(2):
        assert watched.preview().shape == (48, 3, 16, 16)
        assert watched.triples().shape == (36, 3, 16, 16)
        found += play(watched, 1)
    assert found == expected


def test_previews_show_both_ways_and_triples_the_way_back(config):
    trainer = CycleGANTrainer(config)
    ab, ba = (as_map(network) for network in (trainer.sampler().ab, trainer.sampler().ba))
    a, translated, b, back = np.split(trainer.preview(), 4)
    np.testing.assert_array_equal(a, trainer.domains.a_test[:12])
    np.testing.assert_array_equal(translated, ab(a))
    np.testing.assert_array_equal(b, trainer.domains.b_test[:12])
    np.testing.assert_array_equal(back, ba(b))
    rows = np.split(trainer.triples(), 6)
    for got, expected in zip(
        rows, (a[:6], ab(a[:6]), ba(ab(a[:6])), b[:6], ba(b[:6]), ab(ba(b[:6]))), strict=True
    ):
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5)
    assert list(trainer.pictures()) == ["step", "triples"]


def test_rows_are_as_long_as_there_are_images(config):
    trainer = CycleGANTrainer(config)
    few = dataclasses.replace(trainer.domains, a_test=trainer.domains.a_test[:2])
    trainer.domains = few
    assert trainer.preview().shape == (8, 3, 16, 16)
    drawn = [Image.open(io.BytesIO(png)).size for png in trainer.pictures().values()]
    assert drawn == [(4 * 35, 4 * 69), (4 * 35, 4 * 103)]  # two columns of four and of six rows


@pytest.mark.parametrize("loss", CycleGANConfig.options()["loss"].metadata["choices"])
def test_every_loss_can_be_played(config, loss):
    losses = play(CycleGANTrainer(config.replace(loss=loss)), 2)
    assert all(np.isfinite(list(each.values())).all() for each in losses)


def test_the_figures_of_a_true_map_are_perfect():
    domains = rerendered_digits()

    class Known(mg.nn.Module):
        def __init__(self, function):
            self.function = function

        def forward(self, x):
            return mg.tensor(self.function(x.numpy()))

    report = measure_translation(Known(domains.true_map), Known(domains.true_inverse), domains)
    assert report.learned.error == pytest.approx(0.0, abs=1e-6)
    assert report.learned.labels_kept == report.true.labels_kept > 0.9
    assert report.identity.cycle == 0.0
    assert report.affine.error < report.identity.error / 3
    assert report.accuracy > 0.9
    assert set(report.columns) == {"learned", "identity", "best affine", "true map"}


def test_every_loss_is_drawn(config):
    (losses,) = play(CycleGANTrainer(config), 1)
    assert set(losses) <= set(pictures._CURVES)
