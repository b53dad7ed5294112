"""Every recipe on the pretended GPU: its steps and its pictures are those of the CPU."""

import io

import numpy as np
import pytest
from PIL import Image

from minigan.testing.cupy_double import cupy_double
from minigan.train import loop
from minigan.train.config import CONFIGS
from minigan.train.settings import build_config


def played(config):
    """Return the losses of two steps, the pictures, and the figures."""
    trainer = loop.make_trainer(config)
    losses = [trainer.step() for _ in range(2)]
    return losses, trainer.pictures(), trainer.measure(trainer.sampler(), config)


@pytest.mark.usefixtures("quick_figures")
@pytest.mark.parametrize("recipe", CONFIGS)
def test_a_recipe_plays_on_a_gpu_as_on_the_cpu(recipe, small):
    texts = [text.removeprefix("--set=") for text in small(CONFIGS[recipe], lr=1e-4)]
    config = build_config({}, recipe=recipe, settings=texts)
    config = config.replace(eval_samples=100)
    losses, pictures, report = played(config)
    with cupy_double():
        on_gpu = played(config.replace(device="cuda"))
    for expected, found in zip(losses, on_gpu[0], strict=True):
        assert found == pytest.approx(expected, rel=1e-2, abs=1e-3)
    assert on_gpu[1].keys() == pictures.keys()
    for film, png in pictures.items():
        a, b = (np.asarray(Image.open(io.BytesIO(p))).astype(int) for p in (png, on_gpu[1][film]))
        assert np.abs(a - b).mean() < 2
    assert type(on_gpu[2]) is type(report)
