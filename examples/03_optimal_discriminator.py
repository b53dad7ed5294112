"""03. The optimal discriminator, and what the value of the game measures.

A discriminator D sees samples of P (real) and q (generated) and plays for

    V(D) = E_P log D(x) + E_q log(1 - D(x)).

Written as an integral, V is a sum over points x of  P(x) log D(x) + q(x) log(1 - D(x)),  and each
point can be maximised by itself: a log m + b log(1 - m) has its only maximum at m = a / (a + b), so

    D*(x) = P(x) / (P(x) + q(x)).

Put D* into V, and a divergence between P and q appears:  V(D*) = 2 JS(P, q) - log 4.  So a
generator that plays against the best discriminator minimises the Jensen-Shannon divergence, and
wins (V = -log 4) only with q = P, where D* = 1/2 everywhere.

Nobody gives a discriminator the densities; it gets samples. Below, P and q are two normal
distributions on the line, whose densities are known. A small network is trained on samples alone,
and its D ends on top of D*. Samples are drawn one from each of N slices of equal probability,
which has far less noise than drawing them independently. Three pictures: the function of m with
its maximum; D beside D*, which part only where no sample ever falls; and V climbing towards
2 JS - log 4, which it cannot pass.

Run it with `python examples/03_optimal_discriminator.py --out out`.
"""

import argparse
import math
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import ndtri
from scipy.stats import norm

import minigan as mg
from minigan import divergences, losses, nn

P, Q = (-1.0, 0.7), (1.0, 1.2)  # means and standard deviations
GRID = np.linspace(-8, 8, 801)
SPACING = GRID[1] - GRID[0]


def pointwise_maximum(a, b):
    """The best m for a log m + b log(1 - m): on a fine grid, and by the formula."""
    m = np.linspace(0.001, 0.999, 9981)
    return m[(a * np.log(m) + b * np.log(1 - m)).argmax()], a / (a + b)


def draw(count, mean, std, generator):
    """Samples (count, 1) of a normal distribution, one from each of `count` equal slices."""
    slices = np.arange(count)[:, None] + generator.uniform((count, 1), dtype=np.float64)
    return mg.tensor((mean + std * ndtri(slices / count)).astype(np.float32))


def probabilities(network):
    """D = sigmoid(logit) on the grid, as float64."""
    with mg.no_grad():
        logits = network(mg.tensor(GRID[:, None].astype(np.float32)))
    return mg.sigmoid(logits).numpy()[:, 0].astype(np.float64)


def train(steps, batch, rate=0.02):
    """Train a discriminator on samples; return it and V on the grid at every 10th step."""
    mg.manual_seed(0)
    generator, loss = mg.Generator(0), losses.get("minimax")
    network = nn.Sequential(
        nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1)
    )
    adam = mg.optim.Adam(network.parameters(), lr=rate)
    values = []
    for step in range(steps):
        adam.lr = rate * 0.5 * (1 + math.cos(math.pi * step / steps))
        real, fake = (draw(batch, *normal, generator) for normal in (P, Q))
        adam.zero_grad()
        loss.discriminator(network(real), network(fake)).backward()  # minimises -V
        adam.step()
        if step % 10 == 0:
            values.append(value_of(probabilities(network)))
    return network, values


def value_of(d):
    p, q = (norm.pdf(GRID, *normal) for normal in (P, Q))
    return divergences.game_value(d, p, q, spacing=SPACING).item()


def draw_figure(d, best, values, bound, path):
    figure, (point, curve, climb) = plt.subplots(1, 3, figsize=(14, 4))
    m = np.linspace(0.01, 0.99, 200)
    for a, b in ((1, 1), (2, 1), (0.5, 2)):
        point.plot(m, a * np.log(m) + b * np.log(1 - m), label=f"a = {a}, b = {b}")
        top = a / (a + b)
        point.plot(top, a * math.log(top) + b * math.log(1 - top), "ko", markersize=4)
    point.set(xlabel="m", ylim=(-5, 0), title="a log m + b log(1 - m), largest at a / (a + b)")
    point.legend()
    for normal, name in ((P, "P"), (Q, "q")):
        curve.fill_between(GRID, norm.pdf(GRID, *normal), alpha=0.3, label=name)
    curve.plot(GRID, best, "k", linewidth=3, alpha=0.4, label="D* = P / (P + q)")
    curve.plot(GRID, d, "C3--", label="D, trained on samples")
    curve.set(xlabel="x", xlim=(-5, 6), title="The best discriminator, and a trained one")
    curve.legend()
    climb.semilogy(10 * np.arange(len(values)), bound - np.array(values))
    climb.set(xlabel="step", title="How far V(D) is below 2 JS - log 4")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main(out, smoke):
    print("maximum of a log m + b log(1 - m): searched, a / (a + b)")
    for a, b in ((1, 1), (2, 1), (0.5, 2)):
        print("  a = {}, b = {}: {:.4f}, {:.4f}".format(a, b, *pointwise_maximum(a, b)))

    p, q = (norm.pdf(GRID, *normal) for normal in (P, Q))
    best = divergences.optimal_discriminator(p, q).numpy()
    js = divergences.js(p, q, spacing=SPACING).item()
    bits = divergences.js(p, q, spacing=SPACING, base=2).item()
    bound = 2 * js - math.log(4)
    print(f"JS(P, q) = {js:.6f} nats = {bits:.6f} bits (log 2 = {math.log(2):.6f} at most)")
    print(f"V(D*) = {value_of(best):.9f}; 2 JS - log 4 = {bound:.9f}")

    network, values = train(steps=300 if smoke else 1500, batch=512)
    d = probabilities(network)
    support = p + q > 0.02
    error = np.abs(d - best)[support].max()
    print(f"V of the trained D = {value_of(d):.6f}, below the bound by {bound - value_of(d):.1e}")
    print(f"largest |D - D*| where (P + q) / 2 > 0.01: {error:.4f}")
    picture = out / "03_optimal_discriminator.png"
    draw_figure(d, best, values, bound, picture)
    print(f"picture: {picture}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The optimal discriminator.")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for the picture")
    parser.add_argument("--smoke", action="store_true", help="fewer steps, for the tests")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    main(options.out, options.smoke)
