"""Normalisation: batch, instance, layer, group, pixel, and the adaptive ones of style networks.

All of them are one op, `normalize`: subtract the mean and divide by the deviation over some axes,
then scale and shift. They differ in the axes and in where scale and shift come from, no more.
`normalize` is a fused op: the definition below is the truth and is what second derivatives are
taken of; the kernels in `backend/normalize.py` are its fast forward and first derivative.

As in PyTorch the variance is the biased one (divided by the count), and eps is added to it under
the root: sigma = sqrt(var + eps). A constant map therefore becomes 0 (then the shift), with finite
derivatives of every order, whatever scale is, 0 included.

Letters: N batch, C channels, G groups, ... further axes (H, W).
"""

from __future__ import annotations

import math
from typing import Any

from minigan.backend.normalize import moments, normalize_backward, normalize_forward
from minigan.errors import ShapeError
from minigan.op import fused
from minigan.ops.elementwise import sqrt
from minigan.ops.linear import mean, reshape
from minigan.tensor import Tensor, as_tensor

__all__ = [
    "adain",
    "adain_scale_shift",
    "batch_norm",
    "batch_norm_inference",
    "batch_norm_with_statistics",
    "batch_statistics",
    "group_norm",
    "instance_norm",
    "layer_norm",
    "normalize",
    "pixel_norm",
]

# -- the one op -----------------------------------------------------------------------------------


def _normalize_definition(
    x: Tensor,
    scale: Tensor | None,
    shift: Tensor | None,
    *,
    axis: tuple[int, ...],
    eps: float,
    centre: bool,
    statistics: tuple[Any, Any] | None = None,
) -> Tensor:
    """Compose `normalize` of simpler ops; its statistics are functions of x, never constants.

    So the numbers in `statistics`, which spare the kernel some work, are not used here.
    """
    if centre:
        x = x - mean(x, axis=axis, keepdims=True)
    y = x / sqrt(mean(x * x, axis=axis, keepdims=True) + eps)
    if scale is not None:
        y = y * scale
    return y if shift is None else y + shift


@fused(_normalize_definition)
def normalize(x, scale=None, shift=None, *, axis, eps, centre=True, statistics=None):
    """Give x mean 0 and variance 1 over `axis`, then scale and shift it.

    y = (x - m) / sqrt(v + eps) * scale + shift, with m and v the mean and the biased variance of
    x over the axes `axis` (a tuple, counted from 0); with `centre=False` m is 0 and v = mean(x^2).
    scale, shift: None, or as many axes as x, each of x's length or 1. The named norms below check
    and shape their arguments for this op. `statistics` are m and v as arrays where they have been
    computed before; derivatives take them for what they are, functions of x.
    """
    options = {"axis": axis, "eps": eps, "centre": centre, "statistics": statistics}
    return normalize_forward(x, scale, shift, **options)


normalize.backward(normalize_backward)

# -- over the batch -------------------------------------------------------------------------------


def batch_norm(x: Any, weight: Any = None, bias: Any = None, *, eps: float = 1e-5) -> Tensor:
    """Normalise each channel over the batch and all positions, with the batch's own statistics.

    y = (x - m_c) / sqrt(v_c + eps) * weight_c + bias_c.
    x: (N, C) or (N, C, ...); weight, bias: (C,) or None -> the shape of x.
    Raises `ShapeError` where a channel has one value only: its normalised value would always be 0.
    Source: Ioffe and Szegedy 2015, arXiv:1502.03167, algorithm 1.

    >>> import minigan as mg
    >>> mg.batch_norm(mg.tensor([[1.0], [3.0]]), eps=1e-12).numpy().ravel().tolist()
    [-1.0, 1.0]
    """
    x, weight, bias, _ = _batch_arguments(x, weight, bias)
    return normalize(x, weight, bias, axis=_batch_axes(x), eps=_positive(eps), centre=True)


