"""How far a translation between two domains of images is from the right one.

Where the true map is known, `map_errors` compares with it, and puts beside that what two maps reach
that know nothing of the pictures: the identity, and the affine map of the colours that fits best,
which is allowed to see the true answers. A translation that does not beat the second has learned
colours at most. Where no true map is known, two weaker questions remain: `cycle_error` asks whether
the way back finds the image again (necessary; the identity passes too), and `label_preservation`
whether a classifier of the target domain sees in an image's translation the class of the image.

A translation is a function of images (N, C, H, W), float32 in [-1, 1], to such images; network
modules are wrapped by `as_map`. Errors are mean absolute ones, in units of the pixels: 2 is the
distance of black and white.

Letters: N images, C channels, O channels of the result, H, W rows and columns, K classes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from minigan import nn
from minigan.data import Batches, drawing_from
from minigan.errors import ShapeError
from minigan.losses import cross_entropy
from minigan.models import Classifier
from minigan.optim import Adam
from minigan.recording import no_grad
from minigan.tensor import tensor

Map = Callable[[np.ndarray], np.ndarray]

_RATE, _BATCH = 1e-3, 64  # of the classifier's training
_CHUNK = 100  # images a forward pass: all memory stays in the cache

# -- the distance to the true map -----------------------------------------------------------------


class MapErrors(NamedTuple):
    """Mean absolute errors against the true map, on the same images."""

    learned: float
    identity: float
    affine: float

    @property
    def of_identity(self) -> float:
        """The learned map's error in parts of the identity's."""
        return self.learned / self.identity

    @property
    def of_affine(self) -> float:
        """The learned map's error in parts of the best affine colour map's; above 1 it is worse."""
        return self.learned / self.affine


class AffineColours(NamedTuple):
    """The map c -> matrix c + offset of every pixel's colour; `matrix` (O, C), `offset` (O,)."""

    matrix: np.ndarray
    offset: np.ndarray

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Map images: (N, C, H, W) -> (N, O, H, W), in their dtype."""
        mapped = np.einsum("oc,nchw->nohw", self.matrix, images) + self.offset[:, None, None]
        return mapped.astype(images.dtype)


def mean_absolute_error(images: np.ndarray, targets: np.ndarray) -> float:
    """Return the mean of |images - targets| over everything; both of one shape.

    >>> mean_absolute_error(np.array([1.0, -1.0]), np.array([0.0, 1.0]))
    1.5
    """
    if np.shape(images) != np.shape(targets):
        raise ShapeError(f"images {np.shape(images)} and targets {np.shape(targets)} differ")
    return float(np.mean(np.abs(np.subtract(images, targets)), dtype=np.float64))


def fit_affine_colours(images: np.ndarray, targets: np.ndarray) -> AffineColours:
    """Return the affine colour map closest to images -> targets in least squares, over all pixels.

    The normal equations of the centred colours x and y: matrix = C_yx C_xx^+, offset = mean(y) -
    matrix mean(x). The pseudo-inverse takes the smallest matrix where the colours do not fill the
    space, as those of a grey image do not. images (N, C, H, W), targets (N, O, H, W).
    """
    pixels = [np.delete(np.shape(a), 1).tolist() for a in (images, targets) if np.ndim(a) == 4]
    if len(pixels) < 2 or pixels[0] != pixels[1]:
        raise ShapeError(
            f"images {np.shape(images)} and targets {np.shape(targets)} must be (N, C, H, W) "
            "and (N, O, H, W)"
        )
    x, y = _colours(images), _colours(targets)  # (N H W, C), (N H W, O)
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    x, y = x - mean_x, y - mean_y
    matrix = y.T @ x @ np.linalg.pinv(x.T @ x, hermitian=True)  # (O, C) @ (C, C)
    return AffineColours(matrix, mean_y - matrix @ mean_x)


def map_errors(translate: Map, true_map: Map, *, train: np.ndarray, test: np.ndarray) -> MapErrors:
    """Measure a translation against the true map on `test`, beside the two that learn nothing.

    The affine colour map is fitted to `train` and its true answers. Both sets: (N, C, H, W).
    """
    affine = fit_affine_colours(train, true_map(train))
    answers = true_map(test)
    errors = (mean_absolute_error(f(test), answers) for f in (translate, lambda x: x, affine))
    return MapErrors(*errors)


def cycle_error(there: Map, back: Map, images: np.ndarray) -> float:
    """Return the mean of |back(there(x)) - x|: 0 where the way back undoes the way there."""
    return mean_absolute_error(back(there(images)), images)


# -- labels ---------------------------------------------------------------------------------------


def label_preservation(classify: Map, translated: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of translated images that are seen as the class of their original, 0 to 1.

    `classify`: the target domain's classifier, images (N, C, H, W) -> classes (N,); its accuracy on
    real images of the domain is the ceiling to print beside. `labels` (N,): the originals' classes.
    """
    seen = classify(translated)
    if seen.shape != np.shape(labels) or not seen.size:
        raise ShapeError(f"{seen.shape} classes were seen, the labels have {np.shape(labels)}")
    return float(np.mean(seen == labels))


def train_classifier(images: np.ndarray, labels: np.ndarray, *, steps: int = 500) -> Map:
    """Train a `Classifier` of a domain's images (N, C, S, S); return images -> classes (N,).

    Always the same for the same images: weights and batches are drawn from streams of their own,
    so that a measure in the middle of a training leaves no trace.
    """
    images = np.asarray(images)
    classes = int(np.max(labels)) + 1
    with drawing_from(0, "weights of the target's classifier"):
        network = Classifier(classes=classes, channels=images.shape[1], size=images.shape[-1])
    adam = Adam(network.parameters(), lr=_RATE)
    batches = Batches(images, batch_size=_BATCH, seed=0)
    for step in range(steps):
        chosen = batches.indices(step)
        adam.zero_grad()
        cross_entropy(network(tensor(images[chosen])), labels[chosen]).backward()
        adam.step()
    logits = as_map(network)
    return lambda images: logits(images).argmax(axis=1)  # (N, K) -> (N,)


def as_map(network: nn.Module) -> Map:
    """Return a network of images as a function of arrays, in evaluation mode, without recording.

    Arrays are on the host; the network may be on any device.
    """

    def apply(images: np.ndarray) -> np.ndarray:
        was_training = network.training
        device = next((p.device for p in network.parameters()), "cpu")
        network.eval()
        starts = range(0, len(images), _CHUNK)
        try:
            with no_grad():
                chunks = (tensor(images[i : i + _CHUNK], device=device) for i in starts)
                parts = [network(chunk).numpy() for chunk in chunks]
        finally:
            network.train(was_training)
        return np.concatenate(parts)

    return apply


# -- details --------------------------------------------------------------------------------------


def _colours(images: np.ndarray) -> np.ndarray:
    """List the colours of all pixels, in float64: (N, C, H, W) -> (N H W, C)."""
    return np.moveaxis(np.asarray(images, np.float64), 1, -1).reshape(-1, np.shape(images)[1])
