"""The figures of a translation between two domains, beside maps that have learned nothing.

    error         how far the translation is from the right answer, where that is known
    cycle error   whether the way back finds the image again
    labels kept   whether the target domain's classifier sees the class of the original

Errors are mean absolute ones in units of the pixels (2 is black against white); all are of held-out
images of domain A, but that of the way from B to A. The right answers are those of the true map or,
where images are paired, their partners. The columns: the learned map; the identity; the best affine
map of the colours, which was shown the right answers; and the true map itself.
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

Answers = tuple[np.ndarray | None, np.ndarray | None]  # to A's images and to B's; None: unknown


@dataclass(frozen=True)
class TranslationFigures:
    """The figures of a map and, if there is one, the way back; None where nobody knows."""

    error: float | None
    error_back: float | None
    cycle: float | None
    labels_kept: float | None


@dataclass(frozen=True)
class TranslationReport:
    """The figures of the learned maps and, where the right answers are known, of those beside them.

    `accuracy`: of the classifier, on held-out images of the target domain.
    """

    learned: TranslationFigures
    identity: TranslationFigures
    affine: TranslationFigures | None
    true: TranslationFigures | None
    accuracy: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return the report as what JSON can hold; what nobody knows is left out."""
        return asdict(self, dict_factory=_known)

    @property
    def two_ways(self) -> bool:
        """Whether there is a way back."""
        return self.learned.cycle is not None

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


def measure_translation(ab: Module, ba: Module | None, domains: Domains) -> TranslationReport:
    """Measure generators from A to B and back on the held-out images of both domains.

    `ba`: None where nothing goes back; its figures are unknown then.
    """
    two_ways, answers = ba is not None, _right_answers(domains, "test")
    classify, accuracy = None, None
    if domains.labels is not None:
        classify = train_classifier(domains.b_train, domains.labels.b_train)
        accuracy = float(np.mean(classify(domains.b_test) == domains.labels.b_test))

    def figures(there: Map, back: Map | None) -> TranslationFigures:
        return _figures(there, back if two_ways else None, domains, answers, classify)

    affine = _best_affine(domains)
    known = domains.true_map is not None and domains.true_inverse is not None
    return TranslationReport(
        learned=figures(as_map(ab), as_map(ba) if two_ways else None),
        identity=figures(_same, _same),
        affine=figures(*affine) if affine is not None else None,
        true=figures(domains.true_map, domains.true_inverse) if known else None,
        accuracy=accuracy,
    )


def _right_answers(domains: Domains, part: str) -> Answers:
    """Return the right translations of a part's images of A, and of those of B."""
    a, b = getattr(domains, f"a_{part}"), getattr(domains, f"b_{part}")
    if domains.paired:
        return b, a
    there, back = domains.true_map, domains.true_inverse
    return None if there is None else there(a), None if back is None else back(b)


def _figures(
    there: Map,
    back: Map | None,
    domains: Domains,
    answers: Answers,
    classify: Map | None,
) -> TranslationFigures:
    a, b = domains.a_test, domains.b_test
    error = error_back = cycle = kept = None
    if answers[0] is not None:
        error = mean_absolute_error(there(a), answers[0])
    if answers[1] is not None and back is not None:
        error_back = mean_absolute_error(back(b), answers[1])
    if back is not None:
        cycle = cycle_error(there, back, a)
    if classify is not None:
        kept = label_preservation(classify, there(a), domains.labels.a_test)
    return TranslationFigures(error, error_back, cycle, kept)


def _best_affine(domains: Domains) -> tuple[Map, Map] | None:
    """Return the affine maps of colours, there and back, that fit the training's right answers."""
    of_a, of_b = _right_answers(domains, "train")
    if of_a is None or of_b is None:
        return None
    return fit_affine_colours(domains.a_train, of_a), fit_affine_colours(domains.b_train, of_b)


def _same(images: np.ndarray) -> np.ndarray:
    return images


def _known(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in pairs if value is not None}
