"""A small convolutional classifier: the judge in whose eyes samples are counted and compared.

Letters: N batch, C channels, S image size, F features, K classes.
"""

from __future__ import annotations

from minigan import nn
from minigan.tensor import Tensor


class Classifier(nn.Module):
    """Images (N, C, S, S) -> logits (N, K), by way of `features` (N, F), F = 4 width.

    `size` S: even. At width 16 and size 8 it has some 38,000 parameters.
    """

    def __init__(
        self, *, classes: int = 10, width: int = 16, channels: int = 1, size: int = 8
    ) -> None:
        if size < 2 or size % 2:
            raise ValueError(f"size is {size}: must be even and at least 2")
        self.body = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1),  # (N, w, S, S)
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),  # (N, 2 w, S/2, S/2)
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(2 * width * (size // 2) ** 2, 4 * width),  # (N, F)
            nn.ReLU(),
        )
        self.head = nn.Linear(4 * width, classes)

    def features(self, x: Tensor) -> Tensor:
        """Return the penultimate layer's activations (N, F), >= 0."""
        return self.body(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))  # (N, F) -> (N, K)
