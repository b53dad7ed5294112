import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan.models import DCGANGenerator
from minigan.train.errors import ConfigError
from minigan.train.sample import images_of, latents, parse_seeds


@pytest.fixture
def generator():
    mg.manual_seed(0)
    return DCGANGenerator(latent=6, width=8)


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 5)), min_size=1, max_size=5))
def test_seeds_are_read_in_order(spans):
    text = ", ".join(f"{a}-{a + n}" if n else str(a) for a, n in spans)
    expected = [seed for a, n in spans for seed in range(a, a + n + 1)]
    assert parse_seeds(text) == expected


@pytest.mark.parametrize(
    "text", ["", "a", "3-", "-3", "5-3", "1,,2", "1;2", "1.5", "9" * 19, "1 2", "٣", "3--5"]
)
def test_what_is_no_list_of_seeds_is_named(text):
    with pytest.raises(ConfigError, match=r"--seeds has .*below 10\^18 and ranges, like 3,7,10-12"):
        parse_seeds(text)


def test_a_range_too_long_is_refused_at_once():
    with pytest.raises(ConfigError, match="more than 100000 images"):
        parse_seeds("0-999999999999")


def test_a_latent_is_named_by_its_seed():
    together = latents(range(5), 6)
    assert together.dtype == np.float32
    np.testing.assert_array_equal(latents([3], 6)[0], together[3])
    np.testing.assert_array_equal(latents([4, 0], 6), together[[4, 0]])


def test_an_image_is_the_same_bit_for_bit_whatever_else_is_drawn(generator):
    together = images_of(generator, latents(range(64), 6))
    alone = images_of(generator, latents([7], 6))
    np.testing.assert_array_equal(together[7], alone[0])
    shuffled = images_of(generator, latents([63, 7, 1], 6))
    np.testing.assert_array_equal(together[[63, 7, 1]], shuffled)


def test_chunks_agree_to_rounding(generator):
    z = latents(range(10), 6)
    one, many = images_of(generator, z), images_of(generator, z, chunk=4)
    assert many.shape == (10, 1, 8, 8)
    np.testing.assert_allclose(one, many, atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_drawing_leaves_the_generator_as_it_was(generator, training):
    generator.train(training)
    before = generator.state_dict()
    images_of(generator, latents(range(3), 6))
    assert generator.training is training
    for name, array in generator.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_the_mode_comes_back_after_an_error(generator):
    generator.train()
    with pytest.raises(ValueError, match=r"got \(1, 5\)"):
        images_of(generator, np.zeros((2, 5), np.float32))
    assert generator.training
    assert mg.is_grad_enabled()


def test_spaces_may_stand_around_numbers():
    assert parse_seeds(" 1 , 3 - 5 ") == [1, 3, 4, 5]
