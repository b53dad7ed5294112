"""Floor 2, second half: walking a recorded graph backwards.

`grad` and `backward` share one walk: start from the outputs with their cotangents, visit the
nodes by descending id (which is a topological order, see `node.py`), let each op's rules turn the
gradient of its result into gradients of its arguments, and sum where paths meet. `grad` visits
only the nodes that lie between its outputs and its inputs.

The rules are written in ops. With `create_graph=True` those ops are recorded like any others, and
the gradient can be differentiated again; otherwise the very same rules run unrecorded.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any

from minigan.backend import is_array, xp_of
from minigan.errors import GraphError, ShapeError, VersionError
from minigan.node import Leaf, Node
from minigan.op import Op, op
from minigan.recording import recording, run_kernel, watched
from minigan.tensor import Tensor, as_tensor, wrap


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Any = None,
    *,
    create_graph: bool = False,
    retain_graph: bool | None = None,
    allow_unused: bool = False,
) -> tuple[Tensor, ...]:
    """Return the gradients of `outputs` with respect to each of `inputs`: one Tensor per input.

    For y = f(x) and a cotangent u this is u^T (dy/dx), in the shape and dtype of x.

    `grad_outputs`: a cotangent per output, None for 1 where the output is a scalar.
    `create_graph=True` records the gradients' own computation: they can be differentiated again,
    to any order. `retain_graph` (default: `create_graph`) keeps the graph for a second pass.
    An input that no output depends on is an error, or None with `allow_unused=True`.

    >>> import minigan as mg
    >>> x = mg.tensor(3.0, requires_grad=True)
    >>> (g,) = mg.grad(x * x * x, x, create_graph=True)
    >>> (h,) = mg.grad(g, x)
    >>> g.item(), h.item()
    (27.0, 18.0)
    """
    outputs, inputs = _as_list(outputs, "outputs"), _as_list(inputs, "inputs")
    if retain_graph is None:
        retain_graph = create_graph
    targets = [_target(x, i) for i, x in enumerate(inputs)]
    seeds, given = _seeds(outputs, grad_outputs)
    order = _between(seeds, set(targets))
    if not allow_unused:  # said before anything is freed
        _refuse_unused(inputs, set(targets).difference(order))
    found = _walk(seeds, order, set(targets), create_graph, retain_graph)
    gradients = [found.get(node) for node in targets]
    return tuple(gradients if create_graph else _unshare(gradients, given))


def backward(output: Tensor, gradient: Any = None, *, retain_graph: bool = False) -> None:
    """Add the gradient of `output` to the `.grad` of every leaf it depends on.

    `gradient`: the cotangent, needed unless `output` is a scalar. The graph is freed unless
    `retain_graph=True`. There is no `create_graph` here, since gradients that live on the leaves
    of their own graph keep it alive for ever: use `minigan.grad` for higher derivatives.
    """
    seeds, given = _seeds([output], gradient)
    found = _walk(seeds, sorted(_reachable(seeds), key=_id), None, False, retain_graph)
    held = [node for node in found if node.keeps_grad]
    for node, new in zip(held, _unshare([found[n] for n in held], given), strict=True):
        with recording(False):
            node.grad = new if node.grad is None else node.grad + new


# -- the walk -------------------------------------------------------------------------------------


def _walk(
    seeds: dict[Node, Tensor],
    order: list[Node],
    targets: set[Node] | None,
    create_graph: bool,
    retain: bool,
) -> dict[Node, Tensor]:
    """Carry the seeds down the nodes of `order`, which has ascending ids.

    Returns the gradients of the targets; without targets, of the nodes that hold theirs.
    """
    path, pending, found = set(order), dict(seeds), {}
    passed = [node for node in order if node.parents and not path.isdisjoint(node.parents)]
    for node in passed:  # all of them before the first: a refusal leaves the graph as it was
        if node.stamps is not None:
            _check_versions(node)
    passed, visit = set(passed), watched(_visit)
    with recording(create_graph):
        for node in reversed(order):  # children come first
            g = pending.pop(node, None)
            if g is None:
                continue
            if node.hooks:
                g = _run_hooks(node, g)
            if node in targets if targets is not None else node.keeps_grad:
                found[node] = g
            if node in passed:
                visit(node, g, path, pending, create_graph)
                if not retain:
                    node.free()
    return found


def _visit(
    node: Node, g: Tensor, path: set[Node], pending: dict[Node, Tensor], create_graph: bool
) -> None:
    """Turn the gradient of one result into gradients of its arguments, and add them up."""
    op = node.op
    fused = None if op.definition is None else _fused_gradients(node, g, path, create_graph)
    for i, parent in enumerate(node.parents):
        if parent not in path:  # nobody wants this gradient, or the argument has no node at all
            continue
        new = fused[i] if fused else _apply_rule(node, g, i, create_graph)
        array = new.data if type(new) is Tensor else None
        if array is None or array.shape != parent.shape or array.dtype != parent.dtype:
            new = _fit(op, i, new, parent)
        former = pending.get(parent)
        pending[parent] = new if former is None else former + new


_id = operator.attrgetter("id")


def _reachable(roots: Iterable[Node], above: int = 0) -> set[Node]:
    """Return the nodes that the roots depend on, with ids not below `above`."""
    seen = {root for root in roots if root.id >= above}
    stack = list(seen)
    while stack:
        node = stack.pop()
        if node.id == above:  # the earliest target: what lies beyond it does not count
            continue
        if node.parents is None:
            raise GraphError(
                f"the graph was freed at {node.op.name} (shape {node.shape}) by an earlier pass: "
                "give that pass retain_graph=True, or compute the result again"
            )
        for parent in node.parents:
            if parent is not None and parent not in seen and parent.id >= above:
                seen.add(parent)
                stack.append(parent)
    return seen


def _between(roots: Iterable[Node], targets: set[Node]) -> list[Node]:
    """Return the nodes on a path from the roots to the targets, by ascending id."""
    reachable = _reachable(roots, above=min(map(_id, targets)))
    path: set[Node] = set()
    order = []
    for node in sorted(reachable, key=_id):  # parents come first
        if node in targets or not path.isdisjoint(node.parents):
            path.add(node)
            order.append(node)
    return order


# -- one node -------------------------------------------------------------------------------------


def _apply_rule(node: Node, g: Tensor, position: int, create_graph: bool) -> Tensor:
    """Call the rule of one argument with exactly what its signature asks for.

    Kept arrays are wrapped anew; where the graph grows on, on the nodes that they came from.
    """
    function, needs = node.op.rule_of(position)
    asked = [g]
    for kind, key in needs:
        if kind == "arg":
            asked.append(_rewrap(node, key, create_graph))
        elif kind == "out":
            asked.append(wrap(node.out, node if create_graph else None))
        elif kind == "attr":
            asked.append(node.attrs[key])
        elif kind == "shape":
            asked.append(node.shapes[key])
        else:
            asked.append(_fetch(node, kind, key, position, create_graph))
    return function(*asked)


def _fetch(node: Node, kind: str, key: Any, position: int, create_graph: bool) -> Any:
    """Look up the less common things that a rule may ask for."""
    if kind == "shapes":
        return node.shapes
    if kind == "index":
        return position
    return [_rewrap(node, i, create_graph) for i in range(len(node.kept))]


def _rewrap(node: Node, position: int, create_graph: bool) -> Any:
    """Argument `position` as it was given: a Tensor for an array; numbers and None as they are."""
    value = node.kept[position]
    if not is_array(value):
        return value
    if not create_graph:
        return wrap(value)
    # The version goes along: what is recorded now keeps this memory too.
    version = next((v for i, v, _ in node.stamps or () if i == position), None)
    return wrap(value, node.parents[position], version)


def _fused_gradients(
    node: Node, g: Tensor, path: set[Node], create_graph: bool
) -> dict[int, Tensor]:
    """First derivative by the kernel; one to be differentiated again by the definition."""
    op = node.op
    wanted = [i for i, parent in enumerate(node.parents) if parent in path]
    if not create_graph and op.kernel_backward is not None:
        needs = tuple(i in wanted for i in range(len(node.parents)))
        given = (g.data, needs, node.stash, *node.kept)
        arrays = run_kernel(op, op.kernel_backward, given, node.attrs)
        return {i: wrap(arrays[i]) if is_array(arrays[i]) else arrays[i] for i in wanted}
    # The arguments may depend on one another: nodes of their own in front of them make the
    # derivatives partial ones.
    with recording(True):
        fronts = [_rewrap(node, i, create_graph) for i in range(len(node.kept))]
        fronts = [_front(x) if i in wanted else x for i, x in enumerate(fronts)]
        again = op.definition(*fronts, **node.attrs)
    inputs = [fronts[i] for i in wanted]
    try:
        gradients = grad(again, inputs, g, create_graph=create_graph, retain_graph=True)
    except GraphError as error:
        raise GraphError(f"the definition of {op.name}, differentiated: {error}") from error
    return dict(zip(wanted, gradients, strict=True))


def _front(x: Tensor) -> Tensor:
    """Put a node of its own in front of an argument."""
    return wrap(x.data, Leaf(x.shape, x.dtype)) if x.node is None else _identity(x)


@op(view=True, linear=True)
def _identity(x):
    return x


_identity.vjp(x=lambda g: g)


def _fit(op: Op, position: int, g: Any, parent: Node) -> Tensor:
    """Sum a gradient of an elementwise op to the argument's shape; refuse any other misfit."""
    if not isinstance(g, Tensor):
        raise GraphError(f"{_rule_name(op, position)} returned {type(g).__name__}, not a Tensor")
    if op.elementwise and broadcastable(parent.shape, g.shape):
        g = g if g.shape == parent.shape else g.sum_to(parent.shape)
        return g if g.dtype == parent.dtype else g.astype(parent.dtype)
    if g.shape != parent.shape:
        raise ShapeError(
            f"{_rule_name(op, position)} returned a gradient of shape {g.shape}, "
            f"the argument has {parent.shape}"
        )
    if g.dtype != parent.dtype:
        raise TypeError(
            f"{_rule_name(op, position)} returned a gradient of dtype {g.dtype}, "
            f"the argument has {parent.dtype}"
        )
    return g


