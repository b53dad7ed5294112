"""Letters: I, O channels."""

import math

import numpy as np
import pytest

import minigan as mg
from minigan import nn
from minigan.models.equalized import equalize
from minigan.optim import Adam


def test_the_weight_is_he_times_the_stored_one():
    mg.manual_seed(0)
    layer = equalize(nn.Conv2d(6, 50, 3))
    stored = layer.weight_raw.numpy()
    assert stored.std() == pytest.approx(1.0, abs=0.05)
    factor = math.sqrt(2.0 / (6 * 9))
    np.testing.assert_allclose(layer.weight.numpy(), factor * stored, rtol=1e-6)
    assert layer.bias.numpy().tolist() == [0.0] * 50


def test_it_keeps_the_variance_through_a_leaky_relu():
    mg.manual_seed(0)
    layer = equalize(nn.Linear(400, 400), gain=math.sqrt(2 / (1 + 0.2**2)))
    out = mg.leaky_relu(layer(mg.randn(200, 400)), negative_slope=0.2).numpy()
    assert np.square(out).mean() == pytest.approx(1.0, rel=0.05)


@pytest.mark.parametrize("multiplier", [1.0, 0.01])
def test_one_step_of_adam_moves_weight_and_bias_by_the_multiplier(multiplier):
    """Adam's first step is lr for every entry; in the function it is lr factor."""
    mg.manual_seed(0)
    layer = equalize(nn.Linear(8, 3), gain=2.0, lr_multiplier=multiplier)
    weight, bias = layer.weight.numpy().copy(), layer.bias.numpy().copy()
    adam = Adam(layer.parameters(), lr=0.1, eps=1e-12)
    layer(mg.ones(1, 8)).sum().backward()
    adam.step()
    moved = 0.1 * multiplier
    np.testing.assert_allclose(weight - layer.weight.numpy(), moved * 2 / math.sqrt(8), rtol=1e-2)
    np.testing.assert_allclose(bias - layer.bias.numpy(), moved, rtol=1e-4)


def test_the_multiplier_leaves_the_first_function_as_it_was():
    functions = []
    for multiplier in (1.0, 0.01):
        mg.manual_seed(3)
        functions.append(equalize(nn.Linear(5, 4), lr_multiplier=multiplier).weight.numpy())
    np.testing.assert_allclose(*functions, rtol=1e-5)


def test_the_state_holds_the_stored_parameters_and_the_tree_says_so():
    layer = equalize(nn.Linear(4, 2), gain=1.0, lr_multiplier=0.5)
    assert set(layer.state_dict()) == {"weight_raw", "bias_raw"}
    assert layer.num_parameters() == 10
    assert repr(nn.Sequential(layer)).splitlines()[1].split("  ")[0].endswith(
        "Linear(4, 2) + 0.25 weight_raw + 0.5 bias_raw"
    )  # fmt: skip


def test_a_layer_without_bias_stays_without():
    assert set(equalize(nn.Linear(4, 2, bias=False)).state_dict()) == {"weight_raw"}


@pytest.mark.parametrize("multiplier", [0.0, -1.0, float("nan")])
def test_an_impossible_multiplier_is_refused(multiplier):
    with pytest.raises(ValueError, match="lr_multiplier is .* must be above 0"):
        equalize(nn.Linear(2, 2), lr_multiplier=multiplier)
