"""05. The Wasserstein distance from both sides: moving earth, and finding a potential.

**Primal.** P and q are piles of sand. A coupling gamma says how much goes from x to y; its
marginals are P and q. W1 is the price of the cheapest one, at ‖x - y‖ for each unit moved:

    W1(P, q) = inf over couplings of  E_gamma ‖x - y‖.

**Dual.** A carrier offers to do the work and charges f(x) to fetch sand at x, less f(y) where it is
brought. Nobody pays more than carrying it himself costs: f(x) - f(y) <= ‖x - y‖, f is 1-Lipschitz.
What the best such offer earns is the same number:

    W1(P, q) = sup over 1-Lipschitz f of  E_P f - E_q f.

The critic of a WGAN is f. On samples both problems are linear programmes, so the answer is known:
below, a coupling and potentials whose values agree to round-off, which proves both optimal. On the
line sorting gives the same. With an entropy added (Sinkhorn) the problem becomes smooth, solvable
in a few lines of ops on any device, and tends to the exact value as epsilon falls.

A critic trained with a gradient penalty is then held against it. Its gap can exceed W1 only as far
as its slope exceeds 1: if L is its largest slope between any two samples, gap <= L W1, for every f.

Run it with `python examples/05_wasserstein_primal_dual.py --out out`.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import minigan as mg
from minigan import losses, nn, penalties, transport
from minigan.data import toy

EPSILONS = (1.0, 0.3, 0.1, 0.03, 0.01)


def on_the_line(count=40):
    """W1 between points on the line: by sorting, and by the linear programme."""
    generator = mg.Generator(0)
    x, y = generator.normal(count, dtype=np.float64), generator.uniform(2 * count, high=3.0)
    y = y.astype(np.float64)
    return transport.wasserstein_1d(x, y).item(), transport.wasserstein(x, y)


def samples(count):
    """A ring of eight modes, and one blob beside it: (count, 2) each, float64."""
    generator = mg.Generator(0)
    ring = toy.eight_gaussians().sample(count, generator=generator)
    blob = generator.normal((count, 2), std=0.4) + np.float32([0.5, 0.0])
    return ring.astype(np.float64), blob.astype(np.float64)


def train_critic(x, y, steps, rate=0.01, lam=10.0):
    """Train f to maximise E f(x) - E f(y) under WGAN-GP's penalty, on all samples at once."""
    mg.manual_seed(0)
    generator, loss = mg.Generator(0), losses.get("wasserstein")
    real, fake = (mg.tensor(points.astype(np.float32)) for points in (x, y))
    network = nn.Sequential(
        nn.Linear(2, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1)
    )
    adam = mg.optim.Adam(network.parameters(), lr=rate, betas=(0.5, 0.9))
    for step in range(steps):
        adam.lr = rate * (1 - step / steps)
        shuffled = fake[generator.permutation(len(y))]  # other partners for the points between
        penalty = penalties.gradient_penalty(network, real, shuffled, generator=generator)
        adam.zero_grad()
        (loss.discriminator(network(real), network(fake)) + lam * penalty).backward()
        adam.step()
    return network


def evaluate(network, points):
    with mg.no_grad():
        return network(mg.tensor(points.astype(np.float32))).numpy()[:, 0].astype(np.float64)


def steepest(values, points):
    """The largest |f(u) - f(v)| / ‖u - v‖ over all pairs of points."""
    distance = transport.pairwise_cost(points, points).numpy()
    apart = distance > 0
    return (np.abs(values[:, None] - values)[apart] / distance[apart]).max()


def draw(x, y, plan, smooth, network, path):
    figure, (coupling, limit, potential) = plt.subplots(1, 3, figsize=(14, 4.3))
    for i, j in np.argwhere(plan.coupling > 0):
        coupling.plot(*np.stack([x[i], y[j]]).T, color="gray", linewidth=0.6, zorder=0)
    coupling.plot(*x.T, "C0o", label="P")
    coupling.plot(*y.T, "C3o", label="q")
    coupling.set(title=f"The cheapest coupling, W1 = {plan.value:.4f}", aspect="equal")
    coupling.legend()
    limit.axhline(plan.value, color="black", linewidth=1, label="exact")
    limit.semilogx(EPSILONS, [s[0] for s in smooth], "o-", label="OT_epsilon")
    limit.semilogx(EPSILONS, [s[1] for s in smooth], "s-", label="cost of its coupling")
    limit.semilogx(EPSILONS, [s[2] for s in smooth], "^-", label="debiased divergence")
    limit.set(xlabel="epsilon", title="Sinkhorn tends to it as epsilon falls")
    limit.legend()
    side = np.linspace(-2.2, 2.2, 60)
    plane = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    surface = evaluate(network, plane).reshape(60, 60)
    potential.contourf(side, side, surface, levels=20, cmap="viridis")
    potential.plot(*x.T, "C0o", *y.T, "C3o", markeredgecolor="white")
    potential.set(title="The trained critic: high on P, low on q", aspect="equal")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main(out, smoke):
    sorting, programme = on_the_line()
    print(f"on the line: sorting {sorting:.12f}, linear programme {programme:.12f}")

    x, y = samples(60 if smoke else 120)
    cost = transport.pairwise_cost(x, y)
    plan = transport.optimal_transport(None, None, cost, method="linear_programme")
    f, g = plan.potentials
    marginals = [plan.coupling.sum(axis=k) - 1 / len(x) for k in (0, 1)]
    print(f"primal {plan.value:.12f}, dual {plan.dual_value:.12f}")
    print(f"  marginals off by {np.abs(marginals).max():.1e}")
    print(f"  f_i + g_j - C_ij at most {(f[:, None] + g - cost.numpy()).max():.1e}")
    assignment = transport.optimal_transport(None, None, cost)
    print(f"  as an assignment {assignment.value:.12f}: no sand is ever split")

    print("epsilon  OT_epsilon  cost of its coupling  debiased  iterations")
    smooth = []
    for epsilon in EPSILONS:
        options = {"epsilon": epsilon, "scaling": 0.5, "max_iterations": 20000}
        entropic = transport.sinkhorn(None, None, cost, **options)
        debiased = transport.sinkhorn_divergence(x, y, **options).item()
        smooth.append((entropic.value.item(), entropic.transport_cost.item(), debiased))
        print("{:7g} {:11.4f} {:21.4f} {:9.4f} {:11d}".format(
            epsilon, *smooth[-1], entropic.iterations))  # fmt: skip

    network = train_critic(x, y, steps=200 if smoke else 1500)
    everywhere = np.concatenate([x, y])
    values = evaluate(network, everywhere)
    gap = values[: len(x)].mean() - values[len(x) :].mean()
    slope = steepest(values, everywhere)
    print(f"critic: gap {gap:.4f} = {gap / plan.value:.3f} W1, largest slope {slope:.4f}")
    print(f"  gap / slope = {gap / slope:.4f} <= W1 = {plan.value:.4f}")
    draw(x, y, plan, smooth, network, out / "05_wasserstein_primal_dual.png")
    print(f"picture: {out / '05_wasserstein_primal_dual.png'}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Wasserstein distance, primal and dual.")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for the picture")
    parser.add_argument("--smoke", action="store_true", help="fewer steps, for the tests")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    main(options.out, options.smoke)
