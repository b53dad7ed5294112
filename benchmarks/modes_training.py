"""The catalogue of `modes.py`: which methods there are, and how one of them is trained.

All methods share the networks, the batches, the number of discriminator steps, the schedule and
the average of the generator that is measured. They differ in the loss, in what keeps the
discriminator in check, and in the optimiser's pace.

Letters: N batch.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

import minigan as mg
from minigan import losses, modes, nn, optim, penalties
from minigan.data import toy
from minigan.data.batches import stream
from minigan.train.threads import blas_threads

TARGETS = ("ring", "grid")
LATENT = 2  # dimensions, normal: as in the papers


@dataclass(frozen=True)
class Method:
    """One way to train a GAN; `strength` is lambda or gamma, `every` how rarely it is applied."""

    loss: str
    penalty: str | None = None
    strength: float = 0.0
    every: int = 1  # lazy regularisation: every k-th discriminator step, k times as strong
    critic_steps: int = 1  # discriminator steps for one of the generator
    optimizer: str = "adam"
    lr: float = 3e-3
    betas: tuple[float, float] = (0.5, 0.99)  # Adam's
    clip: float | None = None
    spectral: bool = False


_GP = {"strength": 0.1, "critic_steps": 2, "lr": 1e-3, "betas": (0.5, 0.9)}

METHODS = {
    "minimax": Method("minimax"),
    "non-saturating": Method("non-saturating"),
    "wgan-clip": Method("wasserstein", clip=0.1, critic_steps=5, optimizer="rmsprop", lr=5e-4),
    "wgan-gp": Method("wasserstein", "two-sided", **_GP),
    "one-sided-gp": Method("wasserstein", "one-sided", **_GP),
    "sn-hinge": Method("hinge", spectral=True, critic_steps=5, lr=1e-3, betas=(0.0, 0.9)),
    "r1": Method("non-saturating", "r1", 0.02, every=4),
    "relativistic-r1-r2": Method("relativistic", "r1+r2", 0.02, every=4),
}

Penalty = Callable[..., mg.Tensor]

# name -> penalty(critic, real, fake, strength)
PENALTIES: dict[str, Penalty] = {
    "two-sided": lambda d, real, fake, weight: weight * penalties.gradient_penalty(d, real, fake),
    "one-sided": lambda d, real, fake, weight: (
        weight * penalties.gradient_penalty(d, real, fake, sides="one")
    ),
    "r1": lambda d, real, fake, gamma: penalties.r1(d, real, gamma=gamma),
    "r1+r2": lambda d, real, fake, gamma: (
        penalties.r1(d, real, gamma=gamma) + penalties.r2(d, fake, gamma=gamma)
    ),
}


@dataclass(frozen=True)
class Settings:
    """What all methods share; `steps` of the discriminator, one number for each target."""

    ring_steps: int = 3000
    grid_steps: int = 8000
    width: int = 96
    hidden_layers: int = 3
    slope: float = 0.2  # of the discriminator's leaky ReLU; the generator's is 0
    batch: int = 256
    decay_from: float = 0.25  # of the steps; from there the learning rates fall linearly to 0
    average: float = 0.995  # decay of the generator's running average, the network that is measured

    def steps(self, target: str) -> int:
        return {"ring": self.ring_steps, "grid": self.grid_steps}[target]


@dataclass(frozen=True)
class Job:
    """One training run."""

    method: str
    target: str
    seed: int
    settings: Settings

    def describe(self) -> dict[str, Any]:
        """Return everything the outcome depends on, ready for JSON."""
        shared = asdict(self.settings)
        for target in TARGETS:  # the other target's steps change nothing
            del shared[f"{target}_steps"]
        options = asdict(METHODS[self.method]) | {"betas": list(METHODS[self.method].betas)}
        return {
            "method": self.method,
            "target": self.target,
            "seed": self.seed,
            "steps": self.settings.steps(self.target),
            "settings": shared,
            "options": options,
        }


def run(job: Job) -> dict[str, Any]:
    """Train once and measure by the papers' protocol; return a record for JSON."""
    with blas_threads(1):  # the processes are as many as the cores
        start, busy = time.perf_counter(), time.process_time()
        game = Game(job)
        game.play()
        seconds = {
            "seconds": round(time.perf_counter() - start, 1),
            "processor_seconds": round(time.process_time() - busy, 1),
        }
        samples = game.sample(modes.SAMPLES)
    report = modes.mode_report(samples, game.data)
    figures = {
        "modes": report.captured,
        "high_quality": round(report.high_quality, 4),
        # Without one sample of high quality there are no shares: infinity, which JSON lacks.
        "reverse_kl": round(report.reverse_kl, 4) if report.captured else None,
    }
    return {**job.describe(), **figures, **seconds, "samples": np.round(samples, 3).tolist()}


