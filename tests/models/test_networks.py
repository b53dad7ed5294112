"""What every generator and discriminator owes its users, by class and by style and without.

Each network is a function of one tensor here: labels, second latents and noise are fixed.
Letters: N batch, Z latent size, C channels, S size.
"""

from functools import partial

import numpy as np
import pytest

import minigan as mg
from minigan import penalties
from minigan.backend import Generator
from minigan.models import (
    ConditionalGenerator,
    ProjectionDiscriminator,
    SNGANDiscriminator,
    SNGANGenerator,
    StyleDiscriminator,
    StyleGenerator,
)
from minigan.testing import gradcheck
from minigan.testing.cupy_double import cupy_double

LABELS = np.array([0, 2, 2])
Z2 = np.random.default_rng(5).standard_normal((3, 4)).astype(np.float32)


def plain(network, x):
    return network(x)


def labelled(network, x):
    return network(x, LABELS)


def mixed(network, z):
    return network(z, mg.tensor(Z2.astype(z.dtype), device=z.device), crossover=2, noise="fixed")


# name: (how it is made, how it is called)
GENERATORS = {
    "sngan": (partial(SNGANGenerator, latent=4, width=2, channels=1, size=8), plain),
    "conditional": (
        partial(ConditionalGenerator, classes=3, latent=4, width=2, channels=1, size=8),
        labelled,
    ),
    "style": (partial(StyleGenerator, latent=4, width=2, mapping_layers=2, blur=True), mixed),
}
DISCRIMINATORS = {
    "sngan": (partial(SNGANDiscriminator, width=2, channels=1, size=8), plain),
    "projection": (
        partial(ProjectionDiscriminator, classes=3, width=2, channels=1, size=8),
        labelled,
    ),
    "style": (partial(StyleDiscriminator, width=1), plain),
    "style, minibatch": (partial(StyleDiscriminator, width=1, minibatch_std=3), plain),
}
NETWORKS = {f"G {name}": pair for name, pair in GENERATORS.items()} | {
    f"D {name}": pair for name, pair in DISCRIMINATORS.items()
}

each_network = pytest.mark.parametrize("name", NETWORKS)
each_discriminator = pytest.mark.parametrize("name", DISCRIMINATORS)


def made(name, among=NETWORKS, *, dtype="float32", seed=0):
    """Return (network, how to call it, an input), moved off the special first values."""
    build, call = among[name]
    mg.manual_seed(seed)
    network, rng = build(), np.random.default_rng(seed)
    for p in network.parameters():
        p.assign_(p.numpy() + 0.2 * rng.standard_normal(p.shape).astype(np.float32))
    latent = isinstance(network, SNGANGenerator | StyleGenerator)
    x = rng.standard_normal((3, 4) if latent else (3, 1, 8, 8))
    return network.to(dtype=dtype), call, mg.tensor(x.astype(dtype))


@each_network
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_dtype_is_kept(name, dtype):
    network, call, x = made(name, dtype=dtype)
    dtypes = set()
    with mg.trace(lambda op, out: dtypes.add(str(out.dtype)) if out.dtype.kind == "f" else None):
        out = call(network, x)
    assert dtypes == {dtype}
    out.sum().backward()
    assert {str(p.grad.dtype) for p in network.parameters()} == {dtype}


@each_network
def test_every_parameter_gets_a_gradient(name):
    network, call, x = made(name)
    mg.square(call(network, x) - 3.0).sum().backward()
    zero = [n for n, p in network.named_parameters() if not np.abs(p.grad.numpy()).max() > 0]
    assert zero == []


@each_network
def test_a_seed_names_a_network_and_its_output(name):
    outputs = []
    for seed in (1, 1, 2):
        network, call, _ = made(name, seed=seed)
        outputs.append(call(network, made(name)[2]).numpy())
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert not np.allclose(outputs[0], outputs[2])


@each_network
def test_no_graph_is_recorded_under_no_grad(name):
    network, call, x = made(name)
    recorded = call(network.eval(), x)
    with mg.no_grad():
        free = call(network, x)
    assert recorded.node is not None
    assert free.node is None
    np.testing.assert_array_equal(free.numpy(), recorded.numpy())


@each_network
def test_the_state_goes_round(name):
    network, call, x = made(name)
    call(network, x)  # moves running statistics
    state = network.state_dict()
    other, _, _ = made(name, seed=7)
    other.load_state_dict(state)
    out = call(network.eval(), x).numpy()
    np.testing.assert_array_equal(call(other.eval(), x).numpy(), out)
    assert set(state) == set(other.state_dict())


@each_network
def test_first_derivatives(name):
    network, call, x = made(name, dtype="float64")
    network.eval()  # singular vectors and statistics stand still
    params = dict(network.named_parameters())
    assert gradcheck(lambda x: call(network, x), [x.numpy()], params=params)


@each_discriminator
@pytest.mark.parametrize("penalty", [
    lambda d, real, fake: penalties.r1(d, real),
    lambda d, real, fake: penalties.gradient_penalty(d, real, fake, generator=Generator(0)),
], ids=["r1", "gradient_penalty"])  # fmt: skip
def test_a_penalty_pulls_every_weight_as_its_value_says(name, penalty):
    """The gradient of a gradient, against differences of the first one."""
    d, call, real = made(name, DISCRIMINATORS, dtype="float64")
    rng = np.random.default_rng(1)
    fake = mg.tensor(rng.standard_normal(real.shape))

    def value():
        return penalty(lambda x: call(d.eval(), x), real, fake)

    weights = {n: p for n, p in d.named_parameters() if "weight" in n}
    for w, g in zip(weights.values(), mg.grad(value(), weights.values()), strict=True):
        direction, start, values = rng.standard_normal(w.shape), w.numpy().copy(), []
        for step in (1e-6, -1e-6):
            w.assign_(start + step * direction)
            values.append(value().item())
        w.assign_(start)
        expected = (values[0] - values[1]) / 2e-6
        assert abs(expected) > 0
        assert (g.numpy() * direction).sum() == pytest.approx(expected, rel=1e-4, abs=1e-7)


@each_network
def test_it_runs_on_a_gpu(name):
    network, call, x = made(name, dtype="float64")
    expected = call(network.eval(), x).numpy()
    with cupy_double():
        network.to("cuda")
        out = call(network, x.to("cuda"))
        out.sum().backward()
        assert out.device == "cuda"
        np.testing.assert_allclose(out.numpy(), expected, rtol=1e-9, atol=1e-11)
        assert {p.grad.device for p in network.parameters()} == {"cuda"}
