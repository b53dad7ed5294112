"""Changing the resolution of images: pooling, upsampling, pixel shuffling, and their adjoints.

    sum_pool             <-> _spread            sum a window; add a value to a whole window
    upsample, nearest    =   _spread            with windows side by side
    upsample, bilinear   =   _blend of a padded image, <-> _unblend, one axis at a time
    max_pool2d           =   _take_tap          with the places found beforehand <-> _put_tap

Everything here is linear once the places of the maxima are known, so derivatives of any order
exist and stay in this file. Results keep the memory order of their input where they can.

Letters: N batch, C channels; H, W rows and columns of the image; K, L of the window; P, Q of the
pooled image; s, t the upscale factors of rows and columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from minigan.backend import xp_of
from minigan.backend.windows import spread_windows, sum_windows, taps
from minigan.errors import ShapeError
from minigan.op import op
from minigan.ops.conv import IntOrPair, Pair, images, pair
from minigan.ops.linear import reshape, transpose
from minigan.ops.padding import pad
from minigan.tensor import Tensor

__all__ = [
    "avg_pool2d",
    "max_pool2d",
    "pixel_shuffle",
    "pixel_unshuffle",
    "sum_pool",
    "upsample",
]

# -- windows at the border ------------------------------------------------------------------------


def _framed(x: Any, padding: Pair) -> Any:
    """Return x with a frame of zeros: (N, C, H + 2 padding, W + 2 padding)."""
    if padding == (0, 0):
        return x
    out = _zeros(x, (x.shape[-2], x.shape[-1]), padding)
    out[_interior(x.shape[-2:], padding)] = x
    return out


def _zeros(x: Any, size: Pair, padding: Pair) -> Any:
    """Return zeros for images of `size` and their padding, in the memory order of x."""
    shape = (*x.shape[:-2], *(n + 2 * p for n, p in zip(size, padding, strict=True)))
    return xp_of(x).zeros_like(x, shape=shape)


def _interior(size: Pair, padding: Pair) -> tuple[Any, ...]:
    (h, w), (ph, pw) = size, padding
    return ..., slice(ph, ph + h), slice(pw, pw + w)


# -- sums over windows ----------------------------------------------------------------------------


@op(linear=True)
def _sum_pool(x, *, kernel_size, stride, padding, size):
    """(N, C, H, W) -> (N, C, *size)."""
    return sum_windows(_framed(x, padding), kernel_size, stride, size)


@op(linear=True)
def _spread(y, *, kernel_size, stride, padding, size):
    """(N, C, P, Q) -> (N, C, *size)."""
    framed = tuple(n + 2 * p for n, p in zip(size, padding, strict=True))
    return spread_windows(y, kernel_size, stride, framed)[_interior(size, padding)]


_sum_pool.vjp(
    x=lambda g, x_shape, kernel_size, stride, padding: _spread(
        g, kernel_size=kernel_size, stride=stride, padding=padding, size=x_shape[2:]
    )
)
_spread.vjp(
    y=lambda g, y_shape, kernel_size, stride, padding: _sum_pool(
        g, kernel_size=kernel_size, stride=stride, padding=padding, size=y_shape[2:]
    )
)


def sum_pool(
    x: Tensor, kernel_size: IntOrPair, *, stride: IntOrPair | None = None, padding: IntOrPair = 0
) -> Tensor:
    """Sum each window: (N, C, H, W) -> (N, C, P, Q), P = floor((H + 2 padding - K) / stride) + 1.

    `stride` is the kernel size by default; then this is the adjoint of `upsample` by nearest
    neighbours. The padding counts as zeros. Raises `ShapeError` where no window fits.
    """
    x, windows = _windows("sum_pool", x, kernel_size, stride, padding)
    return _sum_pool(x, **windows)


def avg_pool2d(
    x: Tensor, kernel_size: IntOrPair, *, stride: IntOrPair | None = None, padding: IntOrPair = 0
) -> Tensor:
    """Average each window: (N, C, H, W) -> (N, C, P, Q); padding counts as zeros, as in PyTorch.

    P = floor((H + 2 padding - K) / stride) + 1; `stride` is the kernel size by default, `padding`
    at most half of it. Raises `ShapeError` where no window fits.

    >>> import minigan as mg
    >>> mg.avg_pool2d(mg.arange(16.0).reshape(1, 1, 4, 4), 2).numpy().tolist()
    [[[[2.5, 4.5], [10.5, 12.5]]]]
    """
    x, windows = _windows("avg_pool2d", x, kernel_size, stride, padding)
    _check_half("avg_pool2d", windows)
    rows, columns = windows["kernel_size"]
    return _sum_pool(x, **windows) * (1.0 / (rows * columns))


# -- maxima ---------------------------------------------------------------------------------------
#
# A maximum is found once: `_argmax_pool` says which tap of its window it is. The rest is linear:
# taking that tap, and its adjoint, putting a value at that tap.


@op(differentiable=False)
def _argmax_pool(x, *, kernel_size, stride, padding, size):
    """(N, C, H, W) -> (N, C, *size) int32: the first tap of each window that holds its maximum.

    Padding is never the maximum; NaN always is. Complex numbers are ordered by their real part.
    """
    xp = xp_of(x)
    framed = _framed(x.real, padding)
    inside = _framed(xp.ones((1, 1, *x.shape[2:]), dtype=bool), padding)
    best = xp.full_like(framed, -xp.inf, shape=(*x.shape[:2], *size))
    place = xp.full_like(best, -1, dtype=xp.int32)
    for i, tap in enumerate(taps(size, kernel_size, stride)):
        value = framed[tap]
        better = inside[tap] & ((value > best) | (place < 0) | xp.isnan(value))
        best = xp.where(better, value, best)
        place = xp.where(better, i, place)
    return place


@op(linear=True)
def _take_tap(x, place, *, kernel_size, stride, padding):
    """Take from each window the tap that `place` (N, C, P, Q) names: -> (N, C, P, Q)."""
    xp = xp_of(x)
    framed = _framed(x, padding)
    out = xp.zeros_like(x, shape=place.shape)
    for i, tap in enumerate(taps(place.shape[2:], kernel_size, stride)):
        out = xp.where(place == i, framed[tap], out)
    return out


@op(linear=True)
def _put_tap(y, place, *, kernel_size, stride, padding, size):
    """Add y (N, C, P, Q) to the tap that `place` names in each window: -> (N, C, *size)."""
    xp, framed = xp_of(y), _zeros(y, size, padding)
    for i, tap in enumerate(taps(y.shape[2:], kernel_size, stride)):
        framed[tap] += xp.where(place == i, y, 0)
    return framed[_interior(size, padding)]


_take_tap.vjp(
    x=lambda g, place, x_shape, kernel_size, stride, padding: _put_tap(
        g, place, kernel_size=kernel_size, stride=stride, padding=padding, size=x_shape[2:]
    )
)
_put_tap.vjp(
    y=lambda g, place, kernel_size, stride, padding: _take_tap(
        g, place, kernel_size=kernel_size, stride=stride, padding=padding
    )
)


def max_pool2d(
    x: Tensor, kernel_size: IntOrPair, *, stride: IntOrPair | None = None, padding: IntOrPair = 0
) -> Tensor:
    """Take the maximum of each window: (N, C, H, W) -> (N, C, P, Q); padding never is it.

    P = floor((H + 2 padding - K) / stride) + 1; `stride` is the kernel size by default, `padding`
    at most half of it. Of equal maxima the first, row by row, gets the gradient, as in PyTorch.
    Raises `ShapeError` where no window fits.

    >>> import minigan as mg
    >>> mg.max_pool2d(mg.arange(16.0).reshape(1, 1, 4, 4), 2).numpy().tolist()
    [[[[5.0, 7.0], [13.0, 15.0]]]]
    """
    x, windows = _windows("max_pool2d", x, kernel_size, stride, padding)
    _check_half("max_pool2d", windows)
    if x.dtype.kind not in "fc":
        raise TypeError(f"max_pool2d: x is {x.dtype}: use .astype('float32')")
    place = _argmax_pool(x, **windows)
    del windows["size"]
    return _take_tap(x, place, **windows)


# -- upsampling -----------------------------------------------------------------------------------


@op(linear=True)
def _blend(x, *, axis, factor):
    """Interpolate linearly between neighbours along an axis: n + 2 -> n * factor values.

    The first and the last value of x are the neighbours beyond the border. Values sit in the
    middle of their cells, so new value r of old cell i lies at i + (r + 1/2) / factor - 1/2.
    """
    xp, n = xp_of(x), x.shape[axis] - 2
    out = xp.empty_like(x, shape=_resized(x.shape, axis, n * factor))
    for phase, left, right, weight in _phases(axis, n, factor):
        out[phase] = (1.0 - weight) * x[left] + weight * x[right]
    return out


@op(linear=True)
def _unblend(y, *, axis, factor):
    """Add each value to the two neighbours it was blended of: n * factor -> n + 2 values."""
    xp, n = xp_of(y), y.shape[axis] // factor
    out = xp.zeros_like(y, shape=_resized(y.shape, axis, n + 2))
    for phase, left, right, weight in _phases(axis, n, factor):
        out[left] += (1.0 - weight) * y[phase]
        out[right] += weight * y[phase]
    return out


_blend.vjp(x=lambda g, axis, factor: _unblend(g, axis=axis, factor=factor))
_unblend.vjp(y=lambda g, axis, factor: _blend(g, axis=axis, factor=factor))


def _phases(axis: int, n: int, factor: int) -> Iterator[tuple[Any, Any, Any, float]]:
    """Yield for each r: where the new values are, their two neighbours, the right one's weight."""
    before = (slice(None),) * axis
    for r in range(factor):
        twice = 2 * r + 1 - factor  # the offset (r + 1/2) / factor - 1/2, times 2 factor
        first = 0 if twice < 0 else 1
        weight = twice / (2 * factor) + (1 - first)
        phase, left = slice(r, None, factor), slice(first, first + n)
        right = slice(first + 1, first + 1 + n)
        yield (*before, phase), (*before, left), (*before, right), weight


