"""What an op owes its users besides the right numbers.

Each `check_*` takes a `Problem` and raises `PropertyError`, naming the property, the argument and
the remedy. None of them needs a step size: they compare minigan with itself, exactly or to
round-off.

    purity          inputs, cotangents, parameters and the recording mode are left as they were
    aliasing        gradients share no memory with inputs, results, or an earlier call's gradients
    determinism     the same call twice gives the same bits (on a GPU: to round-off)
    cotangents      vjp(a v + b w) = a vjp(v) + b vjp(w), and vjp(0) = 0
    dtypes          float32 stays float32, float64 stays float64, in results and gradients
    layouts         transposed, reversed and broadcast (stride 0) memory changes nothing
    symmetry        <w, H r> = <r, H w> for H the Hessian of <v, f>, by double backward
    adjoint         <A x, v> = <x, A^T v> for linear ops
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from minigan.backend import backend_of
from minigan.op import Op
from minigan.recording import is_grad_enabled
from minigan.tensor import Tensor
from minigan.testing.levels import Level, Problem, away_from_zero, join, levels, pull
from minigan.testing.report import PropertyError, entry

Arrays = Sequence[np.ndarray]
LAYOUTS = ("fortran", "reversed", "strided", "broadcast")


def check_properties(
    problem: Problem, names: Sequence[str], *, only: Sequence[str] | None = None, seed: int = 0
) -> tuple[str, ...]:
    """Check the properties named, or of them `only` some; return the names of what was checked."""
    names = [name for name in names if only is None or name in only]
    for name in names:
        CHECKS[name](problem, seed=seed)
    return tuple(names)


def with_layout(array: np.ndarray, layout: str) -> np.ndarray:
    """Return an array of the same shape in another memory layout, of the same values but one case.

    "c", "fortran" (axes transposed in memory), "reversed" (negative strides), "strided" (every
    other element of a larger buffer); "broadcast" repeats the first slice along axis 0 by stride 0.

    >>> with_layout(np.zeros((2, 3)), "broadcast").strides[0]
    0
    """
    if not array.ndim:
        return array
    if layout == "fortran":
        return np.asfortranarray(array)
    if layout == "reversed":
        flip = (slice(None, None, -1),) * array.ndim
        return np.ascontiguousarray(array[flip])[flip]
    if layout == "strided":
        wide = np.zeros((*array.shape, 2), array.dtype)
        wide[..., 0] = array
        return wide[..., 0]
    if layout == "broadcast" and array.size:
        return np.broadcast_to(array[:1], array.shape)
    return array


# -- the checks ----------------------------------------------------------------------------------


def check_purity(problem: Problem, *, seed: int = 0) -> None:
    """Forward and backward leave inputs, cotangents, parameters and the recording mode alone."""
    level = _first(problem, seed)
    recording = is_grad_enabled()
    with level.bound(level.point) as tensors:
        outs = level.apply(tensors, 1)
        _unmoved(problem, "the forward pass", level.inputs.names, problem.values, tensors)
        kept = [y.numpy().copy() for y in outs]
        v = _cotangents(level, seed)
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
    level = _first(problem, seed)
    tolerance = 0.0 if problem.backend.name == "cpu" else 100 * _eps(problem)
    first, second = _run(level, seed), _run(level, seed)
    names = [*level.outputs.names, *(f"the gradient of {n}" for n in level.inputs.names)]
    for name, a, b in zip(names, first, second, strict=True):
        if not _close(a, b, tolerance):
            raise PropertyError(
                f"{problem.name}: nondeterministic, {name} differs between two equal calls by "
                f"{np.abs(a - b).max():.1e}: draw random numbers outside, and keep no state"
            )


def check_aliasing(problem: Problem, *, seed: int = 0) -> None:
    """Gradients share no memory with one another, inputs, results, or another call's gradients."""
    level = _first(problem, seed)
    with level.bound(level.point) as tensors:
        outs = level.apply(tensors, 1)
        v = _cotangents(level, seed)
        held = dict(zip(level.inputs.names, tensors, strict=True))
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


def _separate(problem: Problem, name: str, g: Tensor, held: dict[str, Tensor]) -> None:
    for other, tensor in held.items():
        if backend_of(g.data).name == "cpu" and np.shares_memory(g.data, tensor.data):
            raise PropertyError(
                f"{problem.name}: alias, the gradient of {name!r} shares memory with {other}: "
                "return a new array"
            )


