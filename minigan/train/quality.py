"""Quality as numbers: what a classifier, trained here and now, sees in the samples.

Every figure is printed between its floor (the training images in the generator's place: the best
that can be hoped for) and its ceiling (the generator before training). All three are measured
against the same held-out images, which neither the generator nor the classifier has seen. Most
figures depend on the number of images, so they are taken of equally many in all three.

Letters: N images, F features, K classes.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

import minigan as mg
from minigan import metrics
from minigan.data import Batches, DataError, Dataset, drawing_from, stream
from minigan.losses import cross_entropy
from minigan.models import Classifier
from minigan.nn import Module
from minigan.optim import Adam
from minigan.train.config import ImagesConfig
from minigan.train.recipes import Shape, build_generator, real_images, shape_of
from minigan.train.sample import images_of

COVERED = 0.3  # of an even share: from there on a class counts as covered, 3% of ten classes
NEAREST = 3  # neighbours that precision and recall look at

_JUDGE_STEPS, _JUDGE_BATCH, _JUDGE_RATE = 500, 64, 1e-3
_MOST = 2000  # real images of a part that are compared; distances cost its square
_CHUNK = 100  # images a forward pass: all memory stays in the cache
_SETTLING = 100  # forward passes; at batch norm's momentum of 0.1, 0.9^100 of the start is left


@dataclass(frozen=True)
class Figures:
    """What is measured of one set of images; see `minigan/metrics/` for the formulas.

    `frechet`, `kid`, `precision` and `recall` are taken in the judge's features; `sliced` of the
    pixels, and `diversity` of them too, within the set.
    """

    frechet: float
    reverse_kl: float
    covered: int
    shares: tuple[float, ...]
    kid: float
    kid_error: float
    precision: float
    recall: float
    sliced: float
    diversity: float

    @property
    def smallest_share(self) -> float:
        return min(self.shares)


@dataclass(frozen=True)
class Report:
    """The judge's accuracy and the figures of the floor, the generator and the untrained one."""

    accuracy: float
    samples: int
    compared: int  # images in each distance of the three columns
    floor: Figures
    generator: Figures
    untrained: Figures

    def as_dict(self) -> dict[str, Any]:
        """Return the report as what JSON can hold, rounded to six digits; None is infinite."""
        return _rounded(asdict(self))


