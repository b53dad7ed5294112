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
from minigan.nn.parameter import Buffer, Parameter, at_version
from minigan.tensor import Tensor, as_tensor

Named = TypeVar("Named")


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
        """Set an attribute; refuse the assignments that would lose parameters in silence."""
        former = self.__dict__.get(name)
        if name in self.__dict__.get("_derived", {}):
            raise AttributeError(f"{type(self).__name__}.{name} is computed and cannot be set")
        if isinstance(former, Parameter) and isinstance(value, Tensor | np.ndarray):
            if not isinstance(value, Parameter):
                raise TypeError(
                    f"{type(self).__name__}.{name} is a Parameter and would become a plain "
                    f"{type(value).__name__}: use {name}.assign_(value), or nn.Parameter(value)"
                )
        elif isinstance(value, list) and any(isinstance(v, Module | Parameter) for v in value):
            raise TypeError(
                f"{type(self).__name__}.{name}: parameters inside a list are not found; "
                "use nn.ModuleList (or a tuple, for modules that have a home elsewhere)"
            )
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
        return _unique((prefix[:-1], module) for prefix, module in self._paths())

    def modules(self) -> Iterator[Module]:
        """Yield every module of the tree once, itself first."""
        return (module for _, module in self.named_modules())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield (dotted name, parameter) for the whole tree; a shared one once."""
        return _unique(self._members(Parameter))

    def parameters(self) -> Iterator[Parameter]:
        """Yield every parameter of the tree once."""
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Buffer]]:
        """Yield (dotted name, buffer) for the whole tree; a shared one once."""
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

        The tensors stay the same objects, without their gradients. Build optimisers after the
        move: the state they keep does not travel.
        """
        for tensor in (*self.parameters(), *self.buffers()):
            array, version = _moved(tensor.data, device, dtype), tensor.version
            if array is not tensor.data:
                at_version(tensor.rebind_(array), version)
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
        names that are missing, unexpected or misshapen; with `strict=False` only the misshapen
        ones, and the others are returned. Values are cast to the dtype of their place.
        """
        own = self._state()
        missing = [name for name in own if name not in state]
        unexpected = [name for name in state if name not in own]
        common = {name: tensor for name, tensor in own.items() if name in state}
        misshapen = [
            f"{name} is {np.shape(state[name])}, must be {tensor.shape}"
            for name, tensor in common.items()
            if np.shape(state[name]) != tensor.shape
        ]
        if misshapen or (strict and (missing or unexpected)):
            raise ValueError(self._mismatch(missing, unexpected, misshapen))
        values = {name: as_tensor(state[name]).data for name in common}
        for name, tensor in common.items():
            tensor.assign_(backend_of(tensor.data).asarray(values[name]))
        return LoadReport(missing, unexpected)

    def _state(self) -> dict[str, Tensor]:
        """Return the tensors that are saved, by dotted name, each under all of its names."""
        buffers = {name: b for name, b in self._members(Buffer) if b.persistent}
        return {**dict(self._members(Parameter)), **buffers}

    def _settle(self) -> None:
        """Bring buffers behind derived attributes up to date, so that a saved state is whole."""
        for module in self.modules():
            for compute in vars(module).get("_derived", {}).values():
                compute.settle(module)

    def _mismatch(self, missing: list[str], unexpected: list[str], misshapen: list[str]) -> str:
        kinds = {"missing": missing, "unexpected": unexpected, "misshapen": misshapen}
        found = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in kinds.items() if names)
        return f"state does not fit {type(self).__name__}, nothing was loaded; {found}"

    # -- showing ----------------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """Return the text between the parentheses of the layer's line in the printed tree."""
        return ""

    def __repr__(self) -> str:
        """Draw the tree of modules, each line with the number of its own parameters."""
        lines = list(self._lines("", "", ""))
        if len(lines) == 1:
            return lines[0][0]
        lines[0] = lines[0][0], f"{self.num_parameters():,}"
        left, right = (max(len(line[i]) for line in lines) for i in (0, 1))
        head, *rest = (f"{text:<{left}}  {count:>{right}}".rstrip() for text, count in lines)
        return "\n".join([f"{head} parameters", *rest])

    def _lines(self, name: str, branch: str, trunk: str) -> Iterator[tuple[str, str]]:
        """Yield (text, parameter count) for this module and, indented by `trunk`, its children."""
        children = list(self.named_children())
        label = type(self).__name__ + ("" if children else f"({self.extra_repr()})")
        label += "".join(f" + {how!r}" for how in vars(self).get("_derived", {}).values())
        count = self.num_parameters()
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


def _moved(data: Any, device: str | None, dtype: Any) -> Any:
    """Return an array on a device, cast to a dtype where both are floating."""
    if device is not None and backend_of(data).name != device:
        data = get_backend(device).asarray(backend_of(data).asnumpy(data))
    if dtype is not None and data.dtype.kind == "f" and data.dtype != dtype:
        data = data.astype(dtype)
    return data