def _resized(shape: tuple[int, ...], axis: int, n: int) -> tuple[int, ...]:
    return (*shape[:axis], n, *shape[axis + 1 :])


def upsample(x: Tensor, *, scale_factor: IntOrPair, mode: str = "nearest") -> Tensor:
    """Enlarge images by whole factors: (N, C, H, W) -> (N, C, s H, t W).

    `mode`: "nearest" repeats each pixel s x t times; "bilinear" interpolates between the middles
    of the pixels and repeats the border beyond them (PyTorch's `align_corners=False`).

    >>> import minigan as mg
    >>> x = mg.tensor([[[[0.0, 4.0]]]])
    >>> mg.upsample(x, scale_factor=(1, 2)).numpy().tolist()
    [[[[0.0, 0.0, 4.0, 4.0]]]]
    >>> mg.upsample(x, scale_factor=(1, 2), mode="bilinear").numpy().tolist()
    [[[[0.0, 1.0, 3.0, 4.0]]]]
    """
    x = images("upsample", x)
    factors = pair(scale_factor, "scale_factor", least=1)
    if mode == "nearest":
        size = tuple(n * f for n, f in zip(x.shape[2:], factors, strict=True))
        return _spread(x, kernel_size=factors, stride=factors, padding=(0, 0), size=size)
    if mode != "bilinear":
        raise ValueError(f"upsample: mode={mode!r}: use 'nearest' or 'bilinear'")
    for axis, factor in zip((2, 3), factors, strict=True):
        if factor > 1:
            widths = [(0, 0), (0, 0), (0, 0), (0, 0)]
            widths[axis] = (1, 1)
            x = _blend(pad(x, widths, mode="replicate"), axis=axis, factor=factor)
    return x


