"""Networks that translate images, and those that judge patches: sizes, counts, fields, names."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import minigan as mg
from minigan import nn
from minigan.errors import ShapeError
from minigan.models import PatchDiscriminator, PixelDiscriminator, ResNetGenerator, UNetGenerator
from minigan.models.initial import normal_weights_
from minigan.models.resnet_generator import ResidualBlock


def count(network):
    return sum(p.size for p in network.parameters())


# The counts that the papers' own code prints, at its defaults.
@pytest.mark.parametrize(
    ("make", "parameters"),
    [
        (lambda: ResNetGenerator(3, 3), 11_378_179),
        (lambda: ResNetGenerator(3, 3, blocks=6), 7_837_699),
        (lambda: PatchDiscriminator(3), 2_764_737),
        (lambda: UNetGenerator(3, 3), 54_413_955),
    ],
    ids=["ResNet-9", "ResNet-6", "PatchGAN", "U-Net-256"],
)
def test_parameters_are_as_many_as_published(make, parameters):
    assert count(make()) == parameters


@pytest.mark.parametrize("shape", [(2, 3, 16, 16), (1, 3, 8, 12), (0, 3, 16, 16)])
def test_a_resnet_keeps_the_size(shape):
    out = ResNetGenerator(3, 2, blocks=2, width=4)(mg.zeros(*shape))
    assert out.shape == (shape[0], 2, *shape[2:])
    assert out.dtype == np.float32


def test_a_residual_block_adds_to_what_it_is_given():
    block, x = ResidualBlock(3), mg.randn(2, 3, 5, 4)
    assert not np.allclose(block(x).numpy(), x.numpy())
    for p in block.parameters():
        p.assign_(mg.zeros_like(p))
    np.testing.assert_array_equal(block(x).numpy(), x.numpy())


@pytest.mark.parametrize("norm", ["batch", "instance"])
@pytest.mark.parametrize(("depth", "size"), [(2, (4, 12)), (4, (16, 16)), (5, (64, 96))])
def test_a_unet_keeps_the_size(norm, depth, size):
    net = UNetGenerator(1, 3, depth=depth, width=2, norm=norm)
    out = net(mg.randn(2, 1, *size))
    assert out.shape == (2, 3, *size)
    assert out.dtype == np.float32
    assert np.abs(out.numpy()).max() < 1


@pytest.mark.parametrize(("depth", "levels"), [(6, 1), (7, 2), (8, 3)])
def test_dropout_is_in_the_full_levels_around_the_innermost(depth, levels):
    net = UNetGenerator(1, 1, depth=depth, width=1, dropout=0.5)
    assert sum(isinstance(m, nn.Dropout) for m in net.modules()) == levels
    x = mg.randn(1, 1, 1 << depth, 1 << depth)
    normal_weights_(net, std=0.3)
    assert not np.array_equal(net(x).numpy(), net(x).numpy())
    net.eval()
    np.testing.assert_array_equal(net(x).numpy(), net(x).numpy())


@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_the_smallest_image_has_one_score(layers, norm):
    d, side = PatchDiscriminator(3, layers=layers, width=2, norm=norm), 3 << layers
    scores = d(mg.randn(2, 3, side, side))
    assert scores.shape == (2, 1, 1, 1)
    assert scores.dtype == np.float32
    with pytest.raises(ShapeError, match=f"give at least {side} x {side}, or fewer layers"):
        d(mg.randn(2, 3, side, side - 1))


@pytest.mark.parametrize(
    ("network", "shape", "message"),
    [
        (lambda: ResNetGenerator(3, 3, blocks=0, width=2), (1, 3, 18, 16), "multiples of 4"),
        (lambda: ResNetGenerator(3, 3, blocks=0, width=2), (1, 3, 4, 16), "at least 8"),
        (lambda: ResNetGenerator(3, 3, blocks=0, width=2), (1, 1, 16, 16), r"\(N, 3, H, W\)"),
        (lambda: ResNetGenerator(3, 3, halvings=0, width=2), (1, 3, 3, 8), "at least 4"),
        (lambda: UNetGenerator(3, 3, depth=5, width=2), (1, 3, 48, 32), "multiples of 32"),
        (lambda: UNetGenerator(3, 3, depth=5, width=2), (1, 3, 32, 0), "multiples of 32"),
        (lambda: UNetGenerator(3, 3, depth=5, width=2), (3, 32, 32), r"\(N, 3, H, W\)"),
        (lambda: PatchDiscriminator(3, width=2), (1, 1, 32, 32), r"\(N, 3, H, W\)"),
    ],
)
def test_images_that_do_not_fit_are_refused(network, shape, message):
    with pytest.raises(ShapeError, match=message):
        network()(mg.zeros(*shape))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: UNetGenerator(3, 3, depth=1), "depth"),
        (lambda: UNetGenerator(3, 3, depth=5, width=1, dropout=0.5), "depth >= 6, or dropout=0"),
        (lambda: UNetGenerator(3, 3, norm="layer"), "norm is 'layer': use one of batch, instance"),
        (lambda: PatchDiscriminator(3, layers=0), "layers"),
        (lambda: PatchDiscriminator(3, norm="layer"), "use one of batch, instance, none"),
        (lambda: PixelDiscriminator(3, norm="none"), "norm is 'none'"),
        (lambda: ResNetGenerator(0, 3), "in_channels"),
        (lambda: ResNetGenerator(3, 3, padding="wrap"), "use one of reflect, zeros"),
    ],
)
def test_impossible_networks_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_with_a_shortcut_it_begins_at_grey_and_colours_come_first():
    net = ResNetGenerator(3, 3, blocks=1, width=2, halvings=1, padding="zeros", shortcut=True)
    x = mg.randn(2, 3, 8, 8)
    assert not net(x).numpy().any()
    net.shortcut.weight.assign_(mg.full(net.shortcut.weight.shape, 0.5))
    expected = np.tanh(0.5 * x.numpy().sum(axis=1, keepdims=True))
    np.testing.assert_allclose(net(x).numpy(), np.repeat(expected, 3, axis=1), atol=1e-6)


@pytest.mark.parametrize(("padding", "knows"), [("zeros", True), ("reflect", False)])
def test_zeros_tell_where_the_border_is(padding, knows):
    net = ResNetGenerator(1, 1, blocks=1, width=4, halvings=0, padding=padding)
    normal_weights_(net, std=0.3)
    out = net(mg.full((1, 1, 8, 8), 0.5)).numpy()  # nothing to be seen but the border
    assert (out.std() > 1e-3) == knows


# -- patches --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("layers", "field"), [(1, 16), (2, 34), (3, 70), (4, 142), (5, 286)])
def test_the_receptive_field_is_what_a_score_depends_on(layers, field):
    d = PatchDiscriminator(1, layers=layers, width=1, norm="none")
    assert d.receptive_field == field
    assert f"receptive field {field} x {field}" in repr(d)
    for p in d.parameters():  # no cancellation: every path has a positive weight
        p.assign_(mg.full(p.shape, 0.5))
    x = mg.ones(1, 1, 2 * field, 2 * field, requires_grad=True)
    scores = d(x)
    middle = scores.shape[2] // 2
    (g,) = mg.grad(scores[0, 0, middle, middle], x)
    rows, columns = (np.flatnonzero(g.numpy()[0, 0].any(axis=a)) for a in (1, 0))
    assert len(rows) == len(columns) == field
    assert rows[-1] - rows[0] + 1 == field


def test_a_pixel_discriminator_sees_one_pixel():
    d, x = PixelDiscriminator(3, width=2), mg.randn(1, 3, 4, 5)
    assert d.receptive_field == 1
    assert "receptive field 1 x 1" in repr(d)
    assert d(x).shape == (1, 1, 4, 5)


def test_a_score_of_one_pixel_depends_on_it_alone():
    d = PixelDiscriminator(3, width=2, norm="batch").eval()  # in training a norm sees all pixels
    x = mg.randn(1, 3, 4, 5, requires_grad=True)
    (g,) = mg.grad(d(x)[0, 0, 1, 2], x)
    touched = g.numpy()[0].any(axis=0)
    assert np.argwhere(touched).tolist() == [[1, 2]]


def test_without_norms_each_score_map_depends_on_its_image_alone():
    d, x = PatchDiscriminator(3, layers=1, width=2, norm="none"), mg.randn(2, 3, 16, 16)
    np.testing.assert_allclose(d(x).numpy()[:1], d(x[:1]).numpy(), rtol=1e-6)


def test_a_penalty_can_be_differentiated_through_a_patch_discriminator():
    d = PatchDiscriminator(1, layers=1, width=2, norm="none")
    mg.penalties.r1(d, mg.randn(2, 1, 8, 8)).backward()
    assert all(np.isfinite(p.grad.numpy()).all() for p in d.parameters() if p.grad is not None)
    assert d.model[0].weight.grad is not None


# -- names and first weights ----------------------------------------------------------------------


def shapes(network):
    return {name: array.shape for name, array in network.state_dict().items()}


def convolution(name, *shape, out, bias=True):
    """The two names and shapes of a convolution, `out` being the number of its biases."""
    return {f"{name}.weight": shape} | ({f"{name}.bias": (out,)} if bias else {})


def batch_norm(name, channels):
    ones = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{one}": (channels,) for one in ones} | {f"{name}.num_batches_tracked": ()}


def test_a_resnet_has_the_names_of_the_papers_code():
    expected = {
        **convolution("model.1", 2, 3, 7, 7, out=2),
        **convolution("model.4", 4, 2, 3, 3, out=4),
        **convolution("model.7", 8, 4, 3, 3, out=8),
        **convolution("model.12", 8, 4, 3, 3, out=4),
        **convolution("model.15", 4, 2, 3, 3, out=2),
        **convolution("model.19", 1, 2, 7, 7, out=1),
    }
    for block in (10, 11):
        for i in (1, 5):
            expected |= convolution(f"model.{block}.conv_block.{i}", 8, 8, 3, 3, out=8)
    assert shapes(ResNetGenerator(3, 1, blocks=2, width=2)) == expected


@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
def test_a_patch_discriminator_has_the_names_of_the_papers_code(norm):
    widths, bias = [3, 2, 4, 8, 16, 1], norm != "batch"
    expected = {}
    for i, place in enumerate((0, 2, 5, 8, 11)):
        before, after, ends = widths[i], widths[i + 1], place in (0, 11)
        expected |= convolution(f"model.{place}", after, before, 4, 4, out=after, bias=bias or ends)
        if norm == "batch" and not ends:
            expected |= batch_norm(f"model.{place + 1}", after)
    assert shapes(PatchDiscriminator(3, width=2, norm=norm)) == expected


def test_a_pixel_discriminator_has_the_names_of_the_papers_code():
    assert shapes(PixelDiscriminator(3, width=2)) == {
        **convolution("net.0", 2, 3, 1, 1, out=2),
        **convolution("net.2", 4, 2, 1, 1, out=4),
        **convolution("net.5", 1, 4, 1, 1, out=1),
    }


@pytest.mark.parametrize(("depth", "dropout"), [(5, 0.0), (8, 0.0), (8, 0.5)])
def test_a_unet_has_the_names_of_the_papers_code(depth, dropout):
    expected, prefix = convolution("model.model.0", 2, 3, 4, 4, out=2, bias=False), "model.model"
    expected |= convolution("model.model.3", 4, 1, 4, 4, out=1)  # 2 channels and the bridge's 2
    widths = [2, 4, 8, 16, 16, 16, 16, 16][:depth]
    for i, (outer, wider) in enumerate(itertools.pairwise(widths), start=1):
        prefix, innermost = f"{prefix}.{3 if i > 1 else 1}.model", i == depth - 1
        up, below = (3, wider) if innermost else (5, 2 * wider)
        expected |= convolution(f"{prefix}.1", wider, outer, 4, 4, out=wider, bias=False)
        expected |= {} if innermost else batch_norm(f"{prefix}.2", wider)
        expected |= convolution(f"{prefix}.{up}", below, outer, 4, 4, out=outer, bias=False)
        expected |= batch_norm(f"{prefix}.{up + 1}", outer)
    assert shapes(UNetGenerator(3, 1, depth=depth, width=2, dropout=dropout)) == expected


def test_first_weights_are_normal():
    net = normal_weights_(ResNetGenerator(3, 3, blocks=1, width=16), std=0.1)
    weight = net.model[4].weight.numpy()
    assert weight.std() == pytest.approx(0.1, rel=0.05)
    assert abs(weight.mean()) < 0.01
    assert not net.model[4].bias.numpy().any()
    scale = UNetGenerator(3, 3, depth=5, width=8).model.model[1].model[2].weight.numpy()
    assert scale.mean() == pytest.approx(1.0, abs=0.02)
    assert 0 < scale.std() < 0.05
