"""The discriminator of the style generator: Progressive GAN's, for small images.

Two 3x3 convolutions at each size and the mean of 2x2 between sizes, with equalised learning rates
and without norms (Karras et al. 2017, arXiv:1710.10196, table 2). It is meant to be trained with
R1.

*Minibatch deviation* shows D how varied a batch is: samples that are all alike give themselves
away. It is an option, because it makes a logit depend on the other images of its group, and
gradient penalties are defined for D's of which that is not true.

Letters: N batch, G group size, w width, C channels (of images: C, S x S), R map size.
"""

from __future__ import annotations

from minigan import nn
from minigan.errors import ShapeError
from minigan.models.checks import doublings, images
from minigan.models.equalized import equalize
from minigan.models.style import widths_of
from minigan.nn.arguments import whole
from minigan.ops import broadcast_to, concatenate, mean, sqrt, square, tile
from minigan.tensor import Tensor

_LAST = 4  # the last map is 4 x 4


class StyleDiscriminator(nn.Module):
    """Images (N, C, S, S) -> logits (N,): large means "real".

    `size` S: 8, 16, 32, ...; `width`: channels at full size, twice as many at each halving, up to
    512. `minibatch_std`: the group size G of the minibatch deviation, 4 in the paper, 0 for none.

    >>> import minigan as mg
    >>> StyleDiscriminator(width=4)(mg.zeros(3, 1, 8, 8)).shape
    (3,)
    """

    def __init__(
        self, *, width: int = 32, channels: int = 1, size: int = 8, minibatch_std: int = 0
    ) -> None:
        widths = widths_of(width, doublings(size, base=_LAST))  # from S x S to 4 x 4
        self.channels, self.size = whole(channels, "channels"), size
        self.group = whole(minibatch_std, "minibatch_std", least=0)
        self.from_image = nn.Sequential(_convolution(channels, widths[0], 1), nn.LeakyReLU(0.2))
        self.reduce = nn.Sequential(
            *(_reducing(before, after) for before, after in zip(widths, widths[1:], strict=False))
        )  # (N, w, S, S) -> (N, top, 4, 4)
        top = widths[-1]
        self.head = nn.Sequential(
            _convolution(top + (self.group > 0), top, 3),
            nn.LeakyReLU(0.2),
            nn.Flatten(),  # (N, top, 4, 4) -> (N, 16 top)
            equalize(nn.Linear(top * _LAST * _LAST, top)),
            nn.LeakyReLU(0.2),
            equalize(nn.Linear(top, 1), gain=1.0),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.reduce(self.from_image(images(x, self.channels, self.size)))  # (N, top, 4, 4)
        if self.group:
            x = minibatch_deviation(x, group=self.group)  # (N, top + 1, 4, 4)
        return self.head(x).reshape(-1)  # (N, 1) -> (N,)


def minibatch_deviation(x: Tensor, *, group: int = 4) -> Tensor:
    """Append a map that says how much the images of a group differ: (N, C, R, R) -> (N, C+1, R, R).

    A group is `group` images, N / `group` apart. The map holds one number, the standard deviation
    over the group, sqrt(var + 1e-8), averaged over channels and positions. A batch smaller than a
    group is one group; ShapeError where a larger one is no multiple of it. Source:
    arXiv:1710.10196, section 3.

    >>> import minigan as mg
    >>> alike = minibatch_deviation(mg.ones(4, 2, 3, 3))
    >>> alike.shape, round(alike.numpy()[0, 2, 0, 0].item(), 5)
    ((4, 3, 3, 3), 0.0001)
    """
    n, c, h, w = x.shape
    group = min(group, n)
    if n % group:
        raise ShapeError(f"a batch of {n} is no multiple of minibatch_std={group}: change one")
    grouped = x.reshape(group, n // group, c, h, w)  # (G, N/G, C, R, R)
    variance = mean(square(grouped - mean(grouped, axis=0, keepdims=True)), axis=0)
    each = mean(sqrt(variance + 1e-8), axis=(1, 2, 3), keepdims=True)  # (N/G, 1, 1, 1)
    maps = broadcast_to(tile(each, (group, 1, 1, 1)), (n, 1, h, w))
    return concatenate([x, maps], axis=1)  # (N, C + 1, R, R)


def _convolution(before: int, after: int, kernel_size: int) -> nn.Conv2d:
    return equalize(nn.Conv2d(before, after, kernel_size, padding=kernel_size // 2))


def _reducing(before: int, after: int) -> nn.Sequential:
    """(N, before, R, R) -> (N, after, R / 2, R / 2)."""
    return nn.Sequential(
        _convolution(before, before, 3),
        nn.LeakyReLU(0.2),
        _convolution(before, after, 3),
        nn.AvgPool2d(2),
        nn.LeakyReLU(0.2),
    )
