"""The strategies deliver what they promise, rare shapes and geometries included."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as hs

import minigan as mg
from minigan.testing import gradcheck, strategies


@given(strategies.shapes(max_dims=3, max_side=3))
def test_shapes_stay_in_bounds(shape):
    assert len(shape) <= 3
    assert all(0 <= n <= 3 for n in shape)


@given(strategies.broadcastable_shapes(3))
def test_broadcastable_shapes_broadcast(shapes):
    assert len(shapes) == 3
    np.broadcast_shapes(*shapes)


@pytest.mark.parametrize(
    "wanted",
    [lambda s: 0 in s[0], lambda s: 1 in s[0] and s[0] != s[1], lambda s: len(s[0]) != len(s[1])],
    ids=["empty", "stretched", "missing axes"],
)
def test_broadcastable_shapes_reach_the_odd_ones(wanted):
    assert wanted(find(strategies.broadcastable_shapes(2), wanted))


@given(hs.data())
def test_arrays_keep_away_from_kinks(data):
    x = data.draw(
        strategies.arrays(
            strategies.shapes(), dtype=strategies.dtypes(), layout=strategies.layouts(),
            avoid=[0.0, 1.0], low=-3, high=3,
        )
    )  # fmt: skip
    assert x.dtype in (np.float32, np.float64)
    for kink in (0.0, 1.0):
        assert (abs(x - kink) >= 0.0999).all()


@pytest.mark.parametrize("layout", ["fortran", "reversed", "strided", "broadcast"])
def test_layouts_are_reached(layout):
    assert find(strategies.layouts(), lambda found: found == layout) == layout


@given(strategies.conv_geometries())
def test_conv_geometries_are_valid(geometry):
    assert min(geometry.out_size) >= 1
    assert geometry.x_shape[1] % geometry.groups == geometry.weight_shape[0] % geometry.groups == 0
    out = mg.conv2d(mg.zeros(geometry.x_shape), mg.zeros(geometry.weight_shape), **geometry.options)
    assert out.shape == (geometry.batch, geometry.out_channels, *geometry.out_size)


@pytest.mark.parametrize(
    "wanted",
    [
        lambda g: any(g.remainder),
        lambda g: any(p >= k for p, k in zip(g.padding, g.kernel, strict=True)),
        lambda g: any(s > k for s, k in zip(g.stride, g.kernel, strict=True)),
        lambda g: g.groups > 1 and g.out_channels != g.in_channels,
        lambda g: max(g.dilation) > 1 and max(g.kernel) > 1,
        lambda g: g.kernel[0] != g.kernel[1],
    ],
    ids=["remainder", "padding", "stride", "groups", "dilation", "oblong"],
)
def test_conv_geometries_reach_the_odd_ones(wanted):
    assert wanted(find(strategies.conv_geometries(), wanted))


@settings(max_examples=25)
@given(strategies.graphs())
def test_random_graphs_have_right_gradients(graph):
    result = gradcheck(graph, graph.inputs, order=2, zero_ok=True, properties=False)
    assert result.relative_error < 1e-9


@given(strategies.graphs())
def test_random_graphs_use_every_value(graph):
    used = {i for _, a, b in graph.steps for i in (a, b)}
    assert graph(*graph.inputs).shape == (2, 3)
    assert all(0 <= i < len(graph.inputs) + len(graph.steps) for i in used)


def test_random_graphs_fan_out():
    graph = find(strategies.graphs(), lambda g: g.fan_out >= 3)
    assert graph.fan_out >= 3


def test_graph_agrees_with_numpy():
    steps = (("square", 0, 0), ("add", 0, 1), ("mul", 2, 2), ("shift", 1, 0))
    graph = strategies.RandomGraph(steps, (np.array([2.0]),))
    # values: x, x^2/2, x + x^2/2, (x + x^2/2)^2/2, 1.5 - x^2/2; idle: the last two
    assert graph(np.array([2.0])).item() == pytest.approx(8.0 - 0.5)
    assert graph.fan_out == 2
