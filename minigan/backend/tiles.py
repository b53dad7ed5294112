"""Tiles of images for Winograd's convolution: how they are cut, read, transformed and written.

`winograd.py` has the derivation. A block of tiles is some images and some rows of tiles in them, of
the full width. What belongs to it is kept with the n x n (or m x m) places within a tile outermost
and the channels innermost, so that a transform is a few additions of long runs of memory, and each
place is a matrix (tiles, channels) for the product. Images stand inside rows and columns for that:
with many small images the runs are no shorter.

Letters: N batch, C channels of x (folded: s^2 C), O channels of y; n, m, r of a transform F(m, r);
T tiles in a block of b images, i rows of tiles and j columns.
"""

from __future__ import annotations

import math
from itertools import product

from minigan.backend.columns import Array, Pair, overlap, read_padded
from minigan.backend.threads import scratch
from minigan.backend.toom_cook import Transform, combine

# What a block's V and products take. They should stay in cache, but with few tiles to a block the
# kernel is read too often.
BLOCK_BYTES = 4 << 20
FEWEST_TILES, MOST_TILES = 64, 512
TASKS, FEWEST_FOR_TASKS = 4, 32  # so many blocks at least, where none of them gets too small
Block = tuple[slice, slice]  # images, rows of tiles


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
        array, s, ab = self.array[images], self.fold, self.remainders
        padded = scratch("padded", (*size, len(array), len(ab), array.shape[1]), array.dtype)
        for k, (a, b) in enumerate(ab):
            at = s * row + a + self.origin[0], b + self.origin[1]
            read_padded(array, at, padded[:, :, :, k].transpose(2, 0, 1, 3), (s, s))
        return padded.reshape(*size, len(array), -1)

    def write(self, tiles: Array, images: slice, row: int, column: int) -> None:
        """Write tiles (m, m, i, j, b, s s C) from pixel (row, column) on, as far as they fit."""
        array, s, m = self.array[images], self.fold, len(tiles)
        high, wide = array.shape[2:]
        tiles = tiles.reshape(*tiles.shape[:-1], len(self.remainders), -1)
        for k, (a, b) in enumerate(self.remainders):
            for t, u in product(range(m), repeat=2):
                first_row = s * (row + t) + a + self.origin[0]
                first_column = s * (column + u) + b + self.origin[1]
                i, rows = overlap(first_row, s * m, tiles.shape[2], high)
                j, columns = overlap(first_column, s * m, tiles.shape[3], wide)
                part = tiles[t, u, i, j, :, k]  # (i, j, b, C)
                array[:, :, rows, columns] = part.transpose(2, 3, 0, 1)


# -- blocks ---------------------------------------------------------------------------------------


