"""Letters: N batch, G group size, C channels, S size."""

import numpy as np
import pytest

import minigan as mg
from minigan.errors import ShapeError
from minigan.models import StyleDiscriminator
from minigan.models.style_discriminator import minibatch_deviation
from minigan.testing import gradcheck


def naive_deviation(x, group):
    """The map's number for each image, by loops; image i is in the group of i mod N / G."""
    n, found = len(x), []
    for i in range(n):
        members = [x[j] for j in range(n) if j % (n // group) == i % (n // group)]
        deviations = [
            np.sqrt(np.var([m[index] for m in members]) + 1e-8) for index in np.ndindex(x.shape[1:])
        ]
        found.append(np.mean(deviations))
    return found


@pytest.mark.parametrize("size", [8, 16, 32])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("group", [0, 4])
def test_shapes_for_every_size(size, channels, group):
    d = StyleDiscriminator(width=2, channels=channels, size=size, minibatch_std=group)
    assert d(mg.randn(4, channels, size, size)).shape == (4,)


def test_parameter_count():
    # At 8 x 8: 1 -> 4 by 1x1; 4 -> 4 -> 8; at 4 x 4: 8 (+ 1) -> 8; 128 -> 8 -> 1.
    common = (4 + 4) + (9 * 16 + 4) + (9 * 32 + 8) + (128 * 8 + 8) + (8 + 1)
    assert StyleDiscriminator(width=4).num_parameters() == common + 9 * 64 + 8
    with_map = StyleDiscriminator(width=4, minibatch_std=4).num_parameters()
    assert with_map == common + 9 * 72 + 8


def test_impossible_sizes_and_images_are_refused():
    with pytest.raises(ValueError, match="size is 28: use 8, 16, 32"):
        StyleDiscriminator(width=2, size=28)
    with pytest.raises(ShapeError, match=r"give \(N, 1, 8, 8\)"):
        StyleDiscriminator(width=2)(mg.zeros(2, 1, 16, 16))


# -- the deviation of a batch ---------------------------------------------------------------------


@pytest.mark.parametrize(("n", "group"), [(4, 4), (6, 3), (8, 4), (6, 2), (3, 1)])
def test_the_map_is_its_definition(n, group, rng):
    x = rng.standard_normal((n, 2, 3, 3))
    out = minibatch_deviation(mg.tensor(x), group=group).numpy()
    np.testing.assert_array_equal(out[:, :2], x)
    expected = np.array(naive_deviation(x, group)).reshape(n, 1, 1)
    np.testing.assert_allclose(out[:, 2], np.broadcast_to(expected, (n, 3, 3)), rtol=1e-10)


def test_a_batch_smaller_than_a_group_is_one_group(rng):
    x = mg.tensor(rng.standard_normal((3, 2, 2, 2)))
    whole, smaller = minibatch_deviation(x, group=3), minibatch_deviation(x, group=8)
    np.testing.assert_array_equal(whole.numpy(), smaller.numpy())


def test_a_batch_of_broken_groups_is_refused():
    with pytest.raises(ShapeError, match="a batch of 6 is no multiple of minibatch_std=4"):
        minibatch_deviation(mg.zeros(6, 1, 2, 2), group=4)


def test_gradients_of_the_map(rng):
    x = rng.standard_normal((4, 2, 2, 2))
    assert gradcheck(lambda x: minibatch_deviation(x, group=2), [x], order=2)


def test_alike_images_have_finite_second_derivatives():
    x = mg.ones(4, 1, 2, 2).requires_grad_()
    (g,) = mg.grad(minibatch_deviation(x, group=4).sum(), x, create_graph=True)
    (h,) = mg.grad(mg.square(g).sum(), x)
    assert np.isfinite(h.numpy()).all()


# -- what D looks at ------------------------------------------------------------------------------


@pytest.mark.parametrize(("group", "others"), [(0, False), (4, True)])
def test_a_logit_depends_on_other_images_only_by_the_map(group, others):
    mg.manual_seed(0)
    d = StyleDiscriminator(width=3, minibatch_std=group)
    x = mg.randn(4, 1, 8, 8, requires_grad=True)
    (g,) = mg.grad(d(x)[2], x)
    alone = np.abs(g.numpy()).sum(axis=(1, 2, 3))
    assert alone[2] > 0
    assert (alone[[0, 1, 3]] > 0).tolist() == [others] * 3
