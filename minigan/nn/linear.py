"""Layers that multiply by a matrix or look up its rows.

Letters: N batch, I input features, O output features, V vocabulary, D embedding size.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigan import ops
from minigan.backend import backend_of
from minigan.errors import ShapeError
from minigan.nn import init
from minigan.nn.arguments import whole
from minigan.nn.module import Module
from minigan.nn.parameter import Parameter
from minigan.tensor import Tensor, as_tensor


class Linear(Module):
    """The affine map y = x W^T + b on the last axis: (..., I) -> (..., O).

    `weight` is (O, I), `bias` (O,); both start uniform on +-1 / sqrt(I).
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        self.in_features = whole(in_features, "in_features", least=0)
        self.out_features = whole(out_features, "out_features", least=0)
        shape = self.out_features, self.in_features
        self.weight = Parameter(np.zeros(shape, np.float32))  # (O, I)
        self.bias = Parameter(np.zeros(shape[:1], np.float32)) if bias else None  # (O,)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        init_affine_(self.weight, self.bias)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim == 0 or x.shape[-1] != self.in_features:
            raise ShapeError(f"{self!r} needs (..., {self.in_features}), got {tuple(x.shape)}")
        return ops.affine(x, self.weight, self.bias)  # (..., I) -> (..., O)

    def extra_repr(self) -> str:
        options = "" if self.bias is not None else ", bias=False"
        return f"{self.in_features}, {self.out_features}{options}"


class Embedding(Module):
    """A table of vectors: integers (...) -> their rows (..., D); the table starts as N(0, 1).

    `IndexError` for an index outside 0 .. V - 1; one that lies on a GPU is not looked at, because
    that would wait for it.
    """

    def __init__(self, num_embeddings: int, embedding_dim: int) -> None:
        self.num_embeddings = whole(num_embeddings, "num_embeddings")
        self.embedding_dim = whole(embedding_dim, "embedding_dim")
        shape = self.num_embeddings, self.embedding_dim
        self.weight = Parameter(np.zeros(shape, np.float32))  # (V, D)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the table anew."""
        init.normal_(self.weight)

    def forward(self, index: Any) -> Tensor:
        index = as_tensor(index)
        if index.dtype.kind not in "iu":
            raise TypeError(f"{self!r} takes integers, got {index.dtype}")
        if index.device == "cpu" and index.size:
            self._check(int(index.data.min()), int(index.data.max()))
        rows = backend_of(self.weight.data).asarray(index.data)
        return self.weight[rows]  # (...) -> (..., D)

    def _check(self, lowest: int, highest: int) -> None:
        if lowest < 0 or highest >= self.num_embeddings:
            wrong, last = lowest if lowest < 0 else highest, self.num_embeddings - 1
            raise IndexError(f"{self!r} takes indices from 0 to {last}, got {wrong}")

    def extra_repr(self) -> str:
        return f"{self.num_embeddings}, {self.embedding_dim}"


def init_affine_(weight: Parameter, bias: Parameter | None) -> None:
    """Draw weight and bias uniformly from +-1 / sqrt(fan_in): the default of PyTorch's layers."""
    bound = 1.0 / math.sqrt(max(1, init.fans(weight)[0]))
    init.uniform_(weight, -bound, bound)
    if bias is not None:
        init.uniform_(bias, -bound, bound)
