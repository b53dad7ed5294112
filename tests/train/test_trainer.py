import numpy as np
import pytest

import minigan as mg
from minigan.data import stream
from minigan.losses import LOSSES
from minigan.penalties import r1
from minigan.testing.cupy_double import cupy_double
from minigan.train.errors import CheckpointError, ConfigError, Diverged
from minigan.train.gan import GANTrainer
from minigan.train.recipes import learning_rate
from minigan.train.sample import images_of


def play(trainer, steps):
    return [trainer.step() for _ in range(steps)]


def assert_same_state(a, b):
    (arrays_a, notes_a), (arrays_b, notes_b) = a.state(), b.state()
    assert notes_a == notes_b
    assert arrays_a.keys() == arrays_b.keys()
    for name, array in arrays_a.items():
        np.testing.assert_array_equal(array, arrays_b[name], err_msg=name)


def test_the_losses_are_those_of_the_formulas(config):
    trainer = GANTrainer(config.replace(gamma=3.0))
    # The same quantities from the untouched twin, by other means.
    twin = GANTrainer(config.replace(gamma=3.0))
    real = twin._tensor(twin.batches.at(0)).requires_grad_()
    with mg.no_grad():
        fake = twin.g(twin._latents("latents of D", 0))
    logits = twin.d(real)
    slopes = mg.grad(logits.sum(), real)[0].numpy()
    expected_d = (
        np.logaddexp(0, -logits.numpy()).mean() + np.logaddexp(0, twin.d(fake).numpy()).mean()
    )
    losses = trainer.step()
    assert losses["loss_d"] == pytest.approx(expected_d, rel=1e-5)
    assert losses["r1"] == pytest.approx(1.5 * (slopes**2).sum(axis=(1, 2, 3)).mean(), rel=1e-4)


def test_the_loss_of_g_is_taken_after_the_step_of_d(config):
    trainer, twin = GANTrainer(config), GANTrainer(config)
    losses = trainer.step()
    twin._step_d(0)
    logits = twin.d(twin.g(twin._latents("latents of G", 0))).numpy()
    assert losses["loss_g"] == pytest.approx(np.logaddexp(0, -logits).mean(), rel=1e-5)


def test_each_player_moves_in_its_own_step_alone(config):
    trainer = GANTrainer(config)

    def weights(network):
        return [p.numpy().copy() for p in network.parameters()]

    g, d = weights(trainer.g), weights(trainer.d)
    trainer._step_d(0)
    assert all(map(np.array_equal, weights(trainer.g), g))
    moved_d = weights(trainer.d)
    assert not any(map(np.array_equal, moved_d, d))
    trainer._step_g(0)
    assert all(map(np.array_equal, weights(trainer.d), moved_d))
    assert not all(map(np.array_equal, weights(trainer.g), g))
    assert all(p.requires_grad for p in trainer.d.parameters())


def test_the_step_of_g_computes_no_gradient_for_d(config):
    trainer = GANTrainer(config)
    trainer._step_d(0)
    before = [p.grad for p in trainer.d.parameters()]
    trainer._step_g(0)
    assert all(p.grad is g for p, g in zip(trainer.d.parameters(), before, strict=True))


def test_gamma_zero_means_no_penalty(config):
    losses = play(GANTrainer(config.replace(gamma=0.0)), 2)
    assert [set(each) for each in losses] == [{"loss_d", "loss_g"}] * 2


def test_the_penalty_changes_the_weights(config):
    with_it, without = (
        GANTrainer(config.replace(gamma=100.0)),
        GANTrainer(config.replace(gamma=0.0)),
    )
    with_it.step(), without.step()
    a, b = with_it.d.state_dict(), without.d.state_dict()
    assert not np.array_equal(a["from_image.0.weight"], b["from_image.0.weight"])


def test_every_step_of_the_critic_sees_a_batch_of_its_own(config):
    trainer, seen = GANTrainer(config.replace(critic_steps=3)), []
    trainer._step_d = lambda i: seen.append(i) or {}
    play(trainer, 2)
    assert seen == [0, 1, 2, 3, 4, 5]


