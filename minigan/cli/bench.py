"""minigan bench: how fast training steps are, on one device beside another or beside peers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

import minigan
from minigan.cli.check import Device
from minigan.train.errors import ConfigError


def bench(
    workloads: Annotated[
        list[str] | None, typer.Argument(metavar="[WORKLOAD]...", help="toy, dcgan64, ...; all.")
    ] = None,
    device: Annotated[
        list[Device] | None,
        typer.Option("--device", help="Compare minigan's devices (give several), not its peers."),
    ] = None,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Turns of each side.")] = 7,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="Of each process; all cores.")
    ] = None,
    smoke: Annotated[bool, typer.Option("--smoke", help="Tiny networks: does it run?")] = False,
) -> int:
    """Time whole training steps beside PyTorch and others, each in a process of its own."""
    options = ["--rounds", str(rounds)]
    options += ["--threads", str(threads)] if threads else []
    options += ["--smoke"] if smoke else []
    if device:
        options += ["--name", "devices", "--sides", *(f"minigan {d.value}" for d in device)]
    command = [sys.executable, "-m", "benchmarks.compare", *(workloads or ()), *options]
    return subprocess.run(command, cwd=source_tree(), check=False).returncode


def source_tree() -> Path:
    """Return the folder with `benchmarks/` in it, which is no part of the installed package."""
    root = Path(minigan.__file__).parents[1]
    if not (root / "benchmarks" / "compare.py").is_file():
        raise ConfigError(
            "bench needs the folder benchmarks/ beside the package: run it in a clone"
        )
    return root
