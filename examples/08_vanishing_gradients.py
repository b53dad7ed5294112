"""08. Vanishing against steady gradients: two losses, one discriminator.

In the game as it was first written, the generator minimises what the discriminator maximises:

    minimax          L_G =  E log(1 - D(G(z)))     dL_G / d logit = -D
    non-saturating   L_G = -E log D(G(z))          dL_G / d logit = -(1 - D)

with D = sigmoid(logit). Both push the logit of a fake upwards, and both have the same fixed points.
But look at a fake that D has seen through, D = 0: the first gradient is 0, the second is -1. Early
in training every fake is such a fake, so the first loss *saturates* just when there is most to
learn. (Goodfellow et al. 2014, section 3, mention it in passing; both losses share D's part.)

A third curve shows a way to lose the second gradient again. log(D + 1e-8), written to avoid log 0,
is flat below a logit of about -18. softplus(-logit) is the same function without that.

The second half lets it happen. Data and fakes are two Gaussians, 10 standard deviations apart; the
generator is one number, the mean of the fakes, and is not moved. D is trained, step by step, to be
better and better, and at each step the generator's gradient is measured with both losses. This is
the experiment of Arjovsky and Bottou 2017 (arXiv:1701.04862, figures 2 and 3) in one dimension:
the better the discriminator, the less the minimax generator is told. The non-saturating gradient is
steady in size; what they also show, that it is noisy, is why one goes on to Wasserstein distances.

Run it with `python examples/08_vanishing_gradients.py --out out`.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import minigan as mg
from minigan import losses, nn, optim

LOSSES = {"minimax": losses.Minimax(), "non-saturating": losses.NonSaturating()}
APART, BATCH = 10.0, 256


def log_with_epsilon(logits):
    """The non-saturating loss as it is often written: not the same below a logit of -18."""
    return -mg.log(mg.sigmoid(logits) + 1e-8).mean()


def slope(loss, logit):
    """Return dL_G / d logit of one fake, in single precision as in training."""
    logit = mg.tensor([logit], dtype="float32", requires_grad=True)
    return mg.grad(loss(logit), logit)[0].item()


def slopes():
    """Return {name: slopes} of the three generator losses on a range of logits, and the range."""
    logits = np.linspace(-40.0, 10.0, 201)
    functions = {name: loss.generator for name, loss in LOSSES.items()}
    functions["log(D + 1e-8)"] = log_with_epsilon
    return logits, {n: np.array([slope(f, x) for x in logits]) for n, f in functions.items()}


def game(steps):
    """Train D against a generator that stands still; return D(fake) and both gradients, by step."""
    mg.manual_seed(0)
    rng = np.random.default_rng(0)
    d = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1))
    adam, judge = optim.Adam(d.parameters(), lr=1e-2), LOSSES["minimax"]
    mean = mg.tensor([APART], requires_grad=True)  # the generator: z -> z + mean
    history = {"D(fake)": [], **{name: [] for name in LOSSES}}
    for _ in range(steps):
        real, z = (mg.tensor(rng.standard_normal((BATCH, 1)), dtype="float32") for _ in range(2))
        for name, loss in LOSSES.items():
            history[name].append(abs(mg.grad(loss.generator(d(z + mean)), mean)[0].item()))
        fake = (z + mean).detach()
        history["D(fake)"].append(mg.sigmoid(d(fake)).mean().item())
        adam.zero_grad()
        judge.discriminator(d(real), d(fake)).backward()
        adam.step()
    return {name: np.array(values) for name, values in history.items()}


def draw(logits, by_loss, history, picture):
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4))
    styles = {"minimax": "C0-", "non-saturating": "C1-", "log(D + 1e-8)": "C2--", "D(fake)": "k:"}
    for name, values in by_loss.items():
        left.plot(logits, -values, styles[name], label=name)
    left.set(xlabel="logit of a fake", ylabel="-dL_G / d logit", title="The push on one fake")
    left.legend()
    for name, values in history.items():
        right.semilogy(values, styles[name], linewidth=1, label=name)
    right.set(xlabel="steps of D", title="|dL_G / d mean| while D gets better")
    right.legend()
    figure.tight_layout()
    figure.savefig(picture, dpi=120)
    plt.close(figure)


def main(out, smoke):
    logits, by_loss = slopes()
    print("dL_G / d logit     " + "".join(f"{name:>17}" for name in by_loss))
    for logit in (-30.0, -20.0, -18.0, -10.0, -2.0, 0.0, 2.0):
        at = np.searchsorted(logits, logit)
        print(f"  at logit {logit:5.1f}   " + "".join(f"{v[at]:17.1e}" for v in by_loss.values()))

    history = game(steps=200 if smoke else 1000)
    print(f"data N(0, 1), fakes N({APART:g}, 1): |dL_G / d mean| while D is trained")
    print("  step of D   D(fake)    minimax   non-saturating")
    for step in [1, 10, 50, 100, 200, 500, 1000]:
        if step <= len(history["minimax"]):
            chance, weak, strong = (values[step - 1] for values in history.values())
            print(f"  {step:9}{chance:10.1e}{weak:11.1e}{strong:17.1e}")
    picture = out / "08_vanishing_gradients.png"
    draw(logits, by_loss, history, picture)
    print(f"picture: {picture}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Vanishing against steady gradients.")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for the picture")
    parser.add_argument("--smoke", action="store_true", help="fewer steps, for the tests")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    main(options.out, options.smoke)
