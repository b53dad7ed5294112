"""The table of all ops, run through the checker: what `minigan gradcheck` prints."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigan.testing.cases import CASES, Case
from minigan.testing.gradcheck import GradcheckResult, gradcheck
from minigan.testing.report import GradcheckError, InconclusiveError


@dataclass(frozen=True)
class Row:
    """What one op came to, over all its cases.

    `relative_error`: the worst of all cases and orders, nan if the op failed. `verdict`: "pass",
    "zero" (a gradient that is zero and has to be), "FAIL" or "inconclusive"; `message`: what the
    checker said where it is neither of the first two. `orders`: "1-2", or "1" where that is all
    there is.
    """

    op: str
    cases: int
    orders: str
    method: str
    relative_error: float
    verdict: str
    seconds: float
    message: str = ""

    @property
    def passed(self) -> bool:
        """Whether every case of the op passed."""
        return self.verdict in ("pass", "zero")


def run_sweep(
    names: Iterable[str] | None = None,
    *,
    order: int = 2,
    dtype: str = "float64",
    device: str = "cpu",
    progress: Callable[[Row], None] | None = None,
) -> list[Row]:
    """Check the named ops (default: all) to `order`, in `dtype`, on `device`; one row an op.

    `progress` is called with each row as it is finished. Raises `ValueError` for a name that is
    not in the table, with the names nearest to it.

    >>> [row] = run_sweep(["tanh"], order=1)
    >>> row.op, row.verdict, row.relative_error < 1e-10
    ('tanh', 'pass', True)
    """
    rows = []
    for name, cases in select(names).items():
        rows.append(run_op(name, cases, order=order, dtype=dtype, device=device))
        if progress is not None:
            progress(rows[-1])
    return rows


def select(names: Iterable[str] | None = None) -> dict[str, list[Case]]:
    """The cases by op name, of the named ops or of all."""
    table: dict[str, list[Case]] = {}
    for case in CASES:
        table.setdefault(case.name, []).append(case)
    if not names:
        return table
    names = list(dict.fromkeys(names))
    for name in names:
        if name not in table:
            near = difflib.get_close_matches(name, table, n=3, cutoff=0.5)
            advice = f"did you mean {' or '.join(near)}?" if near else "see `minigan gradcheck`"
            raise ValueError(f"no op named {name!r}: {advice}")
    return {name: table[name] for name in names}


def run_op(
    name: str, cases: Sequence[Case], *, order: int = 2, dtype: str = "float64", device: str = "cpu"
) -> Row:
    """Run all cases of one op; the first failure is the op's."""
    started = time.perf_counter()
    worst, methods, verdict, message = 0.0, [], "zero", ""
    for case in cases:
        try:
            result = run_case(case, order=order, dtype=dtype, device=device)
        except Exception as error:  # an op may fail in any way; the others are still to be checked
            kind = "" if isinstance(error, GradcheckError) else f"{type(error).__name__}: "
            worst, message = np.nan, f"case {case.label!r}: {kind}{error}"
            verdict = "inconclusive" if isinstance(error, InconclusiveError) else "FAIL"
            break
        worst = max(worst, result.relative_error)
        methods.append(result.method)
        if "pass" in result.verdicts.values():
            verdict = "pass"
    orders = "1" if order == 1 else f"1-{order}"
    method = "+".join(dict.fromkeys("+".join(methods).split("+"))) if methods else "-"
    seconds = time.perf_counter() - started
    return Row(name, len(cases), orders, method, worst, verdict, seconds, message)


def draw(case: Case) -> list[Any]:
    """The inputs of a case, the same at every call."""
    rng = np.random.default_rng(case.seed)
    return [make(rng) if callable(make) else make for make in case.inputs]


def run_case(
    case: Case, *, order: int = 2, dtype: str = "float64", device: str = "cpu"
) -> GradcheckResult:
    """Run one case of the table through `gradcheck`."""
    return gradcheck(case.fn, draw(case), order=order, dtype=dtype, device=device, **case.options)


def median_error(rows: Sequence[Row]) -> float:
    """The median of the rows' worst relative errors, of those with a gradient that is not zero."""
    errors = [row.relative_error for row in rows if row.verdict == "pass"]
    return float(np.median(errors)) if errors else np.nan
