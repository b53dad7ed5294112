"""`gradcheck`: is the derivative of this function right, to this order, and does it behave?"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from minigan.errors import GraphError, ShapeError
from minigan.tensor import Tensor
from minigan.testing.compare import LevelResult, check_level
from minigan.testing.levels import Problem, levels
from minigan.testing.properties import BEHAVIOUR, check_properties, properties_of
from minigan.testing.report import GradcheckError, InconclusiveError, PropertyError
from minigan.testing.reproducer import how_to_repeat
from minigan.testing.sides import Settings

METHODS = ("auto", "complex", "five_point")


@dataclass(frozen=True)
class GradcheckResult:
    """A check that passed: true as a condition, and printed as one line an order.

    `relative_error`: the worst over all orders. `verdicts`: by input, "pass", "zero" or "empty".
    """

    function: str
    dtype: str
    levels: tuple[LevelResult, ...]
    properties: tuple[str, ...]
    seconds: float

    @property
    def relative_error(self) -> float:
        """The worst relative error of all orders."""
        return max(level.relative_error for level in self.levels)

    @property
    def method(self) -> str:
        """The numerical methods used, joined by "+" where orders differ."""
        return "+".join(dict.fromkeys(level.method for level in self.levels))

    @property
    def verdicts(self) -> dict[str, str]:
        """The verdict on each input at order 1."""
        return self.levels[0].verdicts

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        lines = [f"gradcheck of {self.function} in {self.dtype}: passed in {self.seconds:.2f} s"]
        for level in self.levels:
            extent = "every entry" if level.full else "random projections"
            verdicts = ", ".join(f"{name} {verdict}" for name, verdict in level.verdicts.items())
            lines.append(
                f"  order {level.order}: relative error {level.relative_error:.1e} "
                f"({level.method}, {extent}): {verdicts}"
            )
        if self.properties:
            lines.append(f"  also: {', '.join(self.properties)}")
        return "\n".join(lines)


def gradcheck(
    fn: Callable,
    inputs: Sequence[Any],
    *,
    order: int = 1,
    method: str = "auto",
    params: Sequence[Tensor] | Mapping[str, Tensor] = (),
    names: Sequence[str] | None = None,
    dtype: Any = None,
    device: str | None = None,
    zero_ok: bool | Sequence[str] = False,
    kinks: bool = True,
    linear: bool | None = None,
    properties: bool | Sequence[str] = True,
    directions: int = 4,
    full_limit: int = 4096,
    factor: float = 500.0,
    seed: int = 0,
) -> GradcheckResult:
    """Check the derivatives of `fn` at `inputs` against numerical ones, to any order.

    fn: Tensors in, a Tensor (or a tuple of them) out. Order k compares the derivative of the
    (k-1)-th vector-Jacobian product, with respect to inputs, parameters and cotangents, with a
    numerical derivative in double precision.

    - `inputs`: arrays, Tensors, numbers, None; floating-point arrays are differentiated by.
    - `order`: every order from 1 to this one is checked.
    - `method`: "complex" step through `fn` and its backward pass, "five_point" differences, or
      "auto": the first where it is possible, the second where it is not.
    - `params`: leaf Tensors that `fn` closes over (a module's parameters, also as a dict by name),
      checked like inputs.
    - `dtype`: run the analytic side in "float32" or "float64" (default: that of the inputs).
    - `zero_ok`: accept a gradient that is zero everywhere; or the names of inputs where it may be.
    - `kinks`: look for kinks at the point; False checks the convention a rule chose there, and
      does without the real steps that a complex step is confirmed by.
    - `linear`: also test <A x, y> = <x, A^T y>; by default for ops declared linear.
    - `properties`: also check what an op owes its users besides (`minigan.testing.properties`
      lists it): True for all that apply, False for none, or names. "sizes" applies by itself to
      elementwise ops; by name, to a function whose arrays may all be cut along their first axis.
    - `directions`: random projections where the Jacobian has more than `full_limit` entries.
    - `factor`: C of the tolerance C * (numerical error + eps * sum |g u|).

    Returns a `GradcheckResult`. Raises `GradcheckError` where a derivative or a property is
    wrong, `NonDifferentiablePoint` at a kink, `InconclusiveError` where all there is to check is
    zero or the numerical derivative too uncertain; the last two are `GradcheckError`s too.

    A path that `fn` cuts with `detach()` has no derivative for minigan but has a numerical one:
    freeze what lies on it (pass it in as a number, or close over it) before the check.

    >>> import numpy as np
    >>> import minigan as mg
    >>> from minigan.testing import gradcheck
    >>> result = gradcheck(mg.tanh, [np.linspace(-1.0, 1.0, 5)], order=3)
    >>> result.method, result.relative_error < 1e-12
    ('complex', True)
    """
    asked = _not_default(locals())
    if method not in METHODS:
        raise ValueError(f"gradcheck: method {method!r} is none of {', '.join(METHODS)}")
    if order < 1:
        raise ValueError(f"gradcheck: order must be at least 1, got {order}")
    started = time.perf_counter()
    settings = Settings(method, directions, full_limit, factor, seed, kinks, asked)
    problem = Problem(fn, inputs, params=params, names=names, dtype=dtype, device=device)
    also = properties_of(problem, asked=properties, order=order, linear=linear)
    results = []
    with _explained(problem, order, settings):
        check_properties(problem, [name for name in also if name in BEHAVIOUR], seed=seed)
        for level in levels(problem, order, seed):
            results.append(check_level(level, settings))
            if level.order == 1 and zero_ok is not True:
                _refuse_nothing(problem, results[-1], zero_ok or ())
        check_properties(problem, [name for name in also if name not in BEHAVIOUR], seed=seed)
    seconds = time.perf_counter() - started
    return GradcheckResult(problem.name, str(problem.dtype), tuple(results), also, seconds)


def _not_default(arguments: dict[str, Any]) -> dict[str, Any]:
    """The options of a call to `gradcheck` that it was given, to be told in a report."""
    options = inspect.signature(gradcheck).parameters.values()
    options = [p for p in options if p.kind is p.KEYWORD_ONLY]
    return {p.name: arguments[p.name] for p in options if arguments[p.name] != p.default}


RULE_ERRORS = {  # what the engine says of a rule, and what is the matter then
    "returned a gradient of shape": "missing sum over broadcast axes (sum_to), or a transposition",
    "returned a gradient of dtype": "wrong dtype: a constant of another dtype is in the rule",
    "has no derivative": "missing rule: declare one with op.vjp(...), or detach the argument",
    "not a Tensor": "wrong type: a rule is written in ops and returns a Tensor",
}


@contextmanager
def _explained(problem: Problem, order: int, settings: Settings) -> Iterator[None]:
    """Turn what the engine refuses into a failure of the check; tell how to repeat it."""
    try:
        yield
    except PropertyError as error:
        raise PropertyError(_with_repeat(str(error), problem, order, settings)) from None
    except (GraphError, ShapeError, TypeError) as error:
        hint = next((h for mark, h in RULE_ERRORS.items() if mark in str(error)), None)
        if hint is None:
            raise
        text = f"{problem.name}: {error}\n  hint      {hint}"
        raise GradcheckError(_with_repeat(text, problem, order, settings)) from error


def _with_repeat(text: str, problem: Problem, order: int, settings: Settings) -> str:
    lines = how_to_repeat(problem, order, settings.asked).splitlines()
    return "\n".join([text, "  reproduce with", *(f"    {line}" for line in lines)])


def _refuse_nothing(problem: Problem, result: LevelResult, zero_ok: Sequence[str]) -> None:
    """Raise where a check could not have failed, because there was only zero to compare."""
    silent = [n for n, verdict in result.verdicts.items() if verdict == "zero" and n not in zero_ok]
    if silent:
        raise InconclusiveError(
            f"{problem.name}: inconclusive, the gradient with respect to {silent[0]!r} is zero on "
            f"both sides: choose other inputs, or pass zero_ok=[{silent[0]!r}] if it has to be"
        )
