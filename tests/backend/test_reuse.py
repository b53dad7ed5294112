"""Kept kernels: used while weights stand still, never after they have moved, and within bounds."""

import gc
import threading

import numpy as np
import pytest

import minigan as mg
from minigan import nn
from minigan.backend import reuse, winograd
from minigan.optim import EMA, SGD, Adam


@pytest.fixture
def made(monkeypatch):
    """Count the transforms that are computed."""
    calls = []
    for name in ("transform_kernel", "transform_turned_kernel"):
        monkeypatch.setattr(winograd, name, _counting(getattr(winograd, name), calls))
    return calls


def _counting(transform, calls):
    def count(weight, f, *, fresh=False):
        calls.append(fresh)
        return transform(weight, f, fresh=fresh)

    count.__name__ = transform.__name__
    return count


@pytest.fixture
def convolve(rng):
    """A function of a weight that Winograd's way computes."""
    x = mg.tensor(rng.normal(size=(2, 8, 8, 8)).astype(np.float32))

    def conv(weight):
        with mg.conv_algorithm("winograd"):
            return mg.conv2d(x, weight, padding=1)

    return conv


def kernel(rng, shape=(8, 8, 3, 3)):
    return mg.tensor(rng.normal(size=shape).astype(np.float32))


def direct(convolve, weight):
    """The same, with a copy of the weight, of which nothing can have been kept."""
    return convolve(mg.tensor(weight.numpy().copy())).numpy()


def test_without_the_block_nothing_is_kept(rng, convolve, made):
    weight = kernel(rng)
    convolve(weight), convolve(weight)
    assert made == [False, False]


def test_within_it_a_kernel_is_transformed_once_and_each_way(rng, convolve, made):
    weight = kernel(rng).requires_grad_()
    expected = direct(convolve, weight)
    made.clear()
    with mg.reuse_transforms(), mg.conv_algorithm("winograd"):
        results = [convolve(weight) for _ in range(3)]
        x = mg.tensor(np.zeros((2, 8, 8, 8), np.float32), requires_grad=True)
        for _ in range(2):
            mg.grad(mg.conv2d(x, weight, padding=1).sum(), x)
    assert made == [True, True]  # one for forward, one for the data gradient
    for result in results:
        np.testing.assert_array_equal(result.numpy(), expected)


def assigned(weight):
    weight.assign_(2 * weight.numpy())


def assigned_as_a_view(weight):
    weight.detach().assign_(2 * weight.numpy())


def stepped(weight):
    weight.requires_grad_().grad = mg.ones(*weight.shape)
    SGD([weight], lr=0.1).step()


def stepped_by_adam(weight):
    weight.requires_grad_().grad = mg.ones(*weight.shape)
    Adam([weight, mg.zeros(3, requires_grad=True)], lr=0.1).step()


@pytest.mark.parametrize(
    "move", [assigned, assigned_as_a_view, stepped, stepped_by_adam], ids=lambda f: f.__name__
)
def test_a_weight_that_has_moved_is_transformed_anew(rng, convolve, move):
    weight = kernel(rng)
    with mg.reuse_transforms():
        before = convolve(weight).numpy().copy()
        move(weight)
        after = convolve(weight).numpy()
        assert not np.array_equal(before, after)
        np.testing.assert_array_equal(after, direct(convolve, weight))


def test_an_average_that_has_moved_too(rng, convolve):
    layer = nn.Conv2d(8, 8, 3)
    average = EMA(layer, decay=0.5)
    with mg.reuse_transforms():
        convolve(average.module.weight)
        layer.weight.assign_(layer.weight.numpy() + 1)
        average.update()
        weight = average.module.weight
        np.testing.assert_array_equal(convolve(weight).numpy(), direct(convolve, weight))


def test_a_state_that_is_loaded_too(rng, convolve):
    layer, other = nn.Conv2d(8, 8, 3), nn.Conv2d(8, 8, 3)
    with mg.reuse_transforms():
        convolve(layer.weight)
        layer.load_state_dict(other.state_dict())
        np.testing.assert_array_equal(
            convolve(layer.weight).numpy(), direct(convolve, other.weight)
        )


def test_a_view_of_what_has_moved_is_transformed_anew(rng, convolve):
    """What is kept of a view goes when its base is assigned, and the other way round."""
    flat = kernel(rng, (2 * 8 * 8 * 9,))
    halves = [flat[i * 576 : (i + 1) * 576].reshape(8, 8, 3, 3) for i in (0, 1)]
    with mg.reuse_transforms():
        first, second = (convolve(half).numpy().copy() for half in halves)
        assert not np.array_equal(first, second)
        flat.assign_(-flat.numpy())
        for half, before in zip(halves, (first, second), strict=True):
            np.testing.assert_array_equal(convolve(half).numpy(), -before)


