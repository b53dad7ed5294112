"""Hypothesis strategies for whoever tests an op: shapes, arrays, layouts, geometries, graphs.

Needs `hypothesis` (the `test` extra). Arrays are drawn by a seed and not entry by entry: hypothesis
shrinks shape, layout and dtype, which is what a bug in an op depends on, and stays fast.

>>> import minigan as mg
>>> from hypothesis import given
>>> from minigan.testing import gradcheck, strategies as st
>>> @given(st.arrays(st.shapes(min_side=1), avoid=[0.0]))
... def test_abs(x):
...     gradcheck(mg.abs, [x])
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

from minigan.tensor import Tensor, as_tensor
from minigan.testing.draw import LAYOUTS, Shape, kink_free, with_layout

# -- shapes, dtypes, layouts ---------------------------------------------------------------------


def shapes(
    *, min_dims: int = 0, max_dims: int = 4, min_side: int = 0, max_side: int = 4
) -> st.SearchStrategy[Shape]:
    """Shapes of arrays, axes of size 0 and 1 among them."""
    sides = st.integers(min_side, max_side)
    return st.lists(sides, min_size=min_dims, max_size=max_dims).map(tuple)


def broadcastable_shapes(
    count: int = 2, *, max_dims: int = 4, min_side: int = 0, max_side: int = 4
) -> st.SearchStrategy[tuple[Shape, ...]]:
    """`count` shapes that broadcast together, with missing axes and axes of size 0 and 1."""
    return mutually_broadcastable_shapes(
        num_shapes=count, max_dims=max_dims, min_side=min_side, max_side=max_side
    ).map(lambda found: tuple(found.input_shapes))


def dtypes() -> st.SearchStrategy[str]:
    """Names of floating-point types, "float64" or "float32"."""
    return st.sampled_from(["float64", "float32"])


def layouts() -> st.SearchStrategy[str]:
    """Memory layouts: "c", "fortran", "reversed", "strided", "broadcast" (see `with_layout`)."""
    return st.sampled_from(["c", *LAYOUTS])


# -- arrays --------------------------------------------------------------------------------------


@st.composite
def arrays(
    draw: st.DrawFn,
    shape: Shape | st.SearchStrategy[Shape],
    *,
    dtype: str | st.SearchStrategy[str] = "float64",
    layout: str | st.SearchStrategy[str] = "c",
    low: float = -2.0,
    high: float = 2.0,
    avoid: Sequence[float] = (),
    gap: float = 0.1,
) -> np.ndarray:
    """Arrays of numbers in [low, high] that keep `gap` away from the kinks in `avoid`.

    `shape`, `dtype` and `layout`: a value, or a strategy for it.
    """
    shape, dtype, layout = (
        draw(x) if isinstance(x, st.SearchStrategy) else x for x in (shape, dtype, layout)
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = kink_free(rng, shape, low=low, high=high, avoid=avoid, gap=gap).astype(dtype)
    return with_layout(x, layout)


# -- convolutions --------------------------------------------------------------------------------


@dataclass(frozen=True)
class ConvGeometry:
    """A convolution by its numbers, each pair (height, width).

    `in_channels`, `out_channels` count all groups together.
    """

    batch: int
    in_channels: int
    out_channels: int
    size: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int

    @property
    def x_shape(self) -> Shape:
        """(N, C, H, W)."""
        return (self.batch, self.in_channels, *self.size)

    @property
    def weight_shape(self) -> Shape:
        """(O, C / groups, K_h, K_w)."""
        return (self.out_channels, self.in_channels // self.groups, *self.kernel)

    @property
    def reach(self) -> tuple[int, int]:
        """How far the dilated kernel stretches: dilation (kernel - 1) + 1."""
        return tuple(d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel, strict=True))

    @property
    def remainder(self) -> tuple[int, int]:
        """Rows and columns at the end that no window reaches."""
        spans = zip(self.size, self.padding, self.reach, self.stride, strict=True)
        return tuple((n + 2 * p - r) % s for n, p, r, s in spans)

    @property
    def out_size(self) -> tuple[int, int]:
        """floor((H + 2 padding - reach) / stride) + 1."""
        spans = zip(self.size, self.padding, self.reach, self.stride, strict=True)
        return tuple((n + 2 * p - r) // s + 1 for n, p, r, s in spans)

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments of `conv2d`."""
        names = ("stride", "padding", "dilation", "groups")
        return {name: getattr(self, name) for name in names}


