"""Module: a tree of parameters, buffers and sub-modules, found by looking at the attributes.

There is no registry. A parameter is an attribute that is a `Parameter`, a buffer one that is a
`Buffer`, a child one that is a `Module`; whatever asks for them looks there. So nothing can get
out of step, `super().__init__()` has nothing to set up, and deleting an attribute removes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol, Self, TypeVar

import numpy as np

from minigan.backend import backend_of, get_backend
from minigan.errors import GraphError
from minigan.nn.parameter import Buffer, Parameter, at_version, moved
from minigan.nn.state import fit
from minigan.tensor import Tensor

Named = TypeVar("Named")

_CONTAINERS = (dict, list, tuple, set, frozenset)


# (module, name of its attribute that is a container, one part of that): see `_refuse_lost`
Held = tuple["Module", str, "Module | Parameter | Buffer"]


class LoadReport(NamedTuple):
    """What `load_state_dict(..., strict=False)` passed over: dotted names."""

    missing: list[str]
    unexpected: list[str]


class Derived(Protocol):
    """How an attribute is computed from others, as spectral norm does with a weight."""

    def __call__(self, module: Module) -> Tensor:
        """Return the attribute's value."""

    def settle(self, module: Module) -> None:
        """Bring the buffers that belong to it up to date: called before a state is saved."""


