"""A generator that is shown the right answers, and a judge that sees the question: pix2pix.

From pairs of an image a and its right translation b (Isola et al. 2017, arXiv:1611.07004):

    D   minimises   L_D(D(a, b), D(a, G(a))) / 2
    G   minimises   L_G(D(a, G(a)))              times `adversarial`
                  + E |G(a) - b|                 times `l1`

E |.| is a mean over pixels; D sees a beside each image that it judges, joined by channels, and
answers with a map of scores of patches. L is any loss by name, in the paper "non-saturating". The
distance alone is enough where a has one right answer, as in the digits; where it has many, it asks
for their median, which is blurred, and D for one of them.

G translates a batch once: D learns from what came out, then G from what the new D says of it.

Letters: N batch, C, H, W image.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigan import losses
from minigan.ops import concatenate
from minigan.tensor import Tensor
from minigan.train.config import Pix2PixConfig
from minigan.train.norms import Norms, norms_of
from minigan.train.recipes import (
    Shape,
    Translator,
    build_networks,
    build_optimizer,
    open_domains,
    shape_of,
)
from minigan.train.translating import (
    Pairs,
    TranslationTrainer,
    backward_judge,
    distance,
    frozen,
)
from minigan.train.translation import TranslationReport, measure_translation
from minigan.translation_measures import as_map


class Pix2PixTrainer(TranslationTrainer):
    """G from A to B, the D of pairs, and their optimisers.

    A step's losses: "ab_adversarial", "ab_distance" and "ab_judge", without their weights.
    """

    remedy = "try a lower --lr or a lower --adversarial"
    key_figure = ("learned", "error")

    def __init__(self, config: Pix2PixConfig) -> None:
        self.loss = losses.get(config.loss)
        self.domains = open_domains(config)
        self.shape = shape_of(self.domains.a_train)
        self.g, self.d = build_networks(config, self.shape)
        self.adam_g, self.adam_d = build_optimizer(config, self.g), build_optimizer(config, self.d)
        super().__init__(config, self.g, [self.adam_d, self.adam_g])

    def make_batches(self) -> Pairs:
        """Return the pairs: the same images on both sides, cut and mirrored alike."""
        return Pairs(self.side(self.domains.a_train), self.side(self.domains.b_train))

    def preview(self) -> np.ndarray:
        """Return three rows: of A, their translations, and the right answers: (N, C, H, W)."""
        a, b = self.held_out()
        return np.concatenate([a, as_map(self.sampler().ab)(a), b])

    @classmethod
    def build_sampler(cls, config: Pix2PixConfig, shape: Shape | None = None) -> Translator:
        return build_networks(config, shape)[0]

    @classmethod
    def measure(cls, sampler: Translator, config: Pix2PixConfig) -> TranslationReport:
        return measure_translation(sampler.ab, None, open_domains(config))

    def _losses(self, t: int) -> dict[str, float]:
        a, b = map(self._tensor, self.batches.at(t))  # (N, C, H, W) both
        fake = self.g.ab(a)  # (N, C, H, W)
        of_d = self._step_d(a, b, fake.detach())
        return {**self._step_g(a, b, fake), **of_d}

    def _step_d(self, a: Tensor, b: Tensor, fake: Tensor) -> dict[str, float]:
        """Move D, on right answers and on G's; `fake` carries no gradient back to G."""
        self.adam_d.zero_grad()
        found = {"ab_judge": backward_judge(self.d, self.loss, _joined(a, b), _joined(a, fake))}
        self._check(found)
        self.adam_d.step()
        return found

    def _step_g(self, a: Tensor, b: Tensor, fake: Tensor) -> dict[str, float]:
        """Move G, by what D says of its answers and by how far they are from the right ones."""
        config = self.config
        self.adam_g.zero_grad()
        with frozen(self.d):
            fooled = self.loss.generator(self.d(_joined(a, fake)))
            away = distance(fake, b)
            (config.adversarial * fooled + config.l1 * away).backward()
        found = {"ab_adversarial": fooled.item(), "ab_distance": away.item()}
        self._check(found)
        self.adam_g.step()
        return found

    def norms(self) -> Norms:
        return norms_of({"g": self.g, "d": self.d})

    def _parts(self) -> dict[str, Any]:
        return {
            "g": self.g,
            "d": self.d,
            "adam_g": self.adam_g,
            "adam_d": self.adam_d,
            **super()._parts(),
        }


def _joined(a: Tensor, image: Tensor) -> Tensor:
    """Return what D judges, the question and an answer: (N, C, H, W) twice -> (N, 2 C, H, W)."""
    return concatenate([a, image], axis=1)
