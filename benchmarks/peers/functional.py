"""The toy workload in plain functions of arrays, for libraries that differentiate those.

`xp` is the library's NumPy. Parameters are lists of arrays, [weight, bias, weight, ...]; weights
are (out, in), as in the other frameworks. Letters: N batch, O outputs, I inputs.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks import arrays
from benchmarks.workloads.sizes import Size

Array = Any
BATCHES = 4
POINT = LATENT = 2
LR, BETA2, EPS = 1e-4, 0.9, 1e-8  # Adam's; its first beta is 0


def parameters(name: str, inputs: int, width: int, outputs: int) -> list[np.ndarray]:
    """Return the parameters of a perceptron with three hidden layers, and ReLUs in between."""
    sizes = (inputs, width, width, width, outputs)
    return [
        arrays.parameter(f"{name}.{2 * i}.{kind}", shape)
        for i, (before, after) in enumerate(itertools.pairwise(sizes))
        for kind, shape in (("weight", (after, before)), ("bias", (after,)))
    ]


def perceptron(xp: Any, params: list[Array], x: Array) -> Array:
    """(N, I) -> (N, O)."""
    for i in range(0, len(params), 2):
        x = x @ params[i].T + params[i + 1]
        x = xp.maximum(x, 0.0) if i + 2 < len(params) else x
    return x


def critic_loss(xp: Any, grad: Any, d: list[Array], real: Array, fake: Array, w: Array) -> Array:
    """Return the critic's loss with its penalty; `grad` differentiates by the last argument."""
    points = fake + (real - fake) * w
    slopes = grad(lambda d, x: xp.sum(perceptron(xp, d, x)), 1)(d, points)  # (N, 2)
    lengths = xp.sqrt(xp.sum(slopes * slopes, axis=1))  # (N,)
    distance = xp.mean(perceptron(xp, d, fake)) - xp.mean(perceptron(xp, d, real))
    return distance + 10.0 * xp.mean((lengths - 1.0) ** 2)


def generator_loss(xp: Any, g: list[Array], d: list[Array], z: Array) -> Array:
    """Return minus the mean score of generated points."""
    return -xp.mean(perceptron(xp, d, perceptron(xp, g, z)))


def adam(
    xp: Any, params: list[Array], grads: list[Array], second: list[Array], t: Array
) -> tuple[list[Array], list[Array]]:
    """Return the parameters after a step, and the running squares of the gradients."""
    second = [BETA2 * v + (1 - BETA2) * g * g for v, g in zip(second, grads, strict=True)]
    root = (1 - BETA2**t) ** 0.5
    moved = [
        p - LR * g / (xp.sqrt(v) / root + EPS)
        for p, g, v in zip(params, grads, second, strict=True)
    ]
    return moved, second


def batches(size: Size) -> tuple[Iterator, Iterator, Iterator]:
    """Return endless rounds of real points, latents and interpolation weights."""
    n = size.batch
    kinds = (
        ("real", POINT, arrays.normal),
        ("z", LATENT, arrays.normal),
        ("weights", 1, arrays.uniform),
    )
    return tuple(
        itertools.cycle([draw(f"{name}.{i}", (n, width)) for i in range(BATCHES)])
        for name, width, draw in kinds
    )
