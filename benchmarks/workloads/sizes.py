"""How large the workloads are: as they are timed, and so small that a test can run them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """What a workload can vary: samples a batch, channels (or units) of a layer, pixels a side."""

    batch: int
    width: int
    image: int


FULL = {
    "toy": Size(batch=256, width=128, image=1),
    "wgangp32": Size(batch=64, width=64, image=32),
    "dcgan64": Size(batch=64, width=64, image=64),
    "style32": Size(batch=16, width=128, image=32),
    "cyclegan128": Size(batch=1, width=64, image=128),
}

SMOKE = {
    "toy": Size(batch=8, width=8, image=1),
    "wgangp32": Size(batch=2, width=4, image=32),
    "dcgan64": Size(batch=2, width=4, image=64),
    "style32": Size(batch=2, width=8, image=16),
    "cyclegan128": Size(batch=1, width=4, image=64),
}

# Training steps in one turn of a comparison: a turn should take a good part of a second.
STEPS = {"toy": 60, "wgangp32": 3, "dcgan64": 1, "style32": 2, "cyclegan128": 1}
