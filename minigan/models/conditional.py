"""Class-conditional networks: images of a class that is asked for, and a D that is told the class.

The generator is SNGAN's with *conditional batch norm*: each class has a scale and a shift of its
own for every normalised map (de Vries et al. 2017, arXiv:1707.00683). All classes share the
convolutions.

The discriminator is the *projection* of Miyato and Koyama 2018 (arXiv:1802.05637, section 3). The
logit of the best discriminator is

    log p(x, y) / q(x, y) = log p(y|x) / q(y|x) + log p(x) / q(x).

If p(y|x) and q(y|x) are both softmaxes of linear functions of features phi(x), the label enters
through one inner product: psi(phi(x)) + <v_y, phi(x)>, with a vector v_y for each class.

Letters: N batch, Z latent size, w width, C channels, S image size, K classes.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from minigan import nn
from minigan.models.checks import labels, latents
from minigan.models.sngan import SNGANDiscriminator, SNGANGenerator
from minigan.nn import init
from minigan.nn.arguments import whole
from minigan.tensor import Tensor


class ConditionalBatchNorm2d(nn.Module):
    """Batch norm with scale and shift by class: maps (N, C, H, W) and labels (N,) -> (N, C, H, W).

    y = (x - mean) / sqrt(var + eps) scale[label] + shift[label], the statistics those of the whole
    batch, or the running ones in evaluation. Scales start at 1 and shifts at 0.

    >>> import minigan as mg
    >>> norm = ConditionalBatchNorm2d(2, classes=10)
    >>> norm(mg.randn(3, 2, 4, 4), mg.tensor([0, 9, 9])).shape
    (3, 2, 4, 4)
    """

    def __init__(self, num_features: int, *, classes: int, eps: float = 2e-5) -> None:
        self.classes = whole(classes, "classes")
        self.norm = nn.BatchNorm2d(num_features, eps=eps, affine=False)
        self.scale = nn.Embedding(classes, num_features)
        self.shift = nn.Embedding(classes, num_features)
        init.ones_(self.scale.weight)
        init.zeros_(self.shift.weight)

    def forward(self, x: Tensor, y: Any) -> Tensor:
        y = labels(y, len(x), self.classes)
        each = (*x.shape[:2], 1, 1)
        scale, shift = (table(y).reshape(each) for table in (self.scale, self.shift))
        return self.norm(x) * scale + shift  # scale, shift: (N, C) -> (N, C, 1, 1)


class ConditionalGenerator(SNGANGenerator):
    """Latents (N, Z) and labels (N,) from 0 to K - 1 -> images (N, C, S, S) in (-1, 1).

    `size` S: 8, 16, 32, ...; `width` w: channels at every size.

    >>> import minigan as mg
    >>> g = ConditionalGenerator(classes=10, latent=16, width=4, channels=1, size=8)
    >>> g(mg.randn(2, 16), mg.tensor([3, 7])).shape
    (2, 1, 8, 8)
    """

    def __init__(
        self,
        *,
        classes: int,
        latent: int = 128,
        width: int = 256,
        channels: int = 3,
        size: int = 32,
    ) -> None:
        self.classes = whole(classes, "classes")
        norm = partial(ConditionalBatchNorm2d, classes=classes)
        super().__init__(latent=latent, width=width, channels=channels, size=size, norm=norm)

    def forward(self, z: Tensor, y: Any) -> Tensor:
        z = latents(z, self.latent)
        return super().forward(z, labels(y, len(z), self.classes))


class ProjectionDiscriminator(nn.Module):
    """Images (N, C, S, S) and labels (N,) -> logits (N,): psi(phi(x)) + <embed(y), phi(x)>.

    phi and psi are SNGAN's discriminator up to its sum over positions, and its head. Spectral norm
    is on every layer and on the table of embeddings (K, w). For a gradient penalty fix the labels:
    `r1(lambda x: d(x, y), real)`.

    >>> import minigan as mg
    >>> d = ProjectionDiscriminator(classes=10, width=4, channels=1, size=8)
    >>> d(mg.zeros(2, 1, 8, 8), mg.tensor([3, 7])).shape
    (2,)
    """

    def __init__(
        self, *, classes: int, width: int = 128, channels: int = 3, size: int = 32
    ) -> None:
        self.classes = whole(classes, "classes")
        self.body = SNGANDiscriminator(width=width, channels=channels, size=size)
        self.embed = nn.Embedding(classes, width)
        init.xavier_uniform_(self.embed.weight)
        nn.spectral_norm(self.embed)

    def forward(self, x: Tensor, y: Any) -> Tensor:
        phi = self.body.features(x)  # (N, w)
        projection = (self.embed(labels(y, len(phi), self.classes)) * phi).sum(axis=1)  # (N,)
        return self.body.head(phi).reshape(-1) + projection  # (N, 1) -> (N,)
