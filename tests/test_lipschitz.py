"""The two bounds of a network's slope: enclosing each other, the truth, and closed forms."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan import lipschitz, nn

ACTIVATIONS = [
    nn.Identity,
    nn.ReLU,
    lambda: nn.LeakyReLU(0.2),
    lambda: nn.LeakyReLU(-1.5),
    lambda: nn.ELU(2.0),
    nn.GELU,
    nn.SiLU,
    nn.Tanh,
    nn.Sigmoid,
    nn.Softplus,
]


def points(seed, *shape, scale=2.0):
    return mg.tensor(scale * np.random.default_rng(seed).standard_normal(shape).astype("f4"))


@st.composite
def perceptrons(draw):
    """A fully connected critic of two inputs, perhaps with spectral norm."""
    mg.manual_seed(draw(st.integers(0, 1000)))
    widths = [2, *draw(st.lists(st.integers(1, 16), max_size=3)), 1]
    gain = draw(st.floats(0.1, 10.0))
    layers = []
    for before, after in zip(widths, widths[1:], strict=False):
        linear = nn.Linear(before, after)
        linear.weight.assign_(linear.weight.numpy() * np.float32(gain))
        layers.append(nn.spectral_norm(linear, method="svd") if draw(st.booleans()) else linear)
        layers.append(draw(st.sampled_from(ACTIVATIONS))())
    return nn.Sequential(*layers[:-1])


@st.composite
def image_critics(draw):
    """A convolutional critic of 8x8 images with every kind of layer that has a known constant."""
    mg.manual_seed(draw(st.integers(0, 1000)))
    act = draw(st.sampled_from(ACTIVATIONS))
    kernel, stride = draw(st.sampled_from([(3, 1), (4, 2)]))
    resize = draw(
        st.sampled_from(
            [
                nn.Identity,
                lambda: nn.AvgPool2d(2),
                lambda: nn.AvgPool2d(3, 1, 1),
                lambda: nn.MaxPool2d(2),
                lambda: nn.MaxPool2d(3, 2, 1),
                lambda: nn.Upsample(scale_factor=2),
                lambda: nn.Upsample(scale_factor=2, mode="bilinear"),
                lambda: nn.PixelShuffle(2),
                lambda: nn.ConvTranspose2d(4, 2, 4, 2, 1),
                lambda: nn.ZeroPad2d(1),
                lambda: nn.Dropout(0.5),
            ]
        )
    )
    body = nn.Sequential(nn.Conv2d(2, 4, kernel, stride, 1), act(), resize()).eval()
    features = body(mg.zeros(1, 2, 8, 8)).size
    return nn.Sequential(body, nn.Flatten(), nn.Linear(features, 1)).eval()


@given(critic=perceptrons(), seed=st.integers(0, 100))
def test_lower_never_exceeds_upper(critic, seed):
    lower, upper = lipschitz.lower_bound(critic, points(seed, 64, 2)), lipschitz.upper_bound(critic)
    assert 0.0 <= lower <= upper * (1 + 1e-5)


@given(critic=image_critics(), seed=st.integers(0, 100))
def test_lower_never_exceeds_upper_on_images(critic, seed):
    lower = lipschitz.lower_bound(critic, points(seed, 16, 2, 8, 8))
    here = lipschitz.upper_bound(critic, input_shape=(2, 8, 8))
    assert lower <= here * (1 + 1e-5)
    assert here <= lipschitz.upper_bound(critic) * (1 + 1e-12)


@given(critic=perceptrons(), seed=st.integers(0, 100))
def test_no_two_points_are_steeper_than_the_upper_bound(critic, seed):
    """The definition itself: |f(x) - f(y)| <= L |x - y|."""
    x, y = points(seed, 64, 2), points(seed + 1, 64, 2)
    rise = np.abs(critic(x).numpy() - critic(y).numpy()).ravel()
    run = np.linalg.norm(x.numpy() - y.numpy(), axis=1)
    assert (rise <= lipschitz.upper_bound(critic) * run * (1 + 1e-4) + 1e-5).all()


def test_a_linear_critic_closes_the_gap():
    critic = nn.Sequential(nn.Linear(3, 1))
    norm = np.linalg.norm(critic[0].weight.numpy().astype(np.float64))
    assert lipschitz.lower_bound(critic, points(0, 4, 3)) == pytest.approx(norm, rel=1e-6)
    assert lipschitz.upper_bound(critic) == pytest.approx(norm, rel=1e-12)


@pytest.mark.parametrize("build", ACTIVATIONS)
def test_constants_of_activations_are_attained(build):
    """On a fine grid the steepest slope is the constant: neither exceeded nor generous."""
    grid = mg.linspace(-12.0, 12.0, 100_001).astype("float64").reshape(-1, 1)
    steepest = lipschitz.lower_bound(build(), grid)
    constant = lipschitz.upper_bound(build())
    assert steepest <= constant
    assert steepest == pytest.approx(constant, rel=1e-4)


@pytest.mark.parametrize(
    ("layer", "attained"),
    [
        (nn.AvgPool2d(2), True),
        (nn.AvgPool2d(3, 1, 1), False),
        (nn.AvgPool2d((2, 4), (2, 2)), False),
        (nn.MaxPool2d(2), True),
        (nn.MaxPool2d(3, 1, 1), True),
        (nn.MaxPool2d(3, 2, 1), True),
        (nn.Upsample(scale_factor=2), True),
        (nn.Upsample(scale_factor=3, mode="bilinear"), False),
        (nn.PixelShuffle(2), True),
        (nn.ZeroPad2d(1), True),
        (nn.Flatten(), True),
    ],
    ids=repr,
)
def test_constants_of_layers_that_resize(layer, attained):
    """Against the norm of the Jacobian at a picture with one bright pixel, all windows' largest."""
    x = np.zeros((1, 4, 8, 8))
    x[0, 0, 3, 3] = 1.0
    x = mg.tensor(x, requires_grad=True)
    y = layer(x).reshape(-1)
    rows = [mg.grad(y[i], [x], retain_graph=True)[0].numpy().ravel() for i in range(y.size)]
    steepest, constant = np.linalg.norm(np.array(rows), 2), lipschitz.upper_bound(layer)
    assert steepest <= constant * (1 + 1e-12)
    if attained:
        assert steepest == pytest.approx(constant)
    else:
        assert steepest > 0.75 * constant


