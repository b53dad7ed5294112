"""Floor 6: how good a generator is, as numbers, on plain NumPy arrays.

Two questions are asked of a classifier's labels and features. *Are all classes there, in the right
shares?* `classes.py`. *Do the features look alike?* `frechet.py` compares them as Gaussians,
`kernel.py` by all their moments up to the third, without bias; `neighbours.py` tells
samples that are not good (precision, density) from data that are not covered (recall, coverage).

The others need no classifier: `sliced.py` compares features or the pixels themselves,
`structural.py` two images as the eye would, and so a generator's images among themselves;
`perceptual.py` does the latter in a network's features.

None of these has an absolute scale: print each beside its floor, the same measure between two sets
of real images of the same sizes. What is drawn at random is a function of `seed`.
"""

from minigan.metrics.classes import class_coverage, class_shares, reverse_kl
from minigan.metrics.frechet import frechet_distance, frechet_of_moments, moments, sqrt_psd
from minigan.metrics.kernel import (
    KernelDistance,
    kernel_distance,
    polynomial_kernel,
    squared_mmd,
)
from minigan.metrics.neighbours import Neighbours, neighbour_radii, neighbour_report
from minigan.metrics.perceptual import feature_distance, feature_diversity
from minigan.metrics.sliced import sliced_distance
from minigan.metrics.structural import diversity, ms_ssim, scales, ssim

__all__ = [
    "KernelDistance",
    "Neighbours",
    "class_coverage",
    "class_shares",
    "diversity",
    "feature_distance",
    "feature_diversity",
    "frechet_distance",
    "frechet_of_moments",
    "kernel_distance",
    "moments",
    "ms_ssim",
    "neighbour_radii",
    "neighbour_report",
    "polynomial_kernel",
    "reverse_kl",
    "scales",
    "sliced_distance",
    "sqrt_psd",
    "squared_mmd",
    "ssim",
]