def test_the_game_of_wgan_gp(config):
    config = config.replace(loss="wasserstein", gamma=0.0, gp=10.0)
    trainer, twin = GANTrainer(config), GANTrainer(config)
    losses = trainer.step()
    real, z = twin._tensor(twin.batches.at(0)), twin._latents("latents of D", 0)
    with mg.no_grad():
        fake = twin.g(z)
    assert losses["loss_d"] == pytest.approx(
        twin.d(fake).numpy().mean() - twin.d(real).numpy().mean(), abs=1e-6
    )
    e = stream(config.seed, "points of the penalty", 0).uniform((len(z), 1, 1, 1))
    points = mg.tensor(e * real.numpy() + (1 - e) * fake.numpy(), requires_grad=True)
    slopes = mg.grad(twin.d(points).sum(), points)[0].numpy().reshape(len(z), -1)
    expected = 10 * ((np.linalg.norm(slopes, axis=1) - 1) ** 2).mean()
    assert losses["gp"] == pytest.approx(expected, rel=1e-4)
    assert set(losses) == {"loss_d", "gp", "loss_g"}


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_can_be_played(config, loss):
    losses = play(GANTrainer(config.replace(loss=loss, critic_steps=2)), 2)
    assert all(np.isfinite(list(each.values())).all() for each in losses)


@pytest.mark.parametrize("spectral_norm", [False, True])
def test_the_same_seed_plays_the_same_game_bit_for_bit(config, spectral_norm):
    config = config.replace(spectral_norm=spectral_norm)
    a, b = GANTrainer(config), GANTrainer(config)
    assert play(a, 3) == play(b, 3)
    assert_same_state(a, b)


def test_another_seed_plays_another_game(config):
    assert play(GANTrainer(config), 1) != play(GANTrainer(config.replace(seed=1)), 1)


def test_previews_do_not_disturb_the_game(config):
    quiet, watched = GANTrainer(config), GANTrainer(config)
    play(quiet, 3)
    for _ in range(3):
        z = np.zeros((2, config.latent), np.float32)
        images_of(watched.ema.module, z)
        images_of(watched.g, z)
        mg.manual_seed(1)
        watched.step()
    assert_same_state(quiet, watched)


@pytest.mark.parametrize("spectral_norm", [False, True])
def test_two_and_two_steps_are_four_bit_for_bit(config, spectral_norm):
    config = config.replace(spectral_norm=spectral_norm)
    whole, first, second = (GANTrainer(config) for _ in range(3))
    expected = play(whole, 4)
    assert play(first, 2) == expected[:2]
    second.load_state(*first.state())
    assert second.step_count == 2
    assert play(second, 2) == expected[2:]
    assert_same_state(whole, second)


def test_the_average_follows_the_weights_and_copies_the_statistics(config):
    trainer = GANTrainer(config)
    before = trainer.ema.state_dict()
    trainer.step()
    now, average = trainer.g.state_dict(), trainer.ema.state_dict()
    for name, value in average.items():
        if "running" in name or "num_batches" in name:
            np.testing.assert_array_equal(value, now[name])
        else:  # the first decay is 1 / 10
            expected = 0.1 * before[name] + 0.9 * now[name]
            np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)


def test_on_a_gpu_only_the_losses_are_waited_for(config):
    on_cpu = play(GANTrainer(config), 3)
    with cupy_double() as double:
        trainer = GANTrainer(config.replace(device="cuda"))
        on_gpu = play(trainer, 2)
        double.reset()
        on_gpu += play(trainer, 1)
        assert double.synchronisations == 3, double.journal  # loss_d, r1, loss_g
        state, _ = trainer.state()
    for a, b in zip(on_cpu, on_gpu, strict=True):
        assert a == pytest.approx(b, rel=1e-4)
    assert all(type(array) is np.ndarray for array in state.values())


def test_a_state_of_another_network_is_refused(config):
    arrays, notes = GANTrainer(config).state()
    with pytest.raises(CheckpointError, match="does not fit its config.toml"):
        GANTrainer(config.replace(width=3)).load_state(arrays, notes, force=True)
    with pytest.raises(CheckpointError, match="does not fit its config.toml"):
        GANTrainer(config).load_state(arrays, {})


