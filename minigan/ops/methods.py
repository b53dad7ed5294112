"""The operators and methods of Tensor, hung on it here so that the Tensor knows no op.

Names and arguments are NumPy's: `x.sum(axis=0, keepdims=True)`, `x.reshape(2, 3)`, `x.T`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minigan import autograd
from minigan.errors import GraphError
from minigan.ops import activations, elementwise, indexing, linear, products, reductions
from minigan.tensor import Tensor

# -- operators ------------------------------------------------------------------------------------

_BINARY = {
    "add": elementwise.add,
    "sub": elementwise.subtract,
    "mul": elementwise.multiply,
    "truediv": elementwise.divide,
    "pow": elementwise.pow,
    "matmul": products.matmul,
}
_COMPARISONS = {
    "eq": elementwise.equal,
    "ne": elementwise.not_equal,
    "lt": elementwise.less,
    "le": elementwise.less_equal,
    "gt": elementwise.greater,
    "ge": elementwise.greater_equal,
    "and": elementwise.logical_and,
    "or": elementwise.logical_or,
}
_UNARY = {"neg": elementwise.negative, "abs": elementwise.abs, "invert": elementwise.logical_not}


def _install_operators() -> None:
    for name, op in {**_BINARY, **_COMPARISONS}.items():
        setattr(Tensor, f"__{name}__", _operator(op))
    for name, op in {
        **_BINARY,
        "and": elementwise.logical_and,
        "or": elementwise.logical_or,
    }.items():
        setattr(Tensor, f"__r{name}__", _reflected(op))
    for name, op in _UNARY.items():
        setattr(Tensor, f"__{name}__", _method(op))


def _operator(op: Any) -> Any:
    return lambda self, other: NotImplemented if other is None else op(self, other)


def _reflected(op: Any) -> Any:
    return lambda self, other: NotImplemented if other is None else op(other, self)


def _method(function: Any) -> Any:
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    method.__doc__ = function.__doc__
    return method


# -- methods --------------------------------------------------------------------------------------

_ELEMENTWISE = (
    *("abs", "copy", "cos", "exp", "expm1", "log", "log1p", "maximum", "minimum", "pow", "round"),
    *("sign", "sin", "sqrt", "square", "tanh"),
)
_ACTIVATIONS = ("relu", "sigmoid")
_LINEAR = ("sum", "mean", "cumsum", "sum_to", "swapaxes", "squeeze", "flip", "roll", "to")
_REDUCTIONS = ("var", "std", "max", "min", "norm", "logsumexp", "softmax", "argmax", "any", "all")
_INDEXING = ("repeat", "split")


def _install_methods() -> None:
    for module, names in (
        (elementwise, _ELEMENTWISE),
        (activations, _ACTIVATIONS),
        (linear, _LINEAR),
        (reductions, _REDUCTIONS),
        (indexing, _INDEXING),
    ):
        for name in names:
            setattr(Tensor, name, _method(getattr(module, name)))
    for method in (reshape, transpose, flatten, broadcast_to, astype, clip, backward):
        setattr(Tensor, method.__name__, method)
    for method in (__iter__, __getitem__, __setitem__, __pos__):
        setattr(Tensor, method.__name__, method)
    Tensor.T = property(
        lambda self: linear.transpose(self), doc="The tensor with its axes reversed."
    )


def reshape(self: Tensor, *shape: Any) -> Tensor:
    """Give another shape of as many elements: `x.reshape(2, -1)` or `x.reshape((2, -1))`."""
    return linear.reshape(self, shape[0] if len(shape) == 1 else shape)


def transpose(self: Tensor, *axes: Any) -> Tensor:
    """Permute the axes: `x.transpose(1, 0)`, `x.transpose((1, 0))`, or reversed without any."""
    if len(axes) == 1 and hasattr(axes[0], "__iter__"):
        axes = axes[0]
    return linear.transpose(self, axes or None)


def flatten(self: Tensor) -> Tensor:
    """One axis of all elements, in C order."""
    return linear.reshape(self, -1)


def broadcast_to(self: Tensor, *shape: Any) -> Tensor:
    """Repeat along axes of length 1 and new leading ones until the tensor has `shape`."""
    return linear.broadcast_to(self, shape[0] if len(shape) == 1 else shape)


def astype(self: Tensor, dtype: Any) -> Tensor:
    """Convert the elements; the gradient comes back in the former dtype."""
    return elementwise.astype(self, dtype=dtype)


def clip(self: Tensor, min: float | None = None, max: float | None = None) -> Tensor:
    """Bound the elements from below and above."""
    return elementwise.clip(self, min=min, max=max)


def backward(
    self: Tensor, gradient: Any = None, *, retain_graph: bool = False, create_graph: bool = False
) -> None:
    """Add the gradient of this tensor to the `.grad` of the leaves; see `minigan.grad`."""
    if create_graph:
        raise GraphError(
            "backward() leaves gradients outside the graph: use mg.grad(create_graph=True)"
        )
    autograd.backward(self, gradient, retain_graph=retain_graph)


def __getitem__(self: Tensor, index: Any) -> Tensor:
    return indexing.getitem(self, index)


def __setitem__(self: Tensor, index: Any, value: Any) -> None:
    raise TypeError(
        "tensors do not change by index: use mg.where, mg.scatter, or assign_ on a leaf"
    )


def __pos__(self: Tensor) -> Tensor:
    return self


def __iter__(self: Tensor) -> Iterator[Tensor]:
    return (self[i] for i in range(len(self)))


_install_operators()
_install_methods()
