"""What the tests of floor 0 share: any of them may set the number of threads."""

import pytest

import minigan as mg


@pytest.fixture(autouse=True)
def _number_of_threads_is_put_back():
    before = mg.get_num_threads()
    yield
    mg.set_num_threads(before)