@pytest.mark.parametrize(("player", "loss"), [("d", "loss_d"), ("g", "loss_g")])
def test_a_loss_that_is_not_finite_is_named(config, player, loss, monkeypatch):
    trainer = GANTrainer(config)
    trainer.step()
    mover = {"d": trainer.d, "g": trainer.g}[player]
    before = [p.numpy().copy() for p in mover.parameters()]
    name = {"d": "discriminator", "g": "generator"}[player]
    true_loss = getattr(trainer.loss, name)
    monkeypatch.setattr(trainer.loss, name, lambda *logits: true_loss(*logits) * np.nan)
    message = rf"{loss} is nan at step 2: try .*; multiply, called at .*, made 1 nan"
    with pytest.raises(Diverged, match=message):
        trainer.step()
    assert all(map(np.array_equal, (p.numpy() for p in mover.parameters()), before))


def test_the_first_op_with_a_broken_weight_is_named(config):
    trainer = GANTrainer(config)
    weight = trainer.d.reduce[0][0].weight
    weight.assign_(np.full(weight.shape, np.inf, np.float32))
    with pytest.raises(Diverged, match="; conv2d, called at .*'weight' of conv2d had an inf"):
        trainer.step()


def test_a_loss_that_no_op_has_spoilt_is_named_alone(config, monkeypatch):
    trainer = GANTrainer(config)
    check = trainer._check
    monkeypatch.setattr(trainer, "_check", lambda losses: check(dict.fromkeys(losses, np.inf)))
    with pytest.raises(Diverged, match=r"^loss_d is inf at step 1: try .* --spectral-norm$"):
        trainer.step()


def test_a_weight_that_is_not_finite_is_not_saved(config):
    trainer = GANTrainer(config)
    bias = trainer.d.head[1].bias
    bias.assign_(np.full(bias.shape, np.inf, np.float32))
    with pytest.raises(Diverged, match=r"d/head\.1\.bias is not finite at step 0: try a lower"):
        trainer.state()


def test_the_penalty_is_added_to_the_loss_of_d(config):
    """The gradients with and without it differ by its own."""
    with_it, without, twin = (GANTrainer(config.replace(gamma=g)) for g in (4.0, 0.0, 4.0))
    with_it._step_d(0), without._step_d(0)
    weights = list(twin.d.parameters())
    penalty = r1(twin.d, twin._tensor(twin.batches.at(0)), gamma=4.0)
    own = mg.grad(penalty, weights, allow_unused=True)
    pairs = zip(with_it.d.parameters(), without.d.parameters(), own, strict=True)
    for a, b, gradient in pairs:
        expected = 0.0 if gradient is None else gradient.numpy()
        np.testing.assert_allclose(a.grad.numpy() - b.grad.numpy(), expected, atol=1e-5)
    assert max(np.abs(g.numpy()).max() for g in own if g is not None) > 1e-3


def test_every_step_has_the_rate_of_its_schedule(config):
    trainer = GANTrainer(config.replace(lr=0.01, lr_decay_from=0.25, schedule_steps=4))
    rates = []
    for _ in range(4):
        trainer.step()
        rates.append((trainer.adam_g.lr, trainer.adam_d.lr))
    assert rates == [(learning_rate(trainer.config, t),) * 2 for t in range(4)]
    assert rates[0] != rates[3]


@pytest.mark.parametrize(
    ("option", "value"), [("lr", 0.5), ("seed", 1), ("batch_size", 5), ("gamma", 0.0)]
)
def test_a_state_of_other_options_is_refused_unless_forced(config, option, value):
    arrays, notes = GANTrainer(config).state()
    changed = GANTrainer(config.replace(**{option: value}))
    with pytest.raises(ConfigError, match=rf"^runs/a was .*: {option} was .* and is {value}; put"):
        changed.load_state(arrays, notes, source="runs/a")
    changed.load_state(arrays, notes, force=True)
    assert changed.step() != {}


def test_what_is_written_where_may_change(config):
    state = GANTrainer(config).state()
    changes = {"steps": 9, "save_every": 9, "threads": 2, "eval_samples": 100, "keep_last": 1}
    GANTrainer(config.replace(**changes)).load_state(*state)


@pytest.mark.parametrize("changes", [{"step": -5}, {"step": 5}, {"config": [1]}, {"config": None}])
def test_notes_that_do_not_fit_name_their_file(config, changes):
    arrays, notes = GANTrainer(config).state()
    with pytest.raises(CheckpointError, match=r"^runs/a does not fit its config.toml"):
        GANTrainer(config).load_state(arrays, {**notes, **changes}, source="runs/a")
