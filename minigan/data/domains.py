"""Two domains of images, unpaired or paired one by one, with a known answer where there is one.

A learned translation cannot be judged by looking like its target domain alone: a network that
answers every input with one good fake would pass. So the default pair, `rerendered_digits`, is made
of real digits and of *other* real digits under a fixed map T. The training sees no pair; the
measures do, since T of every image is known. `paired_digits` are the same two domains for those who
learn from pairs: digits, and T of the very same digits.

    T = turn the colours, then slant        colour:  c -> M c + m at every pixel
                                            slant:   row i moves round(s (centre - i)) to the right

Neither part alone is T. The identity misses both; the best affine map of the colours, which needs
no learning, gets M and m but not the slant, since it looks at one pixel at a time.

Letters: N images, C channels, H, W rows and columns, S side of a square image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from minigan import ops
from minigan.data.batches import stream
from minigan.data.digits import Dataset, load_digits
from minigan.data.photographs import load_photographs, random_crops, tiles
from minigan.errors import ShapeError

Map = Callable[[np.ndarray], np.ndarray]

SIDE = 16  # of the digits in both pairs

_INK = np.array([-0.80, -0.60, -0.20], np.float32)  # dark blue, from white
_PAPER = np.array([0.90, 0.70, 0.40], np.float32)  # cream, from black
_CROSSTALK = np.array([[0.15, -0.10, -0.05], [-0.10, 0.15, -0.05], [0.0, -0.05, 0.05]], np.float32)


class Labels(NamedTuple):
    """The class of each image, int64 (N,), in the parts of `Domains`."""

    a_train: np.ndarray
    b_train: np.ndarray
    a_test: np.ndarray
    b_test: np.ndarray


@dataclass(frozen=True, eq=False)
class Domains:
    """Two domains of images (N, C, H, W), float32 in [-1, 1].

    `paired`: `b_train[i]` is the right answer to `a_train[i]`, and `b_test[i]` that to `a_test[i]`;
    without it no picture is in two of the four parts. `labels` is None where there are no classes,
    and `true_map` (A to B) and `true_inverse` (B to A) where nobody knows them.
    """

    name: str
    a_train: np.ndarray
    b_train: np.ndarray
    a_test: np.ndarray
    b_test: np.ndarray
    labels: Labels | None = None
    true_map: Map | None = None
    true_inverse: Map | None = None
    paired: bool = False

    def __post_init__(self) -> None:
        sides = (len(self.a_train), len(self.b_train)), (len(self.a_test), len(self.b_test))
        if self.paired and any(a != b for a, b in sides):
            raise ShapeError(f"{self.name}: {sides} images of A and B in the parts are no pairs")


@dataclass(frozen=True, eq=False)
class Rerendering:
    """Turn the colours of images (N, C, H, W), then slant them; `inverse` undoes it.

    y[n, :, i, j + shift_i] = matrix x[n, :, i, j] + offset, columns counted around the border, with
    shift_i = round(slope ((H - 1) / 2 - i)): the rows above the middle move right, those below it
    left. Linear in the pixels up to `offset`, and one-to-one: whole rows move by whole pixels.
    `matrix`: (C, C), invertible; `offset`: (C,).

    >>> slant = Rerendering(np.eye(1), np.zeros(1), slope=0.5)
    >>> upright = np.zeros((1, 1, 4, 4)); upright[..., 1] = 1
    >>> slant(upright)[0, 0].astype(int)
    array([[0, 0, 1, 0],
           [0, 1, 0, 0],
           [0, 1, 0, 0],
           [1, 0, 0, 0]])
    """

    matrix: np.ndarray
    offset: np.ndarray
    slope: float

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Map A to B: (N, C, H, W) -> (N, C, H, W), in the images' dtype."""
        turned = np.einsum("oc,nchw->nohw", self.matrix, images) + self.offset[:, None, None]
        return _move_rows(turned, self.shifts(images.shape[2])).astype(images.dtype)

    def inverse(self, images: np.ndarray) -> np.ndarray:
        """Map B to A: x = matrix^-1 (y - offset), after the rows have moved back."""
        upright = _move_rows(images, -self.shifts(images.shape[2])) - self.offset[:, None, None]
        back = np.linalg.inv(self.matrix.astype(np.float64))
        return np.einsum("oc,nchw->nohw", back, upright).astype(images.dtype)

    def shifts(self, height: int) -> np.ndarray:
        """Return by how many pixels each row moves to the right: (H,)."""
        centre = (height - 1) / 2
        return np.rint(self.slope * (centre - np.arange(height))).astype(np.int64)


