"""Style transfer by statistics: the content of one image, the style of another.

What AdaIN (Huang and Belongie 2017, arXiv:1703.06868) calls the style of an image is the mean and
the deviation of each channel of its features, over all places. Features f of the content are given
the statistics of the style's, and a decoder G makes an image of them:

    f = E(content)      s = E(style)      t = AdaIN(f, s) = sigma(s) (f - mu(f)) / sigma(f) + mu(s)
    image = G((1 - alpha) f + alpha t)                                      alpha from 0 to 1

The paper's E is a VGG network trained on a million photographs. Here E and G are an autoencoder of
crops of whatever images there are, and two things are asked of it: G(E(x)) = x, so that alpha = 0
gives the content back, and E(G(t)) = t also for features with another image's statistics, so that
these statistics arrive in the picture. `match_colours` is the same idea without E and G: there the
colours are the features.

Letters: N batch, C = 3 channels, w width, F = 4 w features, H, W image (multiples of 4).
"""

from __future__ import annotations

from typing import NamedTuple

from minigan import nn
from minigan.errors import ShapeError
from minigan.ops import abs, adain, mean, sqrt, square
from minigan.tensor import Tensor, as_tensor

_EPS = 1e-8  # under the roots: far below the variance of any picture, which the result then has


class StyleLosses(NamedTuple):
    """What is asked of the autoencoder, each a mean over everything; see `StyleTransfer.losses`."""

    reconstruction: Tensor
    content: Tensor
    style: Tensor


class StyleTransfer(nn.Module):
    """An encoder and a decoder, with AdaIN between them: two images -> one.

    Its maps are padded by reflection: zeros would draw a frame. There is no normalisation in either
    network, which would wipe out the very statistics that are the style.

    >>> import minigan as mg
    >>> model = StyleTransfer(width=4)
    >>> model(mg.zeros(2, 3, 16, 24)).shape, model.encoder(mg.zeros(2, 3, 16, 24)).shape
    ((2, 3, 16, 24), (2, 16, 4, 6))
    """

    def __init__(self, *, width: int = 16, channels: int = 3) -> None:
        inside = 4 * channels  # of a pixel that is 2 x 2 pixels of the image
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(2),  # (N, C, H, W) -> (N, 4 C, H/2, W/2)
            *_convolution(inside, 2 * width),  # (N, 2 w, H/2, W/2)
            nn.LeakyReLU(0.2),
            *_convolution(2 * width, 4 * width, stride=2),  # (N, F, H/4, W/4)
        )
        self.decoder = nn.Sequential(
            nn.Upsample(scale_factor=2),  # (N, F, H/2, W/2)
            *_convolution(4 * width, 2 * width),  # (N, 2 w, H/2, W/2)
            nn.LeakyReLU(0.2),
            *_convolution(2 * width, inside),  # (N, 4 C, H/2, W/2)
            nn.PixelShuffle(2),  # (N, C, H, W)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the reconstruction of images: (N, C, H, W) -> (N, C, H, W)."""
        return self.decoder(self.encoder(_checked(x)))

    def stylize(self, content: Tensor, style: Tensor, alpha: float = 1.0) -> Tensor:
        """Return the content with the style's statistics: (N, C, H, W), of the content's size.

        content: (N, C, H, W); style: (N, C, H', W'); `alpha`: 0 is the reconstruction of the
        content, 1 the full style.
        """
        if not 0.0 <= alpha <= 1.0:
            raise ValueError(f"alpha is {alpha}: give a number from 0 to 1")
        f, s = self.encoder(_checked(content)), self.encoder(_checked(style))
        return self.decoder((1.0 - alpha) * f + alpha * adain(f, s, eps=_EPS))

    def losses(self, content: Tensor, style: Tensor) -> StyleLosses:
        """Return what the training minimises, for two batches of one size.

            reconstruction   mean |G(E(x)) - x| over both
            content          mean (E(G(t)) - t)^2
            style            mean (mu(E(G(t))) - mu(s))^2 + mean (sigma(E(G(t))) - sigma(s))^2

        t and s are constants here: what is asked is that the picture has them, not that the encoder
        makes them smaller.
        """
        f, s = self.encoder(_checked(content)), self.encoder(_checked(style))
        reconstruction = abs(self.decoder(f) - content).mean() + abs(self.decoder(s) - style).mean()
        target, wanted = adain(f, s, eps=_EPS).detach(), statistics(s.detach())
        again = self.encoder(self.decoder(target))
        gaps = (
            square(got - want).mean() for got, want in zip(statistics(again), wanted, strict=True)
        )
        return StyleLosses(0.5 * reconstruction, square(again - target).mean(), sum(gaps))


def statistics(features: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and deviation of each map, mu and sigma: (N, F, H, W) -> 2 of (N, F)."""
    mu = mean(features, axis=(2, 3), keepdims=True)  # (N, F, 1, 1)
    variance = mean(square(features - mu), axis=(2, 3))  # (N, F)
    return mu.reshape(*mu.shape[:2]), sqrt(variance + _EPS)


def match_colours(content: Tensor, style: Tensor) -> Tensor:
    """Give each colour channel of the content the style's mean and deviation, pixel by pixel.

        y = sigma(style) (content - mu(content)) / sigma(content) + mu(style)

    content: (N, C, H, W), style: (N, C, H', W') -> the content's shape. The result may leave
    [-1, 1]: cutting it off is left to whoever draws it, since the statistics are equal before.

    >>> import minigan as mg
    >>> y = match_colours(mg.rand(1, 3, 8, 8), 0.1 * mg.rand(1, 3, 8, 8) - 0.5)
    >>> bool((y.data < -0.3).all())
    True
    """
    return adain(content, style, eps=_EPS)


def _convolution(before: int, after: int, *, stride: int = 1) -> tuple[nn.Module, nn.Module]:
    """(N, before, H, W) -> (N, after, H / stride, W / stride), by windows of 3 x 3."""
    return nn.ReflectionPad2d(1), nn.Conv2d(before, after, 3, stride=stride)


def _checked(x: Tensor) -> Tensor:
    x = as_tensor(x)
    if x.ndim != 4 or x.shape[2] % 4 or x.shape[3] % 4:
        raise ShapeError(
            f"style transfer takes (N, C, H, W) with H, W multiples of 4, got {x.shape}"
        )
    return x
