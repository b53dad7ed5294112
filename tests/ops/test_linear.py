"""Linear ops against NumPy, and each against its adjoint: <A x, y> = <x, A* y>."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minigan as mg
from minigan.errors import ShapeError

X = np.arange(24.0).reshape(2, 3, 4)

CASES = {
    "reshape": (lambda x: mg.reshape(x, (4, -1)), lambda x: x.reshape(4, -1)),
    "transpose": (lambda x: mg.transpose(x, (2, 0, 1)), lambda x: x.transpose(2, 0, 1)),
    "T": (lambda x: x.T, lambda x: x.T),
    "swapaxes": (lambda x: mg.swapaxes(x, 0, -1), lambda x: x.swapaxes(0, -1)),
    "moveaxis": (lambda x: mg.moveaxis(x, 0, -1), lambda x: np.moveaxis(x, 0, -1)),
    "expand_dims": (lambda x: mg.expand_dims(x, (0, -1)), lambda x: np.expand_dims(x, (0, -1))),
    "squeeze": (lambda x: mg.squeeze(x[:1]), lambda x: x[:1].squeeze()),
    "broadcast_to": (
        lambda x: mg.broadcast_to(x[:, :1], (5, 2, 3, 4)),
        lambda x: np.broadcast_to(x[:, :1], (5, 2, 3, 4)),
    ),
    "sum_to": (lambda x: mg.sum_to(x, (3, 1)), lambda x: x.sum(0).sum(1, keepdims=True)),
    "sum": (lambda x: mg.sum(x, (0, -1)), lambda x: x.sum((0, -1))),
    "sum_all": (mg.sum, lambda x: x.sum()),
    "mean": (lambda x: mg.mean(x, 1, keepdims=True), lambda x: x.mean(1, keepdims=True)),
    "cumsum": (lambda x: mg.cumsum(x, -1), lambda x: x.cumsum(-1)),
    "cumsum_reverse": (
        lambda x: mg.cumsum(x, 1, reverse=True),
        lambda x: x[:, ::-1].cumsum(1)[:, ::-1],
    ),
    "flip": (lambda x: mg.flip(x, (0, 2)), lambda x: np.flip(x, (0, 2))),
    "roll": (lambda x: mg.roll(x, (1, -2), (0, 2)), lambda x: np.roll(x, (1, -2), (0, 2))),
}


@pytest.mark.parametrize("name", CASES)
def test_values_are_numpys(name):
    ours, numpys = CASES[name]
    np.testing.assert_array_equal(ours(mg.as_tensor(X)).numpy(), numpys(X))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("layout", ["contiguous", "transposed", "negative", "broadcast"])
def test_the_gradient_is_the_adjoint_in_every_layout(name, layout, rng):
    x = rng.normal(size=X.shape)
    x = {
        "contiguous": x,
        "transposed": np.ascontiguousarray(x.T).T,
        "negative": x[::-1, :, ::-1],
        "broadcast": np.broadcast_to(x[:1], x.shape),
    }[layout]
    t = mg.Tensor(x, requires_grad=True)
    y = CASES[name][0](t)
    u = rng.normal(size=y.shape)
    (g,) = mg.grad(y, t, u)
    np.testing.assert_allclose((y.numpy() * u).sum(), (x * g.numpy()).sum(), rtol=1e-12)


@given(
    st.sampled_from([((3, 4), (4, 2)), ((5, 3, 4), (4, 2)), ((2, 1, 3, 4), (5, 4, 2)), ((4,), (4,)),
                     ((3, 4), (4,)), ((4,), (5, 4, 2)), ((0, 4), (4, 2)), ((3, 0), (0, 2))]),
    st.integers(0, 99),
)  # fmt: skip
def test_matmul_is_numpys_with_gradients_by_loops(shapes, seed):
    rng = np.random.default_rng(seed)
    a, b = (mg.tensor(rng.normal(size=s), requires_grad=True) for s in shapes)
    y = a @ b
    np.testing.assert_allclose(y.numpy(), a.numpy() @ b.numpy(), atol=1e-14)
    if y.size and a.size:
        u = rng.normal(size=y.shape)
        ga, gb = mg.grad(y, [a, b], u)
        np.testing.assert_allclose((ga.numpy() * a.numpy()).sum(), (y.numpy() * u).sum())
        np.testing.assert_allclose((gb.numpy() * b.numpy()).sum(), (y.numpy() * u).sum())


@pytest.mark.parametrize(
    ("subscripts", "shapes"),
    [
        ("ij,jk->ik", [(2, 3), (3, 4)]),
        ("ij,jk", [(2, 3), (3, 4)]),
        ("bij,bjk->bik", [(5, 2, 3), (5, 3, 4)]),
        ("...ij,...jk->...ik", [(5, 2, 3), (5, 3, 4)]),
        ("nchw,oc->nohw", [(2, 3, 4, 5), (6, 3)]),
        ("i,i->", [(4,), (4,)]),
        ("i,j,k->kji", [(2,), (3,), (4,)]),
        ("ijk->j", [(2, 3, 4)]),
        ("ij->ji", [(2, 3)]),
        ("ab,ab,ab->b", [(2, 3), (2, 3), (2, 3)]),
        ("ij,k->k", [(2, 3), (4,)]),
        ("...i,...i->...", [(2, 3), (1, 3)]),
        ("ij,jk,kl->il", [(2, 3), (3, 4), (4, 2)]),
    ],
)
def test_einsum_is_numpys_and_its_gradients_are_adjoints(subscripts, shapes, rng):
    xs = [mg.tensor(rng.normal(size=s), requires_grad=True) for s in shapes]
    y = mg.einsum(subscripts, *xs)
    np.testing.assert_allclose(
        y.numpy(), np.einsum(subscripts, *(x.numpy() for x in xs)), atol=1e-14
    )
    u = rng.normal(size=y.shape)
    for x, g in zip(xs, mg.grad(y, xs, u), strict=True):
        np.testing.assert_allclose((g.numpy() * x.numpy()).sum(), (y.numpy() * u).sum())


def test_numpy_integers_name_axes():
    x = mg.as_tensor(X)
    assert mg.sum(x, np.int64(1)).shape == (2, 4)
    assert mg.expand_dims(x, np.int64(0)).shape == (1, 2, 3, 4)
    assert len(mg.split(x, np.int64(3), 1)) == 3


@given(hnp.mutually_broadcastable_shapes(num_shapes=1, max_dims=4), st.integers(0, 9))
def test_sum_to_is_the_adjoint_of_broadcast_to(shapes, seed):
    (small,) = shapes.input_shapes
    rng = np.random.default_rng(seed)
    wide = (2, *(n if n > 1 else 3 for n in small))
    x, y = rng.normal(size=small), rng.normal(size=wide)
    left = (mg.broadcast_to(mg.as_tensor(x), wide).numpy() * y).sum()
    right = (x * mg.sum_to(mg.as_tensor(y), small).numpy()).sum()
    np.testing.assert_allclose(left, right, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: mg.sum(x, 3), "axis 3 does not exist"),
        (lambda x: mg.sum(x, (0, -3)), "name one axis twice"),
        (lambda x: mg.reshape(x, (5, 5)), r"reshape of \(2, 3, 4\)"),
        (lambda x: mg.transpose(x, (0, 1)), "no permutation"),
        (lambda x: mg.sum_to(x, (2, 2)), "cannot be summed"),
        (lambda x: mg.squeeze(x, 0), "has length 2, not 1"),
        (lambda x: mg.roll(x, (1, 2), 0), "2 shifts for 1 axes"),
        (lambda x: x @ mg.zeros(5, 2), r"matmul of \(2, 3, 4\), \(5, 2\)"),
        (lambda x: x @ mg.tensor(1.0), "scalars"),
        (lambda x: mg.einsum("ii", x), "does not fit"),
        (lambda x: mg.einsum("ij,jk", x), "2 terms for 1 operands"),
        (lambda x: mg.mean(x[:0]), "no elements"),
        (lambda x: mg.einsum("...i->i", x), "must keep the ellipsis"),
        (lambda x: mg.swapaxes(x, 0, 5), "axis 5 does not exist"),
        (lambda x: mg.expand_dims(x, (0, 0)), "name one axis twice"),
    ],
)
def test_errors_name_the_thing_in_one_line(call, message):
    with pytest.raises(ShapeError, match=message) as caught:
        call(mg.as_tensor(X))
    assert "\n" not in str(caught.value)
