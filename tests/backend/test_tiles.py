"""Tiles: blocks cover each once, folded images are read and written pixel by pixel."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from minigan.backend import tiles
from minigan.backend.tiles import Side, cut_tiles
from minigan.backend.toom_cook import F22, F34, F42, F43

SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40))


@given(
    st.sampled_from([F43, F34, F42, F22]),
    st.integers(0, 5),
    SIZES,
    st.sampled_from([1, 64, 4096]),
    st.integers(1, 1 << 20),
    st.integers(1, 4),
)
def test_pieces_cover_every_tile_once(f, batch, size, channels, tile_bytes, pieces):
    high, wide = (-(-p // f.tile) for p in size)
    seen = np.zeros((batch, high), int)
    for chunk in cut_tiles(f, batch, size, channels, tile_bytes, pieces):
        places = np.zeros(chunk.tiles, int)
        for piece in chunk.pieces:
            seen[piece.images, piece.rows] += 1
            places[piece.tiles] += 1
            assert piece.tiles.stop - piece.tiles.start == np.prod(piece.grid(f, size))
        assert (places == 1).all()
    assert (seen == 1).all()


def test_chunks_are_limited_and_equal_to_a_piece():
    chunks = cut_tiles(F42, 64, (16, 16), 256, 40_000)
    counts = [chunk.tiles for chunk in chunks]
    (piece,) = {p.tiles.stop - p.tiles.start for chunk in chunks[:-1] for p in chunk.pieces}
    assert len(chunks) > 1
    assert sum(counts) == 64 * 16
    assert max(counts) <= tiles.CHUNK_BYTES // 40_000 + piece
    assert max(counts) - min(counts) < 2 * piece


def test_a_batch_of_one_is_cut_for_several_cores():
    (chunk,) = cut_tiles(F43, 1, (32, 32), 512, 1000)
    assert len(chunk.pieces) >= tiles.PIECES


@given(st.integers(-9, 9), st.integers(1, 3), st.integers(0, 7), st.integers(1, 9))
def test_spans_name_every_place_within_once(start, s, count, size):
    found = []
    for places, remainders, first in tiles._spans(start, s, count, size):
        pairs = list(itertools.product(range(count)[places], range(s)[remainders]))
        assert [start + s * i + a for i, a in pairs] == [first + k for k in range(len(pairs))]
        found += pairs
    inside = [(i, a) for i, a in np.ndindex(count, s) if 0 <= start + s * i + a < size]
    assert sorted(found) == inside


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
