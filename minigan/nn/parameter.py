"""Parameter and Buffer: the two kinds of tensor that a Module owns."""

from __future__ import annotations

from typing import Any

from minigan.backend import backend_of, get_backend
from minigan.tensor import Tensor, tensor


class Parameter(Tensor):
    """A tensor that is trained: as an attribute of a Module it is found by `parameters()`.

    `data` is copied, to the current device unless `device` is given; Python floats become
    float32, arrays keep their dtype.
    """

    __slots__ = ()

    def __init__(self, data: Any, *, requires_grad: bool = True, device: str | None = None) -> None:
        super().__init__(tensor(data, device=device).data, requires_grad=requires_grad)

    def __deepcopy__(self, memo: dict) -> Parameter:
        return at_version(super().__deepcopy__(memo), self.version)


class Buffer(Tensor):
    """A tensor that belongs to a Module's state but is not trained: running means and the like.

    `persistent=False` leaves it out of `state_dict()`. `data` is taken as `Parameter` takes it.
    """

    __slots__ = ("persistent",)

    def __init__(self, data: Any, *, persistent: bool = True, device: str | None = None) -> None:
        super().__init__(tensor(data, device=device).data)
        self.persistent = persistent

    def __deepcopy__(self, memo: dict) -> Buffer:
        twin = at_version(super().__deepcopy__(memo), self.version)
        twin.persistent = self.persistent
        return twin


def at_version(tensor: Any, version: int) -> Any:
    """Let a copied or moved tensor count on: to who compares versions, its content is the same."""
    tensor._version = [version]
    return tensor


def moved(data: Any, device: str | None, dtype: Any) -> Any:
    """Return an array on a device, cast to a dtype where both are floating."""
    if device is not None and backend_of(data).name != device:
        data = get_backend(device).asarray(backend_of(data).asnumpy(data))
    if dtype is not None and data.dtype.kind == "f" and data.dtype != dtype:
        data = data.astype(dtype)
    return data
