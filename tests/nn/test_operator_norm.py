"""Convolutions as linear maps: adjoints, and norms against the dense matrix of the map."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan import nn
from minigan.nn.operator_norm import (
    ConvOperator,
    circular_norm,
    iterate,
    operator_norm,
    operator_norm_bound,
)


@st.composite
def layers(draw):
    """A convolution layer of any geometry in float64, and the size of an image that fits."""
    groups, kernel = draw(st.sampled_from([1, 2])), draw(st.tuples(*[st.integers(1, 3)] * 2))
    stride, dilation = (draw(st.tuples(*[st.integers(1, 3)] * 2)) for _ in range(2))
    channels = [groups * draw(st.integers(1, 2)) for _ in range(2)]
    options = {"stride": stride, "padding": draw(st.integers(0, 1)), "dilation": dilation}
    kind = draw(st.sampled_from([nn.Conv2d, nn.ConvTranspose2d]))
    if kind is nn.ConvTranspose2d:
        room = [max(s, d) - 1 for s, d in zip(stride, dilation, strict=True)]
        options["output_padding"] = tuple(draw(st.integers(0, r)) for r in room)
    size = tuple(
        max(3, d * (k - 1) + 1) + draw(st.integers(0, 2))
        for k, d in zip(kernel, dilation, strict=True)
    )
    mg.manual_seed(draw(st.integers(0, 1000)))
    layer = kind(*channels, kernel, groups=groups, bias=False, **options)
    return layer.to(dtype="float64"), size


def dense(layer, size):
    """The layer as a matrix, one basis image at a time."""
    count = layer.in_channels * size[0] * size[1]
    basis = np.eye(count).reshape(count, layer.in_channels, *size)
    return layer(mg.tensor(basis)).detach().numpy().reshape(count, -1).T


@given(case=layers(), seed=st.integers(0, 100))
def test_adjoint(case, seed):
    """<y, A x> = <A^T y, x> for every geometry, rows left over and output padding included."""
    layer, size = case
    operator, rng = ConvOperator(layer, size), np.random.default_rng(seed)
    x = mg.tensor(rng.standard_normal((2, *operator.input_shape[1:])))
    y = mg.tensor(rng.standard_normal((2, *operator.output_shape[1:])))
    weight = layer.weight.detach()
    np.testing.assert_array_equal(operator.apply(weight, x).numpy(), layer(x).numpy())
    back = operator.adjoint(weight, y)
    assert back.shape == x.shape
    ours, theirs = (y * operator.apply(weight, x)).sum(), (back * x).sum()
    np.testing.assert_allclose(ours.item(), theirs.item(), rtol=1e-10, atol=1e-12)


@given(case=layers())
def test_estimate_and_bounds_enclose_the_norm(case):
    """power iteration <= |A| <= bound for this image <= bound for all images."""
    layer, size = case
    exact = np.linalg.norm(dense(layer, size), 2)
    estimate = operator_norm(layer, size, steps=300)
    assert 0.97 * exact <= estimate <= exact * (1 + 1e-9)
    here, anywhere = operator_norm_bound(layer, size), operator_norm_bound(layer)
    assert exact <= here * (1 + 1e-9)
    assert here <= anywhere


@given(
    channels=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    size=st.sampled_from([(4, 4), (6, 4), (4, 8)]),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    dilation=st.integers(1, 2),
    groups=st.sampled_from([1, 2]),
    seed=st.integers(0, 100),
)
def test_circular_norm_is_exact(channels, size, kernel, stride, dilation, groups, seed):
    """Against the matrix of the map, made by padding basis images with their own far side."""
    (c, o), (h, w) = channels, size
    weight = np.random.default_rng(seed).standard_normal((o * groups, c, *kernel))
    basis = np.eye(c * groups * h * w).reshape(-1, c * groups, h, w)
    frame = [(0, dilation * (k - 1)) for k in kernel]
    wrapped = np.pad(basis, ((0, 0), (0, 0), *frame), mode="wrap")
    out = mg.conv2d(wrapped, weight, stride=stride, dilation=dilation, groups=groups)
    exact = np.linalg.norm(out.numpy().reshape(len(basis), -1), 2)
    ours = circular_norm(weight, size, stride=stride, dilation=dilation, groups=groups)
    assert ours == pytest.approx(exact, rel=1e-10)


def test_zero_padding_tends_to_the_circular_norm():
    """On larger and larger images the edges matter less and less, from below."""
    mg.manual_seed(0)
    layer = nn.Conv2d(2, 3, 3, padding=1, bias=False)
    exact = [np.linalg.norm(dense(layer.to(dtype="float64"), (n, n)), 2) for n in (3, 6, 12)]
    limit = circular_norm(layer.weight, 64)
    assert exact[0] < exact[1] < exact[2] < limit
    assert exact[2] > 0.97 * limit


def test_a_box_filter():
    """Nine equal taps: the matrix has norm 3, the operator 9, and sqrt(9) lies between."""
    layer = nn.Conv2d(1, 1, 3, padding=1, bias=False)
    layer.weight.assign_(1.0)
    assert np.linalg.norm(layer.weight.numpy().reshape(1, -1), 2) == 3.0
    assert circular_norm(layer.weight, 16) == pytest.approx(9.0)
    assert operator_norm_bound(layer) == pytest.approx(3.0 * math.sqrt(9))
    along = [1 + 2 * math.cos(math.pi / (n + 1)) for n in (5, 7)]  # a tridiagonal matrix of ones
    assert operator_norm(layer, (5, 7)) == pytest.approx(along[0] * along[1], rel=1e-5)


def test_strides_without_overlap_have_the_norm_of_the_matrix():
    """Windows that share no pixel: a patch is all there is, in every view."""
    mg.manual_seed(0)
    layer = nn.Conv2d(3, 5, 2, stride=2, bias=False)
    matrix = np.linalg.norm(layer.weight.numpy().reshape(5, -1).astype(float), 2)
    assert operator_norm(layer, 8) == pytest.approx(matrix, rel=1e-4)
    assert circular_norm(layer.weight, 8, stride=2) == pytest.approx(matrix, rel=1e-6)
    assert operator_norm_bound(layer, 8) == pytest.approx(matrix, rel=1e-6)


def test_zero_weight():
    layer = nn.Conv2d(2, 3, 3, padding=1)
    layer.weight.assign_(0.0)
    operator = ConvOperator(layer, 4)
    u = mg.ones(*operator.output_shape)
    after, v = iterate(operator, layer.weight, u, steps=2)
    np.testing.assert_array_equal(after.numpy(), u.numpy())
    np.testing.assert_array_equal(v.numpy(), 0.0)
    assert operator_norm(layer, 4) == 0.0


def test_looking_moves_no_stream():
    layer = nn.Conv2d(2, 3, 3, padding=1)
    state = mg.default_generator().get_state()
    assert operator_norm(layer, 6) == operator_norm(layer, 6)
    assert mg.default_generator().get_state() == state


def test_circular_norm_refuses():
    with pytest.raises(mg.ShapeError, match=r"stride \(2, 2\) does not divide the image \(5, 6\)"):
        circular_norm(np.ones((1, 1, 3, 3)), (5, 6), stride=2)
