"""A pool of translated images, so that a discriminator also sees what the generator made before.

Shrivastava et al. 2017 (arXiv:1612.07828, section 2.3), as CycleGAN uses it: while the pool is not
full, every image goes in and is returned; afterwards each is, with probability one half, exchanged
for one of the pool. What is kept and returned are copies, and the choice falls image by image.

The choices of step t depend on (seed, t) alone, so the state is the images: see `data/batches.py`.

Letters: N batch, P images in the pool, C, H, W image.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from minigan.backend import Generator
from minigan.errors import ShapeError
from minigan.nn.arguments import whole


class ImagePool:
    """At most `size` images; 0 returns every image as it came.

    >>> pool = ImagePool(2)
    >>> pool.query(np.zeros((3, 1, 2, 2)), Generator(0)).shape, len(pool)
    ((3, 1, 2, 2), 2)
    """

    def __init__(self, size: int = 50) -> None:
        self.size = whole(size, "size", least=0)
        self._images: list[np.ndarray] = []

    def __len__(self) -> int:
        return len(self._images)

    def query(self, images: np.ndarray, generator: Generator) -> np.ndarray:
        """Return (N, C, H, W), some of the images perhaps replaced by earlier ones."""
        chances = generator.uniform((len(images), 2))  # exchanged or not, and for which
        found = [self._exchange(image, *pair) for image, pair in zip(images, chances, strict=True)]
        return np.stack(found) if found else images.copy()  # copies of what the pool keeps

    def _exchange(self, image: np.ndarray, chance: float, place: float) -> np.ndarray:
        image = image.copy()
        if self._images and image.shape != self._images[0].shape:
            raise ShapeError(f"an image is {image.shape}: the pool holds {self._images[0].shape}")
        if len(self._images) < self.size:
            self._images.append(image)
            return image
        if not self.size or chance < 0.5:
            return image
        i = int(place * self.size)  # place < 1
        former, self._images[i] = self._images[i], image
        return former

    # -- state ------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return the images as one array (P, C, H, W); (0,) for an empty pool."""
        return {"images": np.stack(self._images) if self._images else np.zeros(0, np.float32)}

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> None:
        """Take the images of a state; ValueError where there are more than `size`."""
        images = np.asarray(state["images"])
        if len(images) > self.size:
            raise ValueError(f"the pool has {len(images)} images, and its size is {self.size}")
        if len(images) and images.ndim != 4:
            raise ValueError(f"the pool's images are {images.shape}, not (P, C, H, W)")
        self._images = [image.copy() for image in images]
