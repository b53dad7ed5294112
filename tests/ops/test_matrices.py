"""Inverse and determinant against NumPy, and their derivatives up to the third."""

import numpy as np
import pytest

import minigan as mg
from minigan.testing import gradcheck


def regular(rng, n):
    return rng.normal(size=(n, n)) + 3.0 * np.eye(n)


def test_values(rng):
    x = regular(rng, 4)
    np.testing.assert_allclose(mg.inverse(x).numpy(), np.linalg.inv(x))
    expected = np.log(abs(np.linalg.det(x)))
    np.testing.assert_allclose(mg.log_determinant(mg.tensor(x)).item(), expected)
    np.testing.assert_allclose(mg.log_determinant(mg.tensor(-x[:3, :3])).item(),
                               np.log(abs(np.linalg.det(x[:3, :3]))))  # fmt: skip


@pytest.mark.parametrize("op", [mg.inverse, mg.log_determinant])
def test_derivatives(rng, op):
    assert gradcheck(op, [regular(rng, 3)], order=3, properties=False)  # they pass singular ones


def test_a_singular_matrix_is_named_as_such():
    with pytest.raises(ValueError, match=r"inverse of \(2, 2\): Singular matrix") as caught:
        mg.inverse(mg.ones(2, 2))
    assert not isinstance(caught.value, mg.ShapeError)
