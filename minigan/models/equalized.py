"""The equalised learning rate (Karras et al. 2017, arXiv:1710.10196, section 4.1).

Adam's step has nearly the same length for every parameter, whatever the size of its gradient. So a
weight drawn from N(0, 0.01^2) is turned over in a few steps while one drawn from N(0, 1) hardly
moves. The remedy: every stored weight is N(0, 1), and He's constant is a factor at run time,

    weight = gain / sqrt(fan_in) * weight_raw,

so that each learns at the same relative speed. `lr_multiplier` m slows a layer down: the stored
weight is N(0, 1 / m^2) and the factor m times smaller, which leaves the function as it was and
makes a step of Adam m times shorter in it; the bias is m times the stored one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from minigan.backend import default_generator
from minigan.nn import Module, Parameter, init
from minigan.tensor import Tensor

Layer = TypeVar("Layer", bound=Module)


@dataclass(frozen=True, repr=False)
class Scaled:
    """An attribute that is a stored parameter times a constant."""

    stored: str
    factor: float

    def __call__(self, module: Module) -> Tensor:
        return getattr(module, self.stored) * self.factor

    def settle(self, module: Module) -> None:
        """Do nothing: there are no buffers behind a constant factor."""

    def __repr__(self) -> str:
        return f"{self.factor:.3g} {self.stored}"


def equalize(layer: Layer, *, gain: float = math.sqrt(2.0), lr_multiplier: float = 1.0) -> Layer:
    """Equalise a `Linear` or convolution layer, drawing its weight anew; return the layer.

    `gain`: sqrt(2) before a leaky ReLU, 1 before none. The parameters are `weight_raw` and `bias`,
    or `bias_raw` where `lr_multiplier` is not 1; biases start at 0.

    >>> from minigan import nn
    >>> equalize(nn.Linear(8, 2), gain=1.0).state_dict().keys()
    dict_keys(['bias', 'weight_raw'])
    """
    if not lr_multiplier > 0:
        raise ValueError(f"lr_multiplier is {lr_multiplier}: must be above 0")
    fan_in, _ = init.fans(layer.weight)
    drawn = default_generator().normal(layer.weight.shape, std=1.0 / lr_multiplier)
    _store(layer, "weight", drawn, gain / math.sqrt(fan_in) * lr_multiplier)
    if layer.bias is not None:
        init.zeros_(layer.bias)
        if lr_multiplier != 1:
            _store(layer, "bias", np.zeros(layer.bias.shape, np.float32), lr_multiplier)
    return layer


def _store(layer: Module, name: str, values: np.ndarray, factor: float) -> None:
    """Let attribute `name` be `factor` times a new parameter."""
    layer.derive(name, Scaled(f"{name}_raw", factor))
    setattr(layer, f"{name}_raw", Parameter(values))
