"""Letters: N batch, C channels, S size."""

import numpy as np
import pytest

import minigan as mg
from minigan.models import DCGANDiscriminator, DCGANGenerator


@pytest.mark.parametrize("size", [8, 16, 32])
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes_for_every_size(size, channels):
    mg.manual_seed(0)
    g = DCGANGenerator(latent=5, width=2, channels=channels, size=size)
    d = DCGANDiscriminator(width=2, channels=channels, size=size)
    images = g(mg.randn(3, 5))
    assert images.shape == (3, channels, size, size)
    assert np.abs(images.numpy()).max() < 1
    assert d(images).shape == (3,)


def test_parameter_counts():
    # Linear 32 -> 768, norms 2 (48 + 24), convolutions 9 (48 24) and 9 24 + 1
    assert DCGANGenerator().num_parameters() == 32 * 768 + 2 * 72 + 9 * 48 * 24 + 9 * 24 + 1
    # 3x3 1 -> 24; 4x4 24 -> 48 -> 96; linear 384 -> 1; each with biases
    expected = (9 * 24 + 24) + (16 * 24 * 48 + 48) + (16 * 48 * 96 + 96) + 385
    assert DCGANDiscriminator().num_parameters() == expected


@pytest.mark.parametrize("size", [0, 4, 7, 12, 24])
def test_a_size_that_is_no_power_of_two_is_refused(size):
    with pytest.raises(ValueError, match=f"size is {size}: use 8, 16, 32"):
        DCGANGenerator(size=size)
    with pytest.raises(ValueError, match=f"size is {size}: use 8, 16, 32"):
        DCGANDiscriminator(size=size)


def test_a_logit_depends_on_its_own_image_alone():
    mg.manual_seed(0)
    d = DCGANDiscriminator(width=3)
    x = mg.randn(4, 1, 8, 8, requires_grad=True)
    (g,) = mg.grad(d(x)[2], x)
    alone = np.abs(g.numpy()).sum(axis=(1, 2, 3))
    assert alone[2] > 0
    assert alone[[0, 1, 3]].tolist() == [0.0, 0.0, 0.0]


def test_an_image_does_not_depend_on_its_batch_in_evaluation():
    mg.manual_seed(0)
    g = DCGANGenerator(latent=4, width=2).eval()
    z = mg.randn(6, 4)
    together = g(z).numpy()
    alone = np.concatenate([g(z[i : i + 1]).numpy() for i in range(6)])
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-6)


def test_spectral_norm_bounds_every_weight_of_d():
    mg.manual_seed(0)
    d = DCGANDiscriminator(width=4, spectral_norm=True)
    layers = [m for m in d.modules() if "weight_orig" in vars(m)]
    assert len(layers) == 4
    for layer in layers:
        matrix = layer.weight.numpy().reshape(layer.weight.shape[0], -1)
        assert np.linalg.svd(matrix, compute_uv=False)[0] == pytest.approx(1, abs=0.1)
