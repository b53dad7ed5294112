"""Dropout: noise that trains and then leaves."""

from __future__ import annotations

from minigan.backend import Generator, backend_of, default_generator
from minigan.nn.arguments import refuse_inplace
from minigan.nn.module import Module
from minigan.tensor import Tensor


class Dropout(Module):
    """Zero each element with probability p in training, and divide the others by 1 - p.

    In evaluation the input passes unchanged. `generator`: where the mask is drawn from, by
    default the thread's; `inplace`: refused (Srivastava et al. 2014).
    """

    def __init__(
        self, p: float = 0.5, inplace: bool = False, *, generator: Generator | None = None
    ) -> None:
        refuse_inplace("Dropout", inplace)
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"p is {p!r}: give a probability, 0 <= p <= 1")
        self.p, self.generator = float(p), generator

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0.0:
            return x
        return x * Tensor(backend_of(x.data).asarray(self._mask(x.shape, x.dtype)))

    def _mask(self, shape: tuple[int, ...], dtype: object) -> object:
        """Draw, on the host, 1 / (1 - p) where an element stays and 0 where it goes."""
        stays = (self.generator or default_generator()).uniform(shape) >= self.p
        scale = 1.0 / (1.0 - self.p) if self.p < 1.0 else 0.0  # at p = 1 nothing stays
        return stays.astype(dtype) * scale

    def extra_repr(self) -> str:
        return f"{self.p}"
