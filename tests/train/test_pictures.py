import io
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from minigan.errors import ShapeError
from minigan.train import pictures
from minigan.train.errors import ConfigError


def decode(png):
    return np.asarray(Image.open(io.BytesIO(png)))


def test_pixels_go_from_minus_one_and_one_to_black_and_white():
    values = np.array([-1.0, 0.0, 1.0, -3.0, 3.0])
    assert pictures.to_bytes(values).tolist() == [0, 128, 255, 0, 255]
    levels = np.arange(256) / 127.5 - 1
    assert pictures.to_bytes(levels.astype(np.float32)).tolist() == list(range(256))


@given(st.integers(1, 9), st.integers(1, 4), st.integers(1, 3), st.sampled_from([1, 3]))
def test_every_image_is_at_its_place(count, columns, gap, channels):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, channels, 3, 2)).astype(np.uint8)
    grid = pictures.tile(images, columns, gap=gap)
    rows = math.ceil(count / columns)
    assert grid.shape == (rows * (3 + gap) + gap, columns * (2 + gap) + gap, channels)
    for i in range(count):
        top = gap + (i // columns) * (3 + gap)
        left = gap + (i % columns) * (2 + gap)
        np.testing.assert_array_equal(
            grid[top : top + 3, left : left + 2], np.moveaxis(images[i], 0, -1)
        )


def test_a_grid_is_square_and_enlarged():
    grid = decode(pictures.grid_png(np.zeros((5, 1, 8, 8)), scale=2))
    assert grid.shape == (2 * (2 * 9 + 1), 2 * (3 * 9 + 1))  # 2 rows of 3
    assert decode(pictures.grid_png(np.zeros((1, 1, 8, 8)))).shape == (80, 80)  # 8 x 10
    assert decode(pictures.grid_png(np.zeros((2, 3, 8, 8)), columns=1, scale=1)).shape == (
        19,
        10,
        3,
    )


def test_a_grid_is_the_same_bytes_each_time():
    images = np.random.default_rng(0).uniform(-1, 1, (4, 1, 8, 8))
    assert pictures.grid_png(images) == pictures.grid_png(images)


@pytest.mark.parametrize("shape", [(0, 1, 8, 8), (2, 2, 8, 8), (8, 8)])
def test_what_is_no_batch_of_images_is_refused(shape):
    with pytest.raises(ShapeError, match=r"a grid takes \(N, 1 or 3, H, W\)"):
        pictures.tile(np.zeros(shape, np.uint8), 2)


def test_losses_are_plotted():
    records = [{"step": n, "loss_d": 1.3, "loss_g": 0.7, "r1": 0.01} for n in (10, 20)]
    picture = decode(pictures.losses_png(records))
    empty = decode(pictures.losses_png([]))
    assert picture.shape == empty.shape == (450, 800, 4)
    assert not np.array_equal(picture, empty)


@pytest.mark.parametrize("name", ["loss_d", "loss_g", "r1"])
def test_every_loss_has_a_curve(name):
    records = [{"step": n, "loss_d": 1.0, "loss_g": 1.0, "r1": 1.0} for n in range(9)]
    moved = [{**r, name: 1.0 + r["step"] % 2 / 4} for r in records]
    picture, other = (decode(pictures.losses_png(r)) for r in (records, moved))
    assert not np.array_equal(picture, other)


def test_a_grid_is_no_wider_than_its_images():
    grid = decode(pictures.grid_png(np.zeros((4, 1, 8, 8)), columns=10**9, scale=1))
    assert grid.shape == (10, 37)


def test_a_grid_of_too_many_pixels_is_refused():
    with pytest.raises(ConfigError, match="a grid of 16192 x 16192 pixels is too large: fewer"):
        pictures.grid_png(np.zeros((784, 1, 8, 8)), scale=64)


def test_the_levels_are_lines_of_their_own():
    records = [{"step": n, "loss_d": -3.0 + n, "loss_g": 0.7} for n in (0, 1, 2)]
    plain, dashed = (decode(pictures.losses_png(records, levels)) for levels in ((), (1.4, 0.7)))
    assert not np.array_equal(plain, dashed)
