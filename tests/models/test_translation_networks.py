"""Networks that translate images, and those that judge patches: sizes, counts, fields, names."""

from __future__ import annotations

import numpy as np
import pytest

import minigan as mg
from minigan.errors import ShapeError
from minigan.models import PatchDiscriminator, PixelDiscriminator, ResNetGenerator, UNetGenerator
from minigan.models.initial import normal_weights_


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


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_a_unet_keeps_the_size(norm):
    net = UNetGenerator(1, 3, depth=5, width=2, norm=norm, dropout=0.5)
    out = net(mg.randn(2, 1, 64, 96))
    assert out.shape == (2, 3, 64, 96)
    assert np.abs(out.numpy()).max() < 1


@pytest.mark.parametrize(
    ("network", "shape", "message"),
    [
        (lambda: ResNetGenerator(3, 3, blocks=0, width=2), (1, 3, 18, 16), "multiples of 4"),
        (lambda: ResNetGenerator(3, 3, blocks=0, width=2), (1, 3, 4, 16), "at least 8"),
        (lambda: ResNetGenerator(3, 3, blocks=0, width=2), (1, 1, 16, 16), r"\(N, 3, H, W\)"),
        (lambda: UNetGenerator(3, 3, depth=5, width=2), (1, 3, 48, 32), "multiples of 32"),
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
        (lambda: UNetGenerator(3, 3, depth=4), "depth"),
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
    if layers > 3:  # the published numbers; the gradient of a larger image adds nothing
        return
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
    assert d(x).shape == (1, 1, 4, 5)


def test_without_norms_each_score_map_depends_on_its_image_alone():
    d, x = PatchDiscriminator(3, layers=1, width=2, norm="none"), mg.randn(2, 3, 16, 16)
    np.testing.assert_allclose(d(x).numpy()[:1], d(x[:1]).numpy(), rtol=1e-6)


def test_a_penalty_can_be_differentiated_through_a_patch_discriminator():
    d = PatchDiscriminator(1, layers=1, width=2, norm="none")
    mg.penalties.r1(d, mg.randn(2, 1, 8, 8)).backward()
    assert all(np.isfinite(p.grad.numpy()).all() for p in d.parameters() if p.grad is not None)
    assert d.model[0].weight.grad is not None


# -- names and first weights ----------------------------------------------------------------------


def test_names_are_those_of_the_papers_code():
    names = set(ResNetGenerator(3, 3, blocks=2, width=2).state_dict())
    assert {"model.1.weight", "model.4.bias", "model.10.conv_block.1.weight"} <= names
    assert {"model.11.conv_block.5.bias", "model.12.weight", "model.19.bias"} <= names
    assert len(names) == 2 * (4 + 2 * 2 + 2)
    names = set(PatchDiscriminator(3, width=2).state_dict())
    assert names == {f"model.{i}.{what}" for i in (0, 2, 5, 8, 11) for what in ("weight", "bias")}
    names = set(UNetGenerator(3, 3, depth=5, width=2).state_dict())
    assert {"model.model.0.weight", "model.model.3.bias", "model.model.1.model.1.weight"} <= names
    assert "model.model.1.model.3.model.3.model.3.model.3.weight" in names  # the innermost, up
    assert "model.model.0.bias" not in names


def test_first_weights_are_normal():
    net = normal_weights_(ResNetGenerator(3, 3, blocks=1, width=16), std=0.1)
    weight = net.model[4].weight.numpy()
    assert weight.std() == pytest.approx(0.1, rel=0.05)
    assert abs(weight.mean()) < 0.01
    assert not net.model[4].bias.numpy().any()
    scale = UNetGenerator(3, 3, depth=5, width=8).model.model[1].model[2].weight.numpy()
    assert scale.mean() == pytest.approx(1.0, abs=0.02)
    assert 0 < scale.std() < 0.05