@st.composite
def conv_geometries(
    draw: st.DrawFn, *, max_size: int = 7, max_kernel: int = 4, max_channels: int = 2
) -> ConvGeometry:
    """Geometries of a 2-D convolution whose output has at least one entry.

    With remainders, padding up to and beyond the kernel, stride beyond the kernel, dilation,
    groups, and kernels that are not square.
    """

    def pair(low: int, high: int) -> tuple[int, int]:
        return draw(st.tuples(st.integers(low, high), st.integers(low, high)))

    kernel, dilation = pair(1, max_kernel), pair(1, 2)
    padding = tuple(draw(st.integers(0, k + 1)) for k in kernel)
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    least = [max(1, r - 2 * p) for r, p in zip(reach, padding, strict=True)]
    size = tuple(draw(st.integers(n, max(n, max_size))) for n in least)
    groups = draw(st.integers(1, 3))
    channels = st.integers(1, max_channels)
    return ConvGeometry(
        batch=draw(st.integers(1, 2)), in_channels=groups * draw(channels),
        out_channels=groups * draw(channels), size=size, kernel=kernel, stride=pair(1, 4),
        padding=padding, dilation=dilation, groups=groups,
    )  # fmt: skip


# -- graphs --------------------------------------------------------------------------------------

UNARY: dict[str, Callable[[Tensor], Tensor]] = {
    "double": lambda a: a + a,
    "square": lambda a: a * a * 0.5,
    "bound": lambda a: a / (1.0 + a * a),
    "shift": lambda a: 1.5 - a,
}
BINARY: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b * 0.5,
    "div": lambda a, b: a / (2.0 + b * b),
}


@dataclass(frozen=True)
class RandomGraph:
    """A function made of a list of steps (name, operand, operand); any result may be used often.

    Step k appends value number `len(inputs) + k`; the function returns the sum of the last value
    and of every value that nothing else uses, so that no step is idle.
    """

    steps: tuple[tuple[str, int, int], ...]
    inputs: tuple[np.ndarray, ...]

    @property
    def fan_out(self) -> int:
        """The largest number of uses of one value."""
        used = [i for name, a, b in self.steps for i in ((a, b) if name in BINARY else (a,))]
        return max(map(used.count, used), default=0)

    def __call__(self, *inputs: Any) -> Tensor:
        values = [as_tensor(x) for x in inputs]
        idle = set(range(len(values)))
        for name, a, b in self.steps:
            operands = (a, b) if name in BINARY else (a,)
            fn = BINARY[name] if name in BINARY else UNARY[name]
            idle -= set(operands)
            idle.add(len(values))
            values.append(fn(*(values[i] for i in operands)))
        first, *rest = (values[i] for i in sorted(idle))
        for value in rest:
            first = first + value
        return first


@st.composite
def graphs(
    draw: st.DrawFn, *, max_inputs: int = 3, max_steps: int = 12, shape: Shape = (2, 3)
) -> RandomGraph:
    """Random directed acyclic graphs with fan-out, made of smooth and bounded steps.

    `graph(*graph.inputs)` runs it: check it with `gradcheck(graph, graph.inputs)`.
    """
    count = draw(st.integers(1, max_inputs))
    steps = []
    for k in range(draw(st.integers(1, max_steps))):
        operand = st.integers(0, count + k - 1)
        name = draw(st.sampled_from([*UNARY, *BINARY]))
        steps.append((name, draw(operand), draw(operand)))
    inputs = tuple(draw(arrays(shape)) for _ in range(count))
    return RandomGraph(tuple(steps), inputs)
