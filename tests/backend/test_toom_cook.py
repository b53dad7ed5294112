"""The transforms: exact identities in fractions, and the additions written out."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigan.backend.toom_cook import F22, F34, F42, F43, matrices

TRANSFORMS = pytest.mark.parametrize("f", [F43, F34, F42, F22], ids=str)
WHOLE = st.integers(-9, 9)


def exact(matrix):
    """A matrix of small fractions, exactly."""
    return [[Fraction(float(v)).limit_denominator(1000) for v in row] for row in matrix]


def times(matrix, vector):
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def transposed(matrix):
    return [list(column) for column in zip(*matrix, strict=True)]


@TRANSFORMS
@given(st.lists(WHOLE, min_size=6, max_size=6), st.lists(WHOLE, min_size=4, max_size=4))
def test_the_identity_holds_exactly(f, d, g):
    d, g = d[: f.window], g[: f.taps]
    u, v = times(exact(f.g), g), times(exact(f.bt), d)
    y = times(transposed(exact(f.a)), [p * q for p, q in zip(u, v, strict=True)])
    assert y == [sum(g[k] * d[p + k] for k in range(f.taps)) for p in range(f.tile)]


@TRANSFORMS
@given(st.lists(WHOLE, min_size=6, max_size=6), st.lists(WHOLE, min_size=4, max_size=4))
def test_the_identity_of_the_weight_gradient_holds_exactly(f, d, y):
    d, y = d[: f.window], y[: f.tile]
    v, w = times(exact(f.bt), d), times(exact(f.a), y)
    g = times(transposed(exact(f.g)), [p * q for p, q in zip(v, w, strict=True)])
    assert g == [sum(y[p] * d[p + k] for p in range(f.tile)) for k in range(f.taps)]


def test_the_matrices_of_f43_are_those_of_the_paper():
    assert F43.bt.tolist() == [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
    twenty_fourths = [[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]
    np.testing.assert_allclose(F43.g * 24, twenty_fourths, rtol=1e-15)
    assert F43.a.T.tolist() == [
        [1, 1, 1, 1, 1, 0],
        [0, 1, -1, 2, -2, 0],
        [0, 1, 1, 4, 4, 0],
        [0, 1, -1, 8, -8, 1],
    ]


def test_points_must_be_different_and_enough():
    with pytest.raises(ValueError, match=r"F\(2, 3\) takes 3 different points besides infinity"):
        matrices((0, 1, 1), 2, 3)
    with pytest.raises(ValueError, match="takes 3 different"):
        matrices((0, 1), 2, 3)
