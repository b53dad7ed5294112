"""Indexing, joining and cutting against NumPy; repeated indices add up in the gradient."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minigan as mg
from minigan.errors import ShapeError

X = np.arange(24.0).reshape(2, 3, 4)

INDICES = [
    0,
    -1,
    slice(None, None, -1),
    (slice(0, 1), ..., slice(1, None, 2)),
    (None, 1, ..., None),
    [0, 1, 0, 0],
    (slice(None), [2, 0, 2]),
    ([0, 1, 1], [0, 2, 2], slice(None)),
    (np.array([[0], [1]]), slice(None), np.array([[0, 3]])),
    X > 10,
    (slice(None), np.array([True, False, True])),
    (np.int64(1), 2),
    [],
]


@pytest.mark.parametrize("index", INDICES, ids=lambda i: repr(i)[:40].replace("\n", " "))
def test_getitem_is_numpys_and_scatter_its_adjoint(index, rng):
    x = mg.tensor(X, requires_grad=True)
    y = x[index]
    np.testing.assert_array_equal(y.numpy(), X[index])
    u = rng.normal(size=y.shape)
    (g,) = mg.grad(y, x, u)
    reference = np.zeros_like(X)
    flat = np.arange(X.size).reshape(X.shape)
    for place, value in zip(np.ravel(flat[index]), np.ravel(u), strict=True):
        reference.flat[place] += value
    np.testing.assert_allclose(g.numpy(), reference)


@given(st.data())
def test_any_basic_index(data):
    index = data.draw(hnp.basic_indices(X.shape, allow_newaxis=True))
    x = mg.tensor(X, requires_grad=True)
    y = x[index]
    np.testing.assert_array_equal(y.numpy(), X[index])
    expected = np.zeros_like(X)
    expected[index] = 1.0
    np.testing.assert_array_equal(mg.grad(y, x, np.ones(y.shape))[0].numpy(), expected)


def test_tensors_index_tensors():
    x = mg.tensor(X)
    np.testing.assert_array_equal(x[mg.tensor([1, 0])].numpy(), X[[1, 0]])
    np.testing.assert_array_equal(x[x > 5.0].numpy(), X[X > 5])
    with pytest.raises(TypeError, match="integers or booleans"):
        x[mg.tensor([1.0])]


def test_getitem_and_scatter_differentiate_twice():
    x = mg.tensor(np.array([1.0, 2.0, 3.0]), requires_grad=True)
    y = (x[[0, 0, 2]] ** 3).sum()
    (g,) = mg.grad(y, x, create_graph=True)
    np.testing.assert_array_equal(g.numpy(), [6.0, 0.0, 27.0])
    np.testing.assert_array_equal(mg.grad(g.sum(), x)[0].numpy(), [12.0, 0.0, 18.0])


def test_concatenate_stack_split_are_numpys(rng):
    parts = [mg.tensor(rng.normal(size=(2, n)), requires_grad=True) for n in (1, 3, 2)]
    arrays = [p.numpy() for p in parts]
    y = mg.concatenate(parts, axis=-1)
    np.testing.assert_array_equal(y.numpy(), np.concatenate(arrays, axis=-1))
    u = rng.normal(size=y.shape)
    for g, expected in zip(mg.grad(y, parts, u), np.split(u, [1, 4], axis=1), strict=True):
        np.testing.assert_array_equal(g.numpy(), expected)
    same = [mg.tensor(X), mg.tensor(X + 1)]
    for axis in (0, 1, -1):
        np.testing.assert_array_equal(mg.stack(same, axis).numpy(), np.stack([X, X + 1], axis))
    for sections, axis in ((2, 2), ([1, 2], 1)):
        for ours, numpys in zip(
            mg.split(mg.tensor(X), sections, axis), np.split(X, sections, axis), strict=True
        ):
            np.testing.assert_array_equal(ours.numpy(), numpys)


def test_one_tensor_concatenated_with_itself_receives_both_gradients():
    x = mg.tensor(np.array([1.0, 2.0]), requires_grad=True)
    (g,) = mg.grad(mg.concatenate([x, x]), x, np.arange(4.0))
    np.testing.assert_array_equal(g.numpy(), [2.0, 4.0])


@pytest.mark.parametrize(("repeats", "axis"), [(3, 1), (2, None), ([1, 0, 2], 1), (1, 0)])
def test_repeat_is_numpys(repeats, axis, rng):
    x = mg.tensor(X, requires_grad=True)
    y = mg.repeat(x, repeats, axis)
    np.testing.assert_array_equal(y.numpy(), np.repeat(X, repeats, axis))
    u = rng.normal(size=y.shape)
    (g,) = mg.grad(y, x, u)
    np.testing.assert_allclose((g.numpy() * X).sum(), (u * y.numpy()).sum())


def test_tile_is_numpys():
    np.testing.assert_array_equal(mg.tile(mg.tensor(X), (2, 1, 3)).numpy(), np.tile(X, (2, 1, 3)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: mg.split(x, 3), "no 3 equal parts"),
        (lambda x: mg.concatenate([]), "no tensors"),
        (lambda x: mg.concatenate([x, x[:, :2]], 2), r"concatenate of \(2, 3, 4\), \(2, 2, 4\)"),
        (lambda x: mg.tile(x, (2,)), "1 counts for the 3 axes"),
        (
            lambda x: mg.scatter(x[0, 0, :1], [0, 2, 0], (4,)),
            r"\(1,\), the places it goes to \(3,\)",
        ),
    ],
)
def test_errors(call, message):
    with pytest.raises(ShapeError, match=message):
        call(mg.tensor(X))