# -- the pairs of domains --------------------------------------------------------------------------


def rerendered_digits() -> Domains:
    """Return scikit-learn's digits in white on black, and others of them re-rendered.

    A: one half, enlarged to 16 x 16, (N, 3, 16, 16) with three equal channels. B: the other half
    in dark blue on cream, slanted by one pixel in two rows. Each class is halved by itself.
    Training has 723 and 719 images, the test 179 and 176.

    >>> domains = rerendered_digits()
    >>> domains.a_train.shape, domains.b_train.shape, len(domains.a_test), len(domains.b_test)
    ((723, 3, 16, 16), (719, 3, 16, 16), 179, 176)
    """
    true_map = _true_map()
    parts = [half for part in ("train", "test") for half in _halves(_enlarged_digits(part, 3))]
    a_train, b_train, a_test, b_test = parts
    return Domains(
        "rerendered-digits",
        a_train.images,
        true_map(b_train.images),
        a_test.images,
        true_map(b_test.images),
        labels=Labels(*(part.labels for part in parts)),
        true_map=true_map,
        true_inverse=true_map.inverse,
    )


def paired_digits() -> Domains:
    """Return all digits in white on black (A), and the same ones re-rendered (B): b = T(a).

    Drawn as in `rerendered_digits`, (N, 3, 16, 16): 1,442 pairs for training, 355 held out.

    >>> domains = paired_digits()
    >>> bool((domains.b_test == domains.true_map(domains.a_test)).all())
    True
    """
    true_map = _true_map()
    train, test = (_enlarged_digits(part, 3) for part in ("train", "test"))
    return Domains(
        "rerendered-digits",
        train.images,
        true_map(train.images),
        test.images,
        true_map(test.images),
        labels=Labels(train.labels, train.labels, test.labels, test.labels),
        true_map=true_map,
        true_inverse=true_map.inverse,
        paired=True,
    )


def two_collections(mnist_images: np.ndarray, mnist_labels: np.ndarray | None = None) -> Domains:
    """Return MNIST reduced to 16 x 16 (A) and scikit-learn's digits enlarged to 16 x 16 (B).

    `mnist_images`: (N, 1, 28, 28), or other squares of 16 pixels or more, float32 in [-1, 1]; every
    fifth is held out as test. The strokes differ in width, and MNIST's leave a margin. Nobody knows
    the true map: judge by whether the class is kept, for which `mnist_labels` (N,) are needed.
    """
    small = area_mean(np.asarray(mnist_images), SIDE)  # (N, 1, S, S)
    train, test = _enlarged_digits("train", 1), _enlarged_digits("test", 1)
    held = np.arange(len(small)) % 5 == 4
    labels = None
    if mnist_labels is not None:
        classes = np.asarray(mnist_labels).astype(np.int64)
        if classes.shape != small.shape[:1]:
            raise ShapeError(f"{len(small)} images need as many labels, got {classes.shape}")
        labels = Labels(classes[~held], train.labels, classes[held], test.labels)
    return Domains(
        "two-collections", small[~held], train.images, small[held], test.images, labels=labels
    )


