"""The norm of a convolution as what it is: a linear map of images.

Reshaped to a matrix (O, C K L), a kernel maps one *patch* to one pixel, and the largest singular
value of that matrix is the gain of a patch. The convolution maps whole *images*, whose patches
overlap: its gain, the operator norm

    |A| = max over images x of |conv(x)|_2 / |x|_2,

is another number, up to sqrt(K L) times larger and often smaller; it depends on stride, padding
and the size of the image. Three ways to it:

* `operator_norm`, power iteration with the convolution and its adjoint: an estimate from below
  that any geometry allows;
* `circular_norm`, the exact value where the image wraps around. There the discrete Fourier
  transform turns the convolution into one small matrix for each frequency (Sedghi, Gupta and Long
  2018, arXiv:1805.10408), so that the norm is the largest of their singular values;
* `operator_norm_bound`, a bound from above: zero padding is a circular convolution of a larger
  image with a frame of zeros, some of whose output is thrown away, and neither adds to the norm.

Letters: N batch, C, O channels of the two images, G groups, (H, W) image, (K, L) kernel, (S, T)
stride.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigan import ops
from minigan.backend import Generator, backend_of, default_generator
from minigan.errors import ShapeError
from minigan.nn.conv import Conv2d, ConvTranspose2d
from minigan.recording import no_grad
from minigan.tensor import Tensor, as_tensor

Pair = tuple[int, int]

# -- the map and its adjoint ----------------------------------------------------------------------


class ConvOperator:
    """A convolution layer, without its bias, as a linear map of images of one size.

    `layer`: Conv2d or ConvTranspose2d; `input_size`: (H, W). The weight is given at each call, so
    this holds the geometry alone.
    """

    def __init__(self, layer: Conv2d | ConvTranspose2d, input_size: int | Pair) -> None:
        self.transposed = isinstance(layer, ConvTranspose2d)
        self.geometry = {
            "stride": layer.stride,
            "padding": layer.padding,
            "dilation": layer.dilation,
            "groups": layer.groups,
        }
        self.extra = layer.output_padding if self.transposed else (0, 0)
        self.input_shape = (1, layer.in_channels, *_pair(input_size))
        weight = layer.weight.detach()
        zeros = ops.zeros(self.input_shape, dtype=weight.dtype, device=weight.device)
        self.output_shape = self.apply(weight, zeros).shape  # (1, O, P, Q)

    def apply(self, weight: Tensor, x: Tensor) -> Tensor:
        """Return A x: (N, C, H, W) -> (N, O, P, Q)."""
        if self.transposed:
            return ops.conv_transpose2d(x, weight, output_padding=self.extra, **self.geometry)
        return ops.conv2d(x, weight, **self.geometry)

    def adjoint(self, weight: Tensor, y: Tensor) -> Tensor:
        """Return A^T y: (N, O, P, Q) -> (N, C, H, W), so that <y, A x> = <A^T y, x>."""
        rows, columns = self.input_shape[2:]
        if self.transposed:
            # Output padding may make room for windows that A never fills: they are cut off.
            return ops.conv2d(y, weight, **self.geometry)[:, :, :rows, :columns]
        extra = self._rows_left_over(weight.shape[2:])
        return ops.conv_transpose2d(y, weight, output_padding=extra, **self.geometry)

    def _rows_left_over(self, kernel: Pair) -> Pair:
        """Return how many rows and columns of the padded input the last window does not reach."""
        stride, padding, dilation = (
            self.geometry[name] for name in ("stride", "padding", "dilation")
        )
        axes = zip(self.input_shape[2:], kernel, stride, padding, dilation, strict=True)
        return tuple((h + 2 * p - d * (k - 1) - 1) % s for h, k, s, p, d in axes)


# -- an estimate from below -----------------------------------------------------------------------


@no_grad()
def iterate(
    operator: ConvOperator, weight: Tensor, u: Tensor, *, steps: int, eps: float = 1e-12
) -> tuple[Tensor, Tensor]:
    """Sharpen u, an output image: `steps` times v = A^T u / |A^T u|, u = A v / |A v|.

    Returns the new (u, v). With steps=0 u stays and v follows from it. A vector shorter than `eps`
    is not normalised: for a zero weight u stays and v is 0.
    """
    v = _unit(operator.adjoint(weight, u), eps)
    for step in range(steps):
        if step:
            v = _unit(operator.adjoint(weight, u), eps)
        u = _unit(operator.apply(weight, v), eps, otherwise=u)
    return u, v


def _unit(x: Tensor, eps: float, otherwise: Tensor | float = 0.0) -> Tensor:
    """Return x divided by its length; `otherwise` if it is shorter than eps."""
    length = ops.norm(x)
    return ops.where(length > eps, x / ops.maximum(length, eps), otherwise)


def random_image(
    shape: tuple[int, ...], weight: Tensor, generator: Generator | None = None
) -> Tensor:
    """Draw an image of length 1 in a random direction, with the weight's dtype and device."""
    drawn = (generator or default_generator()).normal(shape, dtype=weight.dtype)
    return Tensor(backend_of(weight.data).asarray(drawn / np.linalg.norm(drawn)))