def batch_norm_with_statistics(
    x: Any, weight: Any = None, bias: Any = None, *, eps: float = 1e-5
) -> tuple[Tensor, Tensor, Tensor]:
    """Return `batch_norm` of x and, from the same computation, `batch_statistics` of x.

    The normalised values are differentiated as those of `batch_norm` are, through mean and
    variance; the statistics returned are unrecorded numbers for running averages.
    x: (N, C) or (N, C, ...); weight, bias: (C,) or None -> the shape of x, (C,), (C,).

    >>> import minigan as mg
    >>> y, mean, var = batch_norm_with_statistics([[1.0], [3.0]], eps=1e-12)
    >>> y.numpy().ravel().tolist(), mean.item(), var.item()
    ([-1.0, 1.0], 2.0, 2.0)
    """
    x, weight, bias, count = _batch_arguments(x, weight, bias)
    axis = _batch_axes(x)
    found = moments(x.data, axis=axis)
    options = {"axis": axis, "eps": _positive(eps), "centre": True, "statistics": found}
    return normalize(x, weight, bias, **options), *_for_averages(*found, count)


def batch_norm_inference(
    x: Any, mean: Any, var: Any, weight: Any = None, bias: Any = None, *, eps: float = 1e-5
) -> Tensor:
    """Normalise each channel with given statistics, such as running averages.

    y = (x - mean_c) / sqrt(var_c + eps) * weight_c + bias_c, computed as one product and one sum
    on x. x: (N, C) or (N, C, ...); mean, var: (C,); weight, bias: (C,) or None -> the shape of x.
    """
    x = _with_axes(x, 2, "batch_norm_inference")
    given = {"mean": mean, "var": var, "weight": weight, "bias": bias}
    mean, var, weight, bias = (
        _per_channel(value, x, "batch_norm_inference", name) for name, value in given.items()
    )
    scale = 1 / sqrt(var + _positive(eps))  # (1, C, 1, 1)
    scale = scale if weight is None else weight * scale
    shift = -mean * scale if bias is None else bias - mean * scale
    return x * scale + shift


def batch_statistics(x: Any) -> tuple[Tensor, Tensor]:
    """Return mean and *unbiased* variance of each channel, for running averages; unrecorded.

    `batch_norm` itself divides by the biased variance; what PyTorch averages for inference is
    sum((x - mean)^2) / (count - 1). x: (N, C) or (N, C, ...), N * ... > 1 -> two of (C,).

    >>> import minigan as mg
    >>> [s.numpy().tolist() for s in mg.batch_statistics([[1.0], [3.0]])]
    [[2.0], [2.0]]
    """
    x = _with_axes(x, 2, "batch_statistics")
    axis = _batch_axes(x)
    count = _need_spread(x, axis, "batch_statistics", "channel", "use a larger batch")
    return _for_averages(*moments(x.data, axis=axis), count)


def _batch_arguments(
    x: Any, weight: Any, bias: Any
) -> tuple[Tensor, Tensor | None, Tensor | None, int]:
    """Check and shape what `batch_norm` is given; the last is how many values share a mean."""
    x = _with_axes(x, 2, "batch_norm")
    remedy = "use a larger batch or batch_norm_inference"
    count = _need_spread(x, _batch_axes(x), "batch_norm", "channel", remedy)
    weight = _per_channel(weight, x, "batch_norm", "weight")
    bias = _per_channel(bias, x, "batch_norm", "bias")
    return x, weight, bias, count


def _for_averages(mean: Any, variance: Any, count: int) -> tuple[Tensor, Tensor]:
    """Return arrays (1, C, 1, 1) of moments as (C,), the variance made unbiased."""
    return Tensor(mean.reshape(-1)), Tensor(variance.reshape(-1) * (count / (count - 1)))


# -- within a sample ------------------------------------------------------------------------------


def instance_norm(x: Any, weight: Any = None, bias: Any = None, *, eps: float = 1e-5) -> Tensor:
    """Normalise each channel of each sample over its positions.

    y = (x - m_nc) / sqrt(v_nc + eps) * weight_c + bias_c.
    x: (N, C, ...); weight, bias: (C,) or None -> the shape of x.
    Raises `ShapeError` on a 1x1 map: a single value equals its mean, so that the output would be
    0 (or the bias) whatever x is. Source: Ulyanov et al. 2016, arXiv:1607.08022, equation 3.
    """
    x = _with_axes(x, 3, "instance_norm")
    axis = _map_axes(x)
    _need_spread(x, axis, "instance_norm", "map", "leave the norm out here or use a larger map")
    weight = _per_channel(weight, x, "instance_norm", "weight")
    bias = _per_channel(bias, x, "instance_norm", "bias")
    return normalize(x, weight, bias, axis=axis, eps=_positive(eps), centre=True)


