"""Lines of Python that run a failed check again, to be pasted into the session or test it is from.

What a module holds by name is imported from there; inputs are written out exactly, up to 256
entries, and a larger one is stood in for by random numbers of the same shape, dtype and range.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from minigan.tensor import Tensor
from minigan.testing.levels import Problem

LITERAL_LIMIT = 256  # entries of an input that are spelled out


def how_to_repeat(problem: Problem, order: int, asked: Mapping[str, Any]) -> str:
    """Lines that run a check of this problem again; `asked`: the options that were not defaults."""
    values = list(problem.given)
    for place, value in zip(problem.places, problem.values, strict=False):
        values[place] = value
    asked = dict(asked)
    if problem.backend.name != "cpu":
        asked["device"] = problem.backend.name
    asked.update(order=order, params=problem.given_params)
    return reproducer(problem.fn, problem.given_names, values, **asked)


def reproducer(
    fn: Callable,
    names: Sequence[str],
    values: Sequence[Any],
    /,
    *,
    params: Sequence[Tensor] | Mapping[str, Tensor] = (),
    order: int = 1,
    seed: int = 0,
    **options: Any,
) -> str:
    """Python lines that call `gradcheck(fn, values, order=, seed=, **options)`.

    A function without a name of its own is left to be filled in, and so is what only a closure
    holds: such a parameter gets its values, and a comment.

    >>> import minigan as mg
    >>> print(reproducer(mg.tanh, ["x"], [np.array([0.5])], kinks=False))
    import numpy as np
    from minigan.testing import gradcheck
    from minigan.ops.elementwise import tanh as fn
    input_0 = np.array([0.5], dtype='float64')  # x
    gradcheck(fn, [input_0], order=1, seed=0, kinks=False)
    """
    labels = [f"input_{i}" for i in range(len(values))]
    lines = _function(fn)
    for label, name, value in zip(labels, names, values, strict=True):
        lines.append(_assignment(label, value, name))
    settings = {"order": repr(order), "seed": repr(seed)}
    settings.update((key, literal(value)) for key, value in options.items())
    if len(params):
        settings["params"], found = _params(fn, params)
        lines += found
    call = "".join(f", {key}={text}" for key, text in settings.items())
    lines.append(f"gradcheck(fn, [{', '.join(labels)}]{call})")
    also = ["import minigan as mg"] if any("mg.tensor(" in line for line in lines) else []
    return "\n".join(["import numpy as np", *also, "from minigan.testing import gradcheck", *lines])


# -- the function and its parameters -------------------------------------------------------------


def _function(fn: Any) -> list[str]:
    """Lines that bind `fn`: imported where a module holds it, else by its name, or left open."""
    inner = getattr(fn, "func", fn)  # functools.partial
    line = _import(inner, "fn", _homes(inner)) or _by_name(inner)
    if inner is fn:
        return [line]
    arguments = [literal(x) for x in fn.args]
    arguments += [f"{key}={literal(value)}" for key, value in fn.keywords.items()]
    return [line, "from functools import partial", f"fn = partial(fn, {', '.join(arguments)})"]


def _homes(fn: Any) -> tuple[Any, ...]:
    return getattr(fn, "__module__", None), "__main__"


def _import(thing: Any, label: str, homes: Iterable[str | None]) -> str | None:
    """The import of an object that a module holds, or None."""
    for module in homes:
        held = vars(sys.modules[module]) if module in sys.modules else {}
        name = next((name for name, value in list(held.items()) if value is thing), None)
        if name is not None:
            return f"from {module} import {name}" + (f" as {label}" if name != label else "")
    return None


def _by_name(fn: Any) -> str:
    name = getattr(fn, "__name__", type(fn).__name__)
    code = getattr(getattr(fn, "kernel", fn), "__code__", None)  # an op's is its kernel's
    where = f", line {code.co_firstlineno} of {fn.__module__}" if code else ""
    known = code is not None and name.isidentifier()
    return f"fn = {name if known else '...'}  # {name}{where}"


def _params(fn: Any, params: Sequence[Tensor] | Mapping[str, Tensor]) -> tuple[str, list[str]]:
    """The value of `params=`, and the lines that it needs."""
    tensors = list(params.values() if isinstance(params, Mapping) else params)
    names = list(params) if isinstance(params, Mapping) else None
    own = dict(fn.named_parameters()) if hasattr(fn, "named_parameters") else {}
    if [id(p) for p in own.values()] == [id(p) for p in tensors]:
        return ("list(fn.parameters())" if names is None else "dict(fn.named_parameters())"), []
    labels = [f"param_{i}" for i in range(len(tensors))]
    lines = []
    for label, tensor in zip(labels, tensors, strict=True):
        held = _import(tensor, label, _homes(getattr(fn, "func", fn)))
        lines.append(held or _assignment(label, tensor, "what fn has to close over"))
    if names is None:
        return f"[{', '.join(labels)}]", lines
    return f"{{{', '.join(f'{n!r}: {p}' for n, p in zip(names, labels, strict=True))}}}", lines


# -- values --------------------------------------------------------------------------------------


def _assignment(label: str, value: Any, comment: str) -> str:
    array = value.numpy() if isinstance(value, Tensor) else value
    if isinstance(array, np.ndarray) and array.size > LITERAL_LIMIT:
        comment += ": random numbers in place of the given ones"
    return f"{label} = {literal(value)}  # {comment}"


def literal(value: Any) -> str:
    """An expression for a value: exact, but for arrays of more than 256 entries.

    >>> literal((np.array([1.5, np.nan]), np.float32, slice(2)))
    "(np.array([1.5, np.nan], dtype='float64'), 'float32', slice(None, 2, None))"
    """
    if isinstance(value, Tensor):
        kind = ", requires_grad=True" if value.requires_grad else ""
        return f"mg.tensor({literal(value.numpy())}{kind})"
    if isinstance(value, np.ndarray):
        return _array(value)
    if isinstance(value, np.dtype) or (isinstance(value, type) and issubclass(value, np.generic)):
        return repr(str(np.dtype(value)))
    if isinstance(value, np.generic):
        return literal(value.item())
    if type(value) in (list, tuple):
        inside = ", ".join(literal(x) for x in value)
        if isinstance(value, list):
            return f"[{inside}]"
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    if isinstance(value, float):
        return _named(repr(value))
    return repr(value)


def _array(value: np.ndarray) -> str:
    shape = f".reshape({value.shape})" if value.ndim != 1 else ""
    if value.size <= LITERAL_LIMIT:
        entries = _named(repr(value.ravel().tolist()))
        return f"np.array({entries}, dtype='{value.dtype}'){shape}"
    rng = "np.random.default_rng(0)"
    if value.dtype.kind == "f":
        finite = value[np.isfinite(value)] if np.isfinite(value).any() else np.zeros(1)
        draw = f"uniform({finite.min():.6g}, {finite.max():.6g}, {value.shape})"
    else:
        draw = f"integers({int(value.min())}, {int(value.max()) + 1}, {value.shape})"
    return f"{rng}.{draw}.astype('{value.dtype}')"


def _named(text: str) -> str:
    """Write nan and inf, which `repr` leaves as bare names, as NumPy's."""
    return re.sub(r"\b(nan|inf)\b", r"np.\1", text)
