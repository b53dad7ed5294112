"""Layers that normalise, with the statistics and the affine parameters they keep.

Letters: N batch, C channels, H, W map, G groups, F features, S style features.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minigan import ops
from minigan.errors import ShapeError
from minigan.nn.arguments import whole
from minigan.nn.linear import Linear
from minigan.nn.module import Module
from minigan.nn.parameter import Parameter
from minigan.ops.normalization import batch_norm_with_statistics
from minigan.recording import no_grad
from minigan.tensor import Tensor


def _scale_and_shift(
    shape: int | tuple[int, ...], affine: bool
) -> tuple[Parameter | None, Parameter | None]:
    """Return a weight of ones and a bias of zeros, or twice None."""
    if not affine:
        return None, None
    return Parameter(np.ones(shape, np.float32)), Parameter(np.zeros(shape, np.float32))


class _BatchNorm(Module):
    """Batch normalisation over all axes but the second."""

    ndims: tuple[int, ...] = ()

    def __init__(
        self,
        num_features: int,
        *,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
    ) -> None:
        self.num_features = channels = whole(num_features, "num_features")
        self.eps, self.momentum = float(eps), momentum
        self.track_running_stats = track_running_stats
        self.weight, self.bias = _scale_and_shift(channels, affine)  # (C,), (C,)
        if track_running_stats:
            self.register_buffer("running_mean", np.zeros(channels, np.float32))  # (C,)
            self.register_buffer("running_var", np.ones(channels, np.float32))  # (C,)
            self.register_buffer("num_batches_tracked", np.array(0))  # ()

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim not in self.ndims or x.shape[1] != self.num_features:
            raise ShapeError(f"{self!r} got shape {x.shape}: axis 1 must be the channels")
        if self.training and x.size <= self.num_features:
            raise ShapeError(
                f"{self!r} in training needs more than one value per channel, got shape {x.shape}: "
                "use a larger batch, or .eval() for inference"
            )
        if self.training and self.track_running_stats:
            y, mean, var = batch_norm_with_statistics(x, self.weight, self.bias, eps=self.eps)
            self._track(mean, var)
            return y
        if self.training or not self.track_running_stats:
            return ops.batch_norm(x, self.weight, self.bias, eps=self.eps)
        return ops.batch_norm_inference(
            x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )

    @no_grad()
    def _track(self, mean: Tensor, var: Tensor) -> None:
        """Move the running statistics towards a batch's, (C,) and (C,), the variance unbiased."""
        self.num_batches_tracked.assign_(self.num_batches_tracked + 1)
        step = self.momentum
        if step is None:  # a cumulative average: every batch counts the same
            step = 1.0 / self.num_batches_tracked.item()
        self.running_mean.assign_(self.running_mean + (mean - self.running_mean) * step)
        self.running_var.assign_(self.running_var + (var - self.running_var) * step)

    def extra_repr(self) -> str:
        return str(self.num_features)


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of (N, C) or (N, C, L); see `BatchNorm2d`."""

    ndims = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Normalise each channel over batch and map, then scale and shift: (N, C, H, W) -> same.

    y = (x - mean) / sqrt(var + eps) * weight + bias, with the biased variance of the batch in
    training. In evaluation the running statistics take its place: they follow
    running <- (1 - momentum) running + momentum batch, with the unbiased variance, and
    `momentum=None` means a plain average over all batches. `momentum` and `eps` are keyword-only,
    because confusing them is a classic (Ioffe and Szegedy 2015, arXiv:1502.03167).
    """

    ndims = (4,)


class InstanceNorm2d(Module):
    """Normalise each channel of each sample over its map: (N, C, H, W) -> same.

    No affine parameters unless asked for, no running statistics. A 1x1 map is refused: it would
    always become zero (Ulyanov et al. 2016, arXiv:1607.08022).
    """

    def __init__(self, num_features: int, *, eps: float = 1e-5, affine: bool = False) -> None:
        self.num_features, self.eps = whole(num_features, "num_features"), float(eps)
        self.weight, self.bias = _scale_and_shift(self.num_features, affine)  # (C,), (C,)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 4 or x.shape[1] != self.num_features:
            raise ShapeError(f"{self!r} needs (N, {self.num_features}, H, W), got {x.shape}")
        return ops.instance_norm(x, self.weight, self.bias, eps=self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_features}" + (", affine=True" if self.weight is not None else "")


