"""See `benchmarks/workloads/toy.py`."""

from __future__ import annotations

import autograd.numpy as anp
from autograd import grad, value_and_grad

from benchmarks.peers import functional
from benchmarks.workloads.sizes import Size


class Workload:
    """Both players' steps, traced anew each time."""

    def __init__(self, size: Size, *, variant: str = "") -> None:
        self.g = functional.parameters("g", functional.LATENT, size.width, functional.POINT)
        self.d = functional.parameters("d", functional.POINT, size.width, 1)
        self.second_g, self.second_d = ([0.0 * p for p in net] for net in (self.g, self.d))
        self.real, self.z, self.weights = functional.batches(size)
        self.t = 0

    def step(self) -> list[float]:
        self.t += 1
        real, weights = next(self.real), next(self.weights)
        fake = functional.perceptron(anp, self.g, next(self.z))
        loss_d, grads = value_and_grad(
            lambda d: functional.critic_loss(anp, grad, d, real, fake, weights)
        )(self.d)
        self.d, self.second_d = functional.adam(anp, self.d, grads, self.second_d, self.t)
        z = next(self.z)
        loss_g, grads = value_and_grad(lambda g: functional.generator_loss(anp, g, self.d, z))(
            self.g
        )
        self.g, self.second_g = functional.adam(anp, self.g, grads, self.second_g, self.t)
        return [float(loss_d), float(loss_g)]