def photograph_domains(*, crops: int = 400, size: int = 64, seed: int = 0) -> Domains:
    """Return crops of scikit-learn's two photographs, the temple (A) and the dahlia (B).

    Training: `crops` squares of `size` pixels at random places in the upper two thirds of each,
    which overlap. Test: the lower third cut into tiles (twenty of 64 pixels), whose pixels the
    training never sees. There is no class and no right answer here: look at the pictures.
    """
    train, test = [], []
    for i, picture in enumerate(load_photographs()):
        border = picture.shape[1] * 2 // 3
        generator = stream(seed, "crops", i)
        train.append(random_crops(picture[:, :border], crops, size=size, generator=generator))
        test.append(tiles(picture[:, border:], size=size))
    return Domains("photographs", *train, *test)


# -- sizes ----------------------------------------------------------------------------------------


def area_mean(images: np.ndarray, side: int) -> np.ndarray:
    """Reduce square images (N, C, H, H) to (N, C, side, side): each pixel the mean of its area.

    y = A x A^T with row i of A the share that each old row has in new row i, so that the mean of an
    image is kept. 1 <= side <= H, which need not divide; a pixel on a boundary counts in part.

    >>> area_mean(np.arange(9.0).reshape(1, 1, 3, 3), 1)
    array([[[[4.]]]])
    """
    if images.ndim != 4 or images.shape[2] != images.shape[3] or images.shape[2] < side:
        raise ShapeError(
            f"images must be (N, C, H, H) with H >= {side} to be reduced to that, "
            f"got {images.shape}"
        )
    if images.dtype.kind != "f":
        raise TypeError(f"images have dtype {images.dtype}: scale them to floats in [-1, 1] first")
    shares = _shares(images.shape[2], side).astype(images.dtype)
    return shares @ images @ shares.T  # (S, H) @ (N, C, H, H) @ (H, S) -> (N, C, S, S)


def _shares(before: int, after: int) -> np.ndarray:
    """Return (after, before): how much of each new pixel lies on each old one; rows sum to 1."""
    edges = np.arange(after + 1) * (before / after)  # of the new pixels, in old ones
    old = np.arange(before)
    low = np.maximum(edges[:-1, None], old)  # (after, before)
    high = np.minimum(edges[1:, None], old + 1)
    return np.clip(high - low, 0.0, None) * (after / before)


def _enlarged_digits(part: str, channels: int) -> Dataset:
    """Load digits at twice their size, in as many equal channels: (N, C, 16, 16)."""
    images, labels = load_digits(part)
    large = ops.upsample(images, scale_factor=2, mode="bilinear").numpy()  # (N, 1, 16, 16)
    return Dataset(large.repeat(channels, axis=1), labels)  # -> (N, C, 16, 16)


# -- parts ----------------------------------------------------------------------------------------


def _true_map() -> Rerendering:
    """Return T: to ink on paper, slanted by one pixel in two rows."""
    return Rerendering(_colour_matrix(), (_INK + _PAPER) / 2, slope=0.5)


def _colour_matrix() -> np.ndarray:
    """Return the M that takes the step from black to white to the one from paper to ink.

    On greys only its row sums count. The crosstalk, whose rows sum to 0, makes it a matrix that
    mixes the channels; it stays well conditioned, and takes [-1, 1]^3 into itself.
    """
    return np.diag((_INK - _PAPER) / 2) + _CROSSTALK


def _move_rows(images: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Roll row i of images (N, C, H, W) by shifts_i pixels to the right."""
    height, width = images.shape[2:]
    columns = (np.arange(width) - shifts[:, None]) % width  # (H, W): where each pixel comes from
    return images[:, :, np.arange(height)[:, None], columns]


def _halves(data: Dataset) -> tuple[Dataset, Dataset]:
    """Deal the images of each class in turn to two halves."""
    second = np.zeros(len(data.labels), bool)
    for label in np.unique(data.labels):
        second[np.flatnonzero(data.labels == label)[1::2]] = True
    return tuple(Dataset(data.images[half], data.labels[half]) for half in (~second, second))