class LayerNorm(Module):
    """Normalise each sample over its last axes, `normalized_shape`: (N, ..., *F) -> same.

    `weight` and `bias` have that shape (Ba et al. 2016, arXiv:1607.06450).
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        *,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
    ) -> None:
        several = isinstance(normalized_shape, Sequence)
        sizes = normalized_shape if several else (normalized_shape,)
        self.normalized_shape = tuple(whole(n, "normalized_shape") for n in sizes)
        self.eps = float(eps)
        self.weight, self.bias = _scale_and_shift(self.normalized_shape, elementwise_affine)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-len(self.normalized_shape) :] != self.normalized_shape:
            raise ShapeError(f"{self!r} got shape {x.shape}: the last axes do not fit")
        return ops.layer_norm(x, self.normalized_shape, self.weight, self.bias, eps=self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}"


class GroupNorm(Module):
    """Normalise each sample over groups of channels and the map: (N, C, H, W) -> same.

    `weight` and `bias` are (C,) (Wu and He 2018, arXiv:1803.08494).
    """

    def __init__(
        self, num_groups: int, num_channels: int, *, eps: float = 1e-5, affine: bool = True
    ) -> None:
        self.num_groups = whole(num_groups, "num_groups")
        self.num_channels, self.eps = whole(num_channels, "num_channels"), float(eps)
        if self.num_channels % self.num_groups:
            raise ValueError(f"num_groups={num_groups} must divide num_channels={num_channels}")
        self.weight, self.bias = _scale_and_shift(self.num_channels, affine)  # (C,), (C,)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim < 2 or x.shape[1] != self.num_channels:
            raise ShapeError(f"{self!r} needs (N, {self.num_channels}, ...), got {x.shape}")
        return ops.group_norm(x, self.num_groups, self.weight, self.bias, eps=self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_groups}, {self.num_channels}"


class PixelNorm(Module):
    """Divide each pixel's feature vector by its root mean square: (N, C, ...) -> same.

    y = x / sqrt(mean_c x^2 + eps) (Karras et al. 2017, arXiv:1710.10196, section 4.2).
    """

    def __init__(self, *, eps: float = 1e-8) -> None:
        self.eps = float(eps)

    def forward(self, x: Tensor) -> Tensor:
        return ops.pixel_norm(x, eps=self.eps)


class AdaIN(Module):
    """Instance normalisation whose scale and shift come from a style vector.

    y = instance_norm(x) (1 + s) + b, where (s, b) = affine(style): x (N, C, H, W) and style (N, S)
    -> (N, C, H, W). The one in 1 + s stands in the formula and not in the layer's bias, which
    starts at zero (Karras et al. 2018, arXiv:1812.04948, eq. 1; Huang and Belongie 2017,
    arXiv:1703.06868). For the statistics of a second image there is the op `adain`.
    """

    def __init__(self, num_features: int, style_features: int, *, eps: float = 1e-5) -> None:
        self.num_features, self.eps = whole(num_features, "num_features"), float(eps)
        self.affine = Linear(style_features, 2 * self.num_features)
        self.affine.bias.assign_(0.0)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        if x.ndim != 4 or x.shape[1] != self.num_features or x.shape[0] != style.shape[0]:
            raise ShapeError(
                f"AdaIN needs x (N, {self.num_features}, H, W) and style (N, S), "
                f"got {x.shape} and {style.shape}"
            )
        both = self.affine(style)  # (N, S) -> (N, 2C)
        scale, shift = both[:, : self.num_features], both[:, self.num_features :]  # (N, C) each
        return ops.adain_scale_shift(x, 1.0 + scale, shift, eps=self.eps)
