"""Copies in another order of axes: the same values, whatever the pieces."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigan.backend import layout


@pytest.fixture
def _pieces(monkeypatch):
    monkeypatch.setattr(layout, "SMALL", 0)  # divide even the smallest


SIZES = st.lists(st.integers(0, 5), min_size=4, max_size=4)


@pytest.mark.usefixtures("_pieces")
@pytest.mark.parametrize("axis", [0, 2, -1])
@pytest.mark.parametrize("step", [1, 3, 100])
def test_contiguous_copies_in_pieces_of_any_axis(rng, axis, step):
    view = rng.standard_normal((4, 6, 5, 7)).transpose(3, 1, 0, 2)[::-1]
    out = layout.contiguous(view, axis=axis, step=step)
    assert out.flags.c_contiguous
    np.testing.assert_array_equal(out, view)


def test_what_is_contiguous_is_not_copied(rng):
    x = rng.standard_normal((8, 64, 8, 16))
    assert layout.contiguous(x, axis=0, step=1) is x


@pytest.mark.usefixtures("_pieces")
def test_channels_last_and_filters_last(rng):
    x = rng.standard_normal((3, 5, 2, 4))
    np.testing.assert_array_equal(layout.channels_last(x), x.transpose(0, 2, 3, 1))
    for arrange, axes in (
        (layout.filters_last, (2, 3, 1, 0)),
        (layout.channels_of_filters_last, (2, 3, 0, 1)),
    ):
        taps = arrange(x)
        assert taps.flags.c_contiguous
        np.testing.assert_array_equal(taps, x.transpose(axes))


@pytest.mark.parametrize("small", [0, 1 << 15])
@given(SIZES)
def test_filters_first_is_a_transposition(small, sizes):
    former, layout.SMALL = layout.SMALL, small
    try:
        taps = np.random.default_rng(0).standard_normal(sizes)
        out = layout.filters_first(taps)
    finally:
        layout.SMALL = former
    assert out.flags.c_contiguous
    np.testing.assert_array_equal(out, taps.transpose(3, 0, 1, 2))


def test_filters_first_in_several_pieces(rng):
    taps = rng.standard_normal((16, 3, 3, 250))
    assert taps.size > layout.SMALL
    np.testing.assert_array_equal(layout.filters_first(taps), taps.transpose(3, 0, 1, 2))
