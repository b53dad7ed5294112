"""06. Keeping the critic Lipschitz: clipping, gradient penalty, spectral norm.

The dual of the Wasserstein distance is a contest for one function:

    W1(P, Q) = max over 1-Lipschitz D of  E_P D - E_Q D,      |D(x) - D(y)| <= |x - y|

A network is trained to win it; the question is how to keep it 1-Lipschitz meanwhile. The answers:

* **weight clipping** forces every weight into [-c, c]. That bounds the slope, but nobody knows by
  how much before it is measured, and a critic that wants to be as steep as it may drives its
  weights to +-c: it becomes a simple function with large flat slopes (Arjovsky et al. 2017);
* the **gradient penalty** asks for slope 1 along the lines between data and samples, where the best
  critic has slope 1 almost everywhere (Gulrajani et al. 2017). A wish and no guarantee: elsewhere
  the critic may be steeper. The two-sided penalty forbids slope 0 too, so a critic that begins on
  the wrong foot, falling towards the data, has to cross a ridge of height lambda to turn round: on
  the ring it takes a thousand steps. The **one-sided** one, max(0, |grad D| - 1)^2, has no ridge;
* **spectral norm** divides every layer by its largest stretch, so the product is 1 (Miyato et al.
  2018). A guarantee, paid for: the layers' worst directions rarely line up, so the slope that is
  reached is well below 1, and the distance is underestimated.

Here nothing is generated: the "fakes" are the data plus N(0, 1) noise, as in the figure of the
WGAN-GP paper, and critics of one size are trained against them. Printed for each: the gap
E_P D - E_Q D, the steepest slope found (a lower bound of the Lipschitz constant), the product of
the layers' norms (an upper bound), and gap / slope beside the exact W1 between samples. The picture
shows the critics' level lines: the finer they follow the data, the more a generator could learn.

Run it with `python examples/06_lipschitz.py --out out`.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import minigan as mg
from minigan import lipschitz, losses, nn, optim, penalties
from minigan.data.toy import eight_gaussians, swiss_roll
from minigan.transport import wasserstein

BATCH, WIDTH, CLIP, LAMBDA = 128, 64, 0.1, 10.0
METHODS = ["clipping", "two-sided", "one-sided", "spectral norm"]


def pair(data, n, generator):
    """Return (real, fake), each (n, 2): the data, and other data under noise."""
    real, fake = (data.sample(n, generator=generator) for _ in range(2))
    return real, fake + generator.normal((n, 2))


def build(method):
    """Three hidden layers of ReLU; for spectral norm every linear layer is divided by sigma."""
    widths = [2, WIDTH, WIDTH, WIDTH, 1]
    layers = []
    for before, after in zip(widths, widths[1:], strict=False):
        linear = nn.Linear(before, after)
        layers += [
            nn.spectral_norm(linear, method="svd") if method == "spectral norm" else linear,
            nn.ReLU(),
        ]
    return nn.Sequential(*layers[:-1])


def train(method, data, steps):
    """Return a critic that has had `steps` steps of Adam on fresh batches."""
    mg.manual_seed(0)
    generator, critic, loss = mg.Generator(0), build(method), losses.Wasserstein()
    adam = optim.Adam(critic.parameters(), lr=1e-3, betas=(0.5, 0.9))
    for _ in range(steps):
        real, fake = map(mg.tensor, pair(data, BATCH, generator))
        total = loss.discriminator(critic(real), critic(fake))
        if method in ("two-sided", "one-sided"):
            sides = method.removesuffix("-sided")
            total = total + LAMBDA * penalties.gradient_penalty(critic, real, fake, sides=sides)
        adam.zero_grad()
        total.backward()
        adam.step()
        if method == "clipping":
            penalties.clip_weights_(critic.parameters(), CLIP)
    return critic.eval()


def measure(critic, real, fake):
    """Return (gap, steepest slope found, product of the layers' norms)."""
    between = fake + (real - fake) * mg.Generator(1).uniform((len(real), 1))
    points = mg.tensor(np.concatenate([real, fake, between]))
    scores = critic(points).numpy()
    gap = scores[: len(real)].mean() - scores[len(real) : 2 * len(real)].mean()
    return gap, lipschitz.lower_bound(critic, points), lipschitz.upper_bound(critic)


def draw_levels(panel, critic, real, title):
    """Draw the critic's level lines over the square, and the data."""
    side = np.linspace(-2.5, 2.5, 101)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)  # (101 * 101, 2)
    values = critic(mg.tensor(grid, dtype="float32")).numpy().reshape(101, 101)
    panel.contour(side, side, values, levels=20, cmap="viridis", linewidths=0.8)
    panel.plot(*real.T, ".", color="tab:orange", markersize=2)
    panel.set(title=title, xticks=[], yticks=[], aspect="equal")


def main(out, smoke):
    steps = 200 if smoke else 1500
    toys = {"eight Gaussians": eight_gaussians(), "swiss roll": swiss_roll()}
    figure, panels = plt.subplots(len(toys), len(METHODS), figsize=(14, 7.3))
    for row, (toy, data) in zip(panels, toys.items(), strict=True):
        real, fake = pair(data, 512, mg.Generator(2))
        exact = wasserstein(real, fake)
        print(f"{toy}, {steps} steps: exact W1 between samples {exact:.3f}")
        print("                  gap   slope found   product of norms   gap / slope")
        for panel, method in zip(row, METHODS, strict=True):
            critic = train(method, data, steps)
            gap, slope, product = measure(critic, real, fake)
            print(f"  {method:14}{gap:7.3f}{slope:14.3f}{product:19.2f}{gap / slope:14.3f}")
            draw_levels(panel, critic, real, f"{toy}, {method}")
    figure.tight_layout()
    figure.savefig(out / "06_lipschitz.png", dpi=110)
    plt.close(figure)
    print(f"picture: {out / '06_lipschitz.png'}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Three ways to keep a critic Lipschitz.")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for the picture")
    parser.add_argument("--smoke", action="store_true", help="fewer steps, for the tests")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    main(options.out, options.smoke)
