"""Single ops, in the convention of asv: a class for a family, a method `time_...` for each op.

`params` are the variants, `setup` gets one and prepares it. `micro.py` runs them without asv, which
can run them too (`benchmark_dir` is this folder).
"""

from __future__ import annotations

import minigan as mg
from minigan import nn
from minigan.optim import Adam


class Elementwise:
    """(64, 64, 32, 32) numbers, 16 MB: what fills a network between its products."""

    params = ("float32",)

    def setup(self, dtype: str) -> None:
        self.x, self.y = (mg.randn(64, 64, 32, 32, dtype=dtype) for _ in range(2))
        self.leaf = mg.randn(64, 64, 32, 32, dtype=dtype, requires_grad=True)

    def time_add(self, dtype: str) -> None:
        mg.add(self.x, self.y)

    def time_multiply(self, dtype: str) -> None:
        mg.multiply(self.x, self.y)

    def time_tanh(self, dtype: str) -> None:
        mg.tanh(self.x)

    def time_leaky_relu(self, dtype: str) -> None:
        mg.leaky_relu(self.x, negative_slope=0.2)

    def time_leaky_relu_backward(self, dtype: str) -> None:
        mg.grad(mg.leaky_relu(self.leaf, negative_slope=0.2), self.leaf, self.x)

    def time_softplus(self, dtype: str) -> None:
        mg.softplus(self.x)

    def time_sum_of_channels(self, dtype: str) -> None:
        mg.sum(self.x, axis=(0, 2, 3))


class Convolution:
    """N C S -> O, kernel K, stride, padding: layers of the workloads, both directions."""

    params = (
        (64, 3, 64, 64, 4, 2, 1),
        (64, 64, 32, 128, 4, 2, 1),
        (64, 256, 8, 512, 4, 2, 1),
        (16, 128, 32, 128, 3, 1, 1),
        (1, 256, 32, 256, 3, 1, 1),
        (1, 64, 128, 3, 7, 1, 3),
        (16, 128, 32, 3, 1, 1, 0),
    )

    def setup(self, case: tuple[int, ...]) -> None:
        n, c, s, o, k, stride, padding = case
        self.options = {"stride": stride, "padding": padding}
        self.x = mg.randn(n, c, s, s, requires_grad=True)
        self.weight = mg.randn(o, c, k, k, requires_grad=True)
        self.y = mg.conv2d(self.x, self.weight, **self.options)
        self.g = mg.randn(*self.y.shape)

    def time_forward(self, case: tuple[int, ...]) -> None:
        with mg.no_grad():
            mg.conv2d(self.x, self.weight, **self.options)

    def time_data_gradient(self, case: tuple[int, ...]) -> None:
        mg.grad(self.y, self.x, self.g, retain_graph=True)

    def time_weight_gradient(self, case: tuple[int, ...]) -> None:
        mg.grad(self.y, self.weight, self.g, retain_graph=True)


class Norm:
    """Batch and instance norm of (64, 128, 16, 16), forward and backward."""

    params = ("batch", "instance")

    def setup(self, kind: str) -> None:
        self.norm = {"batch": nn.BatchNorm2d, "instance": nn.InstanceNorm2d}[kind](128)
        self.x = mg.randn(64, 128, 16, 16, requires_grad=True)
        self.g = mg.randn(64, 128, 16, 16)

    def time_forward(self, kind: str) -> None:
        self.norm(self.x)

    def time_forward_backward(self, kind: str) -> None:
        mg.grad(self.norm(self.x), self.x, self.g)


class Optimiser:
    """A step of Adam: many small tensors, or few large ones."""

    params = ((200, 1000), (2, 1_000_000))

    def setup(self, case: tuple[int, int]) -> None:
        count, size = case
        params = [mg.zeros(size, requires_grad=True) for _ in range(count)]
        for param in params:
            param.grad = mg.ones(size)
        self.adam = Adam(params)

    def time_adam(self, case: tuple[int, int]) -> None:
        self.adam.step()


SUITE = (Elementwise, Convolution, Norm, Optimiser)
