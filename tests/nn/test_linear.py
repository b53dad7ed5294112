"""Linear and Embedding against NumPy."""

import numpy as np
import pytest

import minigan as mg
from minigan import nn


@pytest.mark.parametrize("shape", [(5, 3), (3,), (2, 4, 3), (0, 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_linear(rng, shape, bias):
    layer = nn.Linear(3, 2, bias=bias)
    x = rng.standard_normal(shape).astype(np.float32)
    expected = np.einsum("...i,oi->...o", x, layer.weight.numpy())
    if bias:
        expected = expected + layer.bias.numpy()
    y = layer(mg.tensor(x))
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-5, atol=1e-6)


def test_linear_starts_uniform_within_one_over_root_of_inputs():
    layer = nn.Linear(400, 300)
    for values in (layer.weight.numpy(), layer.bias.numpy()):
        assert np.abs(values).max() <= 0.05
        assert values.std() == pytest.approx(0.05 / np.sqrt(3), rel=0.1)


def test_seeded_construction_repeats():
    mg.manual_seed(3)
    first = nn.Linear(4, 4).weight.numpy().copy()
    mg.manual_seed(3)
    np.testing.assert_array_equal(nn.Linear(4, 4).weight.numpy(), first)


def test_linear_refuses_a_wrong_width():
    with pytest.raises(
        mg.errors.ShapeError, match=r"Linear\(3, 2\) needs \(..., 3\), got \(5, 4\)"
    ):
        nn.Linear(3, 2)(mg.zeros(5, 4))


def test_embedding_looks_up_rows_and_sums_gradients():
    table = nn.Embedding(4, 3)
    index = np.array([[1, 1], [3, 1]])
    out = table(index)
    np.testing.assert_array_equal(out.numpy(), table.weight.numpy()[index])
    (g,) = mg.grad(out.sum(), [table.weight])
    np.testing.assert_array_equal(g.numpy(), np.array([[0], [3], [0], [1]]) * np.ones(3))


def test_embedding_takes_integers():
    with pytest.raises(TypeError, match="takes integers, got float32"):
        nn.Embedding(4, 3)(mg.zeros(2))


@pytest.mark.parametrize(("index", "wrong"), [([0, -1], -1), ([[3, 0]], 3), (-4, -4)])
def test_embedding_refuses_what_is_not_in_the_table(index, wrong):
    with pytest.raises(IndexError, match=rf"Embedding\(3, 2\) takes .* from 0 to 2, got {wrong}$"):
        nn.Embedding(3, 2)(np.array(index))


def test_embedding_of_nothing():
    assert nn.Embedding(3, 2)(np.zeros((0, 4), np.int64)).shape == (0, 4, 2)


def test_sizes_are_whole_numbers():
    layer, table = nn.Linear(np.int64(3), np.int32(2)), nn.Embedding(np.int64(3), np.int64(2))
    assert (layer.weight.shape, table.weight.shape) == ((2, 3), (3, 2))
    assert {type(n) for n in (layer.in_features, table.num_embeddings)} == {int}
    with pytest.raises(TypeError, match=r"out_features=2\.5: give an int"):
        nn.Linear(3, 2.5)
    with pytest.raises(ValueError, match="in_features=-1: give an int >= 0"):
        nn.Linear(-1, 2)
    with pytest.raises(ValueError, match="num_embeddings=0: give an int >= 1"):
        nn.Embedding(0, 2)
