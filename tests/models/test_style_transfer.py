"""Letters: N batch, C = 3 channels, F features, H, W image."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan.errors import ShapeError
from minigan.models import StyleTransfer, match_colours
from minigan.models.style_transfer import statistics
from minigan.optim import Adam


@pytest.fixture
def model():
    mg.manual_seed(0)
    return StyleTransfer(width=4)


def pictures(seed=0):
    """Two batches of smooth pictures in different colours: (2, 3, 16, 24) and (2, 3, 20, 16)."""
    rng = np.random.default_rng(seed)
    smooth = (rng.normal(size=(2, 3, *size)).cumsum(axis=2) for size in ((16, 24), (20, 16)))
    content, style = (np.tanh(0.3 * x).astype(np.float32) for x in smooth)
    return mg.tensor(content), mg.tensor(0.3 * style - 0.4)


def moments(images):
    return images.mean(axis=(2, 3)), images.std(axis=(2, 3))


# -- stylize --------------------------------------------------------------------------------------


def test_strength_zero_is_the_reconstruction(model):
    content, style = pictures()
    np.testing.assert_allclose(
        model.stylize(content, style, 0.0).numpy(), model(content).numpy(), rtol=0, atol=1e-6
    )
    assert np.abs(model.stylize(content, style).numpy() - model(content).numpy()).max() > 1e-3


def test_the_decoder_gets_features_with_the_statistics_of_the_style(model):
    content, style = pictures()
    seen = []
    decode = model.decoder.forward
    model.decoder.forward = lambda f: seen.append(f) or decode(f)
    for alpha in (0.0, 0.5, 1.0):
        model.stylize(content, style, alpha)
    wanted = moments(model.encoder(style).numpy().astype(np.float64))
    for got, want in zip(moments(seen[2].numpy().astype(np.float64)), wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)
    half = 0.5 * (seen[0].numpy() + seen[2].numpy())
    np.testing.assert_allclose(seen[1].numpy(), half, rtol=0, atol=1e-6)


def test_an_image_in_its_own_style_is_its_reconstruction(model):
    content, _ = pictures()
    np.testing.assert_allclose(
        model.stylize(content, content).numpy(), model(content).numpy(), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan")])
def test_a_strength_outside_zero_to_one_is_refused(model, alpha):
    with pytest.raises(ValueError, match=f"alpha is {alpha}: give a number from 0 to 1"):
        model.stylize(*pictures(), alpha)


@pytest.mark.parametrize("shape", [(3, 16, 16), (1, 3, 16, 18), (1, 3, 15, 16)])
def test_images_of_another_shape_are_refused(model, shape):
    with pytest.raises(ShapeError, match="H, W multiples of 4"):
        model(mg.zeros(*shape))


# -- training -------------------------------------------------------------------------------------


def test_training_reconstructs_and_brings_the_style_across(model):
    content, style = pictures()
    adam = Adam(model.parameters(), lr=5e-3)
    history = []
    for _ in range(150):
        parts = model.losses(content, style)
        adam.zero_grad()
        (parts.reconstruction + parts.content + parts.style).backward()
        adam.step()
        history.append([part.item() for part in parts])
    first, last = np.array(history)[[0, -1]]
    assert last[0] < 0.5 * first[0]
    with mg.no_grad():
        wanted = np.stack([s.numpy() for s in statistics(model.encoder(style))])
        gaps = [
            np.abs(np.stack([s.numpy() for s in statistics(model.encoder(image))]) - wanted).mean()
            for image in (model.stylize(content, style), content)
        ]
    assert gaps[0] < 0.25 * gaps[1]


def test_what_is_aimed_at_is_a_constant(model):
    """The style's loss must not be lowered by an encoder that makes everything smaller."""
    content, style = pictures()
    style.requires_grad_()
    model.losses(content, style).style.backward()
    before = model.encoder(style).detach()
    with mg.no_grad():
        target = mg.adain(model.encoder(content), before, eps=1e-8)
    again = statistics(model.encoder(model.decoder(target)))
    by_hand = sum(((g - w) ** 2).mean() for g, w in zip(again, statistics(before), strict=True))
    np.testing.assert_allclose(model.losses(content, style).style.item(), by_hand.item(), rtol=1e-5)
    assert style.grad is None


# -- statistics and colours -----------------------------------------------------------------------


def test_statistics_are_mean_and_deviation(rng):
    features = rng.normal(2.0, 3.0, (2, 5, 4, 6))
    for got, want in zip(statistics(mg.tensor(features)), moments(features), strict=True):
        np.testing.assert_allclose(got.numpy(), want, rtol=1e-6)


@given(st.integers(0, 999), st.floats(0.05, 2), st.floats(-1, 1))
def test_matched_colours_have_the_statistics_of_the_style(seed, spread, shift):
    rng = np.random.default_rng(seed)
    content = rng.uniform(-1, 1, (2, 3, 8, 9))
    style = spread * rng.uniform(-1, 1, (2, 3, 7, 5)) + shift
    out = match_colours(mg.tensor(content), mg.tensor(style)).numpy()
    assert out.shape == content.shape
    for got, want in zip(moments(out), moments(style), strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)
    # Affine in each channel: the content is what it was up to a scale and a shift.
    for k, c in np.ndindex(2, 3):
        assert np.corrcoef(out[k, c].ravel(), content[k, c].ravel())[0, 1] > 1 - 1e-9


def test_colours_of_float32_stay_float32():
    content, style = pictures()
    out = match_colours(content, style)
    assert out.dtype == np.float32
    for got, want in zip(moments(out.numpy()), moments(style.numpy()), strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)


def test_an_affine_change_of_the_contents_colours_changes_nothing():
    content, style = pictures()
    changed = 0.5 * content - 0.2
    np.testing.assert_allclose(
        match_colours(changed, style).numpy(), match_colours(content, style).numpy(), atol=1e-5
    )
