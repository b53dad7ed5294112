"""Containers: modules made of a list of modules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Self

from minigan.nn.module import Module


class ModuleList(Module):
    """A list of modules whose parameters are found: index it, iterate over it, append to it.

    The names are "0", "1", ...

    >>> from minigan import nn
    >>> layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))
    >>> layers.append(nn.Identity())[-1], len(layers)
    (Identity(), 4)
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        for module in modules:
            self.append(module)

    def append(self, module: Module) -> Self:
        """Add a module at the end; return self."""
        if not isinstance(module, Module):
            raise TypeError(f"{type(self).__name__} takes Modules, got {type(module).__name__}")
        setattr(self, str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add modules at the end; return self."""
        for module in modules:
            self.append(module)
        return self

    def __len__(self) -> int:
        return sum(1 for _ in self.children())

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    def __getitem__(self, index: int | slice) -> Any:
        """Return one module, or for a slice a container of the same kind."""
        modules = list(self.children())
        if isinstance(index, slice):
            return type(self)._of(modules[index])
        return modules[index]

    @classmethod
    def _of(cls, modules: list[Module]) -> Self:
        return cls(modules)


class Sequential(ModuleList):
    """Modules applied one after the other: `Sequential(f, g)(x)` is `g(f(x))`.

    >>> from minigan import nn
    >>> nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    Sequential          49 parameters
    ├─ 0: Linear(4, 8)  40
    ├─ 1: ReLU()
    └─ 2: Linear(8, 1)   9
    """

    def __init__(self, *modules: Module) -> None:
        super().__init__(modules)

    def forward(self, x: Any) -> Any:
        for module in self.children():
            x = module(x)
        return x

    @classmethod
    def _of(cls, modules: list[Module]) -> Self:
        return cls(*modules)
