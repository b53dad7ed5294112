"""Products of matrices, and sums of products: closed under differentiation with one another.

    matmul   y = A B, either of them perhaps transposed: its gradients are products of that kind
    affine   y = x W^T + b, the map of a linear layer
    einsum   any sum of products: its gradients are einsums

A transposition is an option of the product, not an op of its own: BLAS reads a matrix either way.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from minigan.backend import xp_of
from minigan.backend.products import ALONE, product
from minigan.errors import ShapeError
from minigan.op import op
from minigan.ops.linear import broadcast_to, expand_dims, reshape, squeeze, sum, sum_to
from minigan.tensor import Tensor, as_tensor

# -- two matrices ---------------------------------------------------------------------------------


@op(linear=True)
def _matmul(a, b, *, ta=False, tb=False):  # (..., n, k), (..., k, m) -> (..., n, m)
    if ta:
        a = a.swapaxes(-1, -2)
    if tb:
        b = b.swapaxes(-1, -2)
    if a.ndim == b.ndim == 2 and a.size * b.shape[1] <= ALONE:
        return a.dot(b)  # without one more call, for the sake of tiny ones
    return product(a, b)


# With Y = A B the gradients are G B^T and A^T G; an argument that is given transposed gets the
# transpose of its gradient.


def _gradient_of_a(g, b, a_shape, ta, tb):
    return _fit(_matmul(b, g, ta=tb, tb=True) if ta else _matmul(g, b, tb=not tb), a_shape)


def _gradient_of_b(g, a, b_shape, ta, tb):
    return _fit(_matmul(g, a, ta=True, tb=ta) if tb else _matmul(a, g, ta=not ta), b_shape)


def _fit(product, shape):
    """Sum over leading axes along which the argument was broadcast."""
    return product if product.shape == shape else sum_to(product, shape)


_matmul.vjp(a=_gradient_of_a, b=_gradient_of_b)


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """Matrix product over the last two axes, the leading ones broadcast; vectors as in NumPy."""
    if not (isinstance(a, Tensor) and isinstance(b, Tensor)):
        a, b = as_tensor(a), as_tensor(b)
    rows, columns = a.data.ndim > 1, b.data.ndim > 1
    if rows and columns:
        return _matmul(a, b)
    if not a.ndim or not b.ndim:
        raise ShapeError(f"matmul of {a.shape} and {b.shape}: scalars are multiplied with *")
    a = a if rows else expand_dims(a, 0)  # (k,) -> (1, k)
    b = b if columns else expand_dims(b, 1)  # (k,) -> (k, 1)
    return squeeze(_matmul(a, b), [i for i, kept in ((-2, rows), (-1, columns)) if not kept])


# -- the affine map -------------------------------------------------------------------------------


@op
def _affine(x, weight, bias):  # (N, I), (O, I), (O,) -> (N, O)
    out = product(x, weight.T)
    if bias is None:
        return out
    if out.dtype == bias.dtype:
        out += bias  # the product's own memory
        return out
    return out + bias


_affine.vjp(
    x=lambda g, weight: _matmul(g, weight),
    weight=lambda g, x: _matmul(g, x, ta=True),
    bias=lambda g: sum(g, axis=0),
)


def affine(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x W^T + b along the last axis, PyTorch's `linear`.

    x: (..., I); weight: (O, I); bias: (O,) or None -> (..., O). Raises `ShapeError` where they do
    not fit together.

    >>> import minigan as mg
    >>> mg.affine(mg.tensor([1.0, 2.0]), mg.tensor([[1.0, 1.0], [0.0, 3.0]])).tolist()
    [3.0, 6.0]
    """
    x, weight = as_tensor(x), as_tensor(weight)
    bias = None if bias is None else as_tensor(bias)
    if weight.ndim != 2 or not x.ndim or x.shape[-1] != weight.shape[1]:
        raise ShapeError(f"affine: x {x.shape} and weight {weight.shape}, not (..., I) and (O, I)")
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ShapeError(f"affine: bias {bias.shape} for weight {weight.shape}: it must be (O,)")
    if x.ndim == 2:
        return _affine(x, weight, bias)
    rows = reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))  # (..., I) -> (N, I)
    return reshape(_affine(rows, weight, bias), (*x.shape[:-1], weight.shape[0]))


# -- Einstein's notation --------------------------------------------------------------------------


@op(linear=True)
def _einsum(*xs, labels, result):
    out = xp_of(*xs).einsum(f"{','.join(labels)}->{result}", *xs, optimize=True)
    return out if out.base is None else out.copy()  # a mere transposition would be a view


_einsum.vjp(
    xs=lambda g, index, xs, xs_shapes, labels, result: _einsum_rule(
        g, index, xs, xs_shapes[index], labels, result
    )
)


def _einsum_rule(g, index, xs, shape, labels, result):
    """The gradient of operand `index`: contract g with the other operands.

    A label that stands in this operand alone was summed by itself: its gradient is constant along
    that axis.
    """
    others = [(x, s) for i, (x, s) in enumerate(zip(xs, labels, strict=True)) if i != index]
    available = set(result).union(*(s for _, s in others))
    own = labels[index]
    kept = "".join(c for c in own if c in available)
    inputs = (result, *(s for _, s in others))
    part = _einsum(g, *(x for x, _ in others), labels=inputs, result=kept)
    part = reshape(part, [part.shape[kept.index(c)] if c in kept else 1 for c in own])
    part = sum_to(part, [1 if n == 1 else m for n, m in zip(shape, part.shape, strict=True)])
    return broadcast_to(part, shape)


def einsum(subscripts: str, *operands: Tensor) -> Tensor:
    """Sum of products in Einstein's notation, as in NumPy: `einsum("ij,jk->ik", a, b)`.

    An ellipsis stands for leading axes that are common to the operands. A label repeated within
    one operand (a diagonal) is refused: index with two equal index arrays instead.
    """
    operands = tuple(as_tensor(x) for x in operands)
    labels, result = _parse_einsum(subscripts, operands)
    return _einsum(*operands, labels=labels, result=result)


def _parse_einsum(subscripts: str, operands: Sequence[Tensor]) -> tuple[tuple[str, ...], str]:
    """Spell out ellipses and the implicit result."""
    left, arrow, right = subscripts.replace(" ", "").partition("->")
    labels = left.split(",")
    if len(labels) != len(operands):
        raise ShapeError(f"einsum {subscripts!r}: {len(labels)} terms for {len(operands)} operands")
    hidden = max(
        (x.ndim - len(s) + 3 for s, x in zip(labels, operands, strict=True) if "..." in s),
        default=0,
    )
    free = [c for c in "ZYXWVUTSRQPONMLKJIHGFEDCBA" if c not in subscripts][:hidden][::-1]
    labels = [_spell(s, x.ndim, free) for s, x in zip(labels, operands, strict=True)]
    for s, x in zip(labels, operands, strict=True):
        if len(s) != x.ndim or len(set(s)) != len(s):
            raise ShapeError(
                f"einsum {subscripts!r}: term {s!r} does not fit an operand of shape {x.shape}"
            )
    if arrow and free and "..." not in right:
        raise ShapeError(f"einsum {subscripts!r}: the result must keep the ellipsis")
    if not arrow:
        joined = "".join(labels)
        once = sorted(c for c in set(joined) if joined.count(c) == 1 and c not in free)
        right = "".join([*free, *once])
    return tuple(labels), right.replace("...", "".join(free))


def _spell(term: str, ndim: int, free: list[str]) -> str:
    count = ndim - len(term) + 3
    return term.replace("...", "".join(free[len(free) - count :]))
