"""Plants: ops with a bug and their correct twins, from the list CATALOGUE of a test file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from minigan.op import OPS
from minigan.testing import GradcheckError, gradcheck


@dataclass(frozen=True)
class Plant:
    """A bug, the shapes of its inputs, words that its report must hold, the order that shows it."""

    make: Callable
    shapes: tuple[tuple[int, ...], ...]
    words: tuple[str, ...]
    order: int = 1

    def inputs(self, seed: int) -> list[np.ndarray]:
        rng = np.random.default_rng(seed)
        return [rng.normal(size=shape) for shape in self.shapes]

    def caught_and_named(self) -> None:
        with pytest.raises(GradcheckError) as caught:
            gradcheck(self.make(bug=True), self.inputs(0), order=self.order)
        message = str(caught.value)
        missing = [word for word in self.words if word not in message]
        assert not missing, f"{missing} not in:\n{message}"
        assert "gradcheck(fn, [input_0" in message  # the reproducer

    def caught_at_every_seed(self) -> None:
        fn = self.make(bug=True)
        for seed in range(5):
            with pytest.raises(GradcheckError):
                gradcheck(fn, self.inputs(seed), order=self.order, seed=seed)

    def twin_passes(self, *, seeds: int, dtype: str = "float64") -> None:
        fn = self.make(bug=False)
        for seed in range(seeds):
            assert gradcheck(fn, self.inputs(seed), order=2, seed=seed, dtype=dtype)


def pytest_generate_tests(metafunc):
    """A test with an argument `plant` is run for each entry of its module's CATALOGUE."""
    if "plant" in metafunc.fixturenames:
        plants = [Plant(*entry) for entry in metafunc.module.CATALOGUE]
        metafunc.parametrize("plant", plants, ids=[plant.make.__name__ for plant in plants])


@pytest.fixture(autouse=True)
def _leave_no_ops():
    before = dict(OPS)
    yield
    OPS.clear()
    OPS.update(before)
