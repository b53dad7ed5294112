"""Windows, columns and blocks: what they hold, how large they are, and what they refuse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigan.backend import columns
from minigan.backend.columns import (
    Geometry,
    blocks,
    columns_of,
    is_product,
    overlap,
    pad_last,
    read_padded,
    remainder_span,
    windows_from,
    windows_of,
)

ONE = (1, 1)
PLAIN = Geometry(3, 4, 2, (7, 6), (3, 2), (3, 2), (2, 3), (1, 0), (1, 2), 2)
PLAIN_FRAME = ((0, 0), (0, 0), (1, 1), (0, 0))


def test_windows_hold_what_the_formula_says(rng):
    x = rng.standard_normal((3, 4, 7, 6))
    padded = pad_last(x, PLAIN)
    np.testing.assert_array_equal(padded, np.pad(x, PLAIN_FRAME).transpose(0, 2, 3, 1))
    windows = windows_of(padded, PLAIN)
    assert windows.shape == (2, 3, 3, 2, 3, 2, 2)
    for g, n, p, q, i, j, c in np.ndindex(windows.shape):
        assert windows[g, n, p, q, i, j, c] == padded[n, 2 * p + i, 3 * q + 2 * j, 2 * g + c]


@pytest.mark.parametrize("size", [1, 700, 1 << 20])
def test_columns_are_the_windows_in_order(rng, monkeypatch, size):
    monkeypatch.setitem(columns.BLOCK_BYTES, "cpu", size)
    padded = pad_last(rng.standard_normal((3, 4, 7, 6)), PLAIN)
    windows = windows_of(padded, PLAIN)
    seen = np.zeros((3, 3), int)
    for images, rows, matrix in columns_of(padded, PLAIN):
        np.testing.assert_array_equal(matrix, windows[:, images, rows].reshape(matrix.shape))
        seen[images, rows] += 1
    assert (seen == 1).all()


@given(st.integers(0, 5), st.integers(1, 9), st.integers(1, 9), st.integers(1, 5000))
def test_blocks_cover_the_output_once_within_the_budget(batch, rows, width, size):
    geometry = Geometry(batch, 3, 2, (rows + 1, width), (2, 1), (rows, width), ONE, (0, 0), ONE, 1)
    former = columns.BLOCK_BYTES["cpu"]
    columns.BLOCK_BYTES["cpu"] = size
    try:
        cut = list(blocks(geometry, np.empty(0, np.float64)))
    finally:
        columns.BLOCK_BYTES["cpu"] = former
    seen = np.zeros((batch, rows), int)
    areas = [seen[part].size for part in cut]
    for part in cut:
        seen[part] += 1
    assert (seen == 1).all()
    assert max(areas, default=0) == (areas or [0])[0]  # scratch made for the first serves all
    one_row = width * geometry.window * 8
    assert all(area * one_row <= size or area == 1 for area in areas)


@pytest.mark.parametrize(
    ("geometry", "expected"),
    [
        (Geometry(2, 6, 4, (5, 6), ONE, (5, 6), ONE, (0, 0), ONE, 2), True),
        (Geometry(2, 6, 4, (3, 2), ONE, (5, 6), ONE, (1, 2), ONE, 2), True),
        (Geometry(2, 6, 4, (5, 6), ONE, (3, 3), (2, 2), (0, 0), ONE, 1), False),
        (Geometry(2, 6, 4, (5, 6), ONE, (5, 5), ONE, (0, 0), ONE, 1), False),
        (Geometry(3, 6, 4, (4, 4), (4, 4), ONE, (2, 2), (0, 0), ONE, 1), True),
        (Geometry(3, 6, 4, (4, 4), (4, 4), ONE, ONE, (0, 0), ONE, 2), False),
        (Geometry(3, 6, 4, (3, 3), (2, 2), ONE, ONE, (0, 0), (2, 2), 1), False),
    ],
)
def test_a_product_needs_no_copy(geometry, expected):
    assert is_product(geometry) == expected
    padded = pad_last(np.zeros((geometry.batch, geometry.channels, *geometry.size)), geometry)
    (_, _, matrix), *_ = columns_of(padded, geometry)
    assert np.shares_memory(matrix, padded) == expected


def test_windows_outside_the_padded_input_are_refused():
    with pytest.raises(ValueError, match=r"reach \(6, 5\) but the padded input is \(5, 5\)"):
        Geometry(1, 1, 1, (5, 5), (2, 1), (5, 5), ONE, (0, 0), ONE, 1)


@given(st.integers(-9, 9), st.integers(1, 4), st.integers(0, 9), st.integers(0, 9))
def test_overlap_keeps_the_places_inside(start, step, count, size):
    indices, places = overlap(start, step, count, size)
    expected = [i for i in range(count) if 0 <= start + step * i < size]
    assert list(range(count))[indices] == expected
    assert list(range(size))[places] == [start + step * i for i in expected]


@given(
    st.tuples(st.integers(-7, 7), st.integers(-7, 7)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(0, 8), st.integers(0, 8)),
)
def test_reading_with_padding_is_reading_from_a_frame_of_zeros(at, step, size):
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5))
    frame = np.zeros((2, 3, 60, 60))
    frame[:, :, 20:24, 20:25] = x
    target = np.full((2, *size, 3), np.nan)
    read_padded(x, at, target, step)
    rows, columns = (20 + a + s * np.arange(n) for a, s, n in zip(at, step, size, strict=True))
    expected = frame[:, :, rows][:, :, :, columns].transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(target, expected)


def test_windows_of_any_array_agree_with_those_of_a_geometry(rng):
    padded = pad_last(rng.standard_normal((3, 4, 7, 6)), PLAIN)
    windows = windows_from(padded, PLAIN.out, PLAIN.kernel, PLAIN.stride, PLAIN.dilation)
    grouped = windows_of(padded, PLAIN)  # (2, N, P, Q, K, L, 2)
    np.testing.assert_array_equal(windows[..., :2], grouped[0])
    np.testing.assert_array_equal(windows[..., 2:], grouped[1])


@given(st.integers(1, 9), st.integers(1, 4), st.integers(0, 6))
def test_the_spans_of_all_remainders_share_out_the_pixels(size, stride, padding):
    geometry = Geometry(1, 1, 1, (size, 1), ONE, ONE, (stride, 1), (padding, 0), ONE, 1)
    found = []
    for a in range(stride):
        (first, _), (count, _) = remainder_span((a, 0), geometry)
        found += [stride * i + a - padding for i in range(first, first + count)]
    assert sorted(found) == list(range(size))
