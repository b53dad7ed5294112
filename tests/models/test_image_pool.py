"""The pool of translated images: what goes in, what comes out, and that a run can go on."""

from __future__ import annotations

import numpy as np
import pytest

from minigan.backend import Generator
from minigan.errors import ShapeError
from minigan.models import ImagePool


def numbered(first, count):
    """Images that are recognised by their value: (count, 1, 2, 2)."""
    return np.arange(first, first + count, dtype=np.float32).reshape(-1, 1, 1, 1) * np.ones(
        (1, 1, 2, 2), np.float32
    )


def values(images):
    return images[:, 0, 0, 0].astype(int).tolist()


def test_a_pool_that_is_not_full_returns_what_it_is_given():
    pool = ImagePool(5)
    assert values(pool.query(numbered(0, 3), Generator(0))) == [0, 1, 2]
    assert values(pool.query(numbered(3, 2), Generator(1))) == [3, 4]
    assert len(pool) == 5


def test_a_full_pool_exchanges_half_of_the_images_one_by_one():
    pool = ImagePool(10)
    pool.query(numbered(0, 10), Generator(0))
    seen = [
        (given, values(pool.query(numbered(given, 1), Generator(given)))[0])
        for given in range(10, 2010)
    ]
    exchanged = [given != found for given, found in seen]
    assert np.mean(exchanged) == pytest.approx(0.5, abs=0.04)
    assert all(found < given for given, found in seen if given != found)
    returned = [found for given, found in seen]
    assert len(set(returned)) == len(returned)  # an image that has left the pool does not return
    assert len(pool) == 10


def test_every_place_of_the_pool_is_exchanged_as_often():
    pool, times = ImagePool(8), np.zeros(8)
    pool.query(numbered(0, 8), Generator(0))
    for given in range(8, 2008):
        before = values(pool.state_dict()["images"])
        pool.query(numbered(given, 1), Generator(given))
        times += np.not_equal(before, values(pool.state_dict()["images"]))
    # Each count is binomial(2000, 1 / 16), of mean 125 and deviation 11.
    assert times.min() > 125 - 4 * 11
    assert times.max() < 125 + 4 * 11


def test_images_of_one_batch_may_differ_in_their_fate():
    pool = ImagePool(8)
    pool.query(numbered(0, 8), Generator(0))
    given = numbered(8, 64)
    kept = pool.query(given, Generator(1))[:, 0, 0, 0] == given[:, 0, 0, 0]
    assert 10 < kept.sum() < 54


def test_the_pool_holds_copies():
    pool, images = ImagePool(2), numbered(0, 2)
    first = pool.query(images, Generator(0))
    images[...], first[...] = -1, -2
    assert values(pool.state_dict()["images"]) == [0, 1]


def test_a_loaded_pool_holds_copies_of_its_state():
    pool, images = ImagePool(2), numbered(0, 2)
    pool.load_state_dict({"images": images})
    images[...] = -1
    pool.state_dict()["images"][...] = -2
    assert values(pool.state_dict()["images"]) == [0, 1]


@pytest.mark.parametrize("size", [0, 1, 8])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_images_keep_their_dtype(size, dtype):
    pool = ImagePool(size)
    for i in range(8):
        assert pool.query(numbered(i, 2).astype(dtype), Generator(i)).dtype == dtype
        assert not size or pool.state_dict()["images"].dtype == dtype


def test_size_zero_returns_copies_of_everything():
    images = numbered(0, 3)
    found = ImagePool(0).query(images, Generator(0))
    np.testing.assert_array_equal(found, images)
    assert not np.shares_memory(found, images)


@pytest.mark.parametrize("before", [0, 1, 30])
def test_a_state_goes_on_as_the_pool_would_have(before):
    pool, twin = ImagePool(4), ImagePool(4)
    for i in range(before):
        pool.query(numbered(2 * i, 2), Generator(i))
    twin.load_state_dict(pool.state_dict())
    for i in range(before, before + 20):
        images = numbered(2 * i, 2)
        np.testing.assert_array_equal(
            pool.query(images, Generator(i)), twin.query(images, Generator(i))
        )


def test_what_does_not_fit_is_refused():
    pool = ImagePool(2)
    with pytest.raises(ValueError, match="3 images, and its size is 2"):
        pool.load_state_dict({"images": numbered(0, 3)})
    with pytest.raises(ValueError, match=r"not \(P, C, H, W\)"):
        pool.load_state_dict({"images": np.zeros((2, 3))})
    pool.query(numbered(0, 1), Generator(0))
    with pytest.raises(ShapeError, match="the pool holds"):
        pool.query(np.zeros((1, 1, 3, 3), np.float32), Generator(0))
    with pytest.raises(ValueError, match="size"):
        ImagePool(-1)
