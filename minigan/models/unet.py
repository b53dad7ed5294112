"""The generator of pix2pix: an encoder and a decoder with a bridge at every size.

Each level halves the image on the way down and doubles it on the way up, and the decoder sees,
beside what comes from below, the encoder's map of the same size (Ronneberger et al. 2015;
Isola et al. 2017, arXiv:1611.07004, section 6.1.1). So fine detail need not pass through the
bottleneck of one pixel:

    x -> [ down -> [ down -> [ ... 1 x 1 ... ] -> up ] + x' -> up ]        + joins channels

A level is a module that holds the next one, and the parameters' names are those of the paper's own
PyTorch code, so its weights load as they are.

Letters: N batch, C channels, H, W image, w width.
"""

from __future__ import annotations

import itertools

from minigan import nn
from minigan.errors import ShapeError
from minigan.models.initial import normal_weights_
from minigan.nn.arguments import whole
from minigan.ops import concatenate
from minigan.tensor import Tensor, as_tensor

NORMS = {"batch": nn.BatchNorm2d, "instance": nn.InstanceNorm2d}
_WIDEST = 8  # times the width: channels of the inner levels
_DROPPING = 6  # the least depth with a level of full width that is not the innermost


class UNetGenerator(nn.Module):
    """Images (N, C, H, W) -> images (N, C', H, W) in (-1, 1); H, W are multiples of 2^depth.

    `depth`: halvings, at least 2; 8 for 256 pixels. `norm`: "batch" or "instance"; the innermost
    map, which may be one pixel, has none. `dropout`: in the levels of full width but the innermost
    one, three at depth 8 and none below 6: pix2pix's source of randomness.

    >>> import minigan as mg
    >>> UNetGenerator(3, 3, depth=5, width=2)(mg.zeros(2, 3, 32, 32)).shape
    (2, 3, 32, 32)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        depth: int = 8,
        width: int = 64,
        norm: str = "batch",
        dropout: float = 0.0,
    ) -> None:
        self.in_channels = whole(in_channels, "in_channels")
        self.depth = whole(depth, "depth", least=2)
        if norm not in NORMS:
            raise ValueError(f"norm is {norm!r}: use one of {', '.join(NORMS)}")
        if dropout and depth < _DROPPING:
            raise ValueError(f"dropout is {dropout}: give depth >= {_DROPPING}, or dropout=0")
        widths = [whole(width, "width") * min(2**i, _WIDEST) for i in range(depth)]
        level = Level(*widths[-2:], norm=norm, inner=None)
        for outer, wider in reversed(list(itertools.pairwise(widths[:-1]))):
            p = dropout if outer == widths[-1] else 0.0
            level = Level(outer, wider, norm=norm, inner=level, dropout=p)
        self.model = Outermost(in_channels, out_channels, width, norm=norm, inner=level)
        normal_weights_(self)

    def forward(self, x: Tensor) -> Tensor:
        x, step = as_tensor(x), 1 << self.depth
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            raise ShapeError(f"images have shape {x.shape}: give (N, {self.in_channels}, H, W)")
        if any(side % step or not side for side in x.shape[2:]):
            raise ShapeError(
                f"images have {x.shape[2]} x {x.shape[3]} pixels: give multiples of {step}, or "
                f"fewer halvings than depth={self.depth}"
            )
        return self.model(x)  # (N, C, H, W) -> (N, C', H, W)


class Level(nn.Module):
    """(N, C, H, W) -> (N, 2 C, H, W): what came in, and what the inner levels made of it.

    `channels` C, `wider`: channels of the half-sized map; `inner`: the next level, or None.
    """

    def __init__(
        self,
        channels: int,
        wider: int,
        *,
        norm: str,
        inner: nn.Module | None,
        dropout: float = 0.0,
    ) -> None:
        kind, bias = NORMS[norm], norm == "instance"  # batch norm's shift makes one superfluous
        down = [nn.LeakyReLU(0.2), nn.Conv2d(channels, wider, 4, stride=2, padding=1, bias=bias)]
        below = [] if inner is None else [kind(wider), inner]
        up = _up(wider if inner is None else 2 * wider, channels, bias=bias)
        last = [nn.Dropout(dropout)] if dropout else []
        self.model = nn.Sequential(*down, *below, *up, kind(channels), *last)

    def forward(self, x: Tensor) -> Tensor:
        return concatenate([x, self.model(x)], axis=1)  # (N, C, H, W) -> (N, 2 C, H, W)


class Outermost(nn.Module):
    """(N, C, H, W) -> (N, C', H, W): no bridge, no norm, and tanh at the end."""

    def __init__(
        self, channels: int, out_channels: int, wider: int, *, norm: str, inner: nn.Module
    ) -> None:
        bias = norm == "instance"
        down = nn.Conv2d(channels, wider, 4, stride=2, padding=1, bias=bias)
        self.model = nn.Sequential(down, inner, *_up(2 * wider, out_channels), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


def _up(channels: int, fewer: int, *, bias: bool = True) -> tuple[nn.Module, ...]:
    """(N, C, H, W) -> (N, C', 2 H, 2 W)."""
    return nn.ReLU(), nn.ConvTranspose2d(channels, fewer, 4, stride=2, padding=1, bias=bias)
