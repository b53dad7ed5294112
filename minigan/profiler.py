"""Floor 3, beside the ops: where the time of a block goes.

    with mg.profile() as p:
        loss = critic(x).mean()
        loss.backward()
    print(p)

A profile counts every kernel that runs, once, in one of three phases:

    forward           what the program itself computes
    backward          inside a backward pass, for a node that the program recorded
    double backward   inside a backward pass, for a node that another backward pass recorded

So a row says which kernel runs how often and how long, and for whom: the weight gradient of a
convolution is `conv2d_weight`, in the backward phase. What is left when the kernels' seconds are
taken from the whole is Python: the engine, the optimiser, the program.

How a backward pass's nodes are told from the program's: ids only grow, so whatever is recorded
during a visit has an id between one drawn before and one drawn after it.
"""

from __future__ import annotations

import bisect
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from minigan.backend import backend_of, is_array
from minigan.node import Node, next_id
from minigan.op import Op
from minigan.recording import Watcher, watching

PHASES = ("forward", "backward", "double backward")

Name = Callable[[Op, Sequence, dict], str]
Work = Callable[[Op, Sequence, Any], float]


@dataclass
class Row:
    """What the kernels of one name cost: calls and seconds by phase, bytes of results, work."""

    name: str
    calls: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PHASES, 0))
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PHASES, 0.0))
    allocated: int = 0
    work: float = 0.0

    @property
    def total_seconds(self) -> float:
        """Seconds in all phases."""
        return sum(self.seconds.values())

    @property
    def total_calls(self) -> int:
        """Calls in all phases."""
        return sum(self.calls.values())


class Profile:
    """The result of `profile()`: a `Row` for each name, and the seconds of the whole block."""

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}
        self.seconds = 0.0

    @property
    def rows(self) -> list[Row]:
        """The rows, the longest first."""
        return sorted(self._rows.values(), key=lambda row: -row.total_seconds)

    @property
    def kernel_seconds(self) -> float:
        """Seconds inside kernels; the rest of `seconds` is Python."""
        return sum(row.total_seconds for row in self._rows.values())

    def __getitem__(self, name: str) -> Row:
        return self._rows[name]

    def add(self, name: str, phase: str, seconds: float, allocated: int, work: float) -> None:
        """Count one call."""
        row = self._rows.get(name) or self._rows.setdefault(name, Row(name))
        row.calls[phase] += 1
        row.seconds[phase] += seconds
        row.allocated += allocated
        row.work += work

    def table(self, most: int | None = None) -> str:
        """Return the profile as text: milliseconds by phase, and each row's share of the whole."""
        head = ["op", "calls", *PHASES, "total ms", "share", "MB made"]
        lines = [head, *(self._cells(row) for row in self.rows[:most]), self._outside()]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(
                f"{cell:<{width}}" if i == 0 else f"{cell:>{width}}"
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        )

    def __str__(self) -> str:
        return self.table()

    def _cells(self, row: Row) -> list[str]:
        phases = [f"{row.seconds[phase] * 1e3:.2f}" if row.calls[phase] else "" for phase in PHASES]
        ends = self._ends(row.total_seconds)
        return [row.name, str(row.total_calls), *phases, *ends, f"{row.allocated / 1e6:.1f}"]

    def _outside(self) -> list[str]:
        """The last line: the time outside kernels."""
        return ["(Python)", "", "", "", "", *self._ends(self.seconds - self.kernel_seconds), ""]

    def _ends(self, seconds: float) -> list[str]:
        return [f"{seconds * 1e3:.2f}", f"{seconds / max(self.seconds, 1e-12):.1%}"]


@contextmanager
def profile(*, name: Name | None = None, work: Work | None = None) -> Iterator[Profile]:
    """Measure the kernels of this thread within the block.

    `name(op, args, options)` chooses the row of a call (default: the op's name), `work(op, args,
    result)` counts its arithmetic. On a GPU every kernel is waited for, so the block as a whole
    becomes slower. "MB made" are the results; views and a kernel's own scratch are not counted.

    >>> import minigan as mg
    >>> x = mg.ones(4, 4, requires_grad=True)
    >>> with mg.profile() as p:
    ...     (g,) = mg.grad((x @ x).sum(), x, create_graph=True)
    ...     _ = mg.grad((g * g).sum(), x)
    >>> p["matmul"].calls
    {'forward': 1, 'backward': 2, 'double backward': 2}
    """
    result = Profile()
    start = time.perf_counter()
    try:
        with watching(_Meter(result, name or _op_name, work)):
            yield result
    finally:
        result.seconds = time.perf_counter() - start


def _op_name(op: Op, args: Sequence, options: dict) -> str:
    return op.name


class _Meter(Watcher):
    """Times kernels, and knows for which node they run."""

    def __init__(self, result: Profile, name: Name, work: Work | None) -> None:
        self._result, self._name, self._work = result, name, work
        self._phase = PHASES[0]
        self._starts: list[int] = []  # ids from starts[i] to ends[i] belong to a backward pass
        self._ends: list[int] = []

    def run(self, op: Op, kernel: Callable[..., Any], args: Sequence, options: dict) -> Any:
        _wait(args)  # for what was launched before, by the optimiser for one
        start = time.perf_counter()
        result = kernel(*args, **options)
        _wait(args)
        seconds = time.perf_counter() - start
        made = 0 if is_view(op, args, result) else _bytes(result)
        work = self._work(op, args, result) if self._work else 0.0
        self._result.add(self._name(op, args, options), self._phase, seconds, made, work)
        return result

    def visit(self, visit: Callable[..., None], node: Node, *args: Any) -> None:
        if self._phase != PHASES[0]:  # a fused op's definition, differentiated within its visit
            visit(node, *args)
            return
        self._phase = PHASES[1 + self._is_of_backward(node)]
        start = next_id()
        try:
            visit(node, *args)
        finally:
            self._phase = PHASES[0]
            self._note(start, next_id())

    def _is_of_backward(self, node: Node) -> bool:
        i = bisect.bisect(self._starts, node.id) - 1
        return i >= 0 and node.id < self._ends[i]

    def _note(self, start: int, end: int) -> None:
        """Remember the ids that a visit gave; one visit after another makes one interval."""
        if self._ends and start == self._ends[-1] + 1:
            self._ends[-1] = end
        else:
            self._starts.append(start)
            self._ends.append(end)


def _wait(args: Sequence) -> None:
    """Wait for the device on which a kernel was given its arrays."""
    home = next((arg for arg in args if is_array(arg)), None)
    if home is not None:
        backend_of(home).synchronize()


def is_view(op: Op, args: Sequence, result: Any) -> bool:
    """Whether the result is its first argument's memory: an op marked `view` may copy it too."""
    return op.view and _owner(result) is _owner(args[0])


def _owner(array: Any) -> Any:
    """The array (or other object) whose memory an array looks at."""
    while getattr(array, "base", None) is not None:
        array = array.base
    return array


def _bytes(result: Any) -> int:
    """Bytes of an array, or of those in the tuple that a fused op's kernel returned."""
    arrays = result if isinstance(result, tuple) else (result,)
    return sum(getattr(array, "nbytes", 0) for array in arrays)
