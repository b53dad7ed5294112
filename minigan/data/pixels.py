"""Pixels as files hold them, and as networks want them: bytes against float32 in [-1, 1].

Letters: N images, C channels, H, W.
"""

from __future__ import annotations

import numpy as np

_MIDDLE = 127.5  # bytes 0 to 255 become -1 to 1, both ends exactly
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as Pillow's "L" weighs them


def from_bytes(pixels: np.ndarray) -> np.ndarray:
    """Return x / 127.5 - 1 for bytes of any shape: float32 in [-1, 1].

    >>> from_bytes(np.array([0, 51, 255], np.uint8)).tolist()
    [-1.0, -0.6000000238418579, 1.0]
    """
    scaled = pixels.astype(np.float32)
    scaled /= _MIDDLE  # in place: large sets are not held three times over
    scaled -= 1.0
    return scaled


def with_channels(images: np.ndarray, channels: int) -> np.ndarray:
    """Return images (N, C, H, W) with 1 or 3 channels: grey is repeated, colour weighed to grey.

    Grey is 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601).

    >>> with_channels(np.zeros((2, 1, 4, 4), np.float32), 3).shape
    (2, 3, 4, 4)
    """
    present = images.shape[1]
    if channels not in (1, 3):
        raise ValueError(f"channels is {channels}: use 1 (grey) or 3 (colour)")
    if present == channels:
        return images
    if present == 1:
        return np.repeat(images, 3, axis=1)  # (N, 1, H, W) -> (N, 3, H, W)
    if present == 3:
        grey = np.tensordot(images, _LUMA, axes=(1, 0))[:, None]  # (N, 3, H, W) -> (N, 1, H, W)
        return np.clip(grey, -1.0, 1.0, out=grey)  # a mean, but for round-off
    raise ValueError(f"images have {present} channels: 1 and 3 can be turned into each other")
