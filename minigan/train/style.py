"""The game of the style generator: GAN steps with mixed styles, and its pictures.

In a share of G's batches the coarse layers follow one latent and the fine layers another, so that
no layer relies on what its neighbours are told (*style mixing*, arXiv:1812.04948, section 3.1); D
sees fakes drawn in the same way. Two pictures beside the samples show what a generator by style
can do:

    truncation   rows of the same latents, psi = 0, 1/4, 1/2, 3/4, 1: from the mean image outwards
    mixing       coarse styles by row, fine styles by column; the sources along the edges

Letters: N batch, Z latent size, L layers, C, H, W image.
"""

from __future__ import annotations

import numpy as np

import minigan as mg
from minigan.data import stream
from minigan.models import StyleGenerator
from minigan.tensor import Tensor
from minigan.train.gan import GANTrainer
from minigan.train.pictures import grid_png
from minigan.train.sample import latents

PSIS = (0.0, 0.25, 0.5, 0.75, 1.0)

_ACROSS = 10  # images in a row of the truncation picture
_SOURCES = 6  # rows and columns of the mixing picture, without the sources


class StyleTrainer(GANTrainer):
    """G by style, its D; a step's losses are those of `GANTrainer`."""

    remedy = "try a lower --lr or a higher --gamma"

    def _fakes(self, purpose: str, t: int) -> Tensor:
        draws = stream(self.config.seed, f"{purpose}: mixing", t)
        crossover = self.g.draw_crossover(draws, probability=self.config.mixing)
        second = self._tensor(draws.normal((self.config.batch_size, self.config.latent)))
        first = self._latents(purpose, t)
        return self.g(first, second, crossover=crossover)  # (N, Z) twice -> (N, C, H, W)

    def pictures(self) -> dict[str, bytes]:
        g = self.sampler()
        across, mixed = truncation(g), mixing(g, crossover=g.num_layers // 2)
        return {
            **super().pictures(),
            "truncation": grid_png(across, columns=_ACROSS),
            "mixing": grid_png(mixed, columns=_SOURCES + 1),
        }


def truncation(g: StyleGenerator) -> np.ndarray:
    """Return a row of images for each psi, always of seeds 0, 1, ...: (N, C, H, W)."""
    z = mg.tensor(latents(range(_ACROSS), g.latent), device=_device(g))
    with mg.no_grad():
        return np.concatenate([g(z, psi=psi).numpy() for psi in PSIS])


def mixing(g: StyleGenerator, *, crossover: int) -> np.ndarray:
    """Return the mixing picture row by row: (N, C, H, W).

    Coarse sources are seeds 0 to 5, down the left edge; fine ones are seeds 6 to 11, along the top.
    Layers below `crossover` follow the first, the others the second.
    """
    z = latents(range(2 * _SOURCES), g.latent)
    coarse, fine = (mg.tensor(half, device=_device(g)) for half in (z[:_SOURCES], z[_SOURCES:]))
    with mg.no_grad():
        left, top = g(coarse).numpy(), g(fine).numpy()
        rows = [np.concatenate([np.full_like(top[:1], -1.0), top])]  # an empty corner
        for i in range(_SOURCES):
            row = mg.concatenate([coarse[i : i + 1]] * _SOURCES)  # (1, Z) -> (6, Z)
            mixed = g(row, fine, crossover=crossover).numpy()
            rows.append(np.concatenate([left[i : i + 1], mixed]))
    return np.concatenate(rows)


def _device(g: StyleGenerator) -> str:
    return g.mean_style.device
