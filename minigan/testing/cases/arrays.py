"""Cases of shapes, order, indexing, joining, padding, sums and products: the linear ops."""

from __future__ import annotations

import numpy as np

from minigan import ops
from minigan.op import OPS
from minigan.ops.padding import crop, pad
from minigan.testing.cases.table import case, joining, linear
from minigan.testing.draw import normal

concatenate, stack = joining(ops.concatenate), joining(ops.stack)


def einsum(*operands, subscripts):
    """`ops.einsum` with the operands first."""
    return ops.einsum(subscripts, *operands)


def to_device(x):
    """The op behind `ops.to`, to the device where x is."""
    return OPS["to_device"](x, source=x.device, target=x.device)


SHAPES = [
    linear(ops.reshape, normal(2, 6), shape=(3, -1)),
    linear(ops.reshape, normal(1), shape=()),
    linear(ops.reshape, normal(0, 3), shape=(3, 0)),
    linear(ops.transpose, normal(2, 3, 4)),
    linear(ops.transpose, normal(2, 3, 4), axes=(1, 2, 0)),
    linear(ops.swapaxes, normal(2, 3, 4), axis1=0, axis2=-1),
    linear(ops.moveaxis, normal(2, 3, 4), source=0, destination=2),
    linear(ops.matrix_transpose, normal(2, 3, 4)),
    linear(ops.expand_dims, normal(2, 3), axis=(0, -1)),
    linear(ops.squeeze, normal(2, 1, 3, 1)),
    linear(ops.squeeze, normal(2, 1, 3, 1), axis=1),
    linear(ops.broadcast_to, normal(3, 1), shape=(2, 3, 4)),
    linear(ops.broadcast_to, normal(1), shape=(0, 3)),
    linear(ops.sum_to, normal(2, 3, 4), shape=(3, 1)),
    linear(ops.sum_to, normal(2, 3), shape=()),
    linear(ops.flip, normal(2, 3)),
    linear(ops.flip, normal(2, 3), axis=1),
    linear(ops.roll, normal(3, 4), shift=1, axis=0),
    linear(ops.roll, normal(3, 4), shift=(2, -1), axis=(0, 1)),
    linear(ops.repeat, normal(2, 3), repeats=2),
    linear(ops.repeat, normal(2, 3), repeats=3, axis=0),
    linear(ops.repeat, normal(2, 3), repeats=[2, 0, 1], axis=1),
    linear(ops.tile, normal(2, 3), reps=(2, 3)),
    linear(ops.to, normal(2, 3)),
    linear(to_device, normal(2, 3)),
]

INDEXING = [
    linear(ops.getitem, normal(4, 5), index=(slice(1, None), slice(None, None, 2))),
    linear(ops.getitem, normal(4, 5), index=(slice(None, None, -1), -1)),
    linear(ops.getitem, normal(4, 5), index=(None, 2, ...)),
    linear(ops.getitem, normal(4, 5), index=[0, 2, 0, -1]),
    linear(ops.getitem, normal(4, 5), index=(np.array([[0, 1], [1, 1]]), np.array([2, 2]))),
    linear(ops.getitem, normal(4, 5), index=(slice(0, 3), np.array([1, 1, 4]))),
    linear(ops.getitem, normal(2, 3), index=np.array([[True, False, True], [False, True, True]])),
    linear(ops.getitem, normal(4, 5), index=slice(2, 2)),
    linear(ops.scatter, normal(3), index=[0, 2, 0], shape=(4,)),
    linear(ops.scatter, normal(2, 5), index=slice(1, 3), shape=(4, 5)),
    linear(ops.scatter, normal(3, 2), index=(slice(None), [1, 1]), shape=(3, 4)),
    linear(concatenate, normal(2, 3), normal(1, 3), normal(0, 3)),
    linear(concatenate, normal(2, 3), normal(2, 1), axis=-1),
    linear(stack, normal(2, 3), normal(2, 3), axis=1),
    linear(ops.split, normal(4, 3), sections=2),
    linear(ops.split, normal(2, 5), sections=[1, 3], axis=1),
]

PADDING = [
    linear(pad, normal(2, 3), pad_width=((1, 0), (2, 1))),
    case(pad, normal(2, 3), pad_width=1, value=1.5),
    linear(pad, normal(4, 5), pad_width=((3, 1), (0, 4)), mode="reflect"),
    linear(pad, normal(2, 1, 3, 3), pad_width=((0, 0), (0, 0), (2, 2), (1, 2)), mode="reflect"),
    linear(pad, normal(2, 3), pad_width=((3, 1), (0, 4)), mode="replicate"),
    linear(crop, normal(4, 6), pad_width=((1, 0), (2, 1))),
    linear(OPS["fold_inside"], normal(4, 6), widths=((1, 0), (2, 1)), mode="reflect"),
    linear(OPS["fold_inside"], normal(4, 6), widths=((2, 0), (2, 3)), mode="replicate"),
]

SUMS = [
    linear(ops.sum, normal(2, 3, 4)),
    linear(ops.sum, normal(2, 3, 4), axis=(0, -1), keepdims=True),
    linear(ops.sum, normal(0, 3), axis=1),
    linear(ops.sum, normal()),
    linear(ops.mean, normal(2, 3, 4)),
    linear(ops.mean, normal(2, 3, 4), axis=1),
    linear(ops.mean, normal(2, 3, 4), axis=(1, 2), keepdims=True),
    linear(ops.cumsum, normal(3, 4), axis=1),
    linear(ops.cumsum, normal(3, 4), axis=0, reverse=True),
]

PRODUCTS = [
    linear(ops.matmul, normal(2, 3), normal(3, 4)),
    linear(ops.matmul, normal(3, 3), normal(3, 3)),
    linear(ops.matmul, normal(2, 1, 2, 3), normal(4, 3, 2)),
    linear(ops.matmul, normal(3), normal(3)),
    linear(ops.matmul, normal(2, 3), normal(3)),
    linear(ops.matmul, normal(3), normal(3, 2)),
    linear(ops.matmul, normal(0, 3), normal(3, 2)),
    linear(ops.affine, normal(3, 4), normal(2, 4)),
    case(ops.affine, normal(3, 4), normal(2, 4), normal(2)),
    case(ops.affine, normal(2, 3, 4), normal(2, 4), normal(2)),
    case(ops.affine, normal(4), normal(2, 4), normal(2)),
    linear(OPS["matmul"], normal(4, 3), normal(4, 2), ta=True),
    linear(OPS["matmul"], normal(3, 4), normal(2, 4), tb=True),
    linear(OPS["matmul"], normal(4, 3), normal(2, 4), ta=True, tb=True),
    linear(OPS["matmul"], normal(5, 4, 3), normal(2, 4), ta=True, tb=True),
    linear(einsum, normal(2, 3), normal(3, 4), subscripts="ij,jk->ik"),
    linear(einsum, normal(2, 3), normal(2, 3), normal(3), subscripts="bi,bj,j->b"),
    linear(einsum, normal(2, 2, 3), normal(3, 4), subscripts="...i,ij->...j"),
    linear(einsum, normal(2, 3, 4), subscripts="ijk->j"),
]

CASES = [*SHAPES, *INDEXING, *PADDING, *SUMS, *PRODUCTS]
