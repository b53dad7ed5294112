"""How steep a network is: a bound from below, by sampling, and one from above, layer by layer.

The Lipschitz constant of f is the smallest L with |f(x) - f(y)| <= L |x - y| for all x and y, the
norms Euclidean. For a network it is hard to compute (NP-hard for two ReLU layers), but easy to
enclose:

* every gradient is a lower bound, since |grad f(x)| <= L wherever f is differentiable;
* of f = f_K o ... o f_1, the product of the layers' constants is an upper bound, since each layer
  stretches a difference by at most its own constant.

Between the two lies the truth, usually nearer to the first: the worst directions of the layers
seldom line up. A critic that is used as if it were 1-Lipschitz should have the first not above 1;
spectral norm makes the second (for convolutions seen as operators) not above 1.

Letters: N batch, D all other axes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from minigan import nn, ops
from minigan.autograd import grad
from minigan.errors import ShapeError
from minigan.nn.operator_norm import operator_norm_bound
from minigan.recording import no_grad
from minigan.tensor import Tensor

__all__ = ["lower_bound", "slopes", "upper_bound"]

# -- from below -----------------------------------------------------------------------------------


def slopes(critic: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
    """Return |grad critic(x)|_2 at each point: (N, ...) -> (N,), outside the graph.

    `critic` gives one score a sample, (N,) or (N, 1); a first derivative is all this takes.
    Raises `ShapeError` for another number of scores.

    >>> import minigan as mg
    >>> w = mg.tensor([3.0, 4.0])
    >>> slopes(lambda x: (x * w).sum(axis=1), mg.zeros(2, 2)).numpy().tolist()
    [5.0, 5.0]
    """
    points = points.detach().requires_grad_()
    scores = critic(points)
    if scores.size != points.shape[0]:
        raise ShapeError(
            f"slopes: {points.shape[0]} points got scores of shape {scores.shape}; give a function "
            "with one score a sample"
        )
    (gradients,) = grad(scores.sum(), points)
    flat = gradients.reshape(points.shape[0], math.prod(points.shape[1:]))  # (N, D)
    return ops.norm(flat, axis=1)


def lower_bound(critic: Callable[[Tensor], Tensor], points: Tensor) -> float:
    """Return the steepest slope of a critic at the given points, a lower bound of its constant.

    The points of interest are those where the slope matters: data, samples, and between the two.
    """
    return slopes(critic, points).max().item()


# -- from above -----------------------------------------------------------------------------------


def upper_bound(network: nn.Module, *, input_shape: tuple[int, ...] | None = None) -> float:
    """Return the product of the constants of a network's layers, an upper bound of its constant.

    `network`: a layer or a `Sequential` of such, nested as deep as you like. `input_shape`, without
    the batch axis, lets a convolution be bounded for the image it meets (the norm of the operator
    on the framed image) and not for any image (the norm of the kernel's matrix times the root of
    the number of windows that share a pixel). Dropout counts as switched off. Raises ValueError,
    naming it, for a layer whose constant is not known.

    >>> from minigan import nn
    >>> critic = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU(), nn.Linear(2, 1, bias=False))
    >>> _ = critic[0].weight.assign_([[2.0, 0.0], [0.0, 1.0]])
    >>> _ = critic[2].weight.assign_([[3.0, 4.0]])
    >>> upper_bound(critic)  # 2 * 1 * 5
    10.0
    """
    product, x = 1.0, None if input_shape is None else _blank(network, input_shape)
    for name, layer in _layers("", network):
        constant = _CONSTANTS.get(type(layer))
        if constant is None:
            known = ", ".join(sorted(kind.__name__ for kind in _CONSTANTS))
            raise ValueError(
                f"upper_bound knows no Lipschitz constant for layer {name!r}, a "
                f"{type(layer).__name__}; it knows Sequential and {known}"
            )
        product *= constant(layer, None if x is None else x.shape[2:])
        x = None if x is None else _image_after(layer, x)
    return product


def _layers(name: str, module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield (dotted name, layer) in the order of application."""
    if type(module) is not nn.Sequential:
        yield name, module
        return
    for child_name, child in module.named_children():
        yield from _layers(f"{name}.{child_name}" if name else child_name, child)


