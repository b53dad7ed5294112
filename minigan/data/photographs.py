"""The two photographs that scikit-learn ships, a temple roof and a dahlia: no download.

Both are 427 x 640 pixels; their licences (CC BY) and authors are in scikit-learn's
`datasets/images/README.txt`.

Letters: C = 3 channels (red, green, blue), H, W rows and columns, N crops, S their side.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minigan.backend import Generator


class Photographs(NamedTuple):
    """Two pictures (3, 427, 640), float32 in [-1, 1]."""

    china: np.ndarray
    flower: np.ndarray


def load_photographs() -> Photographs:
    """Load both photographs. Needs scikit-learn and Pillow, which the extra `train` installs.

    >>> [picture.shape for picture in load_photographs()]
    [(3, 427, 640), (3, 427, 640)]
    """
    from sklearn import datasets

    names = (f"{field}.jpg" for field in Photographs._fields)
    return Photographs(*(_scaled(datasets.load_sample_image(name)) for name in names))


def random_crops(picture: np.ndarray, count: int, *, size: int, generator: Generator) -> np.ndarray:
    """Cut `count` squares of `size` S pixels out of a picture (C, H, W): (N, C, S, S).

    The places are uniform on all that lie inside; drawn from `generator`.
    """
    height, width = picture.shape[1:]
    if not 1 <= size <= min(height, width):
        raise ValueError(f"size is {size}: a picture {height}x{width} has crops of 1 to "
                         f"{min(height, width)} pixels")  # fmt: skip
    tops = generator.integers(0, height - size + 1, count)
    lefts = generator.integers(0, width - size + 1, count)
    corners = zip(tops, lefts, strict=True)
    return np.stack([picture[:, top : top + size, left : left + size] for top, left in corners])


def tiles(picture: np.ndarray, *, size: int) -> np.ndarray:
    """Cut a picture (C, H, W) into squares side by side: (N, C, S, S), row by row from the top.

    What is left over at the right and at the bottom is dropped.
    """
    channels, height, width = picture.shape
    rows, columns = height // size, width // size
    if not rows * columns:
        raise ValueError(f"size is {size}: a picture {height}x{width} has no such tile")
    whole = picture[:, : rows * size, : columns * size]
    cut = whole.reshape(channels, rows, size, columns, size)  # (C, R, S, K, S)
    return cut.transpose(1, 3, 0, 2, 4).reshape(-1, channels, size, size)  # -> (R K, C, S, S)


def _scaled(pixels: np.ndarray) -> np.ndarray:
    """Map bytes (H, W, C) to float32 (C, H, W): 0 to -1, 255 to 1."""
    return np.ascontiguousarray((pixels / 127.5 - 1.0).astype(np.float32).transpose(2, 0, 1))
