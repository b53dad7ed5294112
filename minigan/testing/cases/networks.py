"""Cases of convolution, resampling and normalisation."""

from __future__ import annotations

import numpy as np

from minigan.op import OPS
from minigan.ops import normalization, resampling
from minigan.ops.conv import conv2d, conv2d_weight, conv_transpose2d
from minigan.testing.cases.table import case, linear
from minigan.testing.draw import grid, normal, positive

TAPS = np.array([[[[0, 3], [2, 1]]]])  # which entry of its window each value goes to

CONVOLUTIONS = [
    linear(conv2d, normal(2, 2, 4, 4), normal(3, 2, 3, 3), normal(3), padding=1),
    linear(conv2d, normal(1, 2, 6, 5), normal(2, 2, 3, 2), stride=(2, 3), padding=1),  # remainder
    linear(conv2d, normal(1, 1, 3, 3), normal(2, 1, 2, 2), padding=(2, 3)),  # padding >= kernel
    linear(conv2d, normal(1, 1, 5, 5), normal(2, 1, 2, 1), stride=3),  # stride > kernel
    linear(conv2d, normal(1, 4, 5, 5), normal(6, 2, 2, 2), dilation=2, groups=2),
    linear(conv2d, normal(2, 3, 1, 1), normal(2, 3, 1, 1)),
    linear(conv2d, normal(0, 2, 4, 4), normal(3, 2, 3, 3)),
    linear(conv_transpose2d, normal(2, 2, 3, 3), normal(2, 3, 3, 3), normal(3), padding=1),
    linear(conv_transpose2d, normal(1, 2, 2, 3), normal(2, 2, 4, 4), stride=2, padding=1),
    linear(
        conv_transpose2d, normal(1, 4, 2, 2), normal(4, 1, 3, 2), stride=(3, 2),
        output_padding=(2, 1), dilation=(1, 2), groups=2,
    ),  # fmt: skip
    linear(conv2d_weight, normal(2, 2, 4, 4), normal(2, 3, 4, 4), kernel_size=3, padding=1),
    linear(conv2d_weight, normal(1, 4, 6, 5), normal(1, 2, 2, 2), kernel_size=(3, 2), stride=2,
           groups=2),
]  # fmt: skip

RESAMPLING = [
    linear(resampling.upsample, normal(2, 2, 2, 3), scale_factor=2),
    linear(resampling.upsample, normal(1, 2, 2, 3), scale_factor=(3, 2)),
    linear(resampling.upsample, normal(1, 2, 2, 3), scale_factor=2, mode="bilinear"),
    linear(resampling.upsample, normal(1, 1, 1, 3), scale_factor=3, mode="bilinear"),
    linear(resampling.sum_pool, normal(1, 2, 4, 5), kernel_size=(2, 3), stride=1),
    linear(resampling.avg_pool2d, normal(2, 2, 4, 4), kernel_size=2),
    linear(resampling.avg_pool2d, normal(1, 2, 5, 5), kernel_size=3, stride=2, padding=1),
    case(resampling.max_pool2d, grid(1, 2, 4, 4), kernel_size=2),
    case(resampling.max_pool2d, grid(1, 1, 5, 5), kernel_size=3, stride=2, padding=1),
    linear(OPS["spread"], normal(1, 2, 2, 3), size=(4, 5), kernel_size=(3, 3), stride=(2, 2),
           padding=(1, 1)),
    linear(OPS["put_tap"], normal(1, 1, 2, 2), TAPS, size=(4, 5), kernel_size=(2, 2),
           stride=(2, 2), padding=(0, 0)),
    linear(OPS["blend"], normal(2, 5), axis=1, factor=3),
    linear(OPS["unblend"], normal(2, 6), axis=1, factor=2),
    linear(resampling.pixel_shuffle, normal(1, 8, 2, 3), upscale_factor=2),
    linear(resampling.pixel_unshuffle, normal(1, 2, 4, 6), downscale_factor=2),
]  # fmt: skip

NORMALIZATION = [
    case(normalization.normalize, normal(2, 3, 4), axis=(2,), eps=1e-3),
    case(normalization.normalize, normal(2, 3, 4), normal(1, 3, 1), normal(2, 1, 1), axis=(0, 2),
         eps=1e-3),
    case(normalization.normalize, normal(2, 4), axis=(1,), eps=1e-3, centre=False),
    case(normalization.batch_norm, normal(3, 2, 2, 2), normal(2), normal(2)),
    case(normalization.batch_norm, normal(4, 3)),
    case(normalization.batch_norm_inference, normal(2, 2, 3), normal(2), positive(2), normal(2),
         normal(2)),
    case(normalization.instance_norm, normal(2, 2, 2, 3)),
    case(normalization.instance_norm, normal(2, 2, 2, 3), normal(2), normal(2)),
    case(normalization.layer_norm, normal(3, 4), 4, normal(4), normal(4)),
    case(normalization.layer_norm, normal(2, 2, 3), (2, 3)),
    case(normalization.group_norm, normal(2, 4, 2, 2), 2, normal(4), normal(4)),
    case(normalization.pixel_norm, normal(2, 3, 2, 2)),
    case(normalization.adain, normal(2, 2, 2, 3), normal(2, 2, 3, 2)),
    case(normalization.adain_scale_shift, normal(2, 2, 2, 3), normal(2, 2), normal(2, 2)),
]  # fmt: skip

CASES = [*CONVOLUTIONS, *RESAMPLING, *NORMALIZATION]
