"""The figures of a translation between two domains, beside maps that have learned nothing.

    error         how far the translation is from the true map, where that is known
    cycle error   whether the way back finds the image again
    labels kept   whether the target domain's classifier sees the class of the original

Errors are mean absolute ones in units of the pixels (2 is black against white); all are of held-out
images of domain A, but that of the way from B to A. The columns: the learned map; the identity; the
best affine map of the colours, which was shown the true answers; and the true map itself.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from minigan.data import Domains
from minigan.nn import Module
from minigan.translation_measures import (
    Map,
    as_map,
    cycle_error,
    fit_affine_colours,
    label_preservation,
    mean_absolute_error,
    train_classifier,
)


@dataclass(frozen=True)
class TranslationFigures:
    """The figures of a pair of maps; None where nobody knows."""

    error: float | None
    error_back: float | None
    cycle: float
    labels_kept: float | None


@dataclass(frozen=True)
class TranslationReport:
    """The figures of the learned maps and, where the true map is known, of those beside them.

    `accuracy`: of the classifier, on held-out images of the target domain.
    """

    learned: TranslationFigures
    identity: TranslationFigures
    affine: TranslationFigures | None
    true: TranslationFigures | None
    accuracy: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return the report as what JSON can hold; what nobody knows is left out."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @property
    def columns(self) -> dict[str, TranslationFigures]:
        """The figures by the name of their maps."""
        named = {
            "learned": self.learned,
            "identity": self.identity,
            "best affine": self.affine,
            "true map": self.true,
        }
        return {name: figures for name, figures in named.items() if figures is not None}


def measure_translation(ab: Module, ba: Module, domains: Domains) -> TranslationReport:
    """Measure generators from A to B and back on the held-out images of both domains."""
    classify, accuracy = None, None
    if domains.labels is not None:
        classify = train_classifier(domains.b_train, domains.labels.b_train)
        accuracy = float(np.mean(classify(domains.b_test) == domains.labels.b_test))

    def figures(there: Map, back: Map) -> TranslationFigures:
        return _figures(there, back, domains, classify)

    known = domains.true_map is not None and domains.true_inverse is not None
    return TranslationReport(
        learned=figures(as_map(ab), as_map(ba)),
        identity=figures(_same, _same),
        affine=figures(*_best_affine(domains)) if known else None,
        true=figures(domains.true_map, domains.true_inverse) if known else None,
        accuracy=accuracy,
    )


def _figures(there: Map, back: Map, domains: Domains, classify: Map | None) -> TranslationFigures:
    a, b = domains.a_test, domains.b_test
    error = error_back = kept = None
    if domains.true_map is not None:
        error = mean_absolute_error(there(a), domains.true_map(a))
    if domains.true_inverse is not None:
        error_back = mean_absolute_error(back(b), domains.true_inverse(b))
    if classify is not None:
        kept = label_preservation(classify, there(a), domains.labels.a_test)
    return TranslationFigures(error, error_back, cycle_error(there, back, a), kept)


def _best_affine(domains: Domains) -> tuple[Map, Map]:
    """Return the affine maps of colours, there and back, that fit the training's true answers."""
    a, b = domains.a_train, domains.b_train
    there = fit_affine_colours(a, domains.true_map(a))
    return there, fit_affine_colours(b, domains.true_inverse(b))


def _same(images: np.ndarray) -> np.ndarray:
    return images
