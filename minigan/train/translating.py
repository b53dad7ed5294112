"""What the trainers of translations share: two domains, their batches and pictures, D's part.

Letters: N batch, C, H, W image; j jitter; h, w a discriminator's map.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from minigan import losses, nn
from minigan.data import Augmented, Batches, Domains, resize
from minigan.data.transforms import Indexed
from minigan.tensor import Tensor
from minigan.train.pictures import grid_png
from minigan.train.trainer import Trainer

PREVIEWED = 12  # held-out images of each domain in a preview


class TranslationTrainer(Trainer):
    """The base of the trainers that go from domain A to B; a preview is rows of held-out images.

    A recipe sets `domains` before this class's `__init__`, and makes `Pairs` of them.
    """

    domains: Domains

    def reals(self, count: int) -> np.ndarray:
        """Return images of A, and as many of B: (N, C, H, W)."""
        return np.concatenate(self.held_out(count // 2))

    def held_out(self, count: int = PREVIEWED) -> tuple[np.ndarray, np.ndarray]:
        """Return the first held-out images of A and as many of B, at most `count` of each."""
        a, b = self.domains.a_test, self.domains.b_test
        count = min(count, len(a), len(b))
        return a[:count], b[:count]

    def side(self, images: np.ndarray, of: str = "") -> Augmented:
        """Return the batches of one domain, cut and mirrored at random as the config says.

        What is drawn depends on seed, step and `of`: two sides with the same are paired one by one.
        """
        config, size = self.config, images.shape[-1]
        larger = resize(images, size + config.jitter)  # (N, C, H, W) -> (N, C, H + j, W + j)
        batches = Batches(
            larger, batch_size=config.batch_size, seed=config.seed, purpose=f"order{of}"
        )
        return Augmented(
            batches, seed=config.seed, crop=size, flip=config.flip, purpose=f"augment{of}"
        )

    def pictures(self) -> dict[str, bytes]:
        return {"step": grid_png(self.preview(), columns=len(self.held_out()[0]))}


class Pairs:
    """Batches of two domains, side by side: `at(step)` -> (of A, of B).

    Each side brings its order: one of its own where the domains are unpaired, the same where image
    i of A belongs to image i of B.
    """

    def __init__(self, a: Indexed, b: Indexed) -> None:
        self.a, self.b = a, b

    def at(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        return self.a.at(step), self.b.at(step)


def distance(x: Tensor, y: Tensor) -> Tensor:
    """Return the mean of |x - y| over everything."""
    return abs(x - y).mean()


def backward_judge(judge: nn.Module, loss: losses.Loss, real: Tensor, fake: Tensor) -> float:
    """Add a discriminator's gradient for real images and translated ones; return L_D / 2."""
    half = 0.5 * loss.discriminator(judge(real), judge(fake))  # of maps (N, 1, h, w)
    half.backward()
    return half.item()


@contextmanager
def frozen(*networks: nn.Module) -> Iterator[None]:
    """Let networks require no gradient within the block: their own is not even computed."""
    for network in networks:
        network.requires_grad_(False)
    try:
        yield
    finally:
        for network in networks:
            network.requires_grad_(True)
