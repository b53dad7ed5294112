"""Discriminators that judge patches: not one score an image, but a map of scores.

A network of convolutions alone sees, at each place of its last map, a square of the image, its
*receptive field*. Judging squares asks for right texture everywhere, with fewer parameters than
judging the whole, and takes images of any size (Isola et al. 2017, arXiv:1611.07004, section 3.2).
Going back from one value of the last map through layers of kernel k and stride s,

    r <- (r - 1) s + k

which makes 70 pixels of PatchGAN's five layers. The parameters' names are those of the papers' own
PyTorch code.

Letters: N batch, C channels, H, W image, h, w map of scores.
"""

from __future__ import annotations

from minigan import nn
from minigan.errors import ShapeError
from minigan.models.initial import normal_weights_
from minigan.models.unet import NORMS
from minigan.nn.arguments import whole
from minigan.tensor import Tensor, as_tensor

_WIDEST = 8  # times the width


class _MapDiscriminator(nn.Module):
    """Images (N, C, H, W) -> logits (N, 1, h, w), by convolutions."""

    in_channels: int

    @property
    def receptive_field(self) -> int:
        """The side, in pixels, of what one score sees."""
        return receptive_field(self)

    def _checked(self, x: Tensor) -> Tensor:
        x = as_tensor(x)
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            raise ShapeError(f"images have shape {x.shape}: give (N, {self.in_channels}, H, W)")
        return x

    def extra_repr(self) -> str:
        return f"receptive field {self.receptive_field} x {self.receptive_field}"


class PatchDiscriminator(_MapDiscriminator):
    """PatchGAN: images (N, C, H, W) -> logits (N, 1, h, w), each of a patch.

    `layers`: convolutions of stride 2, at least 1; two of stride 1 follow. 3 of them see patches of
    70 x 70, 1 of 16 x 16, 2 of 34 x 34. The image's sides are at least 3 * 2^layers, which leave
    one score. `norm`: "instance", "batch", or "none" for gradient penalties, which a norm over the
    batch would invalidate.

    >>> import minigan as mg
    >>> d = PatchDiscriminator(3, width=4)
    >>> d.receptive_field, d(mg.zeros(2, 3, 64, 64)).shape
    (70, (2, 1, 6, 6))
    """

    def __init__(
        self, in_channels: int, *, layers: int = 3, width: int = 64, norm: str = "instance"
    ) -> None:
        self.in_channels, self.layers = whole(in_channels, "in_channels"), whole(layers, "layers")
        if norm not in (*NORMS, "none"):
            raise ValueError(f"norm is {norm!r}: use one of {', '.join(NORMS)}, none")
        widths = [whole(width, "width") * min(2**i, _WIDEST) for i in range(layers + 1)]
        modules = [nn.Conv2d(in_channels, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        for i in range(1, layers + 1):
            modules += _normed(widths[i - 1], widths[i], stride=2 if i < layers else 1, norm=norm)
        self.model = nn.Sequential(*modules, nn.Conv2d(widths[-1], 1, 4, padding=1))
        normal_weights_(self)

    def forward(self, x: Tensor) -> Tensor:
        x, least = self._checked(x), 3 << self.layers
        if min(x.shape[2:]) < least:
            raise ShapeError(
                f"images have {x.shape[2]} x {x.shape[3]} pixels: give at least {least} x {least}, "
                f"or fewer layers than {self.layers}"
            )
        return self.model(x)  # (N, C, H, W) -> (N, 1, h, w)


class PixelDiscriminator(_MapDiscriminator):
    """1x1 convolutions: images (N, C, H, W) -> logits (N, 1, H, W), of colours alone.

    >>> PixelDiscriminator(3).receptive_field
    1
    """

    def __init__(self, in_channels: int, *, width: int = 64, norm: str = "instance") -> None:
        self.in_channels, width = whole(in_channels, "in_channels"), whole(width, "width")
        if norm not in NORMS:
            raise ValueError(f"norm is {norm!r}: use one of {', '.join(NORMS)}")
        bias = norm == "instance"
        self.net = nn.Sequential(  # so it is called in the paper's code, not "model"
            nn.Conv2d(in_channels, width, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 1, bias=bias),
            NORMS[norm](2 * width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 1, bias=bias),
        )
        normal_weights_(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(self._checked(x))  # (N, C, H, W) -> (N, 1, H, W)


def receptive_field(network: nn.Module) -> int:
    """Return the side of the square that one value of a chain of convolutions sees.

    >>> receptive_field(nn.Sequential(nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, 3, stride=2)))
    5
    """
    side = 1
    for layer in reversed([m for m in network.modules() if isinstance(m, nn.Conv2d)]):
        side = (side - 1) * layer.stride[0] + layer.dilation[0] * (layer.kernel_size[0] - 1) + 1
    return side


def _normed(before: int, after: int, *, stride: int, norm: str) -> list[nn.Module]:
    """A convolution of 4 x 4, its norm and the activation: names do not depend on the norm."""
    convolution = nn.Conv2d(before, after, 4, stride=stride, padding=1, bias=norm != "batch")
    return [convolution, nn.Identity() if norm == "none" else NORMS[norm](after), nn.LeakyReLU(0.2)]
