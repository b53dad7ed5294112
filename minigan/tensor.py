"""Floor 1: the Tensor, an array that may know where it came from.

A Tensor holds an array (`data`) and perhaps a node of the graph (`node`). That is all: the
operators, the methods that compute and `backward` are hung on it by `ops/methods.py`, so that
this file depends on nothing above it.

**Versions.** `assign_` is the one method that changes an array in place. Memory that may be
assigned carries a version: a one-element list shared by every Tensor that looks at that memory
(a leaf, its views, what `detach()` returns). Recorded results cannot be assigned, so a derivative
that kept one can rely on it; they carry no version, unless they are views of a leaf.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from minigan.backend import backend_of, current_device, forget, get_backend, is_array
from minigan.errors import DeviceError, GraphError, ShapeError
from minigan.node import Leaf, Node


class Tensor:
    """A multi-dimensional array with a place in the graph of derivatives.

    `data`: an array, taken as it is (`minigan.tensor` copies and converts). With
    `requires_grad=True` the tensor is a leaf: `backward()` adds its gradient to `.grad`.

    >>> import minigan as mg
    >>> x = mg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> y = (x * x).sum()
    >>> y.backward()
    >>> x.grad
    Tensor([2., 4., 6.], shape=(3,), dtype=float32, device='cpu')
    """

    __slots__ = ("data", "node", "_leaf", "_version", "__weakref__")

    __array_ufunc__ = None  # so that `array * tensor` asks the tensor, and np.exp(tensor) raises
    __hash__ = object.__hash__  # `==` is elementwise; a tensor is its own key

    def __init__(self, data: Any, *, requires_grad: bool = False) -> None:
        version = [0]
        if isinstance(data, Tensor):  # one memory, one version
            data, version = data.data, data._version
        self.data = data if is_array(data) else _to_array(data, None)
        self.node: Node | None = None
        self._leaf: Leaf | None = None
        self._version: list[int] | None = version
        if requires_grad:
            self.requires_grad_()

    # -- what it is ---------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """The size along each axis."""
        return self.data.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.data.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.data.size

    @property
    def dtype(self) -> np.dtype:
        """The type of the elements."""
        return self.data.dtype

    @property
    def device(self) -> str:
        """Where the array lives: "cpu" or "cuda"."""
        return backend_of(self.data).name

    @property
    def version(self) -> int | None:
        """How often the memory was assigned in place; None for a recorded result."""
        return None if self._version is None else self._version[0]

    @property
    def is_leaf(self) -> bool:
        """Whether the tensor is a beginning of the graph and not the recorded result of an op."""
        return self.node is None or self.node.op is None

    # -- gradients ----------------------------------------------------------------------------

    @property
    def requires_grad(self) -> bool:
        """Whether ops on this tensor are recorded."""
        return self.node is not None

    @requires_grad.setter
    def requires_grad(self, flag: bool) -> None:
        self.requires_grad_(flag)

    def requires_grad_(self, flag: bool = True) -> Tensor:
        """Start or stop recording what is computed from this leaf; returns the tensor itself."""
        if not self.is_leaf:
            if flag:
                return self
            raise GraphError(
                f"requires_grad_(False) on the result of {self.node.op.name}: use detach()"
            )
        if flag and self.dtype.kind not in "fc":
            raise TypeError(f"a gradient needs floating-point elements, not {self.dtype}")
        if flag and self._leaf is None:
            self._leaf = Leaf(self.data.shape, self.data.dtype)
        self.node = self._leaf if flag else None
        return self

    @property
    def grad(self) -> Tensor | None:
        """The gradient that `backward()` summed up, or None."""
        holder = self._leaf or self.node
        return None if holder is None else holder.grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        holder = self._leaf or self.node
        if holder is None:
            if value is None:
                return
            raise GraphError(
                "a tensor that requires no gradient holds none: requires_grad_() first"
            )
        if value is not None and not isinstance(value, Tensor):
            raise TypeError(f"grad must be a Tensor or None, not {type(value).__name__}")
        if value is not None and (value.shape, value.dtype) != (self.shape, self.dtype):
            raise ShapeError(
                f"grad is {value.dtype} {value.shape}, the tensor {self.dtype} {self.shape}"
            )
        holder.grad = value

    def retain_grad(self) -> Tensor:
        """Ask `backward()` to leave the gradient of this recorded result in `.grad` too."""
        self._graph_node("retain_grad").keeps_grad = True
        return self

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> Callable[[], None]:
        """Call `hook(gradient)` in every backward pass; what it returns, if not None, replaces it.

        Returns a function that removes the hook again. Do not close over this tensor in the hook:
        the graph would then hold the tensor that holds the graph.
        """
        node = self._graph_node("register_hook")
        entry = [hook]  # of its own, so that one hook registered twice is removed once
        node.hooks = [*(node.hooks or []), entry]

        def remove() -> None:
            node.hooks = [e for e in node.hooks or [] if e is not entry] or None

        return remove

    def _graph_node(self, asker: str) -> Node:
        if self.node is None:
            raise GraphError(f"{asker} on a tensor outside the graph: requires_grad_() first")
        return self.node

    def detach(self) -> Tensor:
        """Return a tensor on the same memory, outside the graph."""
        return wrap(self.data, None, self._version)

    # -- in place -----------------------------------------------------------------------------

    def assign_(self, value: Any) -> Tensor:
        """Write `value` into the memory of this leaf, unrecorded; returns the tensor itself.

        `value`: a Tensor, array or number of the same shape (or a scalar). The version goes up by
        one: a backward pass that had kept the old content raises `VersionError`.
        """
        if self._version is None or not self.is_leaf:
            maker = "" if self.is_leaf else f" of {self.node.op.name}"
            raise GraphError(f"assign_ on a recorded result{maker}: only leaves change in place")
        value = value.data if isinstance(value, Tensor) else value
        value = self._fitting(value)
        self.data[...] = value
        self.note_assigned()
        return self

    def note_assigned(self) -> None:
        """Say that the memory has been written to: the version goes up, nothing old is reused."""
        self._version[0] += 1
        forget(self.data)

    def _fitting(self, value: Any) -> Any:
        """What `assign_` may write: of this shape, on this device, and not of a wider kind."""
        if isinstance(value, bool | int | float | complex | np.generic):
            kind = np.asarray(value).dtype.kind
            self._refuse_kind(kind, f"the number {value!r}")
            return value
        backend = backend_of(self.data)
        if type(value) is not backend.array_type:
            value = backend.asarray(_to_array(value, None))
        if value.ndim and value.shape != self.shape:
            raise ShapeError(f"assign_: the value has shape {value.shape}, the tensor {self.shape}")
        self._refuse_kind(value.dtype.kind, f"a value of {value.dtype}")
        return value

    def _refuse_kind(self, kind: str, what: str) -> None:
        """Refuse complex into float, and float into integers: something would be cut off."""
        ranks = "biufc"
        if ranks.index(kind) > max(ranks.index(self.dtype.kind), ranks.index("u")):
            raise TypeError(f"assign_: {what} does not fit into {self.dtype}")

    def rebind_(self, array: Any) -> Tensor:
        """Let this leaf stand on another array (another device or dtype); its `.grad` is dropped.

        For `Module.to` and loaders. Graphs recorded before keep the old memory.
        """
        recording = self.requires_grad
        self.data, self.node, self._leaf, self._version = array, None, None, [0]
        return self.requires_grad_() if recording else self

    # -- the way out --------------------------------------------------------------------------

    def numpy(self) -> np.ndarray:
        """Return the values as a NumPy array on the host, outside the graph.

        A CPU tensor shares its memory with the array; that of a recorded result is read-only.
        """
        array = backend_of(self.data).asnumpy(self.data)
        if self._version is None:
            array = array.view()
            array.flags.writeable = False
        return array

    def item(self) -> float | int | bool | complex:
        """Return the only element as a Python number."""
        if self.size != 1:
            raise ShapeError(f"item() needs one element, the tensor has shape {self.shape}")
        return self.data.item()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if self.requires_grad:
            raise TypeError(
                "np.asarray would leave the graph in silence: use t.detach() or t.numpy()"
            )
        if self.device != "cpu":
            raise TypeError(
                f"np.asarray of a tensor on {self.device!r}: use t.numpy() to copy it here"
            )
        return np.array(self.data, dtype=dtype, copy=copy)

    def __dlpack__(self, **kwargs: Any) -> Any:
        if self.requires_grad:
            raise BufferError("DLPack would leave the graph in silence: use t.detach()")
        return self.data.__dlpack__(**kwargs)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.data.__dlpack_device__()

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a 0-d tensor")
        return self.shape[0]

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(
                f"truth of a tensor of shape {self.shape} is ambiguous: use .any(), .all()"
            )
        return bool(self.data)

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else repr(self)

    def tolist(self) -> Any:
        """Return the values as (nested lists of) Python numbers."""
        return self.numpy().tolist()

    def __index__(self) -> int:
        if self.dtype.kind not in "iu":
            raise TypeError(f"an index must be an integer, not {self.dtype}")
        return int(self.item())

    # -- copies and text ----------------------------------------------------------------------

    def __deepcopy__(self, memo: dict) -> Tensor:
        if not self.is_leaf:
            raise GraphError(
                f"deepcopy of the result of {self.node.op.name}: only leaves are copied"
            )
        twin = type(self).__new__(type(self))
        Tensor.__init__(twin, self.data.copy(), requires_grad=self.requires_grad)
        twin.grad = copy.deepcopy(self.grad, memo)
        memo[id(self)] = twin
        return twin

    def __reduce_ex__(self, protocol: int) -> Any:
        raise TypeError("tensors are not pickled: save their arrays with safetensors (see README)")

    def __repr__(self) -> str:
        body = np.array2string(
            backend_of(self.data).asnumpy(self.data), separator=", ", prefix="Tensor("
        )
        notes = [f"shape={self.shape}", f"dtype={self.dtype}", f"device={self.device!r}"]
        if not self.is_leaf:
            notes.append(f"op={self.node.op.name}")
        elif self.requires_grad:
            notes.append("requires_grad=True")
        return f"{type(self).__name__}({body}, {', '.join(notes)})"


def wrap(data: Any, node: Node | None = None, version: list[int] | None = None) -> Tensor:
    """Make a Tensor of an array, quickly and without a look at it: for the engine."""
    tensor = _new(Tensor)
    tensor.data = data
    tensor.node = node
    tensor._leaf = None
    tensor._version = version
    return tensor


_new = object.__new__


def tensor(
    data: Any, *, dtype: Any = None, device: str | None = None, requires_grad: bool = False
) -> Tensor:
    """Copy `data` (numbers, nested lists, an array, a Tensor) into a new leaf.

    Python floats become float32; arrays keep their dtype unless `dtype` is given. `device`: "cpu"
    or "cuda", by default the current device.

    >>> import minigan as mg
    >>> mg.tensor([[1, 2], [3, 4]], dtype="float32")
    Tensor([[1., 2.],
            [3., 4.]], shape=(2, 2), dtype=float32, device='cpu')
    """
    data = data.data if isinstance(data, Tensor) else data
    backend = get_backend(device or current_device())
    if type(data) is backend.array_type:
        array = data.astype(dtype or data.dtype)  # a copy, on the device where it is
    else:
        array = backend.asarray(np.array(_to_array(data, dtype), order="C"))
    return Tensor(array, requires_grad=requires_grad)


def as_tensor(data: Any) -> Tensor:
    """Return `data` as a Tensor, on the same memory where it is a Tensor or an array already."""
    return data if isinstance(data, Tensor) else Tensor(data)


def from_dlpack(source: Any) -> Tensor:
    """Take over the memory of another library's array through DLPack, without a copy."""
    kind = int(source.__dlpack_device__()[0])
    names = {1: "cpu", 2: "cuda", 3: "cpu", 13: "cuda"}  # kDLCPU, CUDA, CUDAHost, CUDAManaged
    if kind not in names:
        raise DeviceError(f"from_dlpack: device type {kind} is neither CPU nor CUDA")
    return Tensor(get_backend(names[kind]).xp.from_dlpack(source))


def _to_array(data: Any, dtype: Any) -> np.ndarray:
    """Convert numbers, lists and foreign arrays to NumPy: Python floats become float32."""
    if is_array(data):
        array = backend_of(data).asnumpy(data)
        return array if dtype is None else array.astype(dtype)
    given = np.asarray(data)
    if given.dtype.kind not in "biufc":
        raise TypeError(f"cannot make a tensor of {type(data).__name__}: give numbers or an array")
    if dtype is None and given.dtype == np.float64 and not isinstance(data, np.generic):
        has_dtype = hasattr(data, "dtype")
        dtype = given.dtype if has_dtype else np.float32
    return given if dtype is None else given.astype(dtype)
