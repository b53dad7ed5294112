"""Tiles: blocks cover each once, folded images are read and written pixel by pixel."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from minigan.backend import tiles
from minigan.backend.tiles import Side, tile_blocks
from minigan.backend.toom_cook import F22, F43


@given(
    st.sampled_from([F43, F22]),
    st.integers(0, 5),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.integers(1, 1 << 20),
)
def test_blocks_cover_every_tile_once(f, batch, size, tile_bytes):
    high, wide = (-(-p // f.tile) for p in size)
    seen = np.zeros((batch, high), int)
    for images, rows in tile_blocks(f, batch, size, tile_bytes):
        assert 0 <= images.start < images.stop <= batch
        assert 0 <= rows.start < rows.stop <= high
        seen[images, rows] += 1
        count = (images.stop - images.start) * (rows.stop - rows.start) * wide
        assert count <= max(tiles.MOST_TILES, wide)
    assert (seen == 1).all()


def test_a_batch_of_one_is_cut_for_several_cores():
    assert len(tile_blocks(F43, 1, (32, 32), 1000)) >= 2


def test_a_folded_image_is_read_and_written_pixel_by_pixel(rng):
    x = rng.standard_normal((2, 3, 6, 4))
    side = Side(x, 2, (-1, -1))
    read = side.read(slice(0, 2), 0, (4, 3))  # (h, w, b, 2 2 C)
    framed = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    for i, j, a, b in np.ndindex(4, 3, 2, 2):
        part = read.reshape(4, 3, 2, 2, 2, 3)[i, j, :, a, b]  # (b, C)
        np.testing.assert_array_equal(part, framed[:, :, 2 * i + a, 2 * j + b])
    out = np.full_like(x, np.nan)
    for i in range(4):
        for j in range(3):
            pixel = read[i : i + 1, j : j + 1][None, None]  # (1, 1, 1, 1, b, 12): a tile of 1 x 1
            Side(out, 2, (-1, -1)).write(pixel, slice(0, 2), i, j)
    np.testing.assert_array_equal(out, x)
