"""The sides of a comparison: which framework, in which variant, and where its workloads are."""

from __future__ import annotations

import importlib
import importlib.util
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

from benchmarks.workloads.sizes import Size

WORKLOADS = ("toy", "wgangp32", "dcgan64", "style32", "cyclegan128")


class Workload(Protocol):
    """One framework's version of a workload."""

    def step(self) -> list[float]:
        """Train once; return the losses."""


@dataclass(frozen=True)
class Side:
    """A framework and a variant of it: for minigan a device, for PyTorch a memory layout."""

    framework: str
    variant: str = ""

    def __str__(self) -> str:
        return f"{self.framework} {self.variant}".strip()

    @classmethod
    def parse(cls, text: str) -> Side:
        """Read "framework" or "framework variant"."""
        framework, _, variant = text.strip().partition(" ")
        return cls(framework, variant)


MINIGAN = Side("minigan", "cpu")

# Where a framework's workloads are, and the package it needs.
_PLACES = {
    "minigan": ("benchmarks.workloads", "minigan"),
    "pytorch": ("benchmarks.peers.pytorch", "torch"),
    "jax": ("benchmarks.peers.jax_jit", "jax"),
    "hips": ("benchmarks.peers.hips_autograd", "autograd"),
}


def peers_of(workload: str) -> list[Side]:
    """Return every peer that has the workload and is installed.

    PyTorch takes part in both memory layouts wherever there are images, and in its DCGAN once more
    with the spared gradients that its example does without.
    """
    variants = {"toy": ("",), "dcgan64": (*_LAYOUTS, "channels-last frozen")}.get(
        workload, _LAYOUTS
    )
    sides = [*(Side("pytorch", variant) for variant in variants), Side("jax"), Side("hips")]
    return [side for side in sides if missing(side, workload) is None]


_LAYOUTS = ("channels-first", "channels-last")


def missing(side: Side, workload: str) -> str | None:
    """Say why a side cannot play a workload, or None if it can."""
    if side.framework not in _PLACES:
        return f"no framework is called {side.framework!r}: use one of {', '.join(_PLACES)}"
    place, package = _PLACES[side.framework]
    if importlib.util.find_spec(package) is None:
        return f"{package} is not installed: pip install {package}"
    if importlib.util.find_spec(f"{place}.{workload}") is None:
        return f"{side.framework} has no workload {workload!r}"
    return None


def build(side: Side, workload: str, size: Size, threads: int) -> Workload:
    """Import a framework, set its threads, and make its version of a workload."""
    place, _ = _PLACES[side.framework]
    _set_threads(side.framework, threads)
    module: Any = importlib.import_module(f"{place}.{workload}")
    if side.framework == "minigan":
        return module.Workload(size, device=side.variant or "cpu")
    return module.Workload(size, variant=side.variant)


def _set_threads(framework: str, threads: int) -> None:
    """Tell a framework that has a call for it; the others read the environment (`turns.py`)."""
    if framework == "minigan":
        set_minigan_threads(threads)
    elif framework == "pytorch":
        import torch

        torch.set_num_threads(threads)


def training(side: Side) -> AbstractContextManager:
    """Return the block in which a side trains: minigan's may reuse transformed kernels."""
    if side.framework != "minigan":
        return nullcontext()
    import minigan

    return minigan.reuse_transforms()


def set_minigan_threads(threads: int) -> None:
    """Let minigan's kernels and NumPy's products use so many threads, and keep freed memory."""
    from threadpoolctl import threadpool_limits

    import minigan

    minigan.set_num_threads(threads)
    minigan.keep_memory()
    threadpool_limits(threads, user_api="blas")
