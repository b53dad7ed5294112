"""The training part and the held-out part of a dataset that comes as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from minigan.data.digits import Dataset, held_out
from minigan.data.errors import DataError

PARTS = ("train", "test", "all")


def check_part(part: str) -> None:
    """Raise `ValueError` unless `part` is "train", "test" or "all"."""
    if part not in PARTS:
        raise ValueError(f"part is {part!r}: use 'train', 'test' or 'all'")


def part_of(data: Dataset, part: str) -> Dataset:
    """Return one part of a dataset, always split alike: of each class every fifth image is test.

    >>> import numpy as np
    >>> whole = Dataset(np.zeros((10, 1, 2, 2), np.float32), np.arange(10) % 2)
    >>> len(part_of(whole, "train").images), len(part_of(whole, "test").images)
    (8, 2)
    """
    check_part(part)
    if part == "all":
        return data
    chosen = held_out(data.labels) == (part == "test")
    return Dataset(data.images[chosen], data.labels[chosen])


def load_parts(
    source: str | Path, present: Sequence[str], part: str, load: Callable[[str], Dataset]
) -> Dataset:
    """Load a part of a dataset that comes as "train", as "test", or as both, each by `load(name)`.

    Where both are `present` they are taken as they are; the only one there is gets split. Raises
    `DataError`, which names the `source`, for parts of different shapes.
    """
    check_part(part)
    if len(present) == 1:
        return part_of(load(present[0]), part)
    if part != "all":
        return load(part)
    parts = [load(name) for name in present]
    shapes = [data.images.shape[1:] for data in parts]
    if len(set(shapes)) > 1:
        shown = " and ".join(map(str, shapes))
        raise DataError(f"{source}: images of {shown} in train and test: give a size for both")
    images, labels = zip(*parts, strict=True)
    return Dataset(np.concatenate(images), np.concatenate(labels))