def operator_norm(
    layer: Conv2d | ConvTranspose2d,
    input_size: int | Pair,
    *,
    steps: int = 200,
    generator: Generator | None = None,
) -> float:
    """Return the norm of a convolution layer on images of a size, by power iteration.

    Never above the true value, and close to it after enough `steps`. The weight is the one that
    the layer uses, spectral norm included. `generator` names the random start (default: one of
    its own, so that looking at a network moves no other stream).

    >>> import minigan as mg
    >>> layer = mg.nn.Conv2d(1, 1, 3, padding=1, bias=False)
    >>> _ = layer.weight.assign_(1.0)
    >>> round(operator_norm(layer, 64), 1)  # 9 in the limit of a large image
    9.0
    """
    operator, weight = ConvOperator(layer, input_size), layer.weight.detach()
    u = random_image(operator.output_shape, weight, generator or Generator(0))
    u, v = iterate(operator, weight, u, steps=steps)
    return float((u * operator.apply(weight, v)).sum())


# -- the exact value on a torus, and a bound ------------------------------------------------------


def circular_norm(
    weight: Any, size: int | Pair, *, stride: int | Pair = 1, dilation: int | Pair = 1,
    groups: int = 1,
) -> float:  # fmt: skip
    """Return the exact norm of a convolution of images that wrap around at their edges.

    `weight`: (O, C/G, K, L), `size`: (H, W), which the stride must divide. For each frequency the
    convolution multiplies the C channels by an (O, C) matrix, the transform of the kernel; a stride
    (S, T) adds up S T frequencies that it cannot tell apart, which makes it (O, C S T) /
    sqrt(S T). The norm is the largest singular value over all frequencies and groups. A transposed
    convolution is the adjoint and has the same norm, `weight` then being (C, O/G, K, L) and `size`
    that of its *output*.

    >>> import numpy as np
    >>> round(circular_norm(np.full((1, 1, 3, 3), -1.0), 8), 6)  # |sum of the kernel|, frequency 0
    9.0
    """
    (h, w), (s, t), step = _pair(size), _pair(stride), _pair(dilation)
    if h % s or w % t:
        raise ShapeError(f"circular_norm: stride {(s, t)} does not divide the image {(h, w)}")
    kernel = as_tensor(weight).numpy().astype(np.float64)
    o, c, k, l = kernel.shape  # noqa: E741
    taps = np.zeros((o, c, h, w))
    rows, columns = np.arange(k) * step[0] % h, np.arange(l) * step[1] % w
    np.add.at(taps, (slice(None), slice(None), rows[:, None], columns), kernel)
    spectrum = np.fft.fft2(taps)  # (O, C/G, H, W): one coefficient a frequency
    folded = spectrum.reshape(groups, o // groups, c, s, h // s, t, w // t)
    by_frequency = folded.transpose(0, 4, 6, 1, 2, 3, 5)  # (G, H/S, W/T, O/G, C/G, S, T)
    matrices = by_frequency.reshape(groups, h // s, w // t, o // groups, c * s * t)
    return float(np.linalg.svd(matrices, compute_uv=False).max() / math.sqrt(s * t))


def operator_norm_bound(
    layer: Conv2d | ConvTranspose2d, input_size: int | Pair | None = None
) -> float:
    """Return a number that the norm of a convolution layer cannot exceed.

    Without `input_size` it holds for images of every size: |A| <= sqrt(m) |W|, where |W| is the
    norm of the kernel as a matrix and m counts the windows that can contain one pixel. With it, the
    smaller of that and the circular norm of the image in its frame of zeros.
    """
    weight, windows = layer.weight.detach(), 1
    for k, s, d in zip(layer.kernel_size, layer.stride, layer.dilation, strict=True):
        windows *= -(-k // (s // math.gcd(s, d)))  # ceil: taps that meet a pixel with this stride
    bound = _patch_norm(weight, layer.groups) * math.sqrt(windows)
    if input_size is None:
        return bound
    operator = ConvOperator(layer, input_size)
    larger = operator.output_shape if operator.transposed else operator.input_shape
    return min(bound, circular_norm(weight, _framed(layer, larger[2:]), stride=layer.stride,
                                    dilation=layer.dilation, groups=layer.groups))  # fmt: skip


def _patch_norm(weight: Tensor, groups: int) -> float:
    """Return the largest norm of a group's kernel as the matrix (O/G, C/G K L)."""
    kernel = weight.numpy().astype(np.float64)
    matrices = kernel.reshape(groups, kernel.shape[0] // groups, -1)
    return float(np.linalg.norm(matrices, 2, axis=(1, 2)).max())


def _framed(layer: Conv2d | ConvTranspose2d, size: Pair) -> Pair:
    """Return the size of an image with its frame of zeros, rounded up to whole strides.

    At least as large as the kernel's reach, so that no window of the layer wraps around.
    """
    axes = zip(size, layer.padding, layer.stride, strict=True)
    return tuple(-(-(h + 2 * p) // s) * s for h, p, s in axes)


def _pair(value: int | Pair) -> Pair:
    return (value, value) if isinstance(value, int) else tuple(value)
