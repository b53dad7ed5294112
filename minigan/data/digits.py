"""The handwritten digits that scikit-learn ships: 1,797 real images of 8 x 8 pixels, no download.

They are the test part of the UCI set "Optical Recognition of Handwritten Digits" (Alpaydin and
Kaynak 1998), by 13 of its 43 writers; pixel values 0 to 16. Who wrote which is not recorded, so
the parts that `load_digits` makes share their writers: held out are images, not hands.

Letters: N images, C = 1 channel, H = W = 8.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_LEVELS = 16.0  # a pixel counts the dark dots, 0 to 16, of a 4 x 4 block of the scan


class Dataset(NamedTuple):
    """Images (N, C, H, W), float32 in [-1, 1], and their labels (N,), int64."""

    images: np.ndarray
    labels: np.ndarray


def load_digits(part: str = "train") -> Dataset:
    """Load the digits; `part`: "train" (1,442 images), "test" (355, held out) or "all".

    The split never changes: of each class every fifth image, in the order of the file, is test.
    Needs scikit-learn, which the extra `train` installs.

    >>> load_digits("test").images.shape
    (355, 1, 8, 8)
    """
    if part not in ("train", "test", "all"):
        raise ValueError(f"part is {part!r}: use 'train', 'test' or 'all'")
    from sklearn import datasets

    raw = datasets.load_digits()
    scaled = (raw.images / (_LEVELS / 2) - 1.0).astype(np.float32)
    images = scaled[:, None]  # (N, 8, 8) -> (N, 1, 8, 8)
    labels = raw.target.astype(np.int64)
    if part == "all":
        return Dataset(images, labels)
    chosen = held_out(labels) == (part == "test")
    return Dataset(images[chosen], labels[chosen])


def held_out(labels: np.ndarray, every: int = 5) -> np.ndarray:
    """Mark, class by class, every fifth example: the parts then have the same share of each."""
    held = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        held[np.flatnonzero(labels == label)[every - 1 :: every]] = True
    return held
