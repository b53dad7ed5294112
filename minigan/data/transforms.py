"""Resizing, random crops and flips: arrays in, arrays out, and every draw from a given generator.

Letters: N images, C channels, H x W before, h x w after.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from minigan.backend import Generator
from minigan.data.batches import stream

Size = int | tuple[int, int]


class Indexed(Protocol):
    """Anything that has batches by number, such as `Batches`."""

    def at(self, step: int) -> np.ndarray:
        """Return batch number `step` >= 0."""


def resize(images: np.ndarray, size: Size) -> np.ndarray:
    """Resize images (N, C, H, W) to (N, C, h, w): bilinear, and anti-aliased where it shrinks.

        y = A x B^T,  A_ij = max(0, 1 - |j + 1/2 - (i + 1/2) H / h| / max(1, H / h)), rows sum to 1

    B likewise for the columns. Enlarging, it is the usual bilinear interpolation (pixel centres at
    half-integers, edges continued); shrinking, the triangle widens so that every pixel counts.
    Pillow's `BILINEAR` is the same. `size`: h = w, or (h, w).

    >>> resize(np.array([[[[0.0, 4.0]]]], np.float32), (1, 4)).ravel().tolist()
    [0.0, 1.0, 3.0, 4.0]
    """
    h, w = _pair(size)
    if (h, w) == images.shape[2:]:
        return images
    rows, columns = _triangle(images.shape[2], h), _triangle(images.shape[3], w)
    rows, columns = rows.astype(images.dtype), columns.astype(images.dtype)
    narrow = images @ columns.T  # (N, C, H, W) @ (W, w) -> (N, C, H, w)
    resized = rows @ narrow  # (h, H) @ (N, C, H, w) -> (N, C, h, w)
    return np.clip(resized, images.min(), images.max(), out=resized)  # a mean, but for round-off


def random_crop(images: np.ndarray, size: Size, generator: Generator) -> np.ndarray:
    """Cut a window from each image (N, C, H, W), every position as likely: (N, C, h, w).

    Two calls with equal generators cut pairs at the same places.
    """
    h, w = _pair(size)
    count, _, height, width = images.shape
    if h > height or w > width:
        raise ValueError(f"cannot crop {h} x {w} from images of {height} x {width}: resize first")
    top = generator.integers(0, height - h + 1, count)
    left = generator.integers(0, width - w + 1, count)
    windows = np.lib.stride_tricks.sliding_window_view(images, (h, w), axis=(2, 3))
    return windows[np.arange(count), :, top, left]  # (N, C, H-h+1, W-w+1, h, w) -> (N, C, h, w)


def random_flip(
    images: np.ndarray, generator: Generator, *, probability: float = 0.5
) -> np.ndarray:
    """Mirror each image (N, C, H, W), left to right, with the given probability."""
    chosen = generator.uniform(len(images)) < probability  # (N,)
    return np.where(chosen[:, None, None, None], images[..., ::-1], images)


class Augmented:
    """Batches cut and mirrored at random: `at(step)` depends on seed and step alone.

    `crop`: the size to cut to, None for none; `flip`: whether to mirror half of the images, not for
    digits or letters. Two sides of a pair get the same seed, and are then cut and mirrored alike;
    unpaired domains get a `purpose` of their own.

    >>> from minigan.data import Batches
    >>> images = np.zeros((10, 3, 9, 9), np.float32)
    >>> Augmented(Batches(images, batch_size=4, seed=0), seed=0, crop=8, flip=True).at(5).shape
    (4, 3, 8, 8)
    """

    def __init__(
        self,
        batches: Indexed,
        *,
        seed: int,
        crop: Size | None = None,
        flip: bool = False,
        purpose: str = "augment",
    ) -> None:
        self.batches, self.seed, self.purpose = batches, seed, purpose
        self.crop, self.flip = crop, flip

    def at(self, step: int) -> np.ndarray:
        """Return batch number `step` >= 0: (B, C, h, w)."""
        images, generator = self.batches.at(step), stream(self.seed, self.purpose, step)
        if self.crop is not None:
            images = random_crop(images, self.crop, generator)
        return random_flip(images, generator) if self.flip else images


def _triangle(before: int, after: int) -> np.ndarray:
    """Return the matrix that resizes one axis: (after, before), float64."""
    step = before / after
    centres = (np.arange(after) + 0.5) * step
    offsets = np.arange(before) + 0.5 - centres[:, None]  # (after, 1) -> (after, before)
    weights = np.maximum(0.0, 1.0 - np.abs(offsets) / max(1.0, step))
    return weights / weights.sum(axis=1, keepdims=True)


def _pair(size: Size) -> tuple[int, int]:
    h, w = (size, size) if isinstance(size, int) else size
    if h < 1 or w < 1:
        raise ValueError(f"size is {size}: give one integer >= 1, or two")
    return h, w
