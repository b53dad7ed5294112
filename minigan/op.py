"""Floor 2, first half: ops, their rules, and how a result is recorded.

An op is a function of arrays that returns one array. Its derivative is one *rule* per argument,
written in ops on Tensors, so that it can itself be differentiated:

    @op(elementwise=True)
    def exp(x):
        return xp_of(x).exp(x)

    exp.vjp(x=lambda g, out: g * out)

**The rule's signature says what is kept alive.** Its first parameter is the gradient of the
result; every other one is asked for by name: `out`, an argument (`x`), an argument's shape
(`x_shape`), or a keyword-only option of the op (`axis`). Nothing else is kept: `exp` above keeps
its result and lets its input go. `explain(op)` prints it.

**A fused op** is a kernel with its own first derivative beside a `definition` composed of ops.
Where a derivative is to be differentiated again, the engine differentiates the definition.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minigan.backend import backend_of, is_array
from minigan.backend.elementwise import LARGE, blockwise
from minigan.errors import DeviceError, GraphError, ShapeError
from minigan.node import Node
from minigan.recording import mode
from minigan.tensor import Tensor, as_tensor

OPS: dict[str, Op] = {}  # every op by name, filled where the ops are defined


# -- rules ----------------------------------------------------------------------------------------


class Need(NamedTuple):
    """One thing a rule asks for: its kind, and which one."""

    kind: str  # "arg", "args", "shape", "shapes", "out", "attr" or "index"
    key: Any = None


class Rule(NamedTuple):
    """The derivative with respect to one argument, and what it asks for."""

    function: Callable[..., Tensor]
    needs: tuple[Need, ...]


class _Plan(NamedTuple):
    """What to keep of one call, given which arguments want a gradient."""

    args: tuple[int, ...]
    shapes: bool
    out: bool
    attrs: bool


class Op:
    """A differentiable function: called with Tensors, arrays or numbers, it returns a Tensor."""

    definition: Callable[..., Tensor] | None = None

    def __init__(self, kernel: Callable[..., Any], ufunc: str | None = None, **flags: bool) -> None:
        self.kernel = kernel
        self.into = getattr(np, ufunc) if ufunc else None
        self.name = kernel.__name__.lstrip("_")  # `_sum` stands behind the public `sum`
        self.elementwise = flags.pop("elementwise", False)
        self.linear = flags.pop("linear", False)
        self.view = flags.pop("view", False)
        self.differentiable = flags.pop("differentiable", True)
        self.blocks = self.elementwise and not self.view
        if flags:
            raise TypeError(f"op {self.name}: unknown flag {next(iter(flags))!r}")
        self._read_signature()
        self.rules: dict[str, Rule] = {}
        self._plans: dict[tuple[int, int], _Plan] = {}
        self.__doc__, self.__name__, self.__module__ = kernel.__doc__, self.name, kernel.__module__
        self.__wrapped__ = kernel
        known = OPS.get(self.name)
        same_place = known is None or known.__module__ == self.__module__
        OPS[self.name if same_place else f"{self.__module__}.{self.name}"] = self

    def _read_signature(self) -> None:
        parameters = inspect.signature(self.kernel).parameters.values()
        data = [p for p in parameters if p.kind is not p.KEYWORD_ONLY]
        self.variadic = any(p.kind is p.VAR_POSITIONAL for p in data)
        self.params = tuple(p.name for p in data)
        self.arity = -1 if self.variadic else len(data)
        self.defaults = {p.name: p.default for p in data if p.default is not p.empty}
        self.options = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
        if self.elementwise and self.options.pop("out", self) is not self:
            self.into = self.kernel

    # -- declaring the derivative -------------------------------------------------------------

    def vjp(self, **rules: Callable[..., Tensor]) -> Op:
        """Declare rules by argument name: `matmul.vjp(a=lambda g, b: ..., b=lambda g, a: ...)`."""
        for argument, function in rules.items():
            if argument not in self.params:
                raise TypeError(
                    f"op {self.name} has no argument {argument!r}: it has {self.params}"
                )
            names = list(inspect.signature(function).parameters)[1:]
            self.rules[argument] = Rule(function, tuple(self._need(n, argument) for n in names))
        self._plans.clear()
        return self

    def _need(self, name: str, argument: str) -> Need:
        """Translate a parameter name of a rule into what it asks for."""
        many = self.variadic
        if name == "out" or (name == "index" and many):
            return Need(name)
        if name in self.params:
            return Need("args") if many else Need("arg", self.params.index(name))
        if name in self.options:
            return Need("attr", name)
        if many and name == f"{self.params[0]}_shapes":
            return Need("shapes")
        if name.endswith("_shape") and name[:-6] in self.params:
            return Need("shape", self.params.index(name[:-6]))
        known = [*self.params, *self.options, "out", *(f"{p}_shape" for p in self.params)]
        raise TypeError(f"op {self.name}, rule of {argument!r}: {name!r} is none of {known}")

    def rule_of(self, position: int) -> Rule:
        """Return the rule of the argument at `position`, or raise naming op and argument."""
        name = self.params[0 if self.variadic else position]
        rule = self.rules.get(name)
        if rule is None:
            raise GraphError(
                f"{self.name} has no derivative with respect to {name!r}: "
                f"detach() that argument, or declare {self.name}.vjp({name}=...)"
            )
        return rule

    # -- calling ------------------------------------------------------------------------------

    # The next two methods are what every op costs, twice over with its derivative: they are long,
    # and do nothing by a call that can be done in place.

    def __call__(self, *args: Any, **attrs: Any) -> Tensor:
        if len(args) != self.arity and not self.variadic:
            args, attrs = self._bind(args, attrs)
        arrays, mask, bit, kind, size = [], 0, 1, None, 0
        for arg in args:
            if isinstance(arg, Tensor):
                array = arg.data
                arrays.append(array)
                if array.size > size:
                    size = array.size
                if type(array) is not kind:
                    if kind is not None:
                        self._refuse_mix(args)
                    kind = type(array)
                if arg.node is not None:
                    mask |= bit
            else:
                arrays.append(arg if type(arg) in _PLAIN else self._constant(arg, args))
            bit += bit
        if kind is None:
            arrays = self._without_tensors(arrays)
        if attrs:
            attrs = self._checked(attrs)
        watcher = mode.watcher
        kernel = self.in_blocks if size >= LARGE and self.blocks else self.kernel
        try:
            if watcher is None:
                out = kernel(*arrays, **attrs)
            else:
                out = watcher.run(self, kernel, arrays, attrs)
        except ValueError as error:
            raise self._explained(error, arrays) from error
        stash = None
        if self.definition is not None:
            out, stash = out
        if type(out) is not kind:
            out = _force_array(out)
        if out.dtype is _DOUBLE:
            out = self._justify_double(out, arrays, attrs)
        if watcher is not None:
            watcher.made(self, out)
        tensor = _new(Tensor)
        tensor.data = out
        tensor._leaf = None
        if mask and mode.recording and self.differentiable and out.dtype.kind in "fc":
            tensor.node = self._record(mask, args, arrays, attrs, out, stash)
            tensor._version = None
        else:
            tensor.node = None
            tensor._version = [0]
        if self.view and isinstance(args[0], Tensor) and _memory(out) is _memory(arrays[0]):
            tensor._version = args[0]._version  # one memory, one version
        return tensor

    def _record(self, mask, args, arrays, attrs, out, stash) -> Node:
        """Make the node, and hang on it what the rules of the tracked arguments ask for."""
        parents = tuple([arg.node if isinstance(arg, Tensor) else None for arg in args])
        node = Node(self, parents, out.shape, out.dtype)
        plan = self._plans.get((mask, len(arrays))) or self._plan(mask, len(arrays))
        if plan.args:
            kept = node.kept = [None] * len(arrays)
            for i in plan.args:
                kept[i] = arrays[i]
                arg = args[i]
                if isinstance(arg, Tensor) and arg._version is not None:
                    stamp = (i, arg._version, arg._version[0])
                    node.stamps = [stamp] if node.stamps is None else [*node.stamps, stamp]
        if plan.shapes:
            node.shapes = [getattr(a, "shape", ()) for a in arrays]
        if plan.out:
            node.out = out
        if plan.attrs:
            node.attrs = {**self.options, **attrs} if attrs else self.options
        node.stash = stash
        return node

    def _plan(self, mask: int, count: int) -> _Plan:
        """Work out, once per pattern of tracked arguments, what has to be kept."""
        if self.definition is not None:
            plan = _Plan(tuple(range(count)), False, False, True)
        else:
            tracked = [i for i in range(count) if mask >> i & 1]
            needs = {need for i in tracked for need in self._needs(i)}
            kinds = {need.kind for need in needs}
            args = {need.key for need in needs if need.kind == "arg"}
            every = range(count) if "args" in kinds else ()
            shapes = bool(kinds & {"shape", "shapes"})
            plan = _Plan(tuple(sorted({*args, *every})), shapes, "out" in kinds, "attr" in kinds)
        return self._plans.setdefault((mask, count), plan)

    def _needs(self, position: int) -> tuple[Need, ...]:
        """What the rule of an argument asks for; a missing rule raises when it is needed."""
        rule = self.rules.get(self.params[0 if self.variadic else position])
        return () if rule is None else rule.needs

    def in_blocks(self, *arrays: Any, **attrs: Any) -> Any:
        """Run the kernel of an elementwise op on large arrays, on all cores."""
        return blockwise(self.kernel, arrays, attrs, self.into)

    # -- less common calls --------------------------------------------------------------------

    def _bind(self, args: tuple, attrs: dict) -> tuple[tuple, dict]:
        """Fill in optional data arguments, and accept data by keyword too."""
        if len(args) > self.arity:
            options = f"; options go by keyword: {', '.join(self.options)}" if self.options else ""
            raise TypeError(
                f"{self.name} takes its data {self.params} by position, got {len(args)}{options}"
            )
        attrs, bound = dict(attrs), list(args)
        for name in self.params[len(args) :]:
            if name in attrs:
                bound.append(attrs.pop(name))
            elif name in self.defaults:
                bound.append(self.defaults[name])
            else:
                raise TypeError(f"{self.name} is missing its argument {name!r}")
        return tuple(bound), attrs

    def _checked(self, attrs: dict) -> dict:
        """Refuse options that are none, and turn NumPy's numbers into Python's."""
        for name, value in attrs.items():
            if name not in self.options:
                known = ", ".join(self.options) or "none"
                raise TypeError(f"{self.name} has no option {name!r}; its options: {known}")
            if isinstance(value, np.generic):
                attrs = {**attrs, name: value.item()}
        return attrs

    def _constant(self, value: Any, args: tuple) -> Any:
        """Turn an argument that is no Tensor into an array, or a number that stays weak.

        NumPy 2 lets `float32_array * np.float64(2)` be float64: NumPy's numbers become Python's.
        """
        if isinstance(value, np.generic):
            return value.item()
        home = next((arg.data for arg in args if isinstance(arg, Tensor)), None)
        if home is not None and isinstance(value, np.ndarray) and value.ndim == 0:
            return value.item()
        if not is_array(value):
            value = as_tensor(value).data
            return value if home is None else backend_of(home).asarray(value)
        if home is not None and type(home) is not type(value):
            self._refuse_mix(args)
        return value

    def _without_tensors(self, arrays: list) -> list:
        """A call with numbers or arrays only: numbers become arrays where there is no array."""
        if any(is_array(a) for a in arrays):
            return arrays
        return [as_tensor(a).data if isinstance(a, int | float) else a for a in arrays]

    def _justify_double(self, out: Any, arrays: list, attrs: dict) -> Any:
        """Let float64 out only where a float64 came in, or was asked for by an option.

        NumPy makes float64 of `float32 * int64`, of `int / int`, of `where(mask, 1.0, 0.0)`: here
        integers and numbers take float32. Mixed arrays are for elementwise ops alone.
        """
        kinds = {a.dtype for a in arrays if is_array(a) and a.dtype.kind == "f"}
        if _DOUBLE not in kinds and "dtype" not in attrs:
            return out.astype(np.float32)
        if len(kinds) > 1 and not self.elementwise:
            given = ", ".join(str(a.dtype) for a in arrays if is_array(a))
            raise TypeError(f"{self.name}: arguments of mixed dtypes ({given}); use .astype()")
        return out

    def _explained(self, error: ValueError, arrays: list) -> ValueError:
        """Put the op's name and the arguments' shapes before what the array library says."""
        if isinstance(error, ShapeError):
            return error
        shapes = ", ".join(f"{getattr(a, 'shape', a)}" for a in arrays)
        kind = ShapeError if type(error) is ValueError else ValueError  # a LinAlgError is one too
        return kind(f"{self.name} of {shapes}: {error}")

    def _refuse_mix(self, args: tuple) -> None:
        """Raise, saying which argument is where."""
        count = range(len(args))
        names = [f"{self.params[0]}[{i}]" for i in count] if self.variadic else self.params
        arrays = [arg.data if isinstance(arg, Tensor) else arg for arg in args]
        places = ", ".join(
            f"{name} on {backend_of(array).name}"
            for name, array in zip(names, arrays, strict=False)
            if is_array(array)
        )
        raise DeviceError(f"{self.name}: arguments on different devices ({places}); use .to()")

    def __repr__(self) -> str:
        return f"<op {self.name}({', '.join(self.params)})>"


_new = object.__new__
_PLAIN = frozenset({int, float, bool, complex, type(None)})  # weak numbers and absent arguments


_DOUBLE = np.dtype(np.float64)


def _memory(array: Any) -> Any:
    """The object that owns an array's memory: that of a view is what it looks at."""
    return array if array.base is None else array.base