def _blank(network: nn.Module, shape: tuple[int, ...]) -> Tensor:
    """Return one input of zeros, with the dtype and the device of the network's parameters."""
    like = next(network.parameters(), None)
    options = {} if like is None else {"dtype": like.dtype, "device": like.device}
    return ops.zeros(1, *shape, **options)


@no_grad()
def _image_after(layer: nn.Module, x: Tensor) -> Tensor:
    """Send zeros through a layer, for the shape that the next one meets."""
    return x if isinstance(layer, nn.Dropout) else layer(x)


Size = tuple[int, int] | None
_Constant = Callable[[nn.Module, Size], float]


def _linear(layer: nn.Linear, size: Size) -> float:
    """The largest singular value of the weight that the layer uses."""
    return float(np.linalg.norm(layer.weight.detach().numpy().astype(np.float64), 2))


def _convolution(layer: nn.Conv2d | nn.ConvTranspose2d, size: Size) -> float:
    return operator_norm_bound(layer, size)


def _average(layer: nn.AvgPool2d, size: Size) -> float:
    """Averaging a pixels stretches by 1 / sqrt(a); a pixel in m windows counts sqrt(m) times."""
    return math.sqrt(_windows(layer) / math.prod(_pair(layer.kernel_size)))


def _largest(layer: nn.MaxPool2d, size: Size) -> float:
    """The maximum moves by no more than the largest entry of its window moves."""
    return math.sqrt(_windows(layer))


def _windows(layer: nn.AvgPool2d | nn.MaxPool2d) -> int:
    """Return how many windows can contain one pixel."""
    axes = zip(_pair(layer.kernel_size), _pair(layer.stride), strict=True)
    return math.prod(-(-k // s) for k, s in axes)


def _upsampled(layer: nn.Upsample, size: Size) -> float:
    """Each pixel becomes S^2 of them; blending their values bilinearly does not add to it."""
    return math.sqrt(math.prod(_pair(layer.scale_factor)))


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def _at_most(constant: float) -> _Constant:
    """The constant of a layer without options."""
    return lambda layer, size: constant


# Rounded upwards. GELU's slope, Phi(x) + x phi(x), is steepest at sqrt(2), where its derivative
# vanishes: 1.128904, and 1.128993 for the tanh formula. SiLU's, s + x s (1 - s), s = sigmoid(x),
# is steepest where x tanh(x / 2) = 2.
_GELU, _SILU = 1.1290, 1.0998394

_CONSTANTS: dict[type[nn.Module], _Constant] = {
    nn.Linear: _linear,
    nn.Conv2d: _convolution,
    nn.ConvTranspose2d: _convolution,
    nn.Identity: _at_most(1.0),
    nn.Dropout: _at_most(1.0),
    nn.ReLU: _at_most(1.0),
    nn.LeakyReLU: lambda layer, size: max(1.0, abs(layer.negative_slope)),
    nn.ELU: lambda layer, size: max(1.0, abs(layer.alpha)),
    nn.GELU: _at_most(_GELU),
    nn.SiLU: _at_most(_SILU),
    nn.Tanh: _at_most(1.0),
    nn.Sigmoid: _at_most(0.25),
    nn.Softplus: _at_most(1.0),
    nn.Flatten: _at_most(1.0),
    nn.Unflatten: _at_most(1.0),
    nn.ZeroPad2d: _at_most(1.0),
    nn.PixelShuffle: _at_most(1.0),
    nn.AvgPool2d: _average,
    nn.MaxPool2d: _largest,
    nn.Upsample: _upsampled,
}
