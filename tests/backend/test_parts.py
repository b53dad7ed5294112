"""Parts for several cores: every index once, one part where there is little work."""

import numpy as np
import pytest

import minigan as mg
from minigan.backend import parts
from minigan.backend.parts import in_parts
from minigan.testing.cupy_double import cupy_double


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    monkeypatch.setattr(parts, "PART", 10)


def cut(length, array):
    found = []
    in_parts(found.append, length, array)
    return sorted((part.start, part.stop) for part in found)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("length", [1, 2, 5, 7, 100])
@pytest.mark.parametrize("size", [0, 19, 20, 45, 1000])
def test_every_index_is_in_one_part(threads, length, size):
    mg.set_num_threads(threads)
    found = cut(length, np.zeros(size))
    assert [i for start, stop in found for i in range(start, stop)] == list(range(length))
    assert len(found) <= max(1, min(size // 10, 2 * threads, length))


def test_work_for_several_threads_is_cut():
    mg.set_num_threads(2)
    assert cut(7, np.zeros(100)) == [(0, 2), (2, 4), (4, 6), (6, 7)]
    assert cut(7, np.zeros(20)) == [(0, 4), (4, 7)]
    mg.set_num_threads(1)
    assert cut(7, np.zeros(100)) == [(0, 7)]


def test_a_gpus_array_stays_whole():
    mg.set_num_threads(2)
    with cupy_double():
        assert cut(7, mg.zeros(100, device="cuda").data) == [(0, 7)]
