"""Floor 0: arrays and devices. The only place that tells NumPy from CuPy.

Here live the backends (`device.py`), random numbers with explicit state (`random.py`), the array
kernels that deserve a room of their own (`conv.py` and the algorithms behind its plan,
`normalize.py` and `maps.py`, `elementwise.py`, `products.py`, `sums.py`, `padding.py`,
`windows.py`, `special.py`), and the CPU's threads and memory (`threads.py`, `cores.py`,
`parts.py`, `blas.py`, `memory.py`, `reuse.py`). Nothing here knows about gradients.
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
from minigan.backend.memory import free_memory, keep_memory
from minigan.backend.plan import conv_algorithm
from minigan.backend.random import Generator, default_generator, manual_seed
from minigan.backend.reuse import forget, reuse_transforms
from minigan.backend.threads import (
    free_scratch,
    get_num_threads,
    scratch_bytes,
    set_num_threads,
)

__all__ = [
    "Backend",
    "Generator",
    "backend_of",
    "conv_algorithm",
    "current_device",
    "default_generator",
    "device",
    "forget",
    "free_memory",
    "free_scratch",
    "get_backend",
    "get_num_threads",
    "gpu_status",
    "is_array",
    "keep_memory",
    "manual_seed",
    "reuse_transforms",
    "scratch_bytes",
    "set_default_device",
    "set_num_threads",
    "synchronize",
    "xp_of",
]