# -- pixel shuffling ------------------------------------------------------------------------------


def pixel_shuffle(x: Tensor, *, upscale_factor: int) -> Tensor:
    """Turn groups of r^2 channels into r x r pixels: (N, C r^2, H, W) -> (N, C, H r, W r).

    Channel c r^2 + i r + j of a pixel becomes channel c of the pixel's part in row i, column j
    (Shi et al. 2016, arXiv:1609.05158, eq. 4). Raises `ShapeError` where r^2 does not divide.
    """
    x = images("pixel_shuffle", x)
    r, _ = pair(upscale_factor, "upscale_factor", least=1)
    n, c, h, w = x.shape
    if c % (r * r):
        raise ShapeError(f"pixel_shuffle: {c} channels of x {x.shape} are no multiple of {r}^2")
    parts = reshape(x, (n, c // (r * r), r, r, h, w))  # (N, C, r, r, H, W)
    woven = transpose(parts, (0, 1, 4, 2, 5, 3))  # (N, C, H, r, W, r)
    return reshape(woven, (n, c // (r * r), h * r, w * r))  # (N, C, H r, W r)


def pixel_unshuffle(x: Tensor, *, downscale_factor: int) -> Tensor:
    """Turn r x r pixels into groups of r^2 channels: (N, C, H r, W r) -> (N, C r^2, H, W).

    The inverse of `pixel_shuffle`. Raises `ShapeError` where r does not divide both sides.
    """
    x = images("pixel_unshuffle", x)
    r, _ = pair(downscale_factor, "downscale_factor", least=1)
    n, c, h, w = x.shape
    if h % r or w % r:
        raise ShapeError(
            f"pixel_unshuffle: rows and columns of x {x.shape} are no multiples of {r}"
        )
    woven = reshape(x, (n, c, h // r, r, w // r, r))  # (N, C, H, r, W, r)
    parts = transpose(woven, (0, 1, 3, 5, 2, 4))  # (N, C, r, r, H, W)
    return reshape(parts, (n, c * r * r, h // r, w // r))  # (N, C r^2, H, W)


# -- checks ---------------------------------------------------------------------------------------


def _windows(
    name: str, x: Any, kernel_size: IntOrPair, stride: IntOrPair | None, padding: IntOrPair
) -> tuple[Tensor, dict[str, Pair]]:
    """Return x as a Tensor, and the geometry of its windows with the pooled size."""
    x = images(name, x)
    kernel = pair(kernel_size, "kernel_size", least=1)
    steps = kernel if stride is None else pair(stride, "stride", least=1)
    frame = pair(padding, "padding", least=0)
    size = _pooled_size(name, x.shape, kernel, steps, frame)
    return x, {"kernel_size": kernel, "stride": steps, "padding": frame, "size": size}


@lru_cache(maxsize=1024)
def _pooled_size(name: str, shape: tuple[int, ...], kernel: Pair, steps: Pair, frame: Pair) -> Pair:
    """(P, Q), after a look whether a window fits."""
    padded = tuple(n + 2 * p for n, p in zip(shape[2:], frame, strict=True))
    if any(k > n for k, n in zip(kernel, padded, strict=True)):
        raise ShapeError(
            f"{name}: kernel_size={kernel} is more than the padded input {padded} of x {shape}"
        )
    return tuple((n - k) // s + 1 for n, k, s in zip(padded, kernel, steps, strict=True))


def _check_half(name: str, windows: dict[str, Pair]) -> None:
    kernel, padding = windows["kernel_size"], windows["padding"]
    if any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
        raise ValueError(f"{name}: padding={padding} is more than half of kernel_size={kernel}")
