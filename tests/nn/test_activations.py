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
    (nn.Softplus(), np.log(1 + np.exp(X))),
    (nn.Softmax(), np.exp(X) / np.exp(X).sum(axis=-1, keepdims=True)),
    (nn.Softmax(0), np.exp(X) / np.exp(X).sum(axis=0, keepdims=True)),
]


@pytest.mark.parametrize(("layer", "expected"), CASES, ids=[repr(layer) for layer, _ in CASES])
def test_formula(layer, expected):
    np.testing.assert_allclose(layer(mg.tensor(X)).numpy(), expected, rtol=1e-6, atol=1e-9)
    assert layer(mg.tensor(X.astype(np.float32))).dtype == np.float32
