"""The function under test as plain vectors, and its derivatives as functions of the same kind.

    level 1    f: x -> y
    level 2    x, v -> vjp of level 1 at x with cotangent v
    level 3    x, v, w -> vjp of level 2 at (x, v) with cotangent w            and so on

Every level is a function of Tensors, made of the one below through `autograd.grad`; nothing here
looks at a graph. A `Level` hides Tensors, shapes and devices and shows a map of vectors:
`evaluate`: R^n -> R^m for the numerical side, `pullback`: R^m -> R^n for the analytic one.

Letters: n entries of all inputs together, m of all outputs, K cotangents.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigan.autograd import grad
from minigan.backend import backend_of, current_device, get_backend, is_array
from minigan.op import Op
from minigan.tensor import Tensor, as_tensor


@dataclass(frozen=True)
class Layout:
    """Where named arrays lie in one long vector."""

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]

    @property
    def sizes(self) -> list[int]:
        """The number of entries of each array."""
        return [int(np.prod(shape)) for shape in self.shapes]

    @property
    def size(self) -> int:
        """The length of the vector."""
        return sum(self.sizes)

    @property
    def slices(self) -> list[slice]:
        """The part of the vector that each array takes."""
        ends = np.cumsum([0, *self.sizes])
        return [slice(int(a), int(b)) for a, b in zip(ends, ends[1:], strict=False)]

    def split(self, vector: np.ndarray) -> list[np.ndarray]:
        """Cut the vector into the arrays."""
        parts = zip(self.slices, self.shapes, strict=True)
        return [vector[part].reshape(shape) for part, shape in parts]

    def locate(self, position: int) -> tuple[int, tuple[int, ...]]:
        """Which array an entry of the vector belongs to, and its index there."""
        which = next(i for i, part in enumerate(self.slices) if position < part.stop)
        offset = position - self.slices[which].start
        return which, tuple(int(i) for i in np.unravel_index(offset, self.shapes[which]))


class Problem:
    """A function, the point at which it is checked, and what it may be differentiated by.

    `inputs`: arrays, Tensors, numbers or None; those with floating-point elements are the
    variables. `params`: leaf Tensors that `fn` closes over (or a dict of them by name), variables
    too. `dtype`: that of the analytic side; the numerical side is always float64 or complex128.
    """

    def __init__(
        self,
        fn: Callable,
        inputs: Sequence[Any],
        *,
        params: Sequence[Tensor] | Mapping[str, Tensor] = (),
        names: Sequence[str] | None = None,
        dtype: Any = None,
        device: str | None = None,
    ) -> None:
        self.fn, self.name = fn, name_of(fn)
        self.given_params = params = params if isinstance(params, Mapping) else tuple(params)
        if not isinstance(params, Mapping):
            params = {f"params[{i}]": p for i, p in enumerate(params)}
        self.params = tuple(params.values())
        homes = [x.device for x in (*inputs, *self.params) if isinstance(x, Tensor)]
        self.backend = get_backend(device or (homes[0] if homes else current_device()))
        self.given = [_on_host(x) for x in inputs]
        self.given_names = tuple(names or argument_names(fn, len(self.given)))
        if len(self.given_names) != len(self.given):
            raise ValueError(
                f"{self.name}: {len(self.given_names)} names for {len(self.given)} inputs"
            )
        self.places = [i for i, x in enumerate(self.given) if is_variable(x)]
        values = [self.given[i] for i in self.places] + [p.numpy() for p in self.params]
        if not values:
            raise TypeError(
                f"{self.name}: no input has floating-point elements: give float32 or float64"
            )
        self.dtype = np.dtype(dtype or np.result_type(*values))
        self.names = (*(self.given_names[i] for i in self.places), *params)
        self.values = [np.array(v).astype(self.dtype) for v in values]

    @property
    def op(self) -> Op | None:
        """The op under test, if `fn` is one (perhaps with options bound by `partial`)."""
        inner = getattr(self.fn, "func", self.fn)
        return inner if isinstance(inner, Op) else None

    @property
    def eps(self) -> float:
        """The spacing of numbers around 1 on the analytic side."""
        return float(np.finfo(self.dtype).eps)

    @contextlib.contextmanager
    def bound(self, arrays: Sequence[np.ndarray]) -> Iterator[list[Tensor]]:
        """Fresh leaves on these arrays; for a parameter the very Tensor `fn` closes over."""
        split = len(self.places)
        fresh = [self.leaf(a) for a in arrays[:split]]
        extra = [self.leaf(a) for a in arrays[split + len(self.params) :]]
        kept = [(p.data, p.node, p._leaf, p._version) for p in self.params]
        try:
            for p, a in zip(self.params, arrays[split:], strict=False):
                p.data, p.node, p._leaf, p._version = self.backend.asarray(a), None, None, [0]
                p.requires_grad_()
            yield [*fresh, *self.params, *extra]
        finally:
            for p, state in zip(self.params, kept, strict=True):
                p.data, p.node, p._leaf, p._version = state

    def leaf(self, array: np.ndarray) -> Tensor:
        """A variable on the device, on a copy of the array that keeps its memory layout."""
        return Tensor(self.backend.asarray(array), requires_grad=True)

    def call(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Level 1: run `fn` with the variables put into their places."""
        arguments = list(self.given)
        for place, tensor in zip(self.places, tensors, strict=False):
            arguments[place] = tensor
        for place, value in enumerate(arguments):
            if isinstance(value, np.ndarray):
                arguments[place] = Tensor(self.backend.asarray(value))
        out = self.fn(*arguments)
        out = list(out) if isinstance(out, tuple | list) else [out]
        return [as_tensor(y) for y in out]


