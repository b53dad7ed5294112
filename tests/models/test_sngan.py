"""Letters: N batch, C channels, S size, w width."""

import math

import numpy as np
import pytest
from scipy.signal import correlate2d

import minigan as mg
from minigan import nn
from minigan.errors import ShapeError
from minigan.models import SNGANDiscriminator, SNGANGenerator
from minigan.models.sngan import EnlargingBlock, FirstBlock, ReducingBlock
from minigan.nn import sigmas
from minigan.optim import Adam


def convolved(conv, x):
    """A convolution with zero padding, by SciPy: (N, C, H, W) -> (N, O, H, W)."""
    weight, bias = conv.weight.numpy(), conv.bias.numpy()
    return np.stack([
        [
            sum(correlate2d(c, k, mode="same") for c, k in zip(image, kernels, strict=True)) + b
            for kernels, b in zip(weight, bias, strict=True)
        ]
        for image in x
    ])  # fmt: skip


def halved(x):
    n, c, h, w = x.shape
    return x.reshape(n, c, h // 2, 2, w // 2, 2).mean(axis=(3, 5))


def doubled(x):
    return x.repeat(2, axis=2).repeat(2, axis=3)


def relu(x):
    return np.maximum(x, 0)


def normalised(norm, x):
    mean, var = x.mean(axis=(0, 2, 3), keepdims=True), x.var(axis=(0, 2, 3), keepdims=True)
    scale, shift = (p.numpy().reshape(1, -1, 1, 1) for p in (norm.weight, norm.bias))
    return (x - mean) / np.sqrt(var + 2e-5) * scale + shift


def with_biases(network, rng):
    """In double precision, with biases (and what else is one-dimensional) moved off their start."""
    network.to(dtype="float64")
    for p in network.parameters():
        if p.ndim == 1:
            p.assign_(p.numpy() + rng.normal(size=p.shape))
    return network


# -- shapes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [8, 16, 32, 64])
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes_for_every_size(size, channels):
    mg.manual_seed(0)
    g = SNGANGenerator(latent=5, width=2, channels=channels, size=size)
    d = SNGANDiscriminator(width=2, channels=channels, size=size)
    images = g(mg.randn(3, 5))
    assert images.shape == (3, channels, size, size)
    assert np.abs(images.numpy()).max() < 1
    assert d(images).shape == (3,)
    assert d.features(images).shape == (3, 2)


@pytest.mark.parametrize(("size", "last"), [(8, 4), (16, 8), (32, 8), (64, 8)])
def test_the_last_map_of_d(size, last):
    d = SNGANDiscriminator(width=2, channels=1, size=size)
    assert d.blocks(d.from_image(mg.zeros(1, 1, size, size))).shape == (1, 2, last, last)


def test_parameter_counts_of_the_paper_s_pair():
    w = 256
    block = 2 * (9 * w * w + w) + (w * w + w) + 2 * 2 * w
    expected = 16 * w * 129 + 3 * block + 2 * w + 9 * w * 3 + 3
    assert SNGANGenerator().num_parameters() == expected
    w = 128
    two = 2 * (9 * w * w + w)
    first = (9 * 3 * w + w) + (9 * w * w + w) + (3 * w + w)
    expected = first + (two + w * w + w) + 2 * two + w
    assert SNGANDiscriminator().num_parameters() == expected


def test_impossible_sizes_latents_and_images_are_refused():
    for network in (SNGANGenerator, SNGANDiscriminator):
        with pytest.raises(ValueError, match="size is 28: use 8, 16, 32 .* resized to 32"):
            network(width=2, size=28)
    with pytest.raises(ShapeError, match=r"z has shape \(2, 4\): give \(N, 5\)"):
        SNGANGenerator(latent=5, width=2)(mg.randn(2, 4))
    # Summed over positions, a map of any size would give a number.
    with pytest.raises(ShapeError, match=r"give \(N, 1, 32, 32\)"):
        SNGANDiscriminator(width=2, channels=1)(mg.zeros(2, 1, 16, 16))


# -- blocks: the definitions, with the 1x1 convolution where the paper has it ----------------------


def test_the_generator_s_block_is_its_definition(rng):
    mg.manual_seed(0)
    block = with_biases(EnlargingBlock(2, norm=lambda c: nn.BatchNorm2d(c, eps=2e-5)), rng)
    x = rng.standard_normal((3, 2, 4, 4))
    y = convolved(block.conv1, doubled(relu(normalised(block.norm1, x))))
    y = convolved(block.conv2, relu(normalised(block.norm2, y)))
    expected = y + convolved(block.shortcut, doubled(x))
    np.testing.assert_allclose(block(mg.tensor(x)).numpy(), expected, atol=1e-10)


def test_the_first_block_of_d_is_its_definition(rng):
    mg.manual_seed(0)
    block = with_biases(FirstBlock(2, 3), rng)
    x = rng.standard_normal((2, 2, 4, 6))
    y = halved(convolved(block.conv2, relu(convolved(block.conv1, x))))
    expected = y + halved(convolved(block.shortcut, x))
    np.testing.assert_allclose(block(mg.tensor(x)).numpy(), expected, atol=1e-10)


@pytest.mark.parametrize("halve", [True, False])
def test_the_other_blocks_of_d_are_their_definition(halve, rng):
    mg.manual_seed(0)
    block = with_biases(ReducingBlock(2, halve=halve), rng)
    x = rng.standard_normal((2, 2, 4, 6))
    expected = convolved(block.conv2, relu(convolved(block.conv1, relu(x))))
    expected = halved(expected + convolved(block.shortcut, x)) if halve else expected + x
    np.testing.assert_allclose(block(mg.tensor(x)).numpy(), expected, atol=1e-10)


def test_the_logit_is_a_linear_function_of_the_summed_map():
    mg.manual_seed(0)
    d, x = SNGANDiscriminator(width=3, channels=1, size=8), mg.randn(4, 1, 8, 8)
    phi = relu(d.blocks(d.from_image(x)).numpy()).sum(axis=(2, 3))
    np.testing.assert_allclose(d.features(x).numpy(), phi, rtol=1e-5)
    np.testing.assert_allclose(d(x).numpy(), (phi @ d.head.weight.numpy().T)[:, 0], rtol=1e-5)


def test_the_first_weights_are_glorot_s():
    mg.manual_seed(0)
    g = SNGANGenerator(latent=20, width=32)
    for layer, gain in ((g.blocks[0].conv1, math.sqrt(2)), (g.blocks[0].shortcut, 1.0)):
        taps = math.prod(layer.kernel_size)
        bound = gain * math.sqrt(6 / (2 * 32 * taps))
        largest = np.abs(layer.weight.numpy()).max()
        assert 0.98 * bound < largest <= bound
        assert layer.bias.numpy().tolist() == [0.0] * 32


# -- spectral norm --------------------------------------------------------------------------------


def test_every_layer_of_d_has_spectral_norm_one_and_keeps_it_in_training(rng):
    mg.manual_seed(0)
    d = SNGANDiscriminator(width=8, channels=1, size=16)
    layers = [m for m in d.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(layers) == len(sigmas(d)) == 3 + 2 * 2 + 1
    assert all("weight_orig" in vars(layer) for layer in layers)
    assert [s.used for s in sigmas(d).values()] == pytest.approx([1.0] * len(layers), abs=0.02)
    adam, x = Adam(d.parameters(), lr=1e-3, betas=(0.0, 0.9)), mg.randn(4, 1, 16, 16)
    before = [s.trained for s in sigmas(d).values()]
    for _ in range(20):
        adam.zero_grad()
        mg.softplus(d(x)).mean().backward()
        adam.step()
    d(x)
    assert np.abs(np.subtract([s.trained for s in sigmas(d).values()], before)).max() > 0.01
    assert [s.used for s in sigmas(d).values()] == pytest.approx([1.0] * len(layers), abs=0.05)


def test_d_has_no_norm_that_couples_a_batch():
    mg.manual_seed(0)
    d = SNGANDiscriminator(width=3, channels=1, size=8)
    x = mg.randn(4, 1, 8, 8, requires_grad=True)
    (g,) = mg.grad(d(x)[2], x)
    alone = np.abs(g.numpy()).sum(axis=(1, 2, 3))
    assert alone[2] > 0
    assert alone[[0, 1, 3]].tolist() == [0.0, 0.0, 0.0]
