"""See `benchmarks/workloads/toy.py`."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from benchmarks.peers import functional
from benchmarks.workloads.sizes import Size


class Workload:
    """Both players' steps, compiled as one function each."""

    def __init__(self, size: Size, *, variant: str = "") -> None:
        self.g = functional.parameters("g", functional.LATENT, size.width, functional.POINT)
        self.d = functional.parameters("d", functional.POINT, size.width, 1)
        self.second_g, self.second_d = ([0.0 * p for p in net] for net in (self.g, self.d))
        self.real, self.z, self.weights = functional.batches(size)
        self.t = 0

    def step(self) -> list[float]:
        self.t += 1
        t = jnp.float32(self.t)
        batch = next(self.real), next(self.z), next(self.weights)
        self.d, self.second_d, loss_d = critic_step(self.g, self.d, self.second_d, *batch, t)
        z = next(self.z)
        self.g, self.second_g, loss_g = generator_step(self.g, self.d, self.second_g, z, t)
        return [float(loss_d), float(loss_g)]


@jax.jit
def critic_step(g, d, second, real, z, weights, t):
    """Return the critic's parameters and running squares after a step, and the loss."""
    fake = functional.perceptron(jnp, g, z)
    loss, grads = jax.value_and_grad(
        lambda d: functional.critic_loss(jnp, jax.grad, d, real, fake, weights)
    )(d)
    return *functional.adam(jnp, d, grads, second, t), loss


@jax.jit
def generator_step(g, d, second, z, t):
    """Return the generator's parameters and running squares after a step, and the loss."""
    loss, grads = jax.value_and_grad(lambda g: functional.generator_loss(jnp, g, d, z))(g)
    return *functional.adam(jnp, g, grads, second, t), loss
