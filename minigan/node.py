"""What the graph is made of: one `Node` for each recorded op, one `Leaf` for each variable.

A node holds its op, its parents' nodes and what the op's rules need: arrays, never Tensors. The
arrows therefore run one way only, from a result to what it came from, and a graph that nobody
holds any more is gone at once, without the garbage collector.

Every node takes the next integer as its id. Parents exist before their children, so descending
ids are a topological order: no sorting by depth, no recursion.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

next_id = itertools.count(1).__next__  # later nodes have larger ids, in every thread


class Node:
    """One recorded op: where a result came from, and what its derivative needs.

    `parents[i]` is the node of argument i, or None where no gradient is wanted. `kept[i]` is the
    array of argument i where a rule asked for it, else None; `shapes` are the arguments' shapes,
    `out` the result, `attrs` the op's options: each is kept only if a rule names it. `stamps` are
    the versions of the kept arrays that may change in place.
    """

    __slots__ = (
        "attrs",
        "dtype",
        "grad",
        "hooks",
        "id",
        "keeps_grad",
        "kept",
        "op",
        "out",
        "parents",
        "shape",
        "shapes",
        "stamps",
        "stash",
        "__weakref__",
    )

    def __init__(
        self, op: Any, parents: tuple[Node | None, ...] | None, shape: tuple[int, ...], dtype: Any
    ) -> None:
        self.id = next_id()
        self.op = op
        self.parents = parents
        self.shape = shape
        self.dtype = dtype
        self.kept = self.shapes = self.out = self.attrs = self.stash = None
        self.stamps: list[tuple[int, list[int], int]] | None = None
        self.hooks: list[Callable] | None = None
        self.grad = None
        self.keeps_grad = False

    @property
    def freed(self) -> bool:
        """Whether a backward pass has already let go of what this node kept."""
        return self.parents is None

    def free(self) -> None:
        """Let go of the parents and of everything kept for the derivative."""
        self.parents = self.kept = self.out = self.stash = self.stamps = None
        self.shapes = self.attrs = None

    def __repr__(self) -> str:
        return f"Node({self.id}, {self.op.name}, shape={self.shape})"


class Leaf(Node):
    """The beginning of a graph: a variable that a gradient is wanted for, with its `.grad`."""

    __slots__ = ()

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        super().__init__(None, (), shape, dtype)
        self.keeps_grad = True

    def free(self) -> None:
        """Nothing to let go of: a leaf outlives every graph it is part of."""

    def __repr__(self) -> str:
        return f"Leaf({self.id}, shape={self.shape})"
