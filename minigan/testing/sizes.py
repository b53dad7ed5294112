"""Arrays of size 1 and of size 0: where shortcuts for scalars and divisions by a count go wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minigan.testing.compare import check_level
from minigan.testing.levels import (
    Problem,
    first_level,
    pull,
    random_cotangents,
)
from minigan.testing.report import GradcheckError, PropertyError
from minigan.testing.sides import Settings


def check_sizes(problem: Problem, *, seed: int = 0) -> None:
    """The derivative is right for arrays of size 1; arrays of size 0 raise nothing.

    Of an elementwise op one entry is taken, as arrays of shape (1,) and (), and then none. Of any
    other function every array input is cut along its first axis, to length 1 and 0.
    """
    for size, inputs in _cuts(problem, seed):
        small = Problem(
            problem.fn, inputs, params=problem.given_params, names=problem.given_names,
            dtype=problem.dtype, device=problem.backend.name,
        )  # fmt: skip
        small.name = f"{problem.name} at size {size}"
        try:
            _check(small, seed)
        except GradcheckError:
            raise
        except Exception as error:  # an op may fail at a size in any way
            raise PropertyError(f"{small.name}: {type(error).__name__}: {error}") from error


def _check(small: Problem, seed: int) -> None:
    level = first_level(small, seed)
    with level.bound(level.point) as tensors:
        outs = level.apply(tensors, 1)
        gradients = pull(outs, tensors, random_cotangents(outs, small, seed), create_graph=True)
    for name, x, g in zip(small.names, tensors, gradients, strict=True):
        if g.shape != x.shape:
            raise PropertyError(
                f"{small.name}: the gradient of {name!r} has shape {g.shape}, not {x.shape}"
            )
    if small.op and small.op.elementwise and {y.shape for y in outs} != {small.values[0].shape}:
        raise PropertyError(
            f"{small.name}: the result has shape {outs[0].shape}, not {small.values[0].shape}"
        )
    check_level(level, Settings(seed=seed, kinks=False))  # the whole has been searched for kinks


def _cuts(problem: Problem, seed: int) -> Iterator[tuple[int, list[Any]]]:
    """The inputs with their arrays cut, and the size that they are cut to."""
    if problem.op is None or not problem.op.elementwise:
        for size in (1, 0):
            yield size, _each(problem, lambda a, size=size: a[:size] if a.ndim else a)
        return
    shape = np.broadcast_shapes(*(a.shape for a in problem.given if isinstance(a, np.ndarray)))
    if 0 not in shape:
        k = _liveliest(problem, shape, seed)
        pick = lambda a: np.broadcast_to(a, shape).ravel()[k : k + 1]  # noqa: E731
        yield 1, _each(problem, pick)  # (1,)
        yield 1, _each(problem, lambda a: pick(a).reshape(()))
    yield 0, _each(problem, lambda a: np.zeros(0, a.dtype))


def _each(problem: Problem, cut: Any) -> list[Any]:
    return [np.array(cut(a)) if isinstance(a, np.ndarray) else a for a in problem.given]


def _liveliest(problem: Problem, shape: tuple[int, ...], seed: int) -> int:
    """The entry with the largest gradient: one at which it is zero would show nothing."""
    wide = _each(problem, lambda a: np.broadcast_to(a, shape))
    level = first_level(Problem(problem.fn, wide, dtype=problem.dtype), seed)
    gradient = level.pullback(np.ones((1, level.outputs.size)))  # (1, n)
    sizes = [np.abs(g).ravel() for g in level.inputs.split(gradient[0])]
    return int(np.argmax(np.sum(sizes, axis=0)))
