"""A seed names an image: the same one alone, in a list, in a grid and in a preview.

Two things make it so. Each seed has a generator of its own, so its latent does not depend on what
else is drawn. And images are computed one at a time: a product of matrices may round differently
for another number of rows, so a batch could change an image's last bits. On another machine, whose
BLAS may round otherwise, those bits are all that can differ, as long as NumPy draws alike: a new
version of it may change the normal numbers of a seed (its policy, NEP 19, allows that).

Letters: N images, Z latent size, C, H, W image.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

import minigan as mg
from minigan.backend import Generator
from minigan.train.errors import ConfigError

_SEED_LIMIT = 100_000
_PART = re.compile(r"([0-9]{1,18})(?:\s*-\s*([0-9]{1,18}))?")


def parse_seeds(text: str) -> list[int]:
    """Read a list of seeds: numbers and ranges, both ends included, between commas.

    >>> parse_seeds("3,7,10-12")
    [3, 7, 10, 11, 12]
    """
    seeds: list[int] = []
    for part in map(str.strip, text.split(",")):
        match = _PART.fullmatch(part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if first > last:
            raise ConfigError(
                f"--seeds has {part!r}: give numbers below 10^18 and ranges, like 3,7,10-12"
            )
        if len(seeds) + last - first >= _SEED_LIMIT:
            raise ConfigError(f"--seeds names more than {_SEED_LIMIT} images: give fewer")
        seeds.extend(range(first, last + 1))
    return seeds


def latents(seeds: Sequence[int], size: int) -> np.ndarray:
    """Return the latents of seeds, N(0, 1): (N, Z), drawn on the host."""
    return np.stack([Generator(seed).normal(size) for seed in seeds])


def images_of(
    generator: Any, z: np.ndarray, *, chunk: int = 1, device: str = "cpu", **options: Any
) -> np.ndarray:
    """Compute images (N, C, H, W) of latents (N, Z) in evaluation mode; host arrays.

    `chunk` images at a time: 1 keeps every image independent of the others to the last bit; larger
    ones are faster, for statistics. `options` are the generator's own, such as a style generator's
    psi. The generator's mode is left as it was.
    """
    was_training = generator.training
    generator.eval()
    try:
        with mg.no_grad():
            parts = [
                generator(mg.tensor(z[i : i + chunk], device=device), **options).numpy()
                for i in range(0, len(z), chunk)
            ]
    finally:
        generator.train(was_training)
    return np.concatenate(parts)
