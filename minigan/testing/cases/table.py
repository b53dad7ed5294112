"""One line of the table: a function, recipes for its inputs, options for it and for its check."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial, wraps
from typing import Any

from minigan.testing.draw import Recipe
from minigan.testing.levels import name_of

LINEAR = {"linear": True}
ZERO = {"zero_ok": True}
WELL_CONDITIONED = (  # every property but the broadcast layout, which makes a matrix singular
    "purity", "determinism", "aliasing", "cotangents", "dtypes", "alone", "symmetry",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """What `gradcheck(fn, inputs, **options)` is called with for one op, one way of using it.

    `inputs`: recipes (functions of a random generator) or plain values. `label` tells the cases of
    one op apart.
    """

    name: str
    label: str
    fn: Callable
    inputs: tuple[Recipe | Any, ...]
    options: dict[str, Any] = field(default_factory=dict)
    seed: int = 0


def case(fn: Callable, *inputs: Any, check: dict[str, Any] | None = None, **attrs: Any) -> Case:
    """A case of `fn(*inputs, **attrs)`, checked with the options `check`.

    >>> from minigan import ops
    >>> from minigan.testing.draw import normal
    >>> case(ops.sum, normal(2, 3), axis=1).label
    'sum(axis=1)'
    """
    name = name_of(fn).strip("_")
    label = f"{name}({', '.join(f'{key}={value!r}' for key, value in attrs.items())})"
    return Case(name, label, partial(fn, **attrs) if attrs else fn, inputs, check or {})


def linear(fn: Callable, *inputs: Any, **attrs: Any) -> Case:
    """A case of a function that is linear in each input: the adjoint dot test applies."""
    return case(fn, *inputs, check=LINEAR, **attrs)


def elementwise(
    fn: Callable, *makers: Callable[..., Recipe], check: dict | None = None, **attrs: Any
) -> Iterator[Case]:
    """Cases of an elementwise function: broadcast where it has several inputs, size 1, 0-d, empty.

    `makers`: for each input, a function from a shape to a recipe.
    """
    shapes: Sequence[tuple] = [((2, 3),), ((),), ((1,),), ((0, 3),)]
    if len(makers) > 1:
        shapes = [
            [(2, 1, 3), (4, 1), (3,)],
            [(3,), (), (1,)],
            [(1,), (1, 1), ()],
            [(0, 3), (1,), (3,)],
        ]
    for group in shapes:
        recipes = [make(*shape) for make, shape in zip(makers, group, strict=False)]
        yield case(fn, *recipes, check=check, **attrs)


def joining(fn: Callable) -> Callable:
    """Turn a function of a list of tensors into one of several tensors."""

    @wraps(fn, assigned=("__name__", "__doc__", "__module__"))
    def joined(*tensors: Any, **attrs: Any) -> Any:
        return fn(list(tensors), **attrs)

    del joined.__wrapped__  # its signature is not that of `fn`
    return joined
