"""Stacked digits: a digit in each of three colour channels, which makes 1,000 modes to be found.

A small sibling of Stacked MNIST, whose counts of modes and reverse KL are the usual measure of mode
collapse in images (Metz et al. 2017, arXiv:1611.02163; Lin et al. 2017, arXiv:1712.04086). Figures
on 8 x 8 digits compare in kind with theirs, not in value.

Letters: N images, H, W.
"""

from __future__ import annotations

import numpy as np

from minigan.backend import Generator
from minigan.data.batches import stream
from minigan.data.digits import Dataset, load_digits

MODES = 1000
_COUNT = 20_000
_PLACES = np.array([100, 10, 1])  # the label reads as a number: red 3, green 0, blue 7 is 307


def load_stacked_digits(part: str = "train", *, count: int = _COUNT, seed: int = 0) -> Dataset:
    """Stack scikit-learn's digits of one part: images (count, 3, 8, 8), labels 0 to 999.

    >>> stacked = load_stacked_digits("test", count=2000)
    >>> stacked.images.shape, np.bincount(stacked.labels).tolist() == [2] * 1000
    ((2000, 3, 8, 8), True)
    """
    return stack_digits(load_digits(part), count, seed=seed)


def stack_digits(digits: Dataset, count: int, *, seed: int = 0) -> Dataset:
    """Stack grey digits (M, 1, H, W) with labels 0 to 9 in threes: (count, 3, H, W).

    The label is 100 r + 10 g + b. The modes come in equal numbers (to one, where 1,000 does not
    divide `count`); which image stands for a digit is drawn, from all of its class.
    """
    per_class = np.bincount(digits.labels, minlength=10)
    if len(per_class) > 10 or not per_class.all():
        raise ValueError(
            f"labels count {per_class.tolist()}: need digits 0 to 9, each at least once"
        )
    if digits.images.shape[1] != 1:
        raise ValueError(f"images are {digits.images.shape}: digits to stack have one channel")
    generator = stream(seed, "stacked digits")
    labels = generator.permutation(count) % MODES  # (N,)
    wanted = labels[:, None] // _PLACES % 10  # (N, 1) // (3,) -> (N, 3)
    chosen = _draw(wanted, digits.labels, per_class, generator)  # (N, 3)
    return Dataset(digits.images[chosen, 0], labels.astype(np.int64))  # (N, 3, H, W)


def _draw(
    wanted: np.ndarray, labels: np.ndarray, per_class: np.ndarray, generator: Generator
) -> np.ndarray:
    """Return for each wanted class the index of one image of it, all equally likely."""
    by_class = np.argsort(labels, kind="stable")
    first = np.cumsum(per_class) - per_class
    place = generator.uniform(wanted.shape, dtype=np.float64) * per_class[wanted]
    return by_class[first[wanted] + place.astype(np.int64)]
