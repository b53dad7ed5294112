"""A run small enough for tests: four steps of tiny networks."""

import pytest

from minigan.train.config import GANConfig


@pytest.fixture
def config():
    return GANConfig(
        steps=4,
        batch_size=4,
        latent=3,
        width=2,
        log_every=1,
        preview_every=2,
        save_every=2,
        eval_samples=0,
    )