def broadcastable(small: tuple[int, ...], wide: tuple[int, ...]) -> bool:
    """Whether an array of shape `small` broadcasts to shape `wide`."""
    extra = len(wide) - len(small)
    return extra >= 0 and all(n in (1, m) for n, m in zip(small, wide[extra:], strict=True))


def _rule_name(op: Op, position: int) -> str:
    name = f"{op.params[0]}[{position}]" if op.variadic else op.params[position]
    return f"the rule of {op.name} for {name!r}"


def _check_versions(node: Node) -> None:
    for position, version, stamp in node.stamps:
        if version[0] != stamp:
            name = node.op.params[0 if node.op.variadic else position]
            raise VersionError(
                f"{node.op.name}: its argument {name!r} {node.kept[position].shape} was version "
                f"{stamp} when it was kept and is {version[0]} now: it was changed in place; "
                "step the optimiser after the backward pass, or keep a copy"
            )


def _run_hooks(node: Node, g: Tensor) -> Tensor:
    for (hook,) in node.hooks:
        new = hook(g)
        if new is None:
            continue
        if not isinstance(new, Tensor) or new.shape != node.shape or new.dtype != node.dtype:
            raise ShapeError(f"a hook must return None or a Tensor {node.shape} of {node.dtype}")
        g = new
    return g


