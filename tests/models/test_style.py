"""Letters: N batch, Z latents and styles, C channels, S size, L layers."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan import nn
from minigan.backend import Generator
from minigan.errors import ShapeError
from minigan.models import MappingNetwork, StyleGenerator
from minigan.models.style import StyleLayer, widths_of
from minigan.optim import EMA
from minigan.testing.cupy_double import cupy_double


def tiny(*, latent=6, width=3, noisy=False, **options):
    """A small generator, the same every time; `noisy` gives the noise a strength above 0."""
    mg.manual_seed(0)
    g = StyleGenerator(latent=latent, width=width, mapping_layers=2, **options)
    if noisy:
        for layer in g.synthesis.layers:
            layer.strength.assign_(0.5)
    return g


def same(a, b):
    return np.array_equal(a.numpy(), b.numpy())


# -- shapes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [8, 16, 32])
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes_for_every_size(size, channels):
    g = tiny(size=size, channels=channels)
    images = g(mg.randn(2, 6))
    assert images.shape == (2, channels, size, size)
    assert np.abs(images.numpy()).max() <= 1
    assert g.num_layers == 2 * (int(math.log2(size)) - 1)


@given(st.integers(1, 2000), st.integers(0, 8))
def test_channels_double_up_to_512(width, halvings):
    widths = widths_of(width, halvings)
    assert widths[0] == width
    assert len(widths) == halvings + 1
    for before, after in zip(widths, widths[1:], strict=False):
        assert after == min(2 * before, max(width, 512))


def test_parameter_count():
    z, w = 32, 8  # at 8 x 8: 16 channels at 4 x 4, 8 at 8 x 8
    mapping = 8 * (z * z + z)
    convolutions = (9 * 16 * 16 + 16) + (9 * 16 * 8 + 8) + (9 * 8 * 8 + 8)
    styles_and_strengths = sum((z + 1) * 2 * c + c for c in (16, 16, 8, 8))
    to_image = w * 3 + 3
    expected = mapping + 16 * 16 + convolutions + styles_and_strengths + to_image
    assert StyleGenerator(latent=z, width=w, channels=3).num_parameters() == expected


def test_the_paper_maps_512_numbers_by_eight_layers():
    mapping = MappingNetwork()
    assert sum(isinstance(m, nn.Linear) for m in mapping.modules()) == 8
    assert mapping.num_parameters() == 8 * (512 * 512 + 512)
    assert mapping(mg.randn(2, 512)).shape == (2, 512)


@pytest.mark.parametrize("size", [4, 12, 28])
def test_an_impossible_size_is_refused(size):
    with pytest.raises(ValueError, match=f"size is {size}: use 8, 16, 32"):
        StyleGenerator(latent=4, width=2, size=size)


def test_latents_of_another_size_are_refused():
    with pytest.raises(ShapeError, match=r"z has shape \(2, 5\): give \(N, 6\)"):
        tiny()(mg.randn(2, 5))
    with pytest.raises(ShapeError, match=r"z2 has shape \(2, 5\): give \(N, 6\)"):
        tiny()(mg.randn(2, 6), mg.randn(2, 5), crossover=1)


# -- the mapping network --------------------------------------------------------------------------


def test_the_length_of_a_latent_does_not_count():
    mg.manual_seed(0)
    mapping, z = MappingNetwork(latent=8, layers=3), mg.randn(4, 8)
    np.testing.assert_allclose(mapping(z * 7.0).numpy(), mapping(z).numpy(), rtol=1e-4, atol=1e-6)


def test_the_mapping_network_is_its_definition(rng):
    mg.manual_seed(0)
    mapping = MappingNetwork(latent=5, layers=2).to(dtype="float64")
    for p in mapping.parameters():
        p.assign_(rng.standard_normal(p.shape))
    z = rng.standard_normal((3, 5))
    w = z / np.sqrt(np.square(z).mean(axis=1, keepdims=True) + 1e-8)
    for layer in (m for m in mapping.modules() if isinstance(m, nn.Linear)):
        weight, bias = layer.weight_raw.numpy(), layer.bias_raw.numpy()
        w = w @ (0.01 * math.sqrt(2 / 5) * weight).T + 0.01 * bias
        w = np.where(w > 0, w, 0.2 * w)
    np.testing.assert_allclose(mapping(mg.tensor(z)).numpy(), w, rtol=1e-6)


# -- a layer --------------------------------------------------------------------------------------


def layer_and_inputs(rng):
    mg.manual_seed(0)
    layer = StyleLayer(nn.Identity(), 3, 8, 5).to(dtype="float64")
    layer.adain.affine.bias.assign_(rng.standard_normal(6))
    return layer, mg.tensor(rng.standard_normal((2, 3, 8, 8))), mg.tensor(rng.normal(size=(2, 5)))


def test_mean_and_deviation_of_a_layer_are_those_of_the_style(rng):
    layer, x, style = layer_and_inputs(rng)
    out = layer(x, style, noise=None, generator=None).numpy()
    affine = layer.adain.affine
    both = style.numpy() @ affine.weight.numpy().T + affine.bias.numpy()  # (N, 2 C)
    np.testing.assert_allclose(out.mean(axis=(2, 3)), both[:, 3:], atol=1e-6)
    np.testing.assert_allclose(out.std(axis=(2, 3)), np.abs(1 + both[:, :3]), atol=1e-6)


def test_a_layer_forgets_the_mean_and_deviation_of_its_input(rng):
    layer, x, style = layer_and_inputs(rng)
    changed = x * mg.tensor([[[3.0]], [[0.5]], [[10.0]]]).astype("float64")  # leaky ReLU: by factor
    options = {"noise": None, "generator": None}
    expected = layer(x, style, **options).numpy()
    np.testing.assert_allclose(layer(changed, style, **options).numpy(), expected, atol=1e-6)


def test_a_style_of_zero_leaves_the_normalised_map():
    layer = StyleLayer(nn.Identity(), 3, 8, 5)
    out = layer(mg.randn(2, 3, 8, 8), mg.zeros(2, 5), noise=None, generator=None).numpy()
    np.testing.assert_allclose(out.mean(axis=(2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(out.std(axis=(2, 3)), 1, atol=1e-5)


def test_blur_is_a_filter_after_enlarging_by_nearest_neighbours(rng):
    x = rng.standard_normal((1, 1, 4, 5))
    near = x.repeat(2, axis=2).repeat(2, axis=3)  # (1, 1, 8, 10)
    framed = np.pad(near, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    weights = np.outer([1, 2, 1], [1, 2, 1]) / 16
    expected = sum(
        weights[i, j] * framed[:, :, i : i + 8, j : j + 10] for i in range(3) for j in range(3)
    )
    upsamples = [m for m in tiny(blur=True).modules() if isinstance(m, nn.Upsample)]
    assert len(upsamples) == 1
    np.testing.assert_allclose(upsamples[0](mg.tensor(x)).numpy(), expected, atol=1e-12)


# -- noise ----------------------------------------------------------------------------------------


def test_noise_of_strength_zero_has_no_effect():
    g, z = tiny(), mg.randn(2, 6)
    for noise in ("random", "fixed", "auto"):
        # To rounding: the sum with 0 may be laid out otherwise in memory, and be summed otherwise.
        np.testing.assert_allclose(g(z, noise=noise).numpy(), g(z, noise=None).numpy(), atol=1e-5)
    assert same(g(z, noise="random"), g(z, noise="fixed"))


def test_noise_has_an_effect_and_its_generator_says_which():
    g, z = tiny(noisy=True), mg.randn(2, 6)
    draws = [g(z, noise="random", generator=Generator(seed)) for seed in (1, 1, 2)]
    assert same(draws[0], draws[1])
    assert not same(draws[0], draws[2])
    assert not same(draws[0], g(z, noise=None))


def test_a_generator_of_its_own_leaves_the_default_one_alone():
    g, z = tiny(noisy=True), mg.randn(2, 6)
    before = mg.default_generator().get_state()
    g(z, noise="random", generator=Generator(0))
    g(z, noise="fixed")
    assert mg.default_generator().get_state() == before
    g(z, noise="random")
    assert mg.default_generator().get_state() != before


def test_random_noise_differs_within_a_batch_and_fixed_noise_does_not():
    g = tiny(noisy=True)
    z = mg.tensor(np.tile(np.random.default_rng(0).normal(size=6).astype(np.float32), (2, 1)))
    first, second = g(z, noise="random").numpy()
    assert not np.allclose(first, second)
    first, second = g(z, noise="fixed").numpy()  # rows of a product may round differently
    np.testing.assert_allclose(first, second, rtol=1e-5, atol=1e-6)
    fixed = [b for name, b in g.state_dict().items() if name.endswith("fixed_noise")]
    assert len(fixed) == g.num_layers
    assert all(noise.shape[:2] == (1, 1) for noise in fixed)  # the same numbers for every image


def test_auto_is_random_in_training_and_fixed_in_evaluation():
    g, z = tiny(noisy=True), mg.randn(2, 6)
    assert same(g(z, generator=Generator(4)), g(z, noise="random", generator=Generator(4)))
    g.eval()
    assert same(g(z), g(z))
    assert same(g(z), g(z, noise="fixed"))


def test_a_latent_names_an_image_in_evaluation_whatever_its_batch():
    g, z = tiny(noisy=True).eval(), mg.randn(4, 6)
    alone = np.concatenate([g(z[i : i + 1]).numpy() for i in range(4)])
    np.testing.assert_allclose(g(z).numpy(), alone, rtol=1e-4, atol=1e-5)


def test_random_noise_on_a_gpu_is_that_of_the_cpu():
    g, z = tiny(noisy=True), mg.randn(2, 6)
    expected = g(z, generator=Generator(1)).numpy()
    with cupy_double():
        out = g.to("cuda")(z.to("cuda"), generator=Generator(1))
        assert out.device == g.mean_style.device == "cuda"
        np.testing.assert_allclose(out.numpy(), expected, rtol=1e-4, atol=1e-5)


class Untouched(nn.Module):
    def forward(self, x, style):
        return x


def test_the_deviation_of_the_noise_is_its_strength():
    mg.manual_seed(0)
    layer = StyleLayer(nn.Identity(), 2, 64, 4)
    layer.strength.assign_(mg.tensor([[[0.5]], [[2.0]]]))
    layer.bend, layer.adain = nn.Identity(), Untouched()
    out = layer(mg.zeros(4, 2, 64, 64), None, noise="random", generator=Generator(0)).numpy()
    np.testing.assert_allclose(out.std(axis=(0, 2, 3)), [0.5, 2.0], rtol=0.02)


def test_an_unknown_noise_is_refused():
    with pytest.raises(ValueError, match="noise is 'loud': use one of 'random', 'fixed', None"):
        tiny()(mg.randn(1, 6), noise="loud")


# -- mixing ---------------------------------------------------------------------------------------


def test_the_ends_of_mixing_are_one_latent_each():
    g, z, z2 = tiny(), mg.randn(2, 6), mg.randn(2, 6)
    assert same(g(z, z2, crossover=0), g(z2))
    assert same(g(z, z2, crossover=g.num_layers), g(z))


def test_each_crossover_gives_another_image():
    g, z, z2 = tiny(size=16), mg.randn(2, 6), mg.randn(2, 6)
    images = [g(z, z2, crossover=k).numpy() for k in range(g.num_layers + 1)]
    differences = [np.abs(a - b).max() for a, b in zip(images, images[1:], strict=False)]
    assert min(differences) > 1e-3


def test_a_layer_from_the_crossover_on_gets_the_second_style():
    g, seen = tiny(), []
    for layer in g.synthesis.layers:
        layer.forward = lambda x, style, of=layer, **options: (
            seen.append(style.numpy()),
            type(of).forward(of, x, style, **options),
        )[1]
    z, z2 = mg.randn(2, 6), mg.randn(2, 6)
    g(z, z2, crossover=1)
    w, w2 = g.mapping(z).numpy(), g.mapping(z2).numpy()
    for found, expected in zip(seen, [w, w2, w2, w2], strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("options", "error", "text"), [
    ({"crossover": 5}, ValueError, "crossover is 5: give a layer from 0 to 4"),
    ({"crossover": -1}, ValueError, "crossover=-1: give an int >= 0"),
    ({"crossover": 0.5}, TypeError, r"crossover=0\.5: give an int"),
    ({}, ValueError, "mixing takes both"),
])  # fmt: skip
def test_an_impossible_crossover_is_refused(options, error, text):
    with pytest.raises(error, match=text):
        tiny()(mg.randn(2, 6), mg.randn(2, 6), **options)


def test_mixing_takes_as_many_second_latents():
    with pytest.raises(ValueError, match="mixing takes both"):
        tiny()(mg.randn(2, 6), crossover=1)
    with pytest.raises(ValueError, match="2 latents z and 3 latents z2: give equally many"):
        tiny()(mg.randn(2, 6), mg.randn(3, 6), crossover=1)


def test_crossovers_are_drawn_evenly_and_a_tenth_does_not_mix():
    g, generator = tiny(size=16), Generator(0)
    drawn = [g.draw_crossover(generator) for _ in range(5000)]
    shares = np.bincount(drawn, minlength=7) / 5000
    np.testing.assert_allclose(shares, [0, *[0.9 / 5] * 5, 0.1], atol=0.02)
    assert {g.draw_crossover(generator, probability=0.0) for _ in range(50)} == {6}
    assert 6 not in {g.draw_crossover(generator, probability=1.0) for _ in range(200)}


# -- truncation and the running mean --------------------------------------------------------------


def settled():
    g = tiny(noisy=True)
    g.mean_style.assign_(np.random.default_rng(1).normal(size=6))
    return g.eval()


def test_psi_zero_is_one_image_for_every_latent():
    g = settled()
    images = g(mg.randn(5, 6), psi=0.0).numpy()
    mean = g.synthesis([g.mean_style.reshape(1, -1)] * g.num_layers, noise="fixed").numpy()
    np.testing.assert_allclose(images, np.tile(mean, (5, 1, 1, 1)), atol=1e-6)


def test_psi_one_changes_nothing():
    g, z = settled(), mg.randn(3, 6)
    assert same(g(z, psi=1.0), g(z))
    w = g.mapping(z)
    np.testing.assert_allclose(g.truncated(w, 1.0).numpy(), w.numpy(), atol=1e-6)


@given(st.floats(-2, 2))
def test_truncation_scales_the_distance_to_the_mean(psi):
    g = settled()
    w = g.mapping(mg.randn(3, 6)).detach()
    mean = g.mean_style.numpy()
    expected = psi * (w.numpy() - mean)
    np.testing.assert_allclose(g.truncated(w, psi).numpy() - mean, expected, atol=1e-5)


def test_truncation_acts_on_both_latents_of_a_mixture():
    g, z, z2 = settled(), mg.randn(2, 6), mg.randn(2, 6)
    np.testing.assert_allclose(
        g(z, z2, crossover=2, psi=0.0).numpy(), g(z, psi=0.0).numpy(), atol=1e-6
    )
    assert same(g(z, z2, crossover=0, psi=0.5), g(z2, psi=0.5))


def test_the_running_mean_converges_to_the_mean_of_w():
    g = tiny()
    rng = np.random.default_rng(0)
    with mg.no_grad():
        for _ in range(1500):
            g._track(g.mapping(mg.tensor(rng.standard_normal((64, 6)).astype(np.float32))))
        w = g.mapping(mg.tensor(rng.standard_normal((200_000, 6)).astype(np.float32))).numpy()
    # Its variance is (1 - decay) / (1 + decay) that of the mean of 64.
    error = w.std(axis=0) * math.sqrt(0.005 / 1.995 / 64)
    assert (np.abs(w.mean(axis=0)) > 20 * error).any(), "the mean itself must not look like zero"
    assert (np.abs(g.mean_style.numpy() - w.mean(axis=0)) < 5 * error).all()


def test_the_running_mean_moves_by_its_decay_and_in_training_only():
    g, z = tiny(decay=0.9), mg.randn(4, 6)
    g(z)
    batch = g.mapping(z).numpy().mean(axis=0)
    np.testing.assert_allclose(g.mean_style.numpy(), 0.1 * batch, rtol=1e-4)
    g(z)
    np.testing.assert_allclose(g.mean_style.numpy(), 0.19 * batch, rtol=1e-4)
    before = g.mean_style.numpy().copy()
    g.eval()(z)
    np.testing.assert_array_equal(g.mean_style.numpy(), before)


def test_an_impossible_decay_is_refused():
    with pytest.raises(ValueError, match=r"decay is 1\.5: give a number from 0 to 1"):
        tiny(decay=1.5)


# -- as a network ---------------------------------------------------------------------------------


def test_the_state_goes_round_with_the_mean_and_the_fixed_noise():
    g = tiny(noisy=True)
    g(mg.randn(8, 6))
    state = g.state_dict()
    assert {"mean_style", "synthesis.layers.0.fixed_noise"} <= set(state)
    mg.manual_seed(99)
    other = StyleGenerator(latent=6, width=3, mapping_layers=2)
    other.load_state_dict(state)
    z = mg.randn(3, 6)
    assert same(other.eval()(z, psi=0.7), g.eval()(z, psi=0.7))


def test_an_average_of_the_weights_samples_like_the_network_at_first():
    g = tiny(noisy=True)
    ema, z = EMA(g, decay=0.5), mg.randn(3, 6)
    assert same(ema.module(z), g.eval()(z))
    g.train()(z)
    ema.update()
    np.testing.assert_array_equal(ema.module.mean_style.numpy(), g.mean_style.numpy())
