"""What networks are given, checked once at the door: sizes, latents, images, labels.

Each check names the value and says what would fit. Without them a wrong image would often pass:
a sum over all positions takes a map of any size.

Letters: N batch, Z latent size, C channels, S image size, K classes.
"""

from __future__ import annotations

from typing import Any

from minigan.errors import ShapeError
from minigan.nn.arguments import whole
from minigan.tensor import Tensor, as_tensor


def doublings(size: int, *, base: int = 4) -> int:
    """Return k >= 1 where size = base * 2^k, or raise ValueError with a size that will do.

    >>> doublings(32), doublings(32, base=8)
    (3, 2)
    """
    size = whole(size, "size", least=None)
    count = (max(size, 0) // base).bit_length() - 1
    if count >= 1 and base << count == size:
        return count
    enough = 2 * base
    while enough < size:
        enough *= 2
    raise ValueError(
        f"size is {size}: use {2 * base}, {4 * base}, {8 * base} or another power of two "
        f"(images of {size} pixels can be padded or resized to {enough})"
    )


def latents(z: Any, size: int, name: str = "z") -> Tensor:
    """Return latents (N, Z) as a tensor, or raise ShapeError."""
    z = as_tensor(z)
    if z.ndim != 2 or z.shape[1] != size:
        raise ShapeError(f"{name} has shape {z.shape}: give (N, {size}), one row an image")
    return z


def images(x: Any, channels: int, size: int) -> Tensor:
    """Return images (N, C, S, S) as a tensor, or raise ShapeError."""
    x = as_tensor(x)
    if x.shape[1:] != (channels, size, size):
        raise ShapeError(
            f"images have shape {x.shape}: give (N, {channels}, {size}, {size}), or build the "
            "network with their channels= and size="
        )
    return x


def labels(y: Any, batch: int, classes: int) -> Tensor:
    """Return labels (N,) from 0 to K - 1 as a tensor of integers, or raise.

    ShapeError unless there is one for each image, TypeError unless they are integers, ValueError
    for one out of range; labels on a GPU are not looked at, because that would wait for it.
    """
    y = as_tensor(y)
    if y.shape != (batch,):
        raise ShapeError(f"labels have shape {y.shape}: give ({batch},), one an image")
    if y.dtype.kind not in "iu":
        raise TypeError(f"labels are {y.dtype}: give integers from 0 to {classes - 1}")
    if y.device == "cpu" and batch:
        lowest, highest = int(y.data.min()), int(y.data.max())
        if lowest < 0 or highest >= classes:
            wrong = lowest if lowest < 0 else highest
            raise ValueError(f"a label is {wrong}: give integers from 0 to {classes - 1}")
    return y
