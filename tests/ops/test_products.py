"""The affine map, and products of matrices that are given transposed."""

import numpy as np
import pytest

import minigan as mg
from minigan.op import OPS


@pytest.mark.parametrize("lead", [(), (5,), (2, 3), (0,), (2, 0, 1)])
@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("size", [4, 0])
def test_affine_is_the_composition(lead, biased, size, rng):
    x, w, b = (
        mg.tensor(rng.normal(size=s), requires_grad=True) for s in ((*lead, size), (3, size), (3,))
    )
    inputs = [x, w, b] if biased else [x, w]
    ours = mg.affine(*inputs)
    composed = x @ w.T + b if biased else x @ w.T
    np.testing.assert_allclose(ours.numpy(), composed.numpy(), rtol=1e-14)
    u = rng.normal(size=ours.shape)
    pairs = zip(mg.grad(ours, inputs, u), mg.grad(composed, inputs, u), strict=True)
    for g, expected in pairs:
        np.testing.assert_allclose(g.numpy(), expected.numpy(), rtol=1e-13, atol=1e-15)


def test_affine_leaves_its_arguments_alone_and_keeps_float32():
    x, w, b = mg.ones(2, 3), mg.ones(4, 3), mg.ones(4)
    y = mg.affine(x, w, b)
    assert y.dtype == np.float32
    assert (b.numpy() == 1).all()
    assert (y.numpy() == 4).all()


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((2, 3), (4, 2)), r"affine: x \(2, 3\) and weight \(4, 2\), not \(..., I\) and \(O, I\)"),
        (((), (4, 2)), "affine: x"),
        (((2, 3), (3,)), "affine: x"),
        (((2, 3), (4, 3), (3,)), r"affine: bias \(3,\) for weight \(4, 3\): it must be \(O,\)"),
    ],
)
def test_affine_refuses_what_does_not_fit(shapes, message):
    with pytest.raises(mg.ShapeError, match=message):
        mg.affine(*(mg.zeros(*shape) for shape in shapes))


@pytest.mark.parametrize("ta", [True, False])
@pytest.mark.parametrize("tb", [True, False])
@pytest.mark.parametrize("lead", [(), (5,)])
def test_transposed_products(ta, tb, lead, rng):
    a = rng.normal(size=(*lead, 3, 4) if ta else (*lead, 4, 3))
    b = rng.normal(size=(2, 3) if tb else (3, 2))
    x, y = mg.tensor(a, requires_grad=True), mg.tensor(b, requires_grad=True)
    out = OPS["matmul"](x, y, ta=ta, tb=tb)
    expected = (np.swapaxes(a, -1, -2) if ta else a) @ (b.T if tb else b)
    np.testing.assert_allclose(out.numpy(), expected, rtol=1e-14)
    u = rng.normal(size=expected.shape)
    for t, g in zip((x, y), mg.grad(out, [x, y], u), strict=True):
        np.testing.assert_allclose((g.numpy() * t.numpy()).sum(), (u * expected).sum())


def test_no_transposition_is_recorded():
    x, w = mg.ones(2, 3), mg.ones(4, 3, requires_grad=True)
    seen = []
    with mg.trace(lambda name, out: seen.append(name)):
        mg.grad(mg.affine(x, w).sum(), w)
    assert "transpose" not in seen
