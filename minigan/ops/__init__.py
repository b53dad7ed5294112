"""Floor 3: differentiable ops, each family in one file, every linear op beside its adjoint."""

from minigan.ops import methods
from minigan.ops.activations import (
    elu,
    erf,
    gelu,
    leaky_relu,
    log_sigmoid,
    relu,
    sigmoid,
    silu,
    softplus,
)
from minigan.ops.conv import conv2d, conv2d_weight, conv_transpose2d
from minigan.ops.creation import (
    arange,
    full,
    linspace,
    ones,
    ones_like,
    rand,
    randn,
    zeros,
    zeros_like,
)
from minigan.ops.elementwise import (
    abs,
    add,
    astype,
    clip,
    copy,
    cos,
    divide,
    equal,
    exp,
    expm1,
    floor,
    greater,
    greater_equal,
    isfinite,
    isnan,
    less,
    less_equal,
    log,
    log1p,
    logical_and,
    logical_not,
    logical_or,
    maximum,
    minimum,
    multiply,
    negative,
    not_equal,
    pow,
    round,
    safe_reciprocal,
    safe_sqrt,
    sign,
    sin,
    sqrt,
    square,
    subtract,
    tanh,
    where,
)
from minigan.ops.indexing import concatenate, getitem, repeat, scatter, split, stack, tile
from minigan.ops.linalg import (
    power_iteration,
    singular_values,
    svd,
    top_singular_triple,
)
from minigan.ops.linear import (
    broadcast_to,
    cumsum,
    expand_dims,
    flip,
    matrix_transpose,
    mean,
    moveaxis,
    reshape,
    roll,
    squeeze,
    sum,
    sum_to,
    swapaxes,
    to,
    transpose,
)
from minigan.ops.matrices import inverse, log_determinant
from minigan.ops.normalization import (
    adain,
    adain_scale_shift,
    batch_norm,
    batch_norm_inference,
    batch_statistics,
    group_norm,
    instance_norm,
    layer_norm,
    normalize,
    pixel_norm,
)
from minigan.ops.padding import crop, pad
from minigan.ops.products import affine, einsum, matmul
from minigan.ops.reductions import (
    all,
    any,
    argmax,
    log_softmax,
    logsumexp,
    max,
    min,
    norm,
    softmax,
    std,
    var,
)
from minigan.ops.resampling import (
    avg_pool2d,
    max_pool2d,
    pixel_shuffle,
    pixel_unshuffle,
    sum_pool,
    upsample,
)

# Every op and composed function above; the files they come from stay out of `minigan`'s own names.
__all__ = [name for name, value in list(globals().items()) if callable(value)]