def layer_norm(
    x: Any,
    normalized_shape: int | tuple[int, ...],
    weight: Any = None,
    bias: Any = None,
    *,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise over the last axes, those of `normalized_shape`.

    y = (x - m) / sqrt(v + eps) * weight + bias. x: (..., *normalized_shape);
    weight, bias: normalized_shape or None -> the shape of x.
    Source: Ba et al. 2016, arXiv:1607.06450, equation 3.
    """
    x = _with_axes(x, 1, "layer_norm")
    last = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    first = x.ndim - len(last)
    if not last or first < 0 or x.shape[first:] != last:
        raise ShapeError(f"layer_norm: x has shape {x.shape}, which does not end in {last}")
    weight = _shaped(weight, last, (1,) * first + last, "layer_norm", "weight")
    bias = _shaped(bias, last, (1,) * first + last, "layer_norm", "bias")
    axis = tuple(range(first, x.ndim))
    return normalize(x, weight, bias, axis=axis, eps=_positive(eps), centre=True)


def group_norm(
    x: Any, num_groups: int, weight: Any = None, bias: Any = None, *, eps: float = 1e-5
) -> Tensor:
    """Normalise each sample over groups of C / G neighbouring channels and all positions.

    x: (N, C, ...) with C divisible by `num_groups` = G; weight, bias: (C,) or None -> the shape
    of x. G = 1 is layer norm over a sample, G = C is instance norm.
    Source: Wu and He 2018, arXiv:1803.08494, equation 7.
    """
    x = _with_axes(x, 2, "group_norm")
    n, c, *rest = x.shape
    if num_groups < 1 or c % num_groups:
        raise ShapeError(f"group_norm: {c} channels cannot be split into {num_groups} groups")
    grouped = reshape(x, (n, num_groups, c // num_groups, *rest))  # (N, G, C/G, ...)
    axis = tuple(range(2, grouped.ndim))
    _need_spread(grouped, axis, "group_norm", "group", "use fewer groups or a larger map")
    each = (1, num_groups, c // num_groups) + (1,) * len(rest)  # (1, G, C/G, 1, ...)
    weight = _shaped(weight, (c,), each, "group_norm", "weight")
    bias = _shaped(bias, (c,), each, "group_norm", "bias")
    y = normalize(grouped, weight, bias, axis=axis, eps=_positive(eps), centre=True)
    return reshape(y, x.shape)  # (N, C, ...)


def pixel_norm(x: Any, *, axis: int = 1, eps: float = 1e-8) -> Tensor:
    """Give every pixel's feature vector the root mean square 1.

    y = x / sqrt(mean(x^2 over `axis`) + eps). x: any shape with that axis -> the shape of x.
    Source: Karras et al. 2018, arXiv:1710.10196, section 4.2.
    """
    x = _with_axes(x, 1, "pixel_norm")
    if not -x.ndim <= axis < x.ndim:
        raise ShapeError(f"pixel_norm: x of shape {x.shape} has no axis {axis}")
    return normalize(x, None, None, axis=(axis % x.ndim,), eps=_positive(eps), centre=False)


# -- adaptive: scale and shift from outside -------------------------------------------------------


def adain(content: Any, style: Any, *, eps: float = 1e-5) -> Tensor:
    """Give each map of `content` the mean and deviation of the same map of `style`.

    y = sigma(style) * (content - mu(content)) / sigma(content) + mu(style), with mu and sigma per
    sample and channel, and sigma(z) = sqrt(var(z) + eps) on both sides: adain(x, x) is x, and a
    constant style map has sigma = sqrt(eps), with finite derivatives of every order.
    content: (N, C, ...), style: (N, C, ...) with maps of any size -> the shape of content.
    Source: Huang and Belongie 2017, arXiv:1703.06868, equation 8 (its reference code takes the
    unbiased variance; here it is the biased one, as in every norm of this file).
    """
    content, style = _with_axes(content, 3, "adain"), _with_axes(style, 3, "adain")
    if content.shape[:2] != style.shape[:2]:
        raise ShapeError(
            f"adain: content {content.shape} and style {style.shape} need equal batch and channels"
        )
    axis, style_axis = _map_axes(content), _map_axes(style)
    _need_spread(content, axis, "adain", "content map", "use larger maps")
    _need_spread(style, style_axis, "adain", "style map", "use larger maps")
    shift = mean(style, axis=style_axis, keepdims=True)  # (N, C, 1, ...)
    centred = style - shift
    eps = _positive(eps)
    scale = sqrt(mean(centred * centred, axis=style_axis, keepdims=True) + eps)  # (N, C, 1, ...)
    if content.ndim != style.ndim:
        each = style.shape[:2] + (1,) * (content.ndim - 2)
        scale, shift = reshape(scale, each), reshape(shift, each)
    return normalize(content, scale, shift, axis=axis, eps=eps, centre=True)


def adain_scale_shift(x: Any, scale: Any, shift: Any, *, eps: float = 1e-5) -> Tensor:
    """Normalise each map of x, then scale and shift it by numbers computed elsewhere.

    y = scale_nc * (x - mu_nc) / sqrt(var_nc + eps) + shift_nc. x: (N, C, ...); scale, shift:
    (N, C) -> the shape of x. The scale is used as it is; StyleGAN's x * (1 + s) + b is
    `adain_scale_shift(x, 1 + s, b)`. Source: Karras et al. 2019, arXiv:1812.04948, equation 1.
    """
    x = _with_axes(x, 3, "adain_scale_shift")
    axis = _map_axes(x)
    _need_spread(x, axis, "adain_scale_shift", "map", "use a larger map")
    each = x.shape[:2] + (1,) * (x.ndim - 2)  # (N, C, 1, ...)
    scale = _shaped(scale, x.shape[:2], each, "adain_scale_shift", "scale")
    shift = _shaped(shift, x.shape[:2], each, "adain_scale_shift", "shift")
    return normalize(x, scale, shift, axis=axis, eps=_positive(eps), centre=True)


# -- checks ---------------------------------------------------------------------------------------


def _with_axes(x: Any, least: int, name: str) -> Tensor:
    """Return x as a tensor of floating-point numbers with at least `least` axes."""
    x = as_tensor(x)
    if x.ndim < least:
        layout = ("(C, ...)", "(N, C, ...)", "(N, C, H, W)")[least - 1]
        raise ShapeError(f"{name}: x has shape {x.shape}, expected {layout}")
    if x.dtype.kind not in "fc":
        raise TypeError(f"{name}: x has dtype {x.dtype}, use x.astype('float32')")
    return x


def _batch_axes(x: Tensor) -> tuple[int, ...]:
    return (0, *range(2, x.ndim))


def _map_axes(x: Tensor) -> tuple[int, ...]:
    return tuple(range(2, x.ndim))


def _need_spread(x: Tensor, axis: tuple[int, ...], name: str, group: str, remedy: str) -> int:
    """Return how many values share a mean; raise where there are not even two, and say why."""
    count = math.prod(x.shape[a] for a in axis)
    if count == 0:
        raise ShapeError(f"{name}: x of shape {x.shape} has no value per {group}, so no mean")
    if count == 1:
        raise ShapeError(
            f"{name}: x of shape {x.shape} has one value per {group}, and a value minus its own "
            f"mean is 0 whatever it is; {remedy}"
        )
    return count


def _per_channel(value: Any, x: Tensor, name: str, argument: str) -> Tensor | None:
    """Shape a (C,) argument for broadcasting against x: (1, C, 1, ...)."""
    c = x.shape[1]
    return _shaped(value, (c,), (1, c) + (1,) * (x.ndim - 2), name, argument)


def _shaped(
    value: Any, expected: tuple[int, ...], shape: tuple[int, ...], name: str, argument: str
) -> Tensor | None:
    """Check that an argument has its `expected` shape and return it as `shape`; None stays None."""
    if value is None:
        return None
    value = as_tensor(value)
    if value.shape != expected:
        raise ShapeError(f"{name}: {argument} has shape {value.shape}, expected {expected}")
    return reshape(value, shape)


def _positive(eps: float) -> float:
    """Return eps as a plain float (a NumPy scalar would turn float32 into float64)."""
    if not eps > 0:
        raise ValueError(f"eps is {eps}: it must be positive, or a constant map divides by zero")
    return float(eps)
