"""Two generators that undo each other: one step of CycleGAN.

From unpaired images a of domain A and b of domain B (Zhu et al. 2017, arXiv:1703.10593):

    G_ab, G_ba   minimise   L_G(D_b(G_ab(a))) + L_G(D_a(G_ba(b)))            times `adversarial`
                          + E |G_ba(G_ab(a)) - a| + E |G_ab(G_ba(b)) - b|    times `cycle`
                          + E |G_ab(b) - b|       + E |G_ba(a) - a|          times `identity`
    D_b          minimises  L_D(D_b(b), D_b(pool of G_ab(a))) / 2, and D_a likewise

E |.| is a mean over pixels; D's are maps of scores of patches. L is any loss by name, in the paper
"least-squares", whose generator's part is written there without the half that ours has: hence
`adversarial` is 2 by default.

The terms of the generators are carried backward one after the other, so that no more than one
graph of two generators is alive at a time: their gradients add up, and Adam moves once.

Letters: N batch, C, H, W image; h, w a discriminator's map.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigan import losses, nn
from minigan.data import stream
from minigan.models import ImagePool
from minigan.optim import Adam
from minigan.tensor import Tensor
from minigan.train.config import CycleGANConfig
from minigan.train.norms import Norms, norms_of
from minigan.train.pictures import grid_png
from minigan.train.recipes import (
    Shape,
    Translators,
    build_networks,
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

TRIPLES = 6  # images of each domain that are shown going there and back


class CycleGANTrainer(TranslationTrainer):
    """Both generators (averaged as one), both discriminators, a pool for each.

    A step's losses: "ab_adversarial", "ab_cycle", "ab_identity" and "ab_judge" of the way from A to
    B, and the same for "ba", all without their weights.
    """

    remedy = "try a lower --lr or a lower --adversarial"
    key_figure = ("learned", "cycle")

    def __init__(self, config: CycleGANConfig) -> None:
        self.domains = open_domains(config)
        self.shape = shape_of(self.domains.a_train)
        networks = build_networks(config, self.shape)
        self.generators, self.d_a, self.d_b = networks
        g, loss = self.generators, losses.get(config.loss)
        self.ab = Direction(g.ab, g.ba, self.d_b, loss)
        self.ba = Direction(g.ba, g.ab, self.d_a, loss)
        self.pools = {"ab": ImagePool(config.pool), "ba": ImagePool(config.pool)}
        betas = config.beta1, config.beta2
        self.adam_g = Adam(g.parameters(), lr=config.lr, betas=betas)
        judges = [*self.d_a.parameters(), *self.d_b.parameters()]
        self.adam_d = Adam(judges, lr=config.lr, betas=betas)
        super().__init__(config, g, [self.adam_g, self.adam_d])

    def make_batches(self) -> Pairs:
        return Pairs(
            self.side(self.domains.a_train, of=" of A"), self.side(self.domains.b_train, of=" of B")
        )

    def preview(self) -> np.ndarray:
        """Return four rows: of A over their translations, of B over theirs: (N, C, H, W)."""
        (a, b), sampler = self.held_out(), self.sampler()
        return np.concatenate([a, as_map(sampler.ab)(a), b, as_map(sampler.ba)(b)])

    def pictures(self) -> dict[str, bytes]:
        triples = grid_png(self.triples(), columns=len(self.held_out(TRIPLES)[0]))
        return {**super().pictures(), "triples": triples}

    def triples(self) -> np.ndarray:
        """Return six rows: of A, translated, and back again; the same of B: (N, C, H, W)."""
        (a, b), sampler, rows = self.held_out(TRIPLES), self.sampler(), []
        for there, back, real in ((sampler.ab, sampler.ba, a), (sampler.ba, sampler.ab, b)):
            fake = as_map(there)(real)
            rows += [real, fake, as_map(back)(fake)]
        return np.concatenate(rows)

    @classmethod
    def build_sampler(cls, config: CycleGANConfig, shape: Shape | None = None) -> Translators:
        return build_networks(config, shape)[0]

    @classmethod
    def measure(cls, sampler: Translators, config: CycleGANConfig) -> TranslationReport:
        return measure_translation(sampler.ab, sampler.ba, open_domains(config))

    def _losses(self, t: int) -> dict[str, float]:
        a, b = map(self._tensor, self.batches.at(t))  # (N, C, H, W) both
        of_generators, fakes = self._step_generators(a, b)
        return {**of_generators, **self._step_judges(t, {"ab": b, "ba": a}, fakes)}

    def _step_generators(
        self, a: Tensor, b: Tensor
    ) -> tuple[dict[str, float], dict[str, np.ndarray]]:
        """Move the generators; return their losses and what they made of the batch."""
        config, found, fakes = self.config, {}, {}
        self.adam_g.zero_grad()
        with frozen(self.d_a, self.d_b):
            for way, direction, real, target in (("ab", self.ab, a, b), ("ba", self.ba, b, a)):
                terms, fakes[way] = direction.backward_translation(
                    real, adversarial=config.adversarial, cycle=config.cycle
                )
                if config.identity:
                    terms |= direction.backward_identity(target, identity=config.identity)
                found |= {f"{way}_{name}": value for name, value in terms.items()}
        self._check(found)
        self.adam_g.step()
        return found, fakes

    def _step_judges(
        self, t: int, reals: dict[str, Tensor], fakes: dict[str, np.ndarray]
    ) -> dict[str, float]:
        """Move the discriminators, on real images and on some of the pools; return their losses."""
        found = {}
        self.adam_d.zero_grad()
        for way, direction in (("ab", self.ab), ("ba", self.ba)):
            chances = stream(self.config.seed, f"pool of {way}", t)
            pooled = self.pools[way].query(fakes[way], chances)
            judged = direction.judge, direction.loss, reals[way], self._tensor(pooled)
            found[f"{way}_judge"] = backward_judge(*judged)
        self._check(found)
        self.adam_d.step()
        return found

    def norms(self) -> Norms:
        networks = {"generators": self.generators, "d_a": self.d_a, "d_b": self.d_b}
        return norms_of(networks, discriminators=("d_a", "d_b"))

    def _parts(self) -> dict[str, Any]:
        return {
            "generators": self.generators,
            "d_a": self.d_a,
            "d_b": self.d_b,
            "adam_g": self.adam_g,
            "adam_d": self.adam_d,
            "pool_ab": self.pools["ab"],
            "pool_ba": self.pools["ba"],
            **super()._parts(),
        }


class Direction:
    """One way of the game: from a domain to the other, and the discriminator that waits there."""

    def __init__(
        self, there: nn.Module, back: nn.Module, judge: nn.Module, loss: losses.Loss
    ) -> None:
        self.there, self.back, self.judge, self.loss = there, back, judge, loss

    def backward_translation(
        self, real: Tensor, *, adversarial: float, cycle: float
    ) -> tuple[dict[str, float], np.ndarray]:
        """Add the gradients of both generators for images (N, C, H, W) that go there and back.

        Returns the terms by name, without their weights, and the translated images.
        """
        fake = self.there(real)  # (N, C, H, W)
        fooled = self.loss.generator(self.judge(fake))  # of a map (N, 1, h, w)
        returned = distance(self.back(fake), real)
        (adversarial * fooled + cycle * returned).backward()
        return {"adversarial": fooled.item(), "cycle": returned.item()}, fake.numpy()

    def backward_identity(self, target: Tensor, *, identity: float) -> dict[str, float]:
        """Add the gradient for images of the target domain, which shall stay as they are."""
        changed = distance(self.there(target), target)
        (identity * changed).backward()
        return {"identity": changed.item()}
