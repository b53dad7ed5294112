"""Products: right in every size and layout, and the same bits on any number of threads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan.backend import products, threads
from minigan.backend.products import ALONE, SHARED, product

SIZES = [(3, 4, 5), (1, 300, 1000), (80, 80, 80), (300, 200, 190), (190, 200, 300), (64, 2100, 70)]


@pytest.mark.parametrize(("n", "k", "m"), SIZES)
@pytest.mark.parametrize("transposed", [(False, False), (True, False), (False, True), (True, True)])
def test_matrices_of_any_size_and_layout(rng, n, k, m, transposed):
    a = rng.standard_normal((k, n)).T if transposed[0] else rng.standard_normal((n, k))
    b = rng.standard_normal((m, k)).T if transposed[1] else rng.standard_normal((k, m))
    np.testing.assert_allclose(product(a, b), np.einsum("ik,kj->ij", a, b), atol=1e-10)


def test_the_sizes_above_are_on_both_sides_of_the_limits():
    work = [n * k * m for n, k, m in SIZES]
    assert min(work) <= ALONE < sorted(work)[2] < SHARED <= sorted(work)[-3]


@given(
    lead=st.sampled_from([((), (4,)), ((4,), ()), ((2, 1), (3,)), ((9,), (9,)), ((1,), (5,))]),
    n=st.sampled_from([1, 3, 130]),
    k=st.sampled_from([0, 1, 129]),
    m=st.sampled_from([1, 4, 140]),
)
def test_stacks_are_broadcast(lead, n, k, m):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((*lead[0], n, k)), rng.standard_normal((*lead[1], k, m))
    np.testing.assert_allclose(product(a, b), np.einsum("...ik,...kj->...ij", a, b), atol=1e-10)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "complex128"])
def test_dtypes_are_numpys(dtype):
    a, b = np.ones((250, 200), dtype), np.ones((200, 220), np.float32)
    assert product(a, b).dtype == np.result_type(a, b)
    np.testing.assert_array_equal(product(a, b), 200)


@pytest.mark.parametrize("shape", [(300, 333, 201), (65, 700, 341), (7, 90, 120, 130)])
def test_the_number_of_threads_changes_no_bit(rng, monkeypatch, shape):
    monkeypatch.setattr(threads._pool, "wanted", True)
    *lead, n, k, m = shape
    a = rng.standard_normal((*lead, n, k)).astype(np.float32)
    b = rng.standard_normal((*lead, k, m)).astype(np.float32)
    results = []
    for count in (1, 2, 5):
        mg.set_num_threads(count)
        results.append(product(a, b).tobytes())
    assert len(set(results)) == 1


@pytest.mark.parametrize("lead", [(1,), (1, 8), (8, 1), (2,), (1, 1), (3, 2)])
def test_large_stacks_are_cut_where_they_are_long(rng, monkeypatch, lead):
    counts = []

    def counting(task, count):
        counts.append(count)
        threads.parallel(task, count)

    monkeypatch.setattr(products, "parallel", counting)
    a, b = rng.standard_normal((*lead, 256, 150)), rng.standard_normal((150, 256))
    np.testing.assert_allclose(product(a, b), np.einsum("...ik,kj->...ij", a, b), atol=1e-10)
    assert min(counts) > 2


def test_blas_is_held_at_one_thread_only_where_the_pool_is_in_use(rng, monkeypatch):
    held = []

    class Watched(threads.single_threaded_blas):
        def __enter__(self):
            held.append(True)
            super().__enter__()

    monkeypatch.setattr(products, "single_threaded_blas", Watched)
    a = rng.standard_normal((100, 100))  # more than ALONE, fewer than SHARED
    for wanted in (False, True):
        monkeypatch.setattr(threads._pool, "wanted", wanted)
        product(a, a)
        assert held == [True] * wanted
    threads.parallel(lambda index: None, 2)
    assert threads.pool_is_in_use()