class Player:
    """A network, its optimiser and the pace of its `steps` steps."""

    def __init__(self, network: nn.Module, method: Method, steps: int, settings: Settings) -> None:
        self.network = network
        if method.optimizer == "rmsprop":
            self.optimizer: optim.Optimizer = optim.RMSprop(network.parameters(), method.lr)
        else:
            self.optimizer = optim.Adam(network.parameters(), method.lr, betas=method.betas)
        start = int(settings.decay_from * steps)
        self.schedule = optim.LinearDecay(self.optimizer, total=max(1, steps), start=start)

    def descend(self, loss: mg.Tensor) -> None:
        """Take one step down the gradient."""
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.schedule.step()


class Game:
    """A generator and a discriminator of one method on one target, and the steps they take."""

    def __init__(self, job: Job) -> None:
        self.method, self.settings, self.seed = METHODS[job.method], job.settings, job.seed
        self.data, self.steps = toy.get(job.target), job.settings.steps(job.target)
        # The networks see the target at unit variance (the grid divided by 2.83, as in WGAN-GP's
        # toys; the ring by 0.71); what is measured is scaled back.
        self.scale = np.float32(self.data.centres.std())
        self.random = stream(job.seed, f"modes {job.target}")
        mg.manual_seed(job.seed)  # weights and the penalties' points between samples
        self._build()

    def _build(self) -> None:
        method, s = self.method, self.settings
        generator = mlp(LATENT, 2, s, nn.ReLU)
        critic = mlp(2, 1, s, lambda: nn.LeakyReLU(s.slope), spectral=method.spectral)
        self.generator = Player(generator, method, self.steps // method.critic_steps, s)
        self.critic = Player(critic, method, self.steps, s)
        self.average = optim.EMA(generator, s.average)
        self.loss, self.lazy = losses.get(method.loss), penalties.Lazy(method.every)

    def play(self) -> None:
        """Take all steps of the discriminator, and the generator's among them."""
        for step in range(self.steps):
            self.critic.descend(self._critic_loss(step))
            if self.method.clip is not None:
                penalties.clip_weights_(self.critic.network.parameters(), self.method.clip)
            if (step + 1) % self.method.critic_steps == 0:
                self.generator.descend(self._generator_loss())
                self.average.update()

    def sample(self, n: int) -> np.ndarray:
        """Draw n points of the averaged generator, in the target's own units: (n, 2)."""
        latents = stream(self.seed, "modes evaluation").normal((n, LATENT))
        with mg.no_grad():
            return self.average.module(mg.tensor(latents)).numpy() * self.scale

    def _critic_loss(self, step: int) -> mg.Tensor:
        critic, real = self.critic.network, self._real()
        with mg.no_grad():
            fake = self._fake()
        total = self.loss.discriminator(critic(real), critic(fake))
        if self.method.penalty is None:
            return total
        penalty, weight = PENALTIES[self.method.penalty], self.method.strength
        due = self.lazy(step, lambda: penalty(critic, real, fake, weight))
        return total if due is None else total + due

    def _generator_loss(self) -> mg.Tensor:
        critic = self.critic.network.requires_grad_(False)
        on_real = critic(self._real()) if self.method.loss == "relativistic" else None
        total = self.loss.generator(critic(self._fake()), on_real)
        critic.requires_grad_(True)
        return total

    def _real(self) -> mg.Tensor:
        return mg.tensor(self.data.sample(self.settings.batch, generator=self.random) / self.scale)

    def _fake(self) -> mg.Tensor:
        return self.generator.network(mg.tensor(self.random.normal((self.settings.batch, LATENT))))


def mlp(
    inputs: int,
    outputs: int,
    settings: Settings,
    activation: Callable[[], nn.Module],
    *,
    spectral: bool = False,
) -> nn.Sequential:
    """Return a multi-layer perceptron with He's weights: (N, I) -> (N, O).

    The biases stay as `Linear` draws them. With biases of 0 a network is homogeneous: the first
    samples fill a wedge with its tip at the origin, and the generator has to unfold it.
    """
    widths = [inputs, *[settings.width] * settings.hidden_layers, outputs]
    layers: list[nn.Module] = []
    for before, after in zip(widths, widths[1:], strict=False):
        linear = nn.Linear(before, after)
        nn.init.kaiming_normal_(linear.weight)
        layers += [nn.spectral_norm(linear) if spectral else linear, activation()]
    return nn.Sequential(*layers[:-1])
