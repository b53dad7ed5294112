"""Floor 0: arrays and devices. The only place that tells NumPy from CuPy.

Here live the backends (`device.py`), random numbers with explicit state (`random.py`) and the
array kernels that deserve a room of their own (`conv.py`, `normalize.py`, `special.py`). Nothing
here knows about gradients.
"""

from minigan.backend.device import (
    Backend,
    backend_of,
    current_device,
    device,
    get_backend,
    gpu_status,
    is_array,
    set_default_device,
    synchronize,
    xp_of,
)
from minigan.backend.random import Generator, default_generator, manual_seed

__all__ = [
    "Backend",
    "Generator",
    "backend_of",
    "current_device",
    "default_generator",
    "device",
    "get_backend",
    "gpu_status",
    "is_array",
    "manual_seed",
    "set_default_device",
    "synchronize",
    "xp_of",
]
