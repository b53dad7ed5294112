"""Tiles of images for Winograd's convolution: how they are cut, read, transformed and written.

`winograd.py` has the derivation. A piece of tiles is some images and some rows of tiles in them, of
the full width. What belongs to it is kept with the n x n (or m x m) places within a tile outermost
and the channels innermost, so that each place is a matrix (tiles, channels) for the product.
Images stand inside rows and columns: many small images are as good as a large one.

A transform is a product too, of a small matrix (n, n) by a wide one (n, run of memory), for rows
and for columns: one call of NumPy for all tiles of a piece. The additions that the zeros and ones
of the small matrix allow are fewer, but each goes through memory and each is a call.

Pieces are small, for a core's cache. A *chunk* is as many pieces as share their products, one for
each of the n x n places: rows enough for a product to run at full speed.

Letters: N batch, C channels of x (folded: s^2 C), O channels of y; n, m, r of a transform F(m, r);
T tiles in a piece or chunk of b images, i rows of tiles and j columns.
"""

from __future__ import annotations

import math
from itertools import product
from typing import NamedTuple

import numpy as np

from minigan.backend.columns import Array, Pair, overlap
from minigan.backend.threads import scratch
from minigan.backend.toom_cook import Transform

PIECE = 1 << 15  # values at one place of a piece's tiles
PIECES, FEWEST_VALUES = 4, 1 << 13  # so many pieces at least, where they have so many values
CHUNK_BYTES = 16 << 20  # what a chunk's V and products take
GAP = 80  # values: five lines of a cache
FEWEST_TILES = 64  # in a chunk, lest each product spend its time on rearranging the kernel


