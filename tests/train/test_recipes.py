import numpy as np
import pytest

import minigan as mg
from minigan.train.config import GANConfig
from minigan.train.recipes import (
    build_networks,
    build_optimizer,
    drawing_from,
    ema_decay,
    learning_rate,
    training_images,
)


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a.values(), b.values(), strict=True))


def test_the_seed_names_the_first_weights(config):
    g, d = (net.state_dict() for net in build_networks(config))
    again_g, again_d = (net.state_dict() for net in build_networks(config))
    other_g, other_d = (net.state_dict() for net in build_networks(config.replace(seed=1)))
    assert same(g, again_g)
    assert same(d, again_d)
    assert not same(g, other_g)
    assert not same(d, other_d)


def test_building_leaves_the_default_generator_alone(config):
    mg.manual_seed(5)
    before = mg.default_generator().get_state()
    build_networks(config)
    assert mg.default_generator().get_state() == before


def test_the_default_generator_comes_back_after_an_error():
    before = mg.default_generator().get_state()
    with pytest.raises(RuntimeError, match="inside"), drawing_from(0, "x"):  # noqa: PT012
        mg.default_generator().normal(3)
        raise RuntimeError("inside")
    assert mg.default_generator().get_state() == before


def test_spectral_norm_is_on_d_alone(config):
    g, d = build_networks(config.replace(spectral_norm=True))
    assert any(name.endswith("weight_orig") for name in d.state_dict())
    assert not any(name.endswith("weight_orig") for name in g.state_dict())


def test_adam_has_the_configs_numbers(config):
    g, _ = build_networks(config)
    adam = build_optimizer(config.replace(lr=0.25, beta1=0.5, beta2=0.75), g)
    assert (adam.lr, adam.betas) == (0.25, (0.5, 0.75))
    assert adam.params == list(g.parameters())


def test_the_learning_rate_falls_to_zero():
    config = GANConfig(steps=10, schedule_steps=10, lr=1.0, lr_decay_from=0.5)
    rates = [learning_rate(config, step) for step in range(11)]
    assert rates == pytest.approx([1, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2, 0])


def test_the_learning_rate_stays_if_asked_to():
    config = GANConfig(steps=10, schedule_steps=10, lr=0.5, lr_decay_from=1.0)
    assert {learning_rate(config, step) for step in range(11)} == {0.5}


def test_the_learning_rate_does_not_depend_on_how_far_the_run_goes():
    short, long = GANConfig(steps=10, schedule_steps=50), GANConfig(steps=40, schedule_steps=50)
    rates = [[learning_rate(config, step) for step in range(10)] for config in (short, long)]
    assert rates[0] == rates[1]


def test_layers_draw_from_a_stream_for_each_position():
    def drawn(*where):
        with drawing_from(*where):
            return mg.default_generator().normal(3).tolist()

    assert drawn(0, "a", 1) == drawn(0, "a", 1)
    places = [drawn(0, "a", 1), drawn(0, "a", 2), drawn(0, "b", 1), drawn(1, "a", 1), drawn(0, "a")]
    assert all(x != y for i, x in enumerate(places) for y in places[:i])


def test_averaging_starts_short_and_grows_to_the_configs():
    config = GANConfig(ema=0.9)
    assert ema_decay(config, 0) == 0.1
    assert ema_decay(config, 10) == 0.55
    assert ema_decay(config, 1000) == 0.9


def test_the_images_are_the_training_part(config):
    assert training_images(config).shape == (1442, 1, 8, 8)
