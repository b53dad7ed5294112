"""07. DiracGAN: does the game converge at all?

The smallest GAN there is. The data are the single point 0; the generator has one parameter and
always says theta; the critic has one too, D(x) = psi x. There is one equilibrium, (0, 0): the fake
is right, and D has nothing to say. Gradient descent of both players is a motion in the plane:

    psi   follows  -h d/dpsi  [loss of D at real 0, fake theta]   (+ a penalty)
    theta follows  -h d/dtheta [loss of G at fake theta]

Near the equilibrium both forces are at right angles to the way there, so the motion is a rotation:
simultaneous steps spiral outwards, alternating ones go round for ever. The eigenvalues of the
motion are imaginary; a penalty on D's slope gives them a negative real part. With R1 and the
minimax loss they are

    -gamma / 2 +- sqrt(gamma^2 / 4 - 1 / 4)

so with small steps the plane contracts for every gamma > 0, and gamma = 1 is where the spiral just
stops turning.
The R1 penalty is 0 at the equilibrium. That of WGAN-GP is not: it asks for slope 1 where slope 0 is
wanted, and so it never comes to rest; neither does clipping, which only fences psi in.

The seven variants are those of Mescheder et al. 2018 (arXiv:1801.04406) and start where theirs do,
at distance sqrt(2): here D is large on real samples, there on fakes, so psi has the other sign.
The example prints the final distances beside those of their vector fields, stepped in plain
floating-point arithmetic: h = 0.2, 500 steps.

Run it with `python examples/07_dirac_gan.py --out out`.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np

import minigan as mg
from minigan import losses, penalties

H, STEPS = 0.2, 500  # of both players


class Variant(NamedTuple):
    """A loss, perhaps a penalty (critic, real, fake) -> Tensor, perhaps a bound on psi."""

    loss: str
    penalty: object = None
    clip: float | None = None


def wgan_gp(critic, real, fake):
    return 0.35 * penalties.gradient_penalty(critic, real, fake)  # its derivative: 0.7 (|psi| - 1)


VARIANTS = {
    "GAN": Variant("minimax"),
    "NS-GAN": Variant("non-saturating"),
    "WGAN": Variant("wasserstein"),
    "WGAN, clipped": Variant("wasserstein", clip=1.0),
    "WGAN-GP": Variant("wasserstein", wgan_gp),
    "R1, gamma 0.3": Variant("minimax", lambda d, real, fake: penalties.r1(d, real, gamma=0.3)),
    "R1, gamma 1": Variant("minimax", lambda d, real, fake: penalties.r1(d, real, gamma=1.0)),
}

PUBLISHED = {
    "GAN": "3.10 / 1.42",
    "NS-GAN": "0.640 / 0.284",
    "WGAN, clipped": "1.00 / 1.02",
    "WGAN-GP": "1.80 / 1.22",
    "R1, gamma 0.3": "2.6e-06 / 2.3e-07",
    "R1, gamma 1": "9.5e-22 / 7.5e-17",
}


def simulate(variant, *, alternating, steps=STEPS):
    """Let the two play from (1, -1); return every (theta, psi) on the way: (steps + 1, 2)."""
    theta, psi = (
        mg.tensor([[start]], dtype="float64", requires_grad=True) for start in (1.0, -1.0)
    )
    real, loss = mg.zeros(1, 1, dtype="float64"), losses.get(variant.loss)

    def critic(x):
        return x * psi

    def push_of_d():
        fake = theta.detach()
        total = loss.discriminator(critic(real), critic(fake))
        if variant.penalty:
            total = total + variant.penalty(critic, real, fake)
        return mg.grad(total, psi)[0].data

    def push_of_g():
        return mg.grad(loss.generator(critic(theta)), theta)[0].data

    path = [(theta.item(), psi.item())]
    for _ in range(steps):
        before = None if alternating else push_of_d()
        theta.assign_(theta.data - H * push_of_g())  # alternating: the generator moves first
        psi.assign_(psi.data - H * (push_of_d() if alternating else before))
        if variant.clip:
            penalties.clip_weights_([psi], variant.clip)
        path.append((theta.item(), psi.item()))
    return np.array(path)


def short(distance):
    return f"{distance:#.3g}" if 0.01 < distance < 100 else f"{distance:.1e}"


def draw(paths, picture):
    """Draw each variant's two trajectories, and all the distances over time."""
    figure, axes = plt.subplots(2, 4, figsize=(14, 7))
    *panels, last = axes.flat
    for panel, (name, (simultaneous, alternating)) in zip(panels, paths.items(), strict=True):
        panel.plot(*simultaneous.T, linewidth=0.8, label="simultaneous")
        panel.plot(*alternating.T, linewidth=0.8, label="alternating")
        panel.plot(1, -1, "k.", label="start")
        panel.plot(0, 0, "k+", markersize=12, label="equilibrium")
        panel.set(title=name, xlabel="theta", ylabel="psi", xlim=(-3.5, 3.5), ylim=(-3.5, 3.5))
        last.semilogy(np.hypot(*alternating.T), label=name)
    panels[0].legend(fontsize=8)
    last.set(title="distance, alternating steps", xlabel="step")
    last.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(picture, dpi=110)
    plt.close(figure)


def main(out):
    print(f"distance from the equilibrium after {STEPS} steps, simultaneous / alternating")
    print(f"{'':15}{'here':>20}   published dynamics")
    paths = {}
    for name, variant in VARIANTS.items():
        paths[name] = [simulate(variant, alternating=a) for a in (False, True)]
        ours = " / ".join(short(np.hypot(*path[-1])) for path in paths[name])
        print(f"{name:15}{ours:>20}   {PUBLISHED.get(name, '(not clipped: not in their set)')}")
    growth = np.sqrt(2) * (1 + H**2) ** (STEPS / 2)
    print(
        f"WGAN, simultaneous: each step is at right angles, sqrt(2) (1 + h^2)^(n/2) = {growth:.1e}"
    )
    picture = out / "07_dirac_gan.png"
    draw(paths, picture)
    print(f"picture: {picture}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Seven GANs with one parameter a player.")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for the picture")
    parser.add_argument("--smoke", action="store_true", help="the same: it takes three seconds")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    main(options.out)
