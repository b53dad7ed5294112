"""minigan: reverse-mode automatic differentiation on NumPy and CuPy, and the GAN family on top.

    import minigan as mg

    x = mg.tensor([1.0, 2.0], requires_grad=True)
    (g,) = mg.grad((x * x).sum(), x, create_graph=True)   # a gradient ...
    (h,) = mg.grad((g * g).sum(), x)                      # ... that can be differentiated again

Ops live in `minigan.ops` and are all reachable here; networks in `minigan.nn`, optimisers in
`minigan.optim`, the gradient checker in `minigan.testing`.
"""

from minigan._version import __version__
from minigan.anomaly import detect_anomaly
from minigan.autograd import backward, grad
from minigan.backend import (
    Generator,
    conv_algorithm,
    current_device,
    default_generator,
    device,
    free_memory,
    free_scratch,
    get_num_threads,
    gpu_status,
    keep_memory,
    manual_seed,
    reuse_transforms,
    scratch_bytes,
    set_default_device,
    set_num_threads,
    synchronize,
)
from minigan.errors import AnomalyError, DeviceError, GraphError, ShapeError, VersionError
from minigan.op import explain, fused, op
from minigan.ops import *
from minigan.profiler import profile
from minigan.recording import enable_grad, is_grad_enabled, no_grad, trace
from minigan.tensor import Tensor, as_tensor, from_dlpack, tensor

_LAZY = (
    "data",
    "divergences",
    "lipschitz",
    "losses",
    "metrics",
    "modes",
    "nn",
    "optim",
    "penalties",
    "testing",
    "transport",
)  # imported at their first use


def __getattr__(name: str) -> object:
    if name in _LAZY:
        import importlib

        return importlib.import_module(f"minigan.{name}")
    raise AttributeError(f"module 'minigan' has no attribute {name!r}")
