"""How much an op has to do: multiplications and additions of products, bytes read and written.

A convolution counts as its definition says, whatever algorithm computes it: an algorithm that needs
fewer operations (Winograd's) may then exceed the machine's ceiling. Letters: N batch, C channels of
x, O channels of y, (P, Q) map of y, (K, L) kernel, G groups.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from minigan.op import Op
from minigan.profiler import is_view


def flops(op: Op, args: Sequence, result: Any) -> float:
    """Return 2 for each product that is added up; 0 for ops that are no sums of products."""
    if op.name == "matmul":
        return 2.0 * result.size * _inner(*(a.shape[-2:] for a in (*args[:2], result)))
    if op.name == "affine":
        return 2.0 * result.size * args[0].shape[-1]  # x (N, I), w (O, I)
    if op.name == "conv2d":
        return 2.0 * result.size * math.prod(args[1].shape[1:])  # y (N, O, P, Q), w (O, C/G, K, L)
    if op.name == "conv_transpose2d":
        return 2.0 * args[0].size * math.prod(args[1].shape[1:])  # y (N, O, P, Q), w (O, C/G, K, L)
    if op.name == "conv2d_weight":
        return 2.0 * args[1].size * math.prod(result.shape[1:])  # y (N, O, P, Q), w (O, C/G, K, L)
    return 0.0


def _inner(a: tuple[int, int], b: tuple[int, int], result: tuple[int, int]) -> int:
    """Return k of a product (n, k) (k, m), whichever of the two is given transposed."""
    return math.isqrt(math.prod(a) * math.prod(b) // max(1, math.prod(result)))


def traffic(op: Op, args: Sequence, result: Any) -> float:
    """Return the bytes of all arrays given and returned, each once; 0 for views."""
    if is_view(op, args, result):
        return 0.0
    results = result if isinstance(result, tuple) else (result,)
    return float(sum(getattr(array, "nbytes", 0) for array in (*args, *results)))


def geometry(op: Op, args: Sequence, options: dict) -> str:
    """Name a call by its op and, for convolutions and products, the shapes it was given."""
    if op.name in ("matmul", "affine"):
        return f"{op.name} {_by(args[0].shape)} @ {_by(args[1].shape)}"
    if "conv" not in op.name:
        return op.name
    stride = options["geometry"]["stride"][0]
    return f"{op.name} {_by(args[0].shape)}, {_by(args[1].shape)}" + f" /{stride}" * (stride > 1)


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
