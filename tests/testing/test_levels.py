"""Levels as maps of vectors: against derivatives written down by hand."""

import numpy as np
import pytest

import minigan as mg
from minigan.testing.levels import Layout, Problem, argument_names, levels

X, Y = np.array([0.5, -1.0, 2.0]), np.array([1.5])


def cubic(x, y):
    return x * x * x * y


def test_layout_takes_vectors_apart_and_finds_entries():
    layout = Layout(("a", "b", "c"), ((2, 3), (), (0,)))
    assert (layout.size, layout.sizes) == (7, [6, 1, 0])
    a, b, c = layout.split(np.arange(7.0))
    np.testing.assert_array_equal(a, [[0, 1, 2], [3, 4, 5]])
    assert b == 6
    assert c.shape == (0,)
    assert layout.locate(5) == (0, (1, 2))
    assert layout.locate(6) == (1, ())


def test_each_level_is_the_derivative_of_the_one_below():
    first, second, third = levels(Problem(cubic, [X, Y]), 3, seed=0)
    np.testing.assert_allclose(first.value, X**3 * Y)
    (v,) = second.inputs.split(second.point)[2:]
    by_x, by_y = second.outputs.split(second.value)
    np.testing.assert_allclose(by_x, 3 * X**2 * Y * v)
    np.testing.assert_allclose(by_y, [np.sum(X**3 * v)])
    v, w, z = third.inputs.split(third.point)[2:]
    by_x, by_y, by_v = third.outputs.split(third.value)
    np.testing.assert_allclose(by_x, 6 * X * Y * v * w + 3 * X**2 * v * z)
    np.testing.assert_allclose(by_y, [np.sum(3 * X**2 * v * w)])
    np.testing.assert_allclose(by_v, 3 * X**2 * Y * w + X**3 * z)


def test_pullback_is_the_transposed_jacobian():
    (level,) = levels(Problem(cubic, [X, Y]), 1, seed=0)
    jacobian = level.pullback(np.eye(3))
    np.testing.assert_allclose(jacobian[:, :3], np.diag(3 * X**2 * Y))
    np.testing.assert_allclose(jacobian[:, 3], X**3)


def test_evaluate_is_in_double_precision_whatever_is_tested():
    (level,) = levels(Problem(cubic, [X, Y], dtype="float32"), 1, seed=0)
    assert level.evaluate(level.point).dtype == np.float64
    assert level.evaluate(level.point.astype(complex)).dtype == np.complex128
    assert level.kinds == [np.float32]


def test_parameters_come_back_after_an_exception():
    weight = mg.tensor([1.0, 2.0], requires_grad=True)
    kept, node = weight.data, weight.node
    problem = Problem(cubic, [X], params=[weight])
    seen = []

    def fail():
        with problem.bound([X, np.zeros(2)]):
            seen.append(weight.numpy().tolist())
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert seen == [[0.0, 0.0]]
    assert weight.data is kept
    assert weight.node is node


@pytest.mark.parametrize(
    ("fn", "names"),
    [
        (mg.matmul, ["a", "b"]),
        (mg.multiply, ["a", "b"]),
        (lambda image, *rest, flag=1: image, ["image", "rest[0]"]),
        (max, ["inputs[0]", "inputs[1]"]),
    ],
)
def test_arguments_are_named_after_the_signature(fn, names):
    assert argument_names(fn, 2) == names