class Level:
    """The (order - 1)-th vector-Jacobian product of a problem, as a function of one vector.

    `point`: the values of the inputs, then one random cotangent for each output of each lower
    level, all representable in the problem's dtype.
    """

    def __init__(self, problem: Problem, order: int, below: Level | None, rng: Any) -> None:
        self.problem, self.order = problem, order
        if below is None:
            names, values = problem.names, problem.values
        else:
            extra = [away_from_zero(rng, s).astype(problem.dtype) for s in below.outputs.shapes]
            names = below.inputs.names + tuple(f"cotangent of {n}" for n in below.outputs.names)
            values = [*below.inputs.split(below.point), *extra]
        self.counts = [] if below is None else [*below.counts, len(below.inputs.names)]
        self.inputs = Layout(tuple(names), tuple(np.shape(v) for v in values))
        self.point = join(values).astype(np.float64)
        with self.bound(self.point) as tensors:
            outs = self.apply(tensors, order)
            self.kinds = [y.dtype for y in outs]
            labels = self._output_names(len(outs), below)
            self.outputs = Layout(labels, tuple(y.shape for y in outs))
            self.value = join([y.numpy() for y in outs])

    def _output_names(self, count: int, below: Level | None) -> tuple[str, ...]:
        if below is not None:
            return tuple(f"grad {name}" for name in below.inputs.names)
        return ("out",) if count == 1 else tuple(f"out[{i}]" for i in range(count))

    def bound(self, vector: np.ndarray, dtype: Any = None) -> Any:
        """Leaves on the parts of a vector, in the problem's dtype unless another is given."""
        vector = np.asarray(vector).astype(dtype or self.problem.dtype)
        return self.problem.bound(self.inputs.split(vector))

    def apply(self, tensors: Sequence[Tensor], order: int, recorded: bool = True) -> list[Tensor]:
        """The Tensors this level returns, for these inputs; recorded if they are to be derived."""
        if order == 1:
            return self.problem.call(tensors)
        split = self.counts[order - 2]
        z, v = tensors[:split], tensors[split:]
        outs = self.apply(z, order - 1)
        return pull(outs, z, v, create_graph=recorded)

    def evaluate(self, vector: np.ndarray) -> np.ndarray:
        """(n,) float64 or complex128 -> (m,): the numerical side, in double precision."""
        with self.bound(vector, vector.dtype) as tensors:  # recorded: `fn` may call grad itself
            return join([y.numpy() for y in self.apply(tensors, self.order, recorded=False)])

    def pullback(self, cotangents: np.ndarray, point: np.ndarray | None = None) -> np.ndarray:
        """(K, m) cotangents -> (K, n) gradients: the analytic side, in the problem's dtype."""
        rows = []
        with self.bound(self.point if point is None else point) as tensors:
            outs = self.apply(tensors, self.order)
            for row in cotangents:
                parts = zip(self.outputs.split(row), self.kinds, strict=True)
                v = [self.problem.leaf(a.astype(kind)).detach() for a, kind in parts]
                rows.append(join([g.numpy() for g in pull(outs, tensors, v, retain=True)]))
        return np.array(rows, np.float64).reshape(len(cotangents), self.inputs.size)

    def noise(
        self, cotangents: np.ndarray, gradients: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """How far round-off moves the gradients (K, n): the point is moved by 2 eps, twice."""
        eps, noise = self.problem.eps, np.zeros_like(gradients)
        for _ in range(2):
            step = 2 * eps * np.abs(self.point) * rng.choice([-1.0, 1.0], self.point.shape)
            moved = self.pullback(cotangents, self.point + step)
            noise = np.maximum(noise, np.abs(moved - gradients))
        return noise


def pull(
    outs: Sequence[Tensor],
    inputs: Sequence[Tensor],
    cotangents: Sequence[Tensor],
    *,
    create_graph: bool = False,
    retain: bool = False,
) -> list[Tensor]:
    """The gradients of sum <out, cotangent>, zeros for inputs that no output depends on."""
    pairs = [(y, v) for y, v in zip(outs, cotangents, strict=True) if y.requires_grad]
    if not pairs:
        return [_zeros_like(x) for x in inputs]
    ys, vs = zip(*pairs, strict=True)
    found = grad(
        ys, inputs, vs, create_graph=create_graph, retain_graph=retain or create_graph,
        allow_unused=True,
    )  # fmt: skip
    return [_zeros_like(x) if g is None else g for x, g in zip(inputs, found, strict=True)]


def _zeros_like(x: Tensor) -> Tensor:
    return Tensor(backend_of(x.data).xp.zeros_like(x.data))


def levels(problem: Problem, order: int, seed: int) -> Iterator[Level]:
    """Levels 1 to `order`, each made of the one below."""
    rng = np.random.default_rng(seed)
    level = None
    for k in range(1, order + 1):
        level = Level(problem, k, level, rng)
        yield level


def first_level(problem: Problem, seed: int) -> Level:
    """The function itself."""
    return next(levels(problem, 1, seed))


def random_cotangents(outs: Sequence[Tensor], problem: Problem, seed: int) -> list[Tensor]:
    """A cotangent for each result, the same at every call."""
    rng = np.random.default_rng([seed, 3])
    arrays = [away_from_zero(rng, y.shape).astype(y.dtype) for y in outs]
    return [Tensor(problem.backend.asarray(a)) for a in arrays]


def join(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """One vector of all entries of the arrays, in order."""
    return np.concatenate([np.ravel(a) for a in arrays])


def _on_host(value: Any) -> Any:
    """A Tensor or array as a NumPy array; anything else as it is."""
    value = value.data if isinstance(value, Tensor) else value
    return backend_of(value).asnumpy(value) if is_array(value) else value


def is_variable(value: Any) -> bool:
    """Whether a value is an array with floating-point elements."""
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


def away_from_zero(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Normal numbers with 0.1 added to their size, so that none hides an entry of a gradient."""
    draw = rng.normal(size=shape)
    return np.where(draw < 0, draw - 0.1, draw + 0.1)


def name_of(fn: Any) -> str:
    """What to call a function in a report."""
    fn = getattr(fn, "func", fn)  # functools.partial
    return getattr(fn, "name", None) or getattr(fn, "__name__", None) or type(fn).__name__


def argument_names(fn: Any, count: int) -> list[str]:
    """The names of the first `count` arguments, `xs[i]` for those a `*xs` takes."""
    fn = getattr(fn, "func", fn)
    if isinstance(fn, Op):
        fn = fn.kernel
    try:
        parameters = list(inspect.signature(fn).parameters.values())
    except (TypeError, ValueError):
        return [f"inputs[{i}]" for i in range(count)]
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    variadic = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), "inputs")
    extra = [f"{variadic}[{i - len(names)}]" for i in range(len(names), count)]
    return [*names[:count], *extra]
