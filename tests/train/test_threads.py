import pytest
from threadpoolctl import threadpool_info

from minigan.backend import threads
from minigan.train.threads import blas_threads


def counts():
    return [p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"]


def test_large_products_go_to_the_pool_from_the_first_step_on(monkeypatch):
    monkeypatch.setattr(threads._pool, "wanted", False)
    with blas_threads(1):
        assert threads.pool_is_in_use()


def test_the_number_holds_within_the_block():
    before = counts()
    if not before:
        pytest.skip("NumPy uses a BLAS that threadpoolctl does not know")
    with blas_threads(2):
        assert set(counts()) == {2}
        with blas_threads(1):
            assert set(counts()) == {1}
    assert counts() == before