# -- in and out -----------------------------------------------------------------------------------


def _as_list(tensors: Tensor | Sequence[Tensor], what: str) -> list[Tensor]:
    listed = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    for i, x in enumerate(listed):
        if not isinstance(x, Tensor):
            raise TypeError(f"grad: {what}[{i}] is a {type(x).__name__}, not a Tensor")
    if not listed:
        raise GraphError(f"grad: {what} is empty")
    return listed


def _refuse_unused(inputs: list[Tensor], missing: set[Node]) -> None:
    for i, x in enumerate(inputs):
        if x.node in missing:
            raise GraphError(
                f"grad: no output depends on input {i} (shape {x.shape}); "
                "pass allow_unused=True to get None for it"
            )


def _target(x: Tensor, i: int) -> Node:
    if x.node is None:
        raise GraphError(
            f"grad: input {i} (shape {x.shape}) requires no gradient: requires_grad_()"
        )
    return x.node


def _seeds(outputs: list[Tensor], cotangents: Any) -> tuple[dict[Node, Tensor], list[Tensor]]:
    """Pair each output's node with its cotangent; return the cotangents that were given too."""
    if (
        cotangents is None
        or isinstance(cotangents, Tensor)
        or not isinstance(cotangents, list | tuple)
    ):
        cotangents = [cotangents] * len(outputs) if cotangents is None else [cotangents]
    if len(cotangents) != len(outputs):
        raise GraphError(f"{len(cotangents)} cotangents for {len(outputs)} outputs: give one each")
    seeds: dict[Node, Tensor] = {}
    given = []
    for output, cotangent in zip(outputs, cotangents, strict=True):
        if output.node is None:
            raise GraphError(
                "the output has no graph: no input requires a gradient, or no_grad() was on"
            )
        g = _cotangent(output, cotangent)
        given.append(g)
        former = seeds.get(output.node)
        seeds[output.node] = g if former is None else former + g
    return seeds, given


def _cotangent(output: Tensor, cotangent: Any) -> Tensor:
    if cotangent is None:
        if output.size != 1:
            raise GraphError(
                f"the gradient of an output of shape {output.shape} needs a cotangent "
                "(grad_outputs=...): only a scalar has the default 1"
            )
        return wrap(xp_of(output.data).ones(output.shape, output.dtype))
    g = as_tensor(cotangent)
    if g.shape != output.shape:
        raise ShapeError(f"the cotangent has shape {g.shape}, the output {output.shape}")
    return g if g.dtype == output.dtype else g.astype(output.dtype)


def _unshare(gradients: list[Tensor | None], given: list[Tensor]) -> list[Tensor | None]:
    """Copy the gradients that share memory with one another or with a cotangent.

    `a + b` hands one array to both of its arguments: harmless inside the walk, not outside it.
    """
    taken = {_owner(g) for g in given}
    result = []
    for g in gradients:
        if g is not None:
            if _owner(g) in taken or not _writeable(g.data):
                g = wrap(g.data.copy(), None, [0])
            elif g._version is None or g.node is not None:
                g = wrap(g.data, None, [0])
            taken.add(_owner(g))
        result.append(g)
    return result


def _owner(g: Tensor) -> int:
    base = g.data.base
    return id(g.data if base is None else base)


def _writeable(array: Any) -> bool:
    """Whether every element has a place of its own: a broadcast view has not, on any device."""
    stretched = any(n > 1 and step == 0 for n, step in zip(array.shape, array.strides, strict=True))
    return not stretched and getattr(array.flags, "writeable", True)
