"""04. Disjoint supports: why a generator cannot learn from JS, and can from W1.

The data P are the points (0, Z) of the plane, Z uniform on [0, 1]: a line. The generator makes
Q = (theta, Z), a parallel line, and has one parameter to learn. For every theta but 0 the two lines
have no point in common, and

    KL(P || Q) = infinity,    JS(P, Q) = log 2,    W1(P, Q) = |theta|.

JS is the same at 0.01 as at 100: its gradient with respect to theta is 0, and a generator facing a
perfect discriminator is told nothing. W1 has the gradient sign(theta) everywhere. This is the
example that led from GAN to WGAN (arXiv:1701.07875, example 1).

Exact curves come from `divergences` and from a linear programme. Beside them, networks that see
samples alone: a discriminator, whose log 2 + V / 2 estimates JS, and a critic with WGAN-GP's
penalty lambda E (‖grad f‖ - 1)^2, whose gap E_P f - E_Q f estimates W1. The penalty is soft, and
what it costs can be worked out: a critic of slope s gains s |theta| - lambda (s - 1)^2, most at

    s = 1 + |theta| / (2 lambda),   with the objective |theta| + theta^2 / (4 lambda).

So the critic's gap is not W1 but s |theta|: 5% too much at lambda = 10 and theta = 1, and *six
times* W1 at lambda = 0.1. (Real and fake samples share their Z here. Between independent ones the
points of the penalty avoid the corners of the rectangle, and a network can be steeper there.)

Run it with `python examples/04_disjoint_supports.py --out out`.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import minigan as mg
from minigan import divergences, losses, nn, penalties, transport
from minigan.data import toy

LAMBDAS = (10.0, 0.1)


def exact(theta, count=64):
    """KL, JS, W1 and dW1/dtheta. KL and JS see the lines as two places, or as one at theta = 0."""
    p, q = np.array([1.0, 0.0]), np.array([0.0, 1.0] if theta else [1.0, 0.0])
    x = toy.Line().sample(count, generator=mg.Generator(0)).astype(np.float64)
    shift = mg.tensor(np.array([theta, 0.0]), requires_grad=True)
    cost = transport.pairwise_cost(x, mg.tensor(x) + shift)
    plan = transport.optimal_transport(None, None, cost.detach())
    (slope,) = mg.grad((cost * plan.coupling).sum(), [shift])  # the derivative holds P fixed
    kl, js = divergences.kl(p, q).item(), divergences.js(p, q).item()
    return kl, js, plan.value, slope.numpy()[0]


def lines(theta, count, generator):
    """Samples of both lines with the same heights Z: (count, 2) each."""
    real = toy.Line().sample(count, generator=generator)
    return mg.tensor(real), mg.tensor(real + np.float32([theta, 0.0]))


def train(theta, objective, *, steps, rate, seed=0):
    """Train a small network on fresh samples to minimise objective(network, real, fake)."""
    mg.manual_seed(seed)
    generator = mg.Generator(seed)
    network = nn.Sequential(nn.Linear(2, 16), nn.SiLU(), nn.Linear(16, 1))
    adam = mg.optim.Adam(network.parameters(), lr=rate, betas=(0.5, 0.9))
    for step in range(steps):
        adam.lr = rate * (1 - step / steps)
        adam.zero_grad()
        objective(network, *lines(theta, 64, generator)).backward()
        adam.step()
    return network


def discriminator(theta, steps):
    """Train D; return the estimate of JS, and the gradient that the minimax loss gives theta."""
    loss = losses.get("minimax")
    network = train(theta, lambda d, x, y: loss.discriminator(d(x), d(y)), steps=steps, rate=0.1)
    real, fake = lines(theta, 1000, mg.Generator(1))
    js = divergences.js_lower_bound(network(real), network(fake)).item()
    return js, pull(network, fake, loss)


def critic(theta, lam, steps):
    """Train f with the penalty; return gap, objective, and the gradient its loss gives theta."""
    loss = losses.get("wasserstein")

    def objective(f, real, fake):
        penalty = penalties.gradient_penalty(f, real, fake)
        return loss.discriminator(f(real), f(fake)) + lam * penalty

    network = train(theta, objective, steps=steps, rate=0.05)
    real, fake = lines(theta, 1000, mg.Generator(1))
    gap = -loss.discriminator(network(real), network(fake)).item()
    return gap, -objective(network, real, fake).item(), pull(network, fake, loss)


def pull(network, fake, loss):
    """The derivative of the generator's loss with respect to theta: it moves every fake point."""
    shift = mg.zeros(2, requires_grad=True)
    (gradient,) = mg.grad(loss.generator(network(fake + shift)), [shift])
    return gradient.numpy()[0]