class Module:
    """The base of every layer and network: subclass it, assign layers, write `forward`.

    >>> from minigan import nn
    >>> class Critic(nn.Module):
    ...     def __init__(self):
    ...         self.hidden = nn.Linear(2, 8)
    ...         self.out = nn.Linear(8, 1, bias=False)
    ...     def forward(self, x):
    ...         return self.out(self.hidden(x))
    >>> Critic()
    Critic                            32 parameters
    ├─ hidden: Linear(2, 8)           24
    └─ out: Linear(8, 1, bias=False)   8
    >>> list(Critic().state_dict())
    ['hidden.weight', 'hidden.bias', 'out.weight']
    """

    training = True

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output; every subclass writes its own."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(): define one")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)

    # -- attributes -------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; refuse the assignments that would lose parameters in silence.

        A list, tuple, set or dictionary may hold only what the tree has a place for already; one
        that is filled later is caught by the next walk over the tree.
        """
        former = self.__dict__.get(name)
        if name in self.__dict__.get("_derived", {}):
            raise AttributeError(f"{type(self).__name__}.{name} is computed and cannot be set")
        plain = isinstance(value, Tensor | np.ndarray) and not isinstance(value, Parameter)
        if isinstance(former, Parameter) and plain:
            raise TypeError(
                f"{type(self).__name__}.{name} is a Parameter and would become a plain "
                f"{type(value).__name__}: use {name}.assign_(value), or nn.Parameter(value)"
            )
        if isinstance(value, _CONTAINERS):
            self._refuse_lost((self, name, part) for part in _inside(value))
        object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        """Compute a derived attribute (see `derive`); called only when `name` is not set."""
        derived = self.__dict__.get("_derived", {})
        if name in derived:
            return derived[name](self)
        known = ", ".join(n for n in vars(self) if not n.startswith("_")) or "none"
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}; it has: {known}")

    def derive(self, name: str, compute: Derived) -> None:
        """Make attribute `name` the value of `compute(self)`, computed anew at each reading.

        This is how a reparametrisation replaces a weight: the layer goes on reading
        `self.weight`, and nothing stale is kept between two forwards.
        """
        self.__dict__.pop(name, None)
        object.__setattr__(self, "_derived", {**self.__dict__.get("_derived", {}), name: compute})

    def register_buffer(self, name: str, value: Any, *, persistent: bool = True) -> None:
        """Set attribute `name` to a Buffer: state that is saved and moved but not trained."""
        setattr(self, name, Buffer(value, persistent=persistent))

    # -- walking the tree -------------------------------------------------------------------------

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Yield (name, module) for each attribute that is a Module."""
        return ((n, v) for n, v in vars(self).items() if isinstance(v, Module))

    def children(self) -> Iterator[Module]:
        """Yield each attribute that is a Module."""
        return (child for _, child in self.named_children())

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """Yield (dotted name, module) for the whole tree, itself first (""), each once."""
        self._refuse_lost(self._contained())
        return _unique((prefix[:-1], module) for prefix, module in self._paths())

    def modules(self) -> Iterator[Module]:
        """Yield every module of the tree once, itself first."""
        return (module for _, module in self.named_modules())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield (dotted name, parameter) for the whole tree; a shared one once."""
        self._refuse_lost(self._contained())
        return _unique(self._members(Parameter))

    def parameters(self) -> Iterator[Parameter]:
        """Yield every parameter of the tree once."""
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Buffer]]:
        """Yield (dotted name, buffer) for the whole tree; a shared one once."""
        self._refuse_lost(self._contained())
        return _unique(self._members(Buffer))

    def buffers(self) -> Iterator[Buffer]:
        """Yield every buffer of the tree once."""
        return (buffer for _, buffer in self.named_buffers())

    def num_parameters(self) -> int:
        """Return how many numbers are trained or trainable: shared parameters count once."""
        return sum(p.size for p in self.parameters())

    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Call `fn(module)` for every module of the tree, children before parents; return self."""
        for module in reversed(list(self.modules())):
            fn(module)
        return self

    def _paths(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """Yield (prefix, module) along every path of the tree, shared modules repeated."""
        yield prefix, self
        for name, child in self.named_children():
            yield from child._paths(f"{prefix}{name}.")

    def _members(self, kind: type[Named]) -> Iterator[tuple[str, Named]]:
        """Yield (dotted name, attribute) for each attribute of a kind, along every path."""
        for prefix, module in self._paths():
            for name, value in vars(module).items():
                if isinstance(value, kind):
                    yield prefix + name, value

    def _contained(self) -> Iterator[Held]:
        """Yield (module, attribute's name, part) for each part of the containers in the tree."""
        for _, module in self._paths():
            for name, value in vars(module).items():
                if isinstance(value, _CONTAINERS):
                    yield from ((module, name, part) for part in _inside(value))

    def _refuse_lost(self, held: Iterable[Held]) -> None:
        """Raise if one of the parts of containers is not found by walking over the tree."""
        if not (held := list(held)):
            return
        walks = (self._paths(), self._members(Parameter), self._members(Buffer))
        found = {id(value) for walk in walks for _, value in walk}
        for module, name, part in held:
            if id(part) not in found:
                raise TypeError(
                    f"{type(module).__name__}.{name}: the {type(part).__name__} inside it would "
                    "not be found; use nn.ModuleList, or give it an attribute of its own"
                )

    # -- modes ------------------------------------------------------------------------------------

    def train(self, mode: bool = True) -> Self:
        """Set training mode in the whole tree (batch statistics, dropout); return self."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Set evaluation mode in the whole tree; return self."""
        return self.train(False)

    def requires_grad_(self, flag: bool = True) -> Self:
        """Say whether the parameters take part in differentiation; return self."""
        for parameter in self.parameters():
            parameter.requires_grad_(flag)
        return self

    def zero_grad(self) -> None:
        """Drop the gradient of every parameter."""
        for parameter in self.parameters():
            parameter.grad = None

    def to(self, device: str | None = None, dtype: Any = None) -> Self:
        """Move parameters and buffers to a device, and the floating ones to a dtype; return self.

        The tensors stay the same objects and keep their gradients; the state of an optimiser
        follows at its next step. Hooks do not travel: where a parameter has one, `GraphError` says
        so before anything has moved.
        """
        _check_target(device, dtype)
        tensors = dict((*self.named_parameters(), *self.named_buffers()))
        arrays = {name: moved(tensor.data, device, dtype) for name, tensor in tensors.items()}
        moves = [name for name, tensor in tensors.items() if arrays[name] is not tensor.data]
        if hooked := [name for name in moves if getattr(tensors[name].node, "hooks", None)]:
            raise GraphError(
                f"to() would lose the hooks of {', '.join(hooked)}: register them after"
            )
        for name in moves:
            _rebind(tensors[name], arrays[name])
        return self

    # -- state ------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return copies of parameters and persistent buffers as NumPy arrays, by dotted name.

        The names are PyTorch's. A shared parameter appears under each of its names.
        """
        self._settle()
        return {
            name: np.array(backend_of(tensor.data).asnumpy(tensor.data))
            for name, tensor in self._state().items()
        }

    def load_state_dict(self, state: Mapping[str, Any], *, strict: bool = True) -> LoadReport:
        """Copy arrays into the parameters and buffers of the same dotted names.

        Everything is checked before anything is changed. Raises one ValueError that lists all the
        names that are missing, unexpected, misshapen or unfit (no numbers, or ones that the dtype
        of their place does not have); with `strict=False` only the last two, and the others are
        returned. Values are cast to the dtype of their place.
        """
        own = self._state()
        found = fit(state, own)
        if faults := found.faults(strict=strict):
            raise ValueError(
                f"state does not fit {type(self).__name__}, nothing was loaded; {faults}"
            )
        for name, array in found.arrays.items():
            own[name].assign_(array)
        return LoadReport(found.missing, found.unexpected)

    def _state(self) -> dict[str, Tensor]:
        """Return the tensors that are saved, by dotted name, each under all of its names."""
        self._refuse_lost(self._contained())
        buffers = {name: b for name, b in self._members(Buffer) if b.persistent}
        return {**dict(self._members(Parameter)), **buffers}

    def _settle(self) -> None:
        """Bring buffers behind derived attributes up to date, so that a saved state is whole."""
        for module in self.modules():
            for compute in vars(module).get("_derived", {}).values():
                compute.settle(module)

    # -- showing ----------------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """Return the text between the parentheses of the layer's line in the printed tree."""
        return ""

    def __repr__(self) -> str:
        """Draw the tree of modules, each line with the number of its own parameters."""
        lines = list(self._lines("", "", ""))
        if len(lines) == 1:
            return lines[0][0]
        lines[0] = lines[0][0], lines[0][1] or "0"
        left, right = (max(len(line[i]) for line in lines) for i in (0, 1))
        head, *rest = (f"{text:<{left}}  {count:>{right}}".rstrip() for text, count in lines)
        return "\n".join([f"{head} parameters", *rest])

    def _lines(self, name: str, branch: str, trunk: str) -> Iterator[tuple[str, str]]:
        """Yield (text, parameter count) for this module and, indented by `trunk`, its children."""
        children = list(self.named_children())
        more = self.extra_repr()
        label = type(self).__name__ + (f"({more})" if more or not children else "")
        label += "".join(f" + {how!r}" for how in vars(self).get("_derived", {}).values())
        count = sum(p.size for _, p in _unique(self._members(Parameter)))
        yield branch + (f"{name}: " if name else "") + label, f"{count:,}" if count else ""
        for i, (child_name, child) in enumerate(children):
            fork, rail = ("└─ ", "   ") if i == len(children) - 1 else ("├─ ", "│  ")
            yield from child._lines(child_name, trunk + fork, trunk + rail)


def _unique(pairs: Iterable[tuple[str, Named]]) -> Iterator[tuple[str, Named]]:
    """Yield the pairs whose object has not come yet: the first name of a shared one wins."""
    seen: set[int] = set()
    for name, value in pairs:
        if id(value) not in seen:
            seen.add(id(value))
            yield name, value


def _inside(value: Any) -> Iterator[Module | Parameter | Buffer]:
    """Yield the modules, parameters and buffers within a container and those inside it."""
    for part in value.values() if isinstance(value, dict) else value:
        if isinstance(part, _CONTAINERS):
            yield from _inside(part)
        elif isinstance(part, Module | Parameter | Buffer):
            yield part


def _check_target(device: str | None, dtype: Any) -> None:
    """Raise if `Module.to` cannot go there."""
    if device is not None:
        get_backend(device)
    if dtype is not None and np.dtype(dtype).kind not in "fc":
        raise TypeError(f"to(dtype={dtype!r}): parameters need a floating dtype")


def _rebind(tensor: Parameter | Buffer, array: Any) -> None:
    """Let a tensor stand on a moved array, and its gradient beside it."""
    grad, version = tensor.grad, tensor.version
    at_version(tensor.rebind_(array), version)
    if grad is not None and tensor.requires_grad:
        tensor.grad = Tensor(moved(grad.data, tensor.device, tensor.dtype))