def test_slopes_are_those_of_each_sample():
    """f(x) = |x|^2 / 2 has slope |x|, for any shape of a sample; nothing is left on the graph."""
    x = points(0, 5, 2, 3)
    found = lipschitz.slopes(lambda p: (p * p).sum(axis=(1, 2)) * 0.5, x)
    expected = np.linalg.norm(x.numpy().reshape(5, -1), axis=1)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)
    assert not found.requires_grad


def test_spectral_norm_makes_a_network_1_lipschitz():
    """Matrices by SVD, convolutions as operators; ReLU adds nothing."""
    mg.manual_seed(0)
    critic = nn.Sequential(
        nn.spectral_norm(nn.Conv2d(1, 8, 3, padding=1), view="operator", input_size=8, warmup=300),
        nn.ReLU(),
        nn.Flatten(),
        nn.spectral_norm(nn.Linear(512, 1), method="svd"),
    )
    upper = lipschitz.upper_bound(critic, input_shape=(1, 8, 8))
    assert 1.0 <= upper < 1.1  # the bound of the framed image is a little above the true 1
    assert lipschitz.lower_bound(critic, points(0, 32, 1, 8, 8)) <= 1.001


def test_the_matrix_view_does_not():
    """Spectral norm of the reshaped kernel leaves the convolution up to sqrt(K L) times steeper."""
    layer = nn.Conv2d(1, 1, 3, padding=1, bias=False)
    layer.weight.assign_(1.0)
    nn.spectral_norm(layer, warmup=50)
    assert lipschitz.upper_bound(layer) == pytest.approx(math.sqrt(9), rel=1e-5)
    wave = lipschitz.lower_bound(lambda x: layer(x)[:, 0, 4, 4], mg.zeros(1, 1, 9, 9))
    assert wave == pytest.approx(1.0, rel=1e-5)  # one pixel of the result: the norm of a patch


def test_unknown_layers_are_refused_by_name():
    critic = nn.Sequential(nn.Linear(2, 4), nn.Sequential(nn.LayerNorm(4)), nn.Linear(4, 1))
    with pytest.raises(ValueError, match=r"no Lipschitz constant for layer '1.0', a LayerNorm; it"):
        lipschitz.upper_bound(critic)

    class Residual(nn.Linear):
        def forward(self, x):
            return x + super().forward(x)

    with pytest.raises(ValueError, match="a Residual"):  # not taken for the Linear it comes from
        lipschitz.upper_bound(Residual(2, 2))


def test_one_score_a_sample():
    with pytest.raises(mg.ShapeError, match=r"4 points got scores of shape \(4, 3\)"):
        lipschitz.lower_bound(nn.Linear(2, 3), mg.zeros(4, 2))
