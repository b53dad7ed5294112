"""A convolutional generator and discriminator for square images of 8, 16, 32, ... pixels.

After Radford, Metz and Chintala 2015 (arXiv:1511.06434), with two changes that small images ask
for. The generator enlarges by nearest neighbours and a 3x3 convolution, where a transposed
convolution with overlapping windows leaves a checkerboard. The discriminator has *no* batch
normalisation: it would tie the images of a batch together, and the gradient penalty needs
d D(x_i) / d x_j = 0 for i != j.

Letters: N batch, Z latent size, w width, C image channels, S image size.
"""

from __future__ import annotations

from minigan import nn
from minigan.models.checks import doublings
from minigan.tensor import Tensor

_BASE = 4  # the generator's first map is 4 x 4
_LAST = 2  # the discriminator's last one is 2 x 2


class DCGANGenerator(nn.Module):
    """Latents (N, Z) -> images (N, C, S, S) in (-1, 1).

    `size` S: 8, 16, 32, ...; `width` w: channels at full size, twice as many at each halving.

    >>> import minigan as mg
    >>> DCGANGenerator(latent=16, width=4)(mg.randn(2, 16)).shape
    (2, 1, 8, 8)
    """

    def __init__(
        self, *, latent: int = 32, width: int = 24, channels: int = 1, size: int = 8
    ) -> None:
        count = doublings(size, base=_BASE)
        top = width << count
        self.latent = latent
        self.project = nn.Sequential(
            nn.Linear(latent, top * _BASE * _BASE, bias=False),  # (N, Z) -> (N, 16 top)
            nn.Unflatten(1, (top, _BASE, _BASE)),  # -> (N, top, 4, 4)
            nn.BatchNorm2d(top),
            nn.ReLU(),
        )
        self.enlarge = nn.Sequential(
            *(_enlarging(width << (i + 1), width << i) for i in reversed(range(count)))
        )
        self.to_image = nn.Sequential(nn.Conv2d(width, channels, 3, padding=1), nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        return self.to_image(self.enlarge(self.project(z)))  # (N, Z) -> (N, C, S, S)

    def before_tanh(self, z: Tensor) -> Tensor:
        """Return a (N, C, S, S) where the image is tanh(a): what a likelihood reads (see VAE)."""
        convolution, _ = self.to_image.children()
        return convolution(self.enlarge(self.project(z)))  # (N, Z) -> (N, C, S, S)


class DCGANDiscriminator(nn.Module):
    """Images (N, C, S, S) -> logits (N,): large means "real". Each depends on its image alone.

    `spectral_norm` divides every weight by its largest singular value (arXiv:1802.05957).

    >>> import minigan as mg
    >>> DCGANDiscriminator(width=4)(mg.zeros(3, 1, 8, 8)).shape
    (3,)
    """

    def __init__(
        self, *, width: int = 24, channels: int = 1, size: int = 8, spectral_norm: bool = False
    ) -> None:
        halvings = doublings(size, base=_BASE) + 1  # to 2 x 2
        self.from_image = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1), nn.LeakyReLU(0.2)
        )  # (N, w, S, S)
        self.reduce = nn.Sequential(
            *(_reducing(width << i, width << (i + 1)) for i in range(halvings))
        )  # (N, 2^k w, 2, 2)
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear((width << halvings) * _LAST * _LAST, 1)
        )  # (N, 1)
        if spectral_norm:
            self.apply(_normalize)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.reduce(self.from_image(x))).reshape(-1)  # (N, 1) -> (N,)


def _enlarging(before: int, after: int) -> nn.Sequential:
    """(N, before, H, W) -> (N, after, 2 H, 2 W); the norm's shift makes a bias superfluous."""
    return nn.Sequential(
        nn.Upsample(scale_factor=2),
        nn.Conv2d(before, after, 3, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(),
    )


def _reducing(before: int, after: int) -> nn.Sequential:
    """(N, before, H, W) -> (N, after, H / 2, W / 2)."""
    return nn.Sequential(nn.Conv2d(before, after, 4, stride=2, padding=1), nn.LeakyReLU(0.2))


def _normalize(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.spectral_norm(module)
