"""What a reader needs to judge a figure: processor, cores, versions. No names, no paths."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import resource
import sys
from pathlib import Path
from typing import Any

PACKAGES = ("minigan", "numpy", "cupy", "torch", "jax", "autograd", "chainer")


def facts(threads: int) -> dict[str, Any]:
    """Return the machine's facts, the versions and the number of threads given to each process."""
    return {
        "cpu": cpu_model(),
        "cores": cores(),
        "memory_gib": memory_gib(),
        "system": platform.system(),
        "python": platform.python_version(),
        "versions": versions(),
        "blas": blas(),
        "threads": threads,
    }


def cpu_model() -> str:
    """Return the processor's own name for itself."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def cores() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def memory_gib() -> float | None:
    """Return the machine's memory, where the system tells."""
    if "SC_PHYS_PAGES" not in os.sysconf_names:
        return None
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)


def versions() -> dict[str, str]:
    """Return the versions of the packages that are installed."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def blas() -> str:
    """Return NumPy's BLAS and the kernels that it chose for this processor."""
    import numpy
    from threadpoolctl import threadpool_info

    numpy.ones((2, 2)) @ numpy.ones((2, 2))
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    return "; ".join(
        f"{pool['internal_api']} {pool['version']} {pool.get('architecture', '')}".strip()
        for pool in pools
    )


def peak_memory_mib() -> float:
    """Return the most memory this process has had at once.

    `ru_maxrss` survives exec and so may be the parent's: Linux's own count of this program is used
    where there is one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def load() -> float:
    """Return how many programs wanted to run in the last minute: more than the cores is noise."""
    return round(os.getloadavg()[0], 2)
