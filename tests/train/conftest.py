"""Runs small enough for tests: a few steps of tiny networks."""

import functools

import pytest

from minigan.train import pictures, quality, translation
from minigan.train.config import GANConfig
from minigan.train.records import TIMES, read_records

SMALL = {
    "batch_size": 4,
    "latent": 3,
    "width": 2,
    "log_every": 1,
    "norms_every": 0,
    "eval_samples": 0,
}


@pytest.fixture
def config():
    return GANConfig(steps=4, preview_every=2, save_every=2, **SMALL)


@pytest.fixture
def quick_curves(monkeypatch):
    """Write the losses themselves in the place of their picture, which takes longer than a step."""
    monkeypatch.setattr(pictures, "losses_png", lambda records, levels: repr(records).encode())


@pytest.fixture
def quick_figures(monkeypatch):
    """Train the judges of the figures for one step alone."""
    monkeypatch.setattr(quality, "_JUDGE_STEPS", 1)
    monkeypatch.setattr(quality, "_SETTLING", 1)
    classifier = functools.partial(translation.train_classifier, steps=1)
    monkeypatch.setattr(translation, "train_classifier", classifier)


@pytest.fixture
def small():
    """A function that returns `--set` texts that make any recipe small; options of its own last."""

    def settings(cls, **options):
        chosen = {name: value for name, value in SMALL.items() if name in cls.options()}
        return [f"--set={name}={value}" for name, value in {**chosen, **options}.items()]

    return settings


@pytest.fixture
def content():
    """A function that returns all that a run has come to, but for times and what is of one process.

    The last checkpoint's bytes, the records, the options, the pictures.
    """

    def read(folder):
        last = folder.checkpoints.newest()
        assert not last.passed_over
        records = read_records(folder.metrics_file)
        return {
            last.path.name: last.path.read_bytes(),
            "records": [{k: v for k, v in r.items() if k not in TIMES} for r in records],
            "config": folder.config(),
            "samples": {p.name: p.read_bytes() for p in folder.samples.glob("*")},
        }

    return read
