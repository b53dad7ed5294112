"""minigan gradcheck, info."""

from __future__ import annotations

import platform
import sys
from enum import StrEnum
from typing import Annotated

import numpy as np
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from minigan import __version__, gpu_status
from minigan.backend import get_backend
from minigan.testing import sweep
from minigan.train.errors import ConfigError


class DType(StrEnum):
    """The precision of a check."""

    float64 = "float64"
    float32 = "float32"


class Device(StrEnum):
    """Where a check runs."""

    cpu = "cpu"
    cuda = "cuda"


def gradcheck(
    ops: Annotated[list[str] | None, typer.Argument(metavar="[OP]...", help="Names; all.")] = None,
    order: Annotated[int, typer.Option("--order", min=1, max=4, help="Derivatives up to.")] = 2,
    dtype: Annotated[DType, typer.Option("--dtype", help="Precision.")] = DType.float64,
    device: Annotated[Device, typer.Option("--device", help="Where to compute.")] = Device.cpu,
) -> int:
    """Check the derivatives of every op, or of some, and print a table; exit 1 on a failure."""
    get_backend(device.value)
    console = Console()
    try:
        sweep.select(ops)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    with console.status("checking ...") as status:
        rows = sweep.run_sweep(
            ops,
            order=order,
            dtype=dtype.value,
            device=device.value,
            progress=lambda row: status.update(f"{row.op}: {row.verdict}"),
        )
    console.width = max(console.width, 80)  # narrower, and rich would empty the columns
    console.print(_table(rows))
    failed = [row for row in rows if not row.passed]
    for row in failed:
        print(f"{row.op}: {row.verdict}: {row.message}\n", file=sys.stderr)
    print(
        f"{len(rows) - len(failed)} of {len(rows)} ops pass; median relative error "
        f"{sweep.median_error(rows):.1e} ({dtype.value}, {device.value})"
    )
    return 1 if failed else 0


def info() -> None:
    """Print versions, the devices, and how many threads the linear algebra uses."""
    print(f"minigan {__version__}")
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, {platform.platform()}")
    print(gpu_status())
    print(f"BLAS: {_blas()}")


def _blas() -> str:
    """Name the BLAS libraries in this process and their threads, if threadpoolctl can tell."""
    try:
        from threadpoolctl import threadpool_info
    except ModuleNotFoundError:
        return "unknown (threadpoolctl is not installed)"
    found = [p for p in threadpool_info() if p["user_api"] == "blas"]
    lines = [f"{p['internal_api']} {p['version']}, {p['num_threads']} threads" for p in found]
    return "; ".join(lines) or "none found"


def _table(rows: list[sweep.Row]) -> Table:
    table = Table(box=SIMPLE_HEAD)
    for name in ("op", "cases", "orders", "method", "relative error", "verdict", "seconds"):
        right = name in ("cases", "relative error", "seconds")
        widest = max(len(row.op) for row in rows) if name == "op" else None
        justify = "right" if right else "left"
        table.add_column(name, justify=justify, no_wrap=True, min_width=widest)
    for row in rows:
        verdict = row.verdict if row.passed else f"[red]{row.verdict}[/red]"
        error = "-" if np.isnan(row.relative_error) else f"{row.relative_error:.1e}"
        cells = (row.op, str(row.cases), row.orders, row.method, error)
        table.add_row(*cells, verdict, f"{row.seconds:.2f}")
    return table
