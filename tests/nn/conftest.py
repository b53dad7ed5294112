"""What the tests of networks share: weights that are the same in every run."""

import pytest

import minigan as mg


@pytest.fixture(autouse=True)
def _seeded():
    """Seed the generator that layers draw their first weights from."""
    mg.manual_seed(0)