def draw(thetas, rows, path):
    table = {name: np.array(column) for name, column in rows.items()}
    for jump in ("JS", "dW1", "pull 10.0", "pull D"):
        table[jump] = np.where(thetas == 0, np.nan, table[jump])  # undefined, or another value
    figure, (value, gradient, slope) = plt.subplots(1, 3, figsize=(14, 4))
    value.plot(thetas, table["W1"], "C0", label="W1 = |theta|")
    value.plot(thetas, table["gap 10.0"], "C0o", label="critic's gap, lambda = 10")
    value.plot(thetas, table["JS"], "C3", label="JS = log 2")
    value.plot(thetas, table["D"], "C3o", label="discriminator's estimate")
    value.plot(0, 0, "kx", label="both are 0 at theta = 0")
    value.set(xlabel="theta", title="Distances")
    gradient.plot(thetas, table["dW1"], "C0", label="of W1, exact")
    gradient.plot(thetas, table["pull 10.0"], "C0o", label="from the critic, lambda = 10")
    gradient.plot(thetas, 0 * table["dW1"], "C3", label="of JS, exact")
    gradient.plot(thetas, table["pull D"], "C3o", label="from the discriminator (minimax)")
    gradient.set(xlabel="theta", ylim=(-2.2, 1.3), title="Gradients with respect to theta")
    away, fine = thetas[thetas != 0], np.linspace(0.01, np.abs(thetas).max())
    for lam, colour in zip(LAMBDAS, ("C0", "C1"), strict=True):
        slope.plot(fine, 1 + fine / (2 * lam), colour, label=f"1 + theta / (2 x {lam})")
        measured = table[f"gap {lam}"][thetas != 0] / np.abs(away)
        slope.plot(np.abs(away), measured, colour + "o", label="trained critic")
    slope.set(xlabel="|theta|", title="Slope of the penalised critic", yscale="log")
    for axes, place in ((value, "upper center"), (gradient, "lower center"), (slope, "upper left")):
        axes.legend(fontsize=8, loc=place)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main(out, smoke):
    thetas = np.linspace(-1.5, 1.5, 5 if smoke else 13)
    rows = {name: [] for name in ("KL", "JS", "W1", "dW1", "D", "pull D")}
    print("        exact                          trained discriminator")
    print("theta    KL      JS     W1 dW1/dtheta  JS >=  dL_G/dtheta")
    for theta in thetas:
        row = (*exact(theta), *discriminator(theta, steps=150))
        print("{:5.2f} {:5.0f} {:7.4f} {:6.3f} {:10.0f} {:6.4f} {:12.1e}".format(theta, *row))
        record(rows, row)

    print("theta  lambda  critic's slope  1 + theta/2/lambda  objective  formula  dL_G/dtheta")
    for lam in LAMBDAS:
        found = {f"{name} {lam}": [] for name in ("gap", "objective", "pull")}
        for theta in thetas:
            row = critic(theta, lam, steps=150 if smoke else 300)
            record(found, row)
            if theta:
                size = abs(theta)
                numbers = (row[0] / size, 1 + size / (2 * lam), row[1], size + size**2 / (4 * lam))
                print("{:5.2f} {:7g} {:15.4f} {:19.4f} {:10.4f} {:8.4f} {:12.4f}".format(
                    theta, lam, *numbers, row[2]))  # fmt: skip
        rows |= found
    draw(thetas, rows, out / "04_disjoint_supports.png")
    print(f"picture: {out / '04_disjoint_supports.png'}")


def record(columns, row):
    for column, number in zip(columns.values(), row, strict=True):
        column.append(number)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Disjoint supports.")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for the picture")
    parser.add_argument("--smoke", action="store_true", help="fewer steps, for the tests")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    main(options.out, options.smoke)
