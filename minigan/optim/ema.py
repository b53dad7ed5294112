"""A running average of a network's weights, which usually samples better than the network."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np

from minigan.backend import xp_of
from minigan.nn.module import Module
from minigan.optim.blocks import Blocks, spare


class EMA:
    """The exponential moving average of a module's parameters, as a module of its own.

    average <- decay average + (1 - decay) parameter at each `update()`; buffers (batch-norm
    statistics, singular vectors) are copied. `ema.module` is a copy in evaluation mode, without
    gradients, ready to sample from. A half-life of h updates is a decay of 0.5 ** (1 / h).

    >>> import minigan as mg
    >>> net = mg.nn.Linear(1, 1, bias=False)
    >>> ema = EMA(net, decay=0.9)
    >>> before = ema.module.weight.item()
    >>> _ = net.weight.assign_(before + 1.0)
    >>> ema.update()
    >>> round(ema.module.weight.item() - before, 4)
    0.1
    """

    def __init__(self, module: Module, decay: float = 0.999) -> None:
        if not 0.0 <= decay <= 1.0:
            raise ValueError(f"decay is {decay}: give a number from 0 to 1")
        self.source, self.decay = module, float(decay)
        self.module = copy.deepcopy(module).requires_grad_(False).eval()
        self.module.zero_grad()
        self._blocks = Blocks()

    def update(self) -> None:
        """Move the average towards the module's parameters and copy its buffers."""
        source = dict(self.source.named_parameters())
        averages = dict(self.module.named_parameters())
        sources = {i: source[name].data for i, name in enumerate(averages)}
        self._blocks.settle([average.data for average in averages.values()], sources)
        try:
            self._blocks.apply(self._approach, sources)
        finally:
            for average in averages.values():
                average.note_assigned()
        buffers = dict(self.source.named_buffers())
        for name, copied in self.module.named_buffers():
            copied.assign_(buffers[name])

    def _approach(self, _: int, average: Any, value: Any) -> None:
        """Move flat arrays of averages towards the values."""
        step = xp_of(average).subtract(value, average, out=spare(average))
        step *= 1.0 - self.decay
        average += step

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return the averaged module's state."""
        return self.module.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load a state into the averaged module; raises as `Module.load_state_dict` does."""
        self.module.load_state_dict(state)