def tile_blocks(f: Transform, batch: int, size: Pair, tile_bytes: int) -> list[Block]:
    """Cut a result of `size` pixels into (images, rows of tiles), by the sizes alone."""
    high, wide = (-(-p // f.tile) for p in size)
    tiles = min(MOST_TILES, max(FEWEST_TILES, BLOCK_BYTES // tile_bytes))
    tiles = min(tiles, max(FEWEST_FOR_TASKS, -(-batch * high * wide // TASKS)))
    rows = min(high, max(1, tiles // wide))
    rows = -(-high // -(-high // rows))  # as many blocks, of equal size
    images = max(1, tiles // (high * wide))
    return [
        (slice(b, min(b + images, batch)), slice(i, min(i + rows, high)))
        for b in range(0, batch, images)
        for i in range(0, high, rows)
    ]


def _every(array: Array, step: int, count: int, tiles: int, axis: int) -> list[Array]:
    """Return `count` views: the first, second, ... row (column) of each of the tiles."""
    before = (slice(None),) * axis
    last = step * (tiles - 1) + 1
    return [array[(*before, slice(k, k + last, step))] for k in range(count)]


def grid_of(f: Transform, images: slice, rows: slice, size: Pair, channels: int) -> tuple[int, ...]:
    """Return the shape of a block's V: (n, n, i, j, b, C)."""
    high, wide = rows.stop - rows.start, -(-size[1] // f.tile)
    return f.window, f.window, high, wide, images.stop - images.start, channels


# -- transforms -----------------------------------------------------------------------------------


def fill_values(f: Transform, source: Side, images: slice, rows: slice, values: Array) -> None:
    """Write V = B^T d B of a block of tiles into values (n, n, i, j, b, C)."""
    m, n = f.tile, f.window
    high, wide = values.shape[2:4]
    seen = m * high + f.taps - 1, m * wide + f.taps - 1
    padded = source.read(images, rows.start * m, seen)  # (m i + r - 1, m j + r - 1, b, C)
    tall = scratch("tall", (n, high, *padded.shape[1:]), padded.dtype)
    f.apply_bt(_every(padded, m, n, high, axis=0), tall)  # (n, i, m j + r - 1, b, C)
    f.apply_bt(_every(tall, m, n, wide, axis=2), values.swapaxes(0, 1))


def tiles_from(f: Transform, products: Array) -> Array:
    """Return A^T s A of products (n, n, i, j, b, O) as (m, m, i, j, b, O)."""
    m = f.tile
    flat = scratch("tall", (m, *products.shape[1:]), products.dtype)
    f.apply_at(products, flat)  # (m, n, i, j, b, O)
    tiles = scratch("values", (m, m, *products.shape[2:]), products.dtype)
    f.apply_at(flat.swapaxes(0, 1), tiles.swapaxes(0, 1))
    return tiles


def values_row(
    f: Transform, source: Side, images: slice, rows: slice, width: int, index: int
) -> Array:
    """Return row `index` of V for a block of tiles: (n, T, C)."""
    m, n = f.tile, f.window
    high, wide = rows.stop - rows.start, -(-width // m)
    seen = m * high + f.taps - 1, m * wide + f.taps - 1
    padded = source.read(images, rows.start * m, seen)  # (m i + r - 1, m j + r - 1, b, C)
    row = scratch("tall", (high, *padded.shape[1:]), padded.dtype)
    combine(f.bt[index], _every(padded, m, n, high, axis=0), row)  # (i, m j + r - 1, b, C)
    values = scratch("values", (n, high, wide, *padded.shape[2:]), padded.dtype)
    f.apply_bt(_every(row, m, n, wide, axis=1), values)
    return values.reshape(n, math.prod(values.shape[1:-1]), -1)


def cotangents(f: Transform, cotangent: Side, images: slice, rows: slice, width: int) -> Array:
    """Return W = A dy A^T for a block of tiles: (n, n, i, j, b, O)."""
    m, n = f.tile, f.window
    high, wide = rows.stop - rows.start, -(-width // m)
    padded = cotangent.read(images, rows.start * m, (m * high, m * wide))  # (m i, m j, b, O)
    tall = scratch("tall", (n, high, *padded.shape[1:]), padded.dtype)
    f.apply_a(_every(padded, m, m, high, axis=0), tall)  # (n, i, m j, b, O)
    values = scratch("cotangents", (n, n, high, wide, *padded.shape[2:]), padded.dtype)
    f.apply_a(_every(tall, m, m, wide, axis=2), values.swapaxes(0, 1))
    return values


def cotangents_row(
    f: Transform, cotangent: Side, images: slice, rows: slice, width: int, index: int
) -> Array:
    """Return row `index` of W = A dy A^T for a block of tiles: (n, T, O)."""
    m, n = f.tile, f.window
    high, wide = rows.stop - rows.start, -(-width // m)
    padded = cotangent.read(images, rows.start * m, (m * high, m * wide))  # (m i, m j, b, O)
    row = scratch("tall", (high, *padded.shape[1:]), padded.dtype)
    combine(f.a[index], _every(padded, m, m, high, axis=0), row)  # (i, m j, b, O)
    values = scratch("cotangents", (n, high, wide, *padded.shape[2:]), padded.dtype)
    f.apply_a(_every(row, m, m, wide, axis=1), values)
    return values.reshape(n, math.prod(values.shape[1:-1]), -1)