def _force_array(out: Any) -> Any:
    """NumPy's reductions and 0-d arithmetic return scalars: make them arrays, in this one place."""
    return out if is_array(out) else np.asarray(out)


class FusedOp(Op):
    """An op with a kernel for the first derivative, and a definition for all the others."""

    def __init__(self, kernel: Callable[..., Any], definition: Callable[..., Tensor]) -> None:
        super().__init__(kernel)
        self.definition = definition
        self.kernel_backward: Callable[..., tuple] | None = None

    def backward(self, kernel: Callable[..., tuple]) -> Callable[..., tuple]:
        """Declare the array kernel of the first derivative.

        `kernel(g, needs, stash, *arrays, **options)` returns one array or None per argument;
        `needs[i]` says whether argument i wants one; `stash` is what the forward kernel left.
        """
        self.kernel_backward = kernel
        return kernel


def op(kernel: Callable[..., Any] | None = None, **flags: Any) -> Any:
    """Make an op of a function of arrays: `@op` or `@op(elementwise=True)`.

    Data arguments are positional, options keyword-only. Flags: `elementwise` (broadcasts, and each
    value depends on the values at its place alone: the engine sums gradients to the argument's
    shape, and calls the kernel for blocks of large arrays, on several threads; a kernel that takes
    `out`, or is one NumPy `ufunc`, given by name, spares memory there), `linear` (in each data
    argument), `view` (the result may share the first argument's memory), `differentiable=False`
    (never recorded).

    >>> import minigan as mg
    >>> @mg.op(elementwise=True)
    ... def cube(x):
    ...     return x * x * x
    >>> _ = cube.vjp(x=lambda g, x: g * 3.0 * x * x)
    >>> x = mg.tensor(2.0, requires_grad=True)
    >>> mg.grad(cube(x), x)[0].item()
    12.0
    >>> print(mg.explain(cube))
    cube(x)
      x: keeps x
    """
    if kernel is None:
        return lambda function: Op(function, **flags)
    return Op(kernel, **flags)


def fused(definition: Callable[..., Tensor]) -> Callable[[Callable[..., Any]], FusedOp]:
    """Make a fused op: the decorated kernel returns `(out, stash)`; see `FusedOp.backward`."""
    return lambda kernel: FusedOp(kernel, definition)


def explain(op: Op) -> str:
    """Say what an op keeps alive for each of its rules."""
    lines = [f"{op.name}({', '.join([*op.params, *op.options])})"]
    if op.definition is not None:
        return "\n".join(
            [*lines, f"  fused: keeps every argument; defined by {op.definition.__name__}"]
        )
    for argument, rule in op.rules.items():
        kept = [_kept_name(op, need) for need in rule.needs if need.kind not in ("attr", "index")]
        lines.append(f"  {argument}: keeps {', '.join(kept) or 'nothing'}")
    return "\n".join(lines)


def _kept_name(op: Op, need: Need) -> str:
    names = {"out": "out", "args": f"all {op.params[0]}", "shapes": "the shapes"}
    if need.kind in names:
        return names[need.kind]
    return op.params[need.key] + ("'s shape" if need.kind == "shape" else "")
