"""Half a turn: with stride 1 the adjoint of a convolution is again a convolution.

The kernel is turned by half a turn (rows and columns reversed), and x and y change places:

    conv_transpose2d(y, w)  =  conv2d(y, turned w)       with padding (K - 1) d - p

so an algorithm for one of the three kernels serves another one too, and the thinner of x and y can
be the one that is taken apart.

Letters: C channels of x, O channels of y, G groups, c = C/G, o = O/G, K, L of the kernel.
"""

from __future__ import annotations

from dataclasses import replace

from minigan.backend.columns import Algorithm, Array, Geometry, Pair


def can_turn(geometry: Geometry) -> bool:
    """Tell whether x and y can change places: stride 1, and not more padding than the kernel."""
    enough = min(_turned_padding(geometry)) >= 0
    return geometry.stride == (1, 1) and enough and geometry.padded == geometry.reach


def turn(geometry: Geometry) -> Geometry:
    """Exchange x and y."""
    return replace(
        geometry,
        channels=geometry.filters,
        filters=geometry.channels,
        size=geometry.out,
        out=geometry.size,
        padding=_turned_padding(geometry),
    )


def turn_kernel(weight: Array, geometry: Geometry) -> Array:
    """Turn weight (O, c, K, L) of `geometry` into (C, o, K, L), rows and columns reversed."""
    shape = (geometry.groups, -1, *weight.shape[1:])
    turned = weight.reshape(shape).swapaxes(1, 2)[..., ::-1, ::-1]  # (G, c, o, K, L)
    return turned.reshape(geometry.channels, -1, *geometry.kernel)  # (C, o, K, L)


def adjoint(algorithm: Algorithm) -> Algorithm:
    """Make the data gradient of a forward, and a forward of a data gradient."""

    def run(array: Array, weight: Array, geometry: Geometry) -> Array:
        return algorithm(array, turn_kernel(weight, geometry), turn(geometry))

    return run


def exchanged(algorithm: Algorithm) -> Algorithm:
    """Make a weight gradient that takes y apart of one that takes x apart."""

    def run(x: Array, y: Array, geometry: Geometry) -> Array:
        turned = turn(geometry)
        return turn_kernel(algorithm(y, x, turned), turned)

    return run


def _turned_padding(geometry: Geometry) -> Pair:
    sizes = zip(geometry.kernel, geometry.dilation, geometry.padding, strict=True)
    return tuple((k - 1) * d - p for k, d, p in sizes)
