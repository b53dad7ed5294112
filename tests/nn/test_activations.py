"""Activation layers against their formulas."""

import math

import numpy as np
import pytest

import minigan as mg
from minigan import nn

X = np.linspace(-4, 4, 33).reshape(3, 11)
CASES = [
    (nn.Identity(), X),
    (nn.ReLU(), np.where(X > 0, X, 0)),
    (nn.LeakyReLU(0.2), np.where(X > 0, X, 0.2 * X)),
    (nn.LeakyReLU(), np.where(X > 0, X, 0.01 * X)),
    (nn.ELU(0.5), np.where(X > 0, X, 0.5 * (np.exp(X) - 1))),
    (nn.GELU(), X * np.vectorize(lambda v: 0.5 * (1 + math.erf(v / math.sqrt(2))))(X)),
    (nn.SiLU(), X / (1 + np.exp(-X))),
    (nn.Tanh(), np.tanh(X)),
    (nn.Sigmoid(), 1 / (1 + np.exp(-X))),
    (
        nn.GELU(approximate="tanh"),
        0.5 * X * (1 + np.tanh((X + 0.044715 * X**3) * (2 / np.pi) ** 0.5)),
    ),
    (nn.LogSigmoid(), -np.log(1 + np.exp(-X))),
    (nn.LogSoftmax(), X - np.log(np.exp(X).sum(axis=-1, keepdims=True))),
    (nn.LogSoftmax(0), X - np.log(np.exp(X).sum(axis=0, keepdims=True))),
    (nn.Softplus(), np.log(1 + np.exp(X))),
    (nn.Softmax(), np.exp(X) / np.exp(X).sum(axis=-1, keepdims=True)),
    (nn.Softmax(0), np.exp(X) / np.exp(X).sum(axis=0, keepdims=True)),
]


@pytest.mark.parametrize(("layer", "expected"), CASES, ids=[repr(layer) for layer, _ in CASES])
def test_formula(layer, expected):
    np.testing.assert_allclose(layer(mg.tensor(X)).numpy(), expected, rtol=1e-6, atol=1e-9)
    assert layer(mg.tensor(X.astype(np.float32))).dtype == np.float32


@pytest.mark.parametrize("layer", [nn.ReLU, nn.LeakyReLU, nn.ELU, nn.SiLU, nn.Dropout])
def test_in_place_is_refused_in_plain_words(layer):
    with pytest.raises(
        ValueError, match=rf"^{layer.__name__}\(inplace=True\): .*leave the option out"
    ):
        layer(inplace=True)
    assert repr(layer(inplace=False)) == repr(layer())


def test_in_place_by_position_too():
    with pytest.raises(ValueError, match="ReLU.inplace=True"):
        nn.ReLU(True)
    with pytest.raises(ValueError, match="LeakyReLU.inplace=True"):
        nn.LeakyReLU(0.2, True)


def test_bad_options():
    with pytest.raises(ValueError, match=r"GELU\(approximate='erf'\): use 'none' or 'tanh'"):
        nn.GELU(approximate="erf")
    with pytest.raises(TypeError, match="dim=None: give an int"):
        nn.Softmax(None)
