import numpy as np
import pytest

import minigan as mg
from minigan.losses import cross_entropy
from minigan.models import Classifier
from minigan.optim import Adam


def test_shapes_and_features():
    mg.manual_seed(0)
    network = Classifier(classes=5, width=3, channels=2, size=6)
    x = mg.randn(4, 2, 6, 6)
    features = network.features(x)
    assert features.shape == (4, 12)
    assert features.numpy().min() >= 0
    np.testing.assert_array_equal(network(x).numpy(), network.head(features).numpy())
    assert network(x).shape == (4, 5)


def test_it_learns_what_can_be_told_apart():
    mg.manual_seed(0)
    network = Classifier(classes=2, width=2)
    labels = np.arange(16) % 2
    images = mg.tensor(np.where(labels, 1.0, -1.0)[:, None, None, None] * np.ones((16, 1, 8, 8)))
    images = images.astype(np.float32)
    adam = Adam(network.parameters(), lr=1e-2)
    for _ in range(30):
        adam.zero_grad()
        cross_entropy(network(images), labels).backward()
        adam.step()
    np.testing.assert_array_equal(network(images).numpy().argmax(axis=1), labels)


@pytest.mark.parametrize("size", [0, 1, 7])
def test_an_odd_size_is_refused(size):
    with pytest.raises(ValueError, match=f"size is {size}: must be even"):
        Classifier(size=size)
