"""Random numbers and batches by *position* instead of by history.

What step 700 draws is a function of (seed, purpose, 700) and of nothing that happened before. So a
run that is resumed at step 700 goes on exactly as it would have, without any generator's state in
its checkpoint; and drawing a preview, or not, can never change the training.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from minigan.backend import Generator, default_generator


def stream(seed: int, purpose: str, index: int = 0) -> Generator:
    """Return the generator for one purpose at one position: independent of every other one.

    `seed` and `index` >= 0. NumPy's `SeedSequence` mixes the three into one seed, so that
    neighbouring numbers give unrelated streams.

    >>> a, b = stream(0, "latents", 7).normal(2), stream(0, "latents", 7).normal(2)
    >>> bool((a == b).all()), bool((a == stream(0, "order", 7).normal(2)).all())
    (True, False)
    """
    words = (seed, zlib.crc32(purpose.encode()), index)
    low, high = np.random.SeedSequence(words).generate_state(2, np.uint64)
    return Generator((int(high) << 64) | int(low))


@contextmanager
def drawing_from(seed: int, purpose: str, index: int = 0) -> Iterator[None]:
    """Let layers draw (weights, masks, noise) from a stream of their own.

    The default generator is theirs within the block, and afterwards as it was.
    """
    default = default_generator()
    former = default.get_state()
    default.set_state(stream(seed, purpose, index).get_state())
    try:
        yield
    finally:
        default.set_state(former)


class Batches:
    """The batches of a dataset, reshuffled at every epoch: `batches.at(step)` -> images.

    `images`: (N, ...); `batch_size`: B >= 1, may exceed N; another `purpose` is another order. The
    epochs are laid end to end and cut into batches, so no image is left out: a batch may hold the
    end of one epoch and the beginning of the next.

    >>> batches = Batches(np.arange(5), batch_size=3, seed=0)
    >>> first_ten = np.concatenate([batches.at(step) for step in range(4)])[:10]
    >>> sorted(first_ten[:5].tolist()), sorted(first_ten[5:].tolist())
    ([0, 1, 2, 3, 4], [0, 1, 2, 3, 4])
    """

    def __init__(
        self, images: np.ndarray, *, batch_size: int, seed: int, purpose: str = "order"
    ) -> None:
        if not len(images):
            raise ValueError("no images: a batch needs at least one")
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}: give an integer >= 1")
        self.images, self.batch_size = images, batch_size
        self.seed, self.purpose = seed, purpose

    def at(self, step: int) -> np.ndarray:
        """Return batch number `step` >= 0: (B, ...)."""
        return self.images[self.indices(step)]

    def indices(self, step: int) -> np.ndarray:
        """Return which images batch number `step` holds: (B,)."""
        count = len(self.images)
        place = np.arange(step * self.batch_size, (step + 1) * self.batch_size)
        epoch, within = np.divmod(place, count)
        parts = [self._order(int(e))[within[epoch == e]] for e in np.unique(epoch)]
        return np.concatenate(parts)

    def _order(self, epoch: int) -> np.ndarray:
        return stream(self.seed, self.purpose, epoch).permutation(len(self.images))
