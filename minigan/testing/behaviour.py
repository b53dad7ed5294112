"""What an op owes its users around the numbers: memory, dtypes, and the same answer every time.

Each `check_*` takes a `Problem` and raises `PropertyError`, naming the property, the argument and
the remedy; see `properties` for the list.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minigan.backend import backend_of
from minigan.errors import GraphError
from minigan.recording import is_grad_enabled
from minigan.tensor import Tensor
from minigan.testing.draw import LAYOUTS, with_layout
from minigan.testing.levels import Level, Problem, first_level, pull, random_cotangents
from minigan.testing.report import PropertyError, entry

Arrays = Sequence[np.ndarray]


def check_purity(problem: Problem, *, seed: int = 0) -> None:
    """Forward and backward leave inputs, cotangents, parameters and the recording mode alone."""
    level = first_level(problem, seed)
    recording = is_grad_enabled()
    with level.bound(level.point) as tensors:
        outs = level.apply(tensors, 1)
        _unmoved(problem, "the forward pass", level.inputs.names, problem.values, tensors)
        kept = [y.numpy().copy() for y in outs]
        v = random_cotangents(outs, problem, seed)
        before = [x.numpy().copy() for x in v]
        pull(outs, tensors, v, retain=True)
        labels = [f"the cotangent of {name}" for name in level.outputs.names]
        _unmoved(problem, "the backward pass", labels, before, v)
        _unmoved(problem, "the backward pass", level.outputs.names, kept, outs)
        _unmoved(problem, "the backward pass", level.inputs.names, problem.values, tensors)
    if is_grad_enabled() != recording:
        raise PropertyError(f"{problem.name}: it leaves recording switched: use `with no_grad():`")


def _unmoved(
    problem: Problem, who: str, names: Sequence[str], before: Arrays, after: Sequence[Tensor]
) -> None:
    for name, old, new in zip(names, before, after, strict=True):
        changed = np.argwhere(~_equal(old, new.numpy()))
        if len(changed):
            index = tuple(int(i) for i in changed[0])
            raise PropertyError(
                f"{problem.name}: mutation, {who} writes into {entry(name, index)} "
                f"({len(changed)} of {old.size} entries): work on a copy"
            )


def check_determinism(problem: Problem, *, seed: int = 0) -> None:
    """Equal inputs and cotangents give equal results and gradients, bit for bit on the CPU."""
    level = first_level(problem, seed)
    tolerance = 0.0 if problem.backend.name == "cpu" else 100 * problem.eps
    values = level.inputs.split(level.point.astype(problem.dtype))
    first, second = _values(level, values, seed), _values(level, values, seed)
    for name, a, b in zip(_labels(level), first, second, strict=True):
        if not _close(a, b, tolerance):
            raise PropertyError(
                f"{problem.name}: nondeterministic, {name} differs between two equal calls by "
                f"{np.abs(a - b).max():.1e}: draw random numbers outside, and keep no state"
            )


def check_aliasing(problem: Problem, *, seed: int = 0) -> None:
    """Gradients share no memory with one another, inputs, results, or another call's gradients.

    Nor does the result of an op with its inputs, but for the first input of an op that is a view.
    """
    level = first_level(problem, seed)
    with level.bound(level.point) as tensors:
        outs = level.apply(tensors, 1)
        v = random_cotangents(outs, problem, seed)
        held = dict(zip(level.inputs.names, tensors, strict=True))
        if problem.op:
            _refuse_undeclared_view(problem, outs[0], held)
        held.update(zip(level.outputs.names, outs, strict=True))
        labels = [f"the cotangent of {name}" for name in level.outputs.names]
        held.update(zip(labels, v, strict=True))
        earlier: dict[str, Tensor] = {}
        for _ in range(2):
            found = dict(zip(level.inputs.names, pull(outs, tensors, v, retain=True), strict=True))
            for name, g in found.items():
                others = {f"the gradient of {n!r}": h for n, h in found.items() if n != name}
                _separate(problem, name, g, {**held, **others, **earlier})
            earlier = {f"an earlier call's gradient of {n!r}": g for n, g in found.items()}


def _refuse_undeclared_view(problem: Problem, out: Tensor, held: dict[str, Tensor]) -> None:
    allowed = problem.given_names[0] if problem.op.view else None
    for name, x in held.items():
        if name != allowed and _overlap(out, x):
            raise PropertyError(
                f"{problem.name}: alias, the result shares memory with {name!r}: return a new "
                "array, or declare @op(view=True) if it is a view of the first argument"
            )


def _separate(problem: Problem, name: str, g: Tensor, held: dict[str, Tensor]) -> None:
    for other, tensor in held.items():
        if _overlap(g, tensor):
            raise PropertyError(
                f"{problem.name}: alias, the gradient of {name!r} shares memory with {other}: "
                "return a new array"
            )


def _overlap(a: Tensor, b: Tensor) -> bool:
    both = backend_of(a.data).name == backend_of(b.data).name == "cpu"
    return both and np.shares_memory(a.data, b.data)


def check_layouts(problem: Problem, *, seed: int = 0) -> None:
    """Results and gradients depend on the values in the inputs, not on where they lie in memory."""
    level = first_level(problem, seed)
    values = level.point.astype(problem.dtype)
    for layout in LAYOUTS:
        arrays = [with_layout(a, layout) for a in level.inputs.split(values)]
        plain = [np.array(a, order="C") for a in arrays]
        laid, straight = _values(level, arrays, seed, layout), _values(level, plain, seed)
        for i, (name, a, b) in enumerate(zip(_labels(level), laid, straight, strict=True)):
            if _close(a, b, 500 * problem.eps):
                continue
            moved = _values(level, [x * (1 + 2 * problem.eps) for x in plain], seed)[i]
            if not _close(a, b, 500 * problem.eps, 500 * np.abs(moved - b).max(initial=0.0)):
                raise PropertyError(
                    f"{problem.name}: {name} depends on the memory layout ({layout} inputs): use "
                    "shapes and axes, never strides, raw buffers or order='A'"
                )


def check_dtypes(problem: Problem, *, seed: int = 0) -> None:
    """float32 inputs give float32 results and gradients, float64 inputs float64 ones; both agree.

    An op is tried in both; a function only in the dtype of the check, since it may close over
    arrays of that dtype.
    """
    level = first_level(problem, seed)
    for dtype in (np.float32, np.float64) if problem.op else (problem.dtype,):
        with np.errstate(all="ignore"), level.bound(level.point, dtype) as tensors:
            outs = level.apply(tensors, 1)
            for name, y in zip(level.outputs.names, outs, strict=True):
                if y.dtype.kind == "f" and y.dtype != dtype:
                    raise PropertyError(
                        f"{problem.name}: wrong dtype, {name} is {y.dtype} for {np.dtype(dtype)} "
                        "inputs: a constant of another dtype takes part; use Python numbers"
                    )
            try:
                pull(outs, tensors, random_cotangents(outs, problem, seed))
            except TypeError as error:
                raise PropertyError(f"{problem.name}: wrong dtype, {error}") from error
    if problem.op or problem.dtype == np.float32:
        _compare_dtypes(level, seed)


def _compare_dtypes(level: Level, seed: int) -> None:
    """Results and gradients in float32 are those in float64, at a point that both can hold."""
    limits = np.finfo(np.float32)
    with np.errstate(all="ignore"):
        point = level.point.astype(np.float32).astype(np.float64)
    moved = point * (1 + 2 * float(limits.eps))
    if not np.isfinite(point).all():
        return
    with np.errstate(all="ignore"):
        single, double, near = (
            _values(level, level.inputs.split(x.astype(kind)), seed)
            for x, kind in ((point, np.float32), (point, np.float64), (moved, np.float64))
        )
    for name, a, b, c in zip(_labels(level), single, double, near, strict=True):
        held = np.abs(b) <= limits.max  # what float32 has no number for is not compared
        a, b, c = a[held].astype(np.float64), b[held], c[held]
        noise = np.abs(c - b).max(initial=0.0)
        if not _close(a, b, 500 * float(limits.eps), 500 * noise + float(limits.tiny)):
            worst = int(np.abs(a - b).argmax())
            raise PropertyError(
                f"{level.problem.name}: {name} is wrong in float32: {a[worst]:.7g}, where float64 "
                f"gives {b[worst]:.7g}: a branch on the dtype, or an intermediate that overflows"
            )


def check_alone(problem: Problem, *, seed: int = 0) -> None:
    """The gradient of an input is the same whether or not the other inputs want one.

    With `create_graph=True` too, where the rules are recorded and a fused op's definition is run.
    """
    level = first_level(problem, seed)
    point = level.point.astype(problem.dtype)
    every = range(len(level.inputs.names))
    for again in (False, True):
        together = _gradients(level, point, every, seed, again)
        for i, name in enumerate(level.inputs.names):
            alone = _gradients(level, point, [i], seed, again)
            if alone is None or _close(alone[i], together[i], 500 * problem.eps):
                continue
            near = _gradients(level, point * (1 + 2 * problem.eps), [i], seed, again)
            noise = np.abs(near[i] - alone[i]).max(initial=0.0)
            if not _close(alone[i], together[i], 500 * problem.eps, 500 * noise):
                raise PropertyError(
                    f"{problem.name}: the gradient of {name!r} is another where no other input "
                    f"wants one{' (create_graph=True)' * again}, by "
                    f"{np.abs(alone[i] - together[i]).max():.1e}: `needs`, nodes and the recording "
                    "mode may save work, and not change a number"
                )


def _gradients(
    level: Level, point: np.ndarray, wanted: Sequence[int], seed: int, again: bool
) -> dict[int, np.ndarray] | None:
    """The gradients of the inputs at these places, where no other wants one.

    None if `fn` itself takes a derivative by another: it has to want one then.
    """
    with level.bound(point) as tensors:
        for i, tensor in enumerate(tensors):
            tensor.requires_grad_(i in wanted)
        try:
            outs = level.apply(tensors, 1)
        except GraphError:
            return None
        v = random_cotangents(outs, level.problem, seed)
        found = pull(outs, [tensors[i] for i in wanted], v, create_graph=again)
        return {i: g.numpy().copy() for i, g in zip(wanted, found, strict=True)}


# -- helpers -------------------------------------------------------------------------------------


def _labels(level: Level) -> list[str]:
    """What `_values` returns, by name."""
    return [*level.outputs.names, *(f"the gradient of {n}" for n in level.inputs.names)]


def _values(level: Level, arrays: Arrays, seed: int, layout: str = "c") -> list[np.ndarray]:
    """All results and gradients at these inputs, on the host; cotangents in the same layout."""
    with level.problem.bound(arrays) as tensors:
        outs = level.apply(tensors, 1)
        v = random_cotangents(outs, level.problem, seed)
        if layout not in ("c", "broadcast"):
            asarray = level.problem.backend.asarray
            v = [Tensor(asarray(with_layout(x.numpy(), layout))) for x in v]
        return [x.numpy().copy() for x in [*outs, *pull(outs, tensors, v)]]


def _equal(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a == b) | ((a != a) & (b != b))


def _close(a: np.ndarray, b: np.ndarray, tolerance: float, absolute: float = 0.0) -> bool:
    """Whether a is b to `tolerance` of its largest entry plus `absolute`; nan equals nan."""
    if a.shape != b.shape:
        return False
    if not tolerance:
        return bool(_equal(a, b).all())
    size = np.abs(b[np.isfinite(b)]).max(initial=0.0)
    return bool(np.allclose(a, b, rtol=0, atol=tolerance * size + absolute, equal_nan=True))