def test_the_bytes_are_bounded_and_freed(rng, convolve, made):
    weights = [kernel(rng) for _ in range(3)]
    size = 36 * 8 * 8 * 4
    with mg.reuse_transforms(most_bytes=2 * size):
        for _ in range(2):
            for weight in weights:
                np.testing.assert_array_equal(convolve(weight).numpy(), direct(convolve, weight))
        kept = sum(k.nbytes for kernels in reuse._kept.kernels.values() for k in kernels.values())
        assert 0 < kept <= 2 * size
    assert reuse._kept.kernels == {}
    assert reuse._kept.owners == {}


def test_a_weight_that_is_gone_takes_its_kernel_along(rng, convolve):
    with mg.reuse_transforms(most_bytes=1 << 20):
        weight = kernel(rng)
        convolve(weight)
        assert len(reuse._kept.kernels) == 1
        del weight
        gc.collect()
        assert reuse._kept.kernels == {}
        assert reuse._kept.room == 1 << 20


@pytest.mark.parametrize("shape", [(32, 64, 5, 5), (16, 16, 1, 1)])
def test_the_direct_way_keeps_its_order_too(rng, shape):
    x = mg.tensor(rng.normal(size=(2, shape[1], 8, 8)).astype(np.float32), requires_grad=True)
    weight, padding = kernel(rng, shape), shape[-1] // 2

    def both():
        with mg.conv_algorithm("direct"):
            y = mg.conv2d(x, weight, padding=padding)
            return y.numpy(), mg.grad((y * y).sum(), x)[0].numpy()

    with mg.reuse_transforms():
        for _ in range(2):
            first, again = both(), both()
            weight.assign_(weight.numpy() + 1)
            assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
            assert not np.array_equal(both()[0], first[0])
        kept = both()
    plain = both()
    assert all(np.array_equal(a, b) for a, b in zip(kept, plain, strict=True))


def test_a_kernel_that_is_in_order_as_it_is_does_not_keep_its_weight_alive(rng):
    x = mg.tensor(rng.normal(size=(2, 1, 8, 8)).astype(np.float32))
    with mg.reuse_transforms():
        weight = kernel(rng, (1, 1, 3, 3))
        mg.conv2d(x, weight)
        del weight
        gc.collect()
        assert reuse._kept.kernels == {}


def test_blocks_may_be_nested_and_end_with_an_error(rng, convolve, made):
    weight = kernel(rng)
    with pytest.raises(RuntimeError, match="inside"), mg.reuse_transforms():  # noqa: PT012
        with mg.reuse_transforms(most_bytes=0):
            convolve(weight)
        convolve(weight)
        assert made == [True]
        raise RuntimeError("inside")
    assert reuse._kept.blocks == 0
    assert reuse._kept.kernels == {}


def test_another_thread_that_moves_a_weight_is_seen(rng, convolve):
    weight = kernel(rng)
    with mg.reuse_transforms():
        convolve(weight)
        mover = threading.Thread(target=assigned, args=(weight,))
        mover.start(), mover.join()
        np.testing.assert_array_equal(convolve(weight).numpy(), direct(convolve, weight))


def test_a_bound_below_zero_is_refused():
    with pytest.raises(ValueError, match="most_bytes is -1: give a number of bytes"):
        mg.reuse_transforms(-1)


@pytest.mark.parametrize("stride", [1, 2])
def test_a_training_with_it_is_the_same_bit_for_bit(rng, stride):
    size = 4 if stride == 2 else 3
    images = mg.tensor(rng.normal(size=(4, 16, 16, 16)).astype(np.float32))

    def train():
        mg.manual_seed(0)
        layer = nn.Conv2d(16, 16, size, stride=stride, padding=1)
        adam = Adam(layer.parameters(), lr=0.01)
        with mg.conv_algorithm("winograd"):
            for _ in range(3):
                x = images.detach().requires_grad_()
                (slope,) = mg.grad(layer(x).sum(), x, create_graph=True)
                adam.zero_grad()
                ((slope * slope).sum() + (layer(images) ** 2).mean()).backward()
                adam.step()
        return layer.weight.numpy().copy()

    plain = train()
    with mg.reuse_transforms():
        np.testing.assert_array_equal(train(), plain)