def check_cotangents(problem: Problem, *, seed: int = 0) -> None:
    """The vector-Jacobian product is linear in its cotangent, and zero where that is zero."""
    level = _first(problem, seed)
    rng = np.random.default_rng([seed, 7])
    v, w = (away_from_zero(rng, (level.outputs.size,)) for _ in range(2))
    cotangents = np.array([v, w, 0.5 * v - 2 * w, 0 * v])
    gradients = level.pullback(cotangents)
    gv, gw, both, zero = gradients
    size = 0.5 * np.abs(gv) + 2 * np.abs(gw)
    noise = level.noise(cotangents, gradients, rng).max(axis=0)
    for name, part in zip(level.inputs.names, level.inputs.slices, strict=True):
        if zero[part].any():
            raise PropertyError(
                f"{problem.name}: the gradient of {name!r} is not zero for a zero cotangent: the "
                "rule does not multiply by g"
            )
        allowed = 500 * (_eps(problem) * size[part] + noise[part]).max(initial=0.0)
        if np.abs(both[part] - (0.5 * gv - 2 * gw)[part]).max(initial=0.0) > allowed:
            raise PropertyError(
                f"{problem.name}: the gradient of {name!r} is not linear in the cotangent: a rule "
                "is a linear function of g, whatever the op"
            )


def check_dtypes(problem: Problem, *, seed: int = 0) -> None:
    """float32 inputs give float32 results and gradients, float64 inputs float64 ones.

    An op is tried in both; a function only in the dtype of the check, since it may close over
    arrays of that dtype.
    """
    level = _first(problem, seed)
    both = isinstance(getattr(problem.fn, "func", problem.fn), Op)
    for dtype in (np.float32, np.float64) if both else (problem.dtype,):
        with level.bound(level.point, dtype) as tensors:
            outs = level.apply(tensors, 1)
            for name, y in zip(level.outputs.names, outs, strict=True):
                if y.dtype.kind == "f" and y.dtype != dtype:
                    raise PropertyError(
                        f"{problem.name}: wrong dtype, {name} is {y.dtype} for {np.dtype(dtype)} "
                        "inputs: a constant of another dtype takes part; use Python numbers"
                    )
            v = [Tensor(problem.backend.asarray(np.ones(y.shape, y.dtype))) for y in outs]
            try:
                pull(outs, tensors, v)
            except TypeError as error:
                raise PropertyError(f"{problem.name}: wrong dtype, {error}") from error


def check_layouts(problem: Problem, *, seed: int = 0) -> None:
    """Results and gradients depend on the values in the inputs, not on where they lie in memory."""
    level = _first(problem, seed)
    values = level.point.astype(problem.dtype)
    for layout in LAYOUTS:
        arrays = [with_layout(a, layout) for a in level.inputs.split(values)]
        plain = [np.array(a, order="C") for a in arrays]
        laid = _values(level, arrays, seed, layout)
        names = [*level.outputs.names, *(f"the gradient of {n}" for n in level.inputs.names)]
        straight = _values(level, plain, seed, "c")
        for i, (name, a, b) in enumerate(zip(names, laid, straight, strict=True)):
            if _close(a, b, 500 * _eps(problem)):
                continue
            moved = _values(level, [x * (1 + 2 * _eps(problem)) for x in plain], seed, "c")[i]
            if not _close(a, b, 500 * _eps(problem), 500 * np.abs(moved - b).max(initial=0.0)):
                raise PropertyError(
                    f"{problem.name}: {name} depends on the memory layout ({layout} inputs): use "
                    "shapes and axes, never strides, raw buffers or order='A'"
                )


def _values(level: Level, arrays: Arrays, seed: int, layout: str) -> list[np.ndarray]:
    with level.problem.bound(arrays) as tensors:
        outs = level.apply(tensors, 1)
        rng = np.random.default_rng([seed, 3])
        v = [away_from_zero(rng, y.shape).astype(y.dtype) for y in outs]
        if layout != "broadcast":
            v = [with_layout(a, layout) for a in v]
        v = [Tensor(level.problem.backend.asarray(a)) for a in v]
        return [x.numpy().copy() for x in [*outs, *pull(outs, tensors, v)]]


