"""Letters: N batch, C channels, S size, K classes."""

import numpy as np
import pytest

import minigan as mg
from minigan import nn
from minigan.errors import ShapeError
from minigan.models import ConditionalBatchNorm2d, ConditionalGenerator, ProjectionDiscriminator
from minigan.nn import sigmas


def generator(**options):
    mg.manual_seed(0)
    small = {"classes": 5, "latent": 4, "width": 3, "channels": 1, "size": 8}
    return ConditionalGenerator(**{**small, **options})


def discriminator(**options):
    mg.manual_seed(0)
    return ProjectionDiscriminator(
        **{"classes": 5, "width": 3, "channels": 1, "size": 8, **options}
    )


def spread_(network, rng):
    """Give classes scales and shifts of their own, which start out equal; return the network."""
    for norm in (m for m in network.modules() if isinstance(m, ConditionalBatchNorm2d)):
        norm.scale.weight.assign_(1 + 0.5 * rng.standard_normal(norm.scale.weight.shape))
        norm.shift.weight.assign_(0.5 * rng.standard_normal(norm.shift.weight.shape))
    return network


# -- conditional batch norm -----------------------------------------------------------------------


def test_the_norm_is_its_definition(rng):
    norm = spread_(ConditionalBatchNorm2d(2, classes=4).to(dtype="float64"), rng)
    x, y = rng.standard_normal((5, 2, 3, 3)), np.array([3, 0, 0, 2, 3])
    scale, shift = norm.scale.weight.numpy(), norm.shift.weight.numpy()
    mean, var = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3))
    expected = np.empty_like(x)
    for n, c in np.ndindex(5, 2):
        standard = (x[n, c] - mean[c]) / np.sqrt(var[c] + 2e-5)
        expected[n, c] = standard * scale[y[n], c] + shift[y[n], c]
    np.testing.assert_allclose(norm(mg.tensor(x), y).numpy(), expected, atol=1e-12)


def test_the_norm_is_batch_norm_at_first():
    norm, x = ConditionalBatchNorm2d(3, classes=4), mg.randn(4, 3, 5, 5)
    expected = nn.BatchNorm2d(3, eps=2e-5, affine=False)(x).numpy()
    np.testing.assert_allclose(norm(x, np.arange(4)).numpy(), expected, atol=1e-6)


def test_the_norm_takes_running_statistics_in_evaluation():
    norm = ConditionalBatchNorm2d(3, classes=4).eval()
    x = mg.randn(1, 3, 2, 2)
    np.testing.assert_allclose(norm(x, np.array([2])).numpy(), x.numpy(), rtol=1e-4)


# -- the generator --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [8, 16, 32])
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes_for_every_size(size, channels):
    g, d = generator(size=size, channels=channels), discriminator(size=size, channels=channels)
    y = np.array([0, 4, 4])
    images = g(mg.randn(3, 4), y)
    assert images.shape == (3, channels, size, size)
    assert np.abs(images.numpy()).max() < 1
    assert d(images, y).shape == (3,)


def test_a_label_changes_its_own_image_alone(rng):
    g = spread_(generator(), rng).eval()
    z = mg.randn(3, 4)
    before, after = g(z, np.array([0, 1, 2])).numpy(), g(z, np.array([0, 3, 2])).numpy()
    np.testing.assert_array_equal(before[[0, 2]], after[[0, 2]])
    assert np.abs(before[1] - after[1]).max() > 1e-3


def test_the_row_of_a_class_that_is_not_there_gets_no_gradient(rng):
    g = spread_(generator(), rng)
    g(mg.randn(3, 4), np.array([0, 4, 4])).sum().backward()
    rows = np.abs(g.norm.shift.weight.grad.numpy()).sum(axis=1)
    assert (rows > 0).tolist() == [True, False, False, False, True]


@pytest.mark.parametrize(("y", "error", "text"), [
    ([0, 5], ValueError, "a label is 5: give integers from 0 to 4"),
    ([0], ShapeError, r"labels have shape \(1,\): give \(2,\)"),
    ([0.0, 1.0], TypeError, "labels are float64"),
])  # fmt: skip
def test_impossible_labels_are_refused(y, error, text):
    with pytest.raises(error, match=text):
        generator()(mg.randn(2, 4), np.array(y))
    with pytest.raises(error, match=text):
        discriminator()(mg.zeros(2, 1, 8, 8), np.array(y))


@pytest.mark.parametrize("network", [ConditionalGenerator, ProjectionDiscriminator])
def test_impossible_sizes_and_classes_are_refused(network):
    with pytest.raises(ValueError, match="size is 28: use 8, 16, 32"):
        network(classes=5, width=2, size=28)
    with pytest.raises(ValueError, match="classes=0: give an int >= 1"):
        network(classes=0, width=2)


# -- the projection discriminator -----------------------------------------------------------------


def test_the_logit_is_its_definition():
    d, x, y = discriminator(), mg.randn(4, 1, 8, 8), np.array([1, 4, 0, 1])
    phi = d.body.features(x).numpy()
    psi, table = d.body.head.weight.numpy()[0], d.embed.weight.numpy()
    expected = [
        sum(psi[i] * phi[n, i] for i in range(3))
        + sum(table[y[n], i] * phi[n, i] for i in range(3))
        for n in range(4)
    ]
    np.testing.assert_allclose(d(x, y).numpy(), expected, rtol=1e-5)


def test_without_the_projection_it_is_the_unconditional_one():
    d, x = discriminator().eval(), mg.randn(4, 1, 8, 8)
    d.embed.weight_orig.assign_(0.0)
    np.testing.assert_allclose(d(x, np.arange(4)).numpy(), d.body(x).numpy(), rtol=1e-6)


def test_every_layer_and_the_embedding_have_spectral_norm_one():
    d = discriminator(width=8, classes=10)
    assert [s.used for s in sigmas(d).values()] == pytest.approx([1.0] * len(sigmas(d)), abs=0.02)
    assert np.linalg.norm(d.embed.weight.numpy(), 2) == pytest.approx(1.0, abs=0.02)
    assert {"embed.weight_orig", "embed.weight_u", "embed.weight_v"} <= set(d.state_dict())