class Judge:
    """A classifier trained on real images, and the held-out ones that it compares with."""

    def __init__(self, train: Dataset, test: Dataset, *, steps: int) -> None:
        self.classes = int(train.labels.max()) + 1
        self.network = _train_classifier(train, self.classes, steps)
        self.images, self.labels = test.images, test.labels
        self.features, predicted = self.look(test.images)
        self.accuracy = float(np.mean(predicted == test.labels))
        self.shares = metrics.class_shares(test.labels, classes=self.classes)
        self.unit = float(np.sqrt(np.square(self.features).mean())) or 1.0  # of a feature

    def look(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return features (N, F) and most probable classes (N,) of images (N, C, H, W)."""
        features, labels = [], []
        with mg.no_grad():
            for start in range(0, len(images), _CHUNK):
                chunk = mg.tensor(images[start : start + _CHUNK], device="cpu")  # (n, C, H, W)
                seen = self.network.features(chunk)  # (n, C, H, W) -> (n, F)
                features.append(seen.numpy())
                labels.append(self.network.head(seen).numpy().argmax(axis=1))  # (n, K) -> (n,)
        return np.concatenate(features), np.concatenate(labels)

    def measure(
        self,
        images: np.ndarray,
        *,
        labels: np.ndarray | None = None,
        compared: int | None = None,
    ) -> Figures:
        """Return the figures of images (N, C, H, W) against the held-out ones.

        `labels` (N,): of real images, which were chosen class by class; see `kernel_distance`.
        `compared`: how many of the images, the first ones, are in all figures but those of the
        classes; by default all. Needs more images than `NEAREST`.
        """
        features, seen = self.look(images)
        shares = metrics.class_shares(seen, classes=self.classes)
        images, features = images[:compared], features[:compared]
        kid = self._kernel_distance(features, None if labels is None else labels[:compared])
        near = metrics.neighbour_report(self.features, features, k=NEAREST)
        return Figures(
            frechet=metrics.frechet_distance(features, self.features),
            reverse_kl=metrics.reverse_kl(shares, self.shares),
            covered=metrics.class_coverage(shares, at_least=COVERED / self.classes),
            shares=tuple(shares.tolist()),
            kid=kid.value,
            kid_error=kid.standard_error,
            precision=near.precision,
            recall=near.recall,
            sliced=metrics.sliced_distance(images, self.images),
            diversity=metrics.diversity(images),
        )

    def _kernel_distance(
        self, features: np.ndarray, labels: np.ndarray | None
    ) -> metrics.KernelDistance:
        """Return the KID with features in units of their root mean square over the held-out images.

        The kernel is made for features of this size: of larger ones it would see the cubes alone.
        """
        a, b = features / self.unit, self.features / self.unit
        return metrics.kernel_distance(a, b, labels_a=labels, labels_b=self.labels)


def evaluate(generator: Any, config: ImagesConfig) -> Report:
    """Measure a generator of `config` with `config.eval_samples` samples, on the config's device.

    Always the same latents, drawn from a stream of their own. The judge is trained anew on the
    CPU, a few seconds, always the same way.
    """
    train = real_images(config, "train")
    judge = Judge(train, _some(held_out(config)), steps=_JUDGE_STEPS)
    floor = _some(train)
    z = stream(config.seed, "latents of the figures").normal((config.eval_samples, config.latent))
    compared = min(len(floor.images), config.eval_samples)

    def drawn_by(network: Any) -> Figures:
        images = images_of(network, z, chunk=_CHUNK, device=config.device)
        return judge.measure(images, compared=compared)

    return Report(
        accuracy=judge.accuracy,
        samples=config.eval_samples,
        compared=compared,
        floor=judge.measure(floor.images, labels=floor.labels, compared=compared),
        generator=drawn_by(generator),
        untrained=drawn_by(untrained(config, shape_of(train.images))),
    )


def check_measurable(config: ImagesConfig) -> None:
    """Raise `DataError` before a training begins at whose end there could be no figures."""
    if config.eval_samples:
        held_out(config)


def held_out(config: ImagesConfig) -> Dataset:
    """Return the held-out images, or raise `DataError` where they are too few for the figures."""
    data = real_images(config, "test")
    if len(data.images) <= NEAREST:
        raise DataError(
            f"{config.data}: {len(data.images)} images are held out, the figures need "
            f"{NEAREST + 1}: give more images (of each class every fifth is held out), or "
            "--eval-samples 0"
        )
    return data


def _some(data: Dataset) -> Dataset:
    """Return a dataset, or `_MOST` images of one that has more, drawn always the same way."""
    if len(data.images) <= _MOST:
        return data
    chosen = stream(0, "real images in the figures").permutation(len(data.images))[:_MOST]
    return Dataset(data.images[chosen], data.labels[chosen])


def untrained(config: ImagesConfig, shape: Shape | None = None) -> Module:
    """Return the generator before training, with running statistics that are those of its layers.

    Batch norms start from mean 0 and variance 1, which only training mode corrects: a generator
    that was never run would be judged by that more than by its weights. `shape`: see
    `build_networks`.
    """
    generator = build_generator(config, shape)
    with mg.no_grad():
        for i in range(_SETTLING):
            z = stream(config.seed, "latents that settle", i).normal((_CHUNK, config.latent))
            generator(mg.tensor(z, device=config.device))  # (N, Z) -> (N, C, H, W)
    return generator


def _train_classifier(data: Dataset, classes: int, steps: int) -> Classifier:
    with drawing_from(0, "weights of the judge"), mg.device("cpu"):
        channels, size = data.images.shape[1:3]
        network = Classifier(classes=classes, channels=channels, size=size)
    adam = Adam(network.parameters(), lr=_JUDGE_RATE)
    batches = Batches(data.images, batch_size=_JUDGE_BATCH, seed=0)
    for step in range(steps):
        chosen = batches.indices(step)
        images = mg.tensor(data.images[chosen], device="cpu")
        loss = cross_entropy(network(images), data.labels[chosen])
        adam.zero_grad()
        loss.backward()
        adam.step()
    return network.eval()


def _rounded(value: Any) -> Any:
    """Round every float in dictionaries, lists and tuples to six digits, infinity to None."""
    if isinstance(value, dict):
        return {key: _rounded(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(v) for v in value]
    if not isinstance(value, float):
        return value
    return float(f"{value:.6g}") if math.isfinite(value) else None