def check_symmetry(problem: Problem, *, seed: int = 0) -> None:
    """Mixed second derivatives agree: <w, H r> = <r, H w>, H the Hessian of <v, f>."""
    level = _first(problem, seed)
    rng = np.random.default_rng([seed, 5])
    w, r = (away_from_zero(rng, (level.inputs.size,)) for _ in range(2))
    left, right, scale = _mixed(level, seed, w, r, level.point)
    if abs(left - right) <= 500 * _eps(problem) * scale:
        return
    moved = _mixed(level, seed, w, r, level.point * (1 + 2 * _eps(problem)))
    noise = abs(moved[0] - left) + abs(moved[1] - right)
    if not abs(left - right) <= 500 * (_eps(problem) * scale + noise):
        raise PropertyError(
            f"{problem.name}: the second derivative is not symmetric, <w, H r> = {left:.12g} but "
            f"<r, H w> = {right:.12g}: a rule treats something that depends on the inputs as a "
            "constant, or a rule of a rule is wrong"
        )


def _mixed(
    level: Level, seed: int, w: np.ndarray, r: np.ndarray, point: np.ndarray
) -> tuple[float, float, float]:
    """<w, H r>, <r, H w>, and the sum of the sizes of their terms."""
    with level.bound(point) as tensors:
        outs = level.apply(tensors, 1)
        first = pull(outs, tensors, _cotangents(level, seed), create_graph=True)
        hw, hr = (_hessian_times(level, first, tensors, u) for u in (w, r))
    return float(w @ hr), float(r @ hw), float(np.abs(w) @ np.abs(hr) + np.abs(r) @ np.abs(hw))


def _hessian_times(
    level: Level, first: Sequence[Tensor], tensors: Sequence[Tensor], u: np.ndarray
) -> np.ndarray:
    parts = level.inputs.split(u.astype(level.problem.dtype))
    parts = [Tensor(level.problem.backend.asarray(a.copy())) for a in parts]
    return join([h.numpy() for h in pull(first, tensors, parts, retain=True)]).astype(np.float64)


def check_adjoint(problem: Problem, *, seed: int = 0) -> None:
    """For f linear (or affine) in each input: <f(x) - f(0), v> = <x, vjp(v)>, to round-off."""
    level = _first(problem, seed)
    rng = np.random.default_rng([seed, 11])
    v = away_from_zero(rng, (level.outputs.size,)).astype(problem.dtype).astype(np.float64)
    (gradient,) = level.pullback(v[None])
    for name, part in zip(level.inputs.names, level.inputs.slices, strict=True):
        x = level.point[part]
        without = level.point.copy()
        without[part] = 0
        rise = level.evaluate(level.point) - level.evaluate(without)  # A x, in double precision
        left, right = float(rise @ v), float(x @ gradient[part])
        scale = np.abs(rise) @ np.abs(v) + np.abs(x) @ np.abs(gradient[part])
        if not abs(left - right) <= 500 * _eps(problem) * scale:
            raise PropertyError(
                f"{problem.name}: not the adjoint with respect to {name!r}, <A x, v> = {left:.12g} "
                f"but <x, A^T v> = {right:.12g} (ratio {right / left if left else np.inf:.9g})"
            )


CHECKS: dict[str, Callable] = {
    "purity": check_purity,
    "determinism": check_determinism,
    "aliasing": check_aliasing,
    "cotangents": check_cotangents,
    "dtypes": check_dtypes,
    "layouts": check_layouts,
    "symmetry": check_symmetry,
    "adjoint": check_adjoint,
}
BEHAVIOUR = ("purity", "determinism", "aliasing", "cotangents", "dtypes", "layouts")


# -- helpers -------------------------------------------------------------------------------------


def _first(problem: Problem, seed: int) -> Level:
    return next(levels(problem, 1, seed))


def _cotangents(level: Level, seed: int) -> list[Tensor]:
    rng = np.random.default_rng([seed, 3])
    shapes = zip(level.outputs.shapes, level.kinds, strict=True)
    arrays = [away_from_zero(rng, shape).astype(kind) for shape, kind in shapes]
    return [Tensor(level.problem.backend.asarray(a)) for a in arrays]


def _run(level: Level, seed: int) -> list[np.ndarray]:
    """All results and gradients, on the host."""
    with level.bound(level.point) as tensors:
        outs = level.apply(tensors, 1)
        gradients = pull(outs, tensors, _cotangents(level, seed))
        return [x.numpy().copy() for x in [*outs, *gradients]]


def _eps(problem: Problem) -> float:
    return float(np.finfo(problem.dtype).eps)


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