class Piece(NamedTuple):
    """Some rows of tiles of some images, and their place among the tiles of a chunk."""

    images: slice
    rows: slice
    tiles: slice

    def grid(self, f: Transform, size: Pair) -> tuple[int, int, int]:
        """Return (i, j, b), for a result of `size` pixels."""
        high, wide = self.rows.stop - self.rows.start, -(-size[1] // f.tile)
        return high, wide, self.images.stop - self.images.start


class Chunk(NamedTuple):
    """Pieces that are multiplied together."""

    pieces: list[Piece]
    tiles: int


# -- cutting --------------------------------------------------------------------------------------


def cut_tiles(
    f: Transform, batch: int, size: Pair, channels: int, tile_bytes: int, pieces: int = PIECES
) -> list[Chunk]:
    """Cut a result of `size` pixels into chunks of some `pieces` or more, by the sizes alone.

    `channels` is the larger number of x's and y's, `tile_bytes` what V and products of a tile take.
    """
    high, wide = (-(-p // f.tile) for p in size)
    total = batch * high * wide
    most = max(FEWEST_TILES, CHUNK_BYTES // tile_bytes)
    shared = max(min(total, most) // pieces, FEWEST_VALUES // channels)
    blocks = _blocks(f, batch, size, max(1, min(PIECE // channels, shared)))
    goal = total / max(1, -(-total // most))  # chunks of nearly equal size
    chunks, taken, filled = [], [], 0
    for block in blocks:
        count = _count(block, wide)
        taken.append(Piece(*block, slice(filled, filled + count)))
        filled += count
        if filled >= goal or block is blocks[-1]:
            chunks.append(Chunk(taken, filled))
            taken, filled = [], 0
    return chunks


def _blocks(f: Transform, batch: int, size: Pair, tiles: int) -> list[tuple[slice, slice]]:
    """Cut all tiles into (images, rows of tiles) with some `tiles` in each."""
    high, wide = (-(-p // f.tile) for p in size)
    rows = min(high, max(1, tiles // max(wide, 1)))
    rows = -(-high // -(-high // max(rows, 1))) if high else 1  # of equal size
    images = max(1, tiles // max(high * wide, 1)) if rows == high else 1
    images = -(-batch // -(-batch // images)) if batch else 1
    return [
        (slice(b, min(b + images, batch)), slice(i, min(i + rows, high)))
        for b in range(0, batch, images)
        for i in range(0, high, rows)
    ]


def _count(block: tuple[slice, slice], wide: int) -> int:
    images, rows = block
    return (images.stop - images.start) * (rows.stop - rows.start) * wide


# -- memory ---------------------------------------------------------------------------------------


def apart(
    purpose: str, count: int, shape: tuple[int, ...], dtype: np.dtype, *, fresh: bool = False
) -> Array:
    """Return scratch for `count` arrays of one shape that a transform reads or writes together.

    Powers of two apart, they would share a few places of the cache and drive one another out.
    `fresh`: memory of its own, that stays as it is.
    """
    size = math.prod(shape)
    room = count, size + GAP
    memory = np.empty(room, dtype) if fresh else scratch(purpose, room, dtype)
    return memory[:, :size].reshape(count, *shape)


# -- the two sides of a convolution ---------------------------------------------------------------


class Side:
    """x or y as tiles see it: pixel i of remainder a is row s i + a + origin of the array."""

    def __init__(self, array: Array, fold: int, origin: Pair, *remainders: Pair) -> None:
        """`array` is (N, C, H, W), `fold` is s; `remainders` (a, b) in the channels' order."""
        self.array, self.fold, self.origin = array, fold, origin
        self.remainders = remainders or tuple(product(range(fold), repeat=2))

    @property
    def channels(self) -> int:
        """Return the number of folded channels."""
        return len(self.remainders) * self.array.shape[1]

    def only(self, *remainders: Pair) -> Side:
        """Return this side with some of its remainders alone."""
        return Side(self.array, self.fold, self.origin, *remainders)

    def read(self, images: slice, row: int, size: Pair) -> Array:
        """Read pixels from `row` on as (h, w, b, s s C), with zeros outside of the array."""
        array, s = self.array[images], self.fold
        shape = *size, len(array), len(self.remainders), array.shape[1]
        padded = scratch("padded", shape, array.dtype)
        at = s * row + self.origin[0], self.origin[1]
        if not _holds(array, at, (s * size[0], s * size[1])):
            padded[...] = 0
        if len(self.remainders) == 1:
            (a, b) = self.remainders[0]
            i, rows = overlap(at[0] + a, s, size[0], array.shape[2])
            j, columns = overlap(at[1] + b, s, size[1], array.shape[3])
            padded[i, j, :, 0] = array[:, :, rows, columns].transpose(2, 3, 0, 1)
        else:
            _fold(array, at, padded.reshape(*shape[:3], s, s, -1))
        return padded.reshape(*shape[:3], -1)

    def write(self, tiles: Array, images: slice, row: int, column: int) -> None:
        """Write tiles (m, m, i, j, b, s s C) from pixel (row, column) on, as far as they fit."""
        array, s, m = self.array[images], self.fold, len(tiles)
        tiles = tiles.reshape(*tiles.shape[:-1], len(self.remainders), -1)
        for k, (a, b) in enumerate(self.remainders):
            at = s * row + a + self.origin[0], s * column + b + self.origin[1]
            if not _write_whole(tiles[..., k, :], array, at, s):
                for t, u in product(range(m), repeat=2):
                    first = at[0] + s * t, at[1] + s * u
                    _write_clipped(tiles[t, u, ..., k, :], array, first, s * m)


def _holds(array: Array, at: Pair, size: Pair) -> bool:
    """Tell whether the pixels of a rectangle all lie within the array."""
    ends = zip(at, size, array.shape[2:], strict=True)
    return min(at) >= 0 and all(start + count <= end for start, count, end in ends)


def _fold(array: Array, at: Pair, folded: Array) -> None:
    """Write the pixels of array (b, C, H, W) from `at` on into folded (h, w, b, s, s, C).

    What stands beside one another in memory, the columns of all remainders, is copied in one run.
    """
    (h, w), s = folded.shape[:2], folded.shape[3]
    rows, columns = _spans(at[0], s, h, array.shape[2]), _spans(at[1], s, w, array.shape[3])
    for (i, a, y), (j, b, x) in product(rows, columns):
        counts = i.stop - i.start, a.stop - a.start, j.stop - j.start, b.stop - b.start
        part = array[:, :, y : y + counts[0] * counts[1], x : x + counts[2] * counts[3]]
        part = part.reshape(*part.shape[:2], *counts)  # (b, C, i, a, j, b): a view, axes divided
        folded[i, j, :, a, b] = part.transpose(2, 4, 0, 3, 5, 1)


def _spans(start: int, s: int, count: int, size: int) -> list[tuple[slice, slice, int]]:
    """Divide places i < count into those with all of start + s i + a, a < s, within range(size),
    and those at the ends with some: [(places, remainders a, start + s i + a of the first), ...].

    >>> _spans(-1, 2, 3, 5)                                # places -1, 0 | 1, 2, 3, 4
    [(slice(1, 3, None), slice(0, 2, None), 1), (slice(0, 1, None), slice(1, 2, None), 0)]
    """
    whole, _ = overlap(start, s, count, size - s + 1)
    spans = [(whole, slice(0, s), start + s * whole.start)] if whole.start < whole.stop else []
    for i in {max(whole.start - 1, 0), whole.stop} - set(range(*whole.indices(count))):
        first = start + s * i
        a = slice(min(max(-first, 0), s), min(max(size - first, 0), s))
        if i < count and a.start < a.stop:
            spans.append((slice(i, i + 1), a, first + a.start))
    return spans


def _write_whole(tiles: Array, array: Array, at: Pair, step: int) -> bool:
    """Write tiles (m, m, i, j, b, C) into every `step`-th pixel of array if all are within it."""
    m, i, j = tiles.shape[0], *tiles.shape[2:4]
    stop = at[0] + step * (m * i - 1) + 1, at[1] + step * (m * j - 1) + 1
    if min(at) < 0 or stop[0] > array.shape[2] or stop[1] > array.shape[3]:
        return False
    pixels = array[:, :, at[0] : stop[0] : step, at[1] : stop[1] : step]  # (b, C, m i, m j)
    split = pixels.reshape(*pixels.shape[:2], i, m, j, m)  # a view: axes are divided, none joined
    split.transpose(3, 5, 2, 4, 0, 1)[...] = tiles
    return True


def _write_clipped(places: Array, array: Array, at: Pair, step: int) -> None:
    """Write one place of the tiles, (i, j, b, C), into every `step`-th pixel, if it exists."""
    i, rows = overlap(at[0], step, places.shape[0], array.shape[2])
    j, columns = overlap(at[1], step, places.shape[1], array.shape[3])
    array[:, :, rows, columns] = places[i, j].transpose(2, 3, 0, 1)


# -- transforms -----------------------------------------------------------------------------------


def fill_values(f: Transform, source: Side, piece: Piece, size: Pair, values: Array) -> None:
    """Write V = B^T d B of a piece into its place in values (n n, T, C)."""
    m, (i, j, b) = f.tile, piece.grid(f, size)
    seen = m * i + f.taps - 1, m * j + f.taps - 1
    padded = source.read(piece.images, piece.rows.start * m, seen)
    _apply_twice(f.bt, padded, m, _place(values, piece, (f.window, i, j, b)))


def fill_cotangents(f: Transform, source: Side, piece: Piece, size: Pair, values: Array) -> None:
    """Write W = A dy A^T of a piece into its place in values (n n, T, O)."""
    m, (i, j, b) = f.tile, piece.grid(f, size)
    padded = source.read(piece.images, piece.rows.start * m, (m * i, m * j))
    _apply_twice(f.a, padded, m, _place(values, piece, (f.window, i, j, b)))


def _apply_twice(matrix: Array, padded: Array, step: int, out: Array) -> None:
    """Multiply the rows, then the columns, of tiles of padded (h, w, b, C) by matrix (n, k).

    A tile has k x k pixels and begins `step` pixels after the one before; `out` is (n, n, i, j, b,
    C).
    """
    matrix, (n, _, i, j, b, channels) = matrix.astype(out.dtype), out.shape
    wide, run = padded.shape[1], b * channels
    rows = _overlapping(padded.reshape(len(padded), -1), i, matrix.shape[1], step)  # (i, k, w b C)
    tall = scratch("tall", (n, i, wide, run), out.dtype)
    np.matmul(matrix, rows, out=tall.reshape(n, i, -1).swapaxes(0, 1))  # (i, n, w b C)
    columns = _overlapping(tall, j, matrix.shape[1], step)  # (n, i, j, k, b C)
    np.matmul(matrix, columns, out=out.reshape(n, n, i, j, run).transpose(0, 2, 3, 1, 4))


def _overlapping(array: Array, count: int, size: int, step: int) -> Array:
    """View contiguous (..., h, run) as (..., count, size, run), each `step` after the former."""
    *outer, high, run = array.strides
    shape = *array.shape[:-2], count, size, array.shape[-1]
    return np.ndarray(shape, array.dtype, array, strides=(*outer, step * high, high, run))


def tiles_from(f: Transform, products: Array, piece: Piece, size: Pair) -> Array:
    """Return A^T s A of a piece of the products (n n, T, O) as (m, m, i, j, b, O)."""
    m, n, grid = f.tile, f.window, piece.grid(f, size)
    matrix = f.a.T.astype(products.dtype)
    given = products[:, piece.tiles].reshape(n, n, -1)  # (n, n, t O)
    flat = scratch("tall", (m, n, given.shape[2]), products.dtype)
    tiles = scratch("padded", (m, m, given.shape[2]), products.dtype)
    np.matmul(matrix, given.swapaxes(0, 1), out=flat.swapaxes(0, 1))
    np.matmul(matrix, flat, out=tiles)
    return tiles.reshape(m, m, *grid, -1)


def _place(array: Array, piece: Piece, sizes: tuple[int, int, int, int]) -> Array:
    """View a piece's tiles in array (n n, T, C) as (n, n, i, j, b, C); `sizes` = (n, i, j, b)."""
    return array[:, piece.tiles].reshape(sizes[0], *sizes, array.shape[-1])
