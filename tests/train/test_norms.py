import math

import numpy as np
import pytest

import minigan as mg
from minigan import nn
from minigan.models import DCGANDiscriminator
from minigan.train.config import GANConfig
from minigan.train.gan import GANTrainer
from minigan.train.norms import norms_of

SPECTRAL = {"spectral_norm": True}


def trainer_of(config, **options):
    return GANTrainer(config.replace(**options))


def state(trainer):
    return {name: array.copy() for name, array in trainer.state()[0].items()}


@pytest.mark.parametrize("options", [{}, SPECTRAL], ids=["plain", "spectral norm"])
def test_sigma_is_the_largest_singular_value(config, options):
    trainer = trainer_of(config, **options)
    trainer.step()
    found = norms_of({"g": trainer.g, "d": trainer.d})
    layers = {n: m for n, m in trainer.d.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}
    assert found["sigma"].keys() == layers.keys()
    for name, layer in layers.items():
        weight = layer.weight.numpy().astype(np.float64)
        expected = np.linalg.svd(weight.reshape(len(weight), -1))[1][0]
        assert found["sigma"][name] == pytest.approx(expected, rel=1e-5)
        if options:
            weight = layer.weight_orig.numpy().astype(np.float64)
            expected = np.linalg.svd(weight.reshape(len(weight), -1))[1][0]
            assert found["sigma_trained"][name] == pytest.approx(expected, rel=1e-5)
    assert bool(found["sigma_trained"]) == bool(options)


def test_gradients_are_those_of_the_last_step(config):
    trainer = trainer_of(config)
    trainer.step()
    found = norms_of({"g": trainer.g, "d": trainer.d})
    for name, network in (("g", trainer.g), ("d", trainer.d)):
        flat = np.concatenate([p.grad.numpy().ravel() for p in network.parameters()])
        assert found["gradient"][name] == pytest.approx(np.linalg.norm(flat), rel=1e-5)


@pytest.mark.parametrize("options", [{}, SPECTRAL], ids=["plain", "spectral norm"])
def test_looking_changes_nothing(config, options):
    """Training with a look after every step is, bit for bit, training without."""
    watched, left_alone = trainer_of(config, **options), trainer_of(config, **options)
    generator = mg.default_generator().get_state()
    for _ in range(3):
        watched.step(), left_alone.step()
        norms_of({"g": watched.g, "d": watched.d})
    assert mg.default_generator().get_state() == generator
    for name, array in state(left_alone).items():
        np.testing.assert_array_equal(state(watched)[name], array, err_msg=name)


def test_looking_touches_no_buffer_and_no_mode():
    mg.manual_seed(0)
    d = DCGANDiscriminator(width=2, spectral_norm=True)
    d.head.eval()
    d.from_image[0].weight_orig.assign_(d.from_image[0].weight_orig.numpy() * 2)  # u is now behind
    before = dict(d.named_buffers())
    modes = [module.training for module in d.modules()]
    norms_of({"d": d})
    assert [module.training for module in d.modules()] == modes
    for name, buffer in d.named_buffers():
        assert buffer is before[name], f"{name} was replaced"


def test_layers_of_several_discriminators_have_the_names_of_both():
    networks = {name: nn.Sequential(nn.Linear(2, 2)) for name in ("g", "d_a", "d_b")}
    found = norms_of(networks, discriminators=("d_a", "d_b"))
    assert list(found["sigma"]) == ["d_a.0", "d_b.0"]
    assert found["gradient"] == {}, "nothing has been differentiated"


def test_a_network_without_d_has_gradients_alone():
    network = nn.Linear(2, 1)
    network(mg.ones(1, 2)).sum().backward()
    found = norms_of({"vae": network})
    assert found == {"sigma": {}, "sigma_trained": {}, "gradient": {"vae": 1.73205}}


def test_what_is_not_finite_is_left_out():
    network = nn.Linear(2, 1)
    network(mg.ones(1, 2)).sum().backward()
    network.weight.assign_(math.nan)
    network.weight.grad = mg.tensor([[math.inf, 1.0]])
    assert norms_of({"d": network}) == {"sigma": {}, "sigma_trained": {}, "gradient": {}}


def test_on_the_default_options():
    found = norms_of({"d": GANTrainer(GANConfig(width=4)).d})
    assert all(0 < sigma < 10 for sigma in found["sigma"].values())
