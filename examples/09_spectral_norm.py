"""09. Spectral norm: power iteration against SVD, matrix against operator.

Spectral normalisation puts theta / sigma in the place of a weight theta, sigma = max S being the
largest singular value of theta = P S V^T: then no input is stretched by more than 1, and a network
of such layers is 1-Lipschitz. Two questions decide what that costs and what it is worth.

**How is sigma found?** The SVD is exact, and decomposes the weight at every forward. Power
iteration

    v <- theta^T u / |theta^T u|,    u <- theta v / |theta v|,    sigma ~ u^T theta v

costs two matrix-vector products. Its error falls by (s_2 / s_1)^2 a round: slowly where the largest
values lie close together, as in a random matrix, and fast where one stands out, as plain training
makes it. Since the weights move little, *one* round a step, from the last u, is what everybody does
(Miyato et al. 2018, arXiv:1802.05957). It lags by some percent, always on the low side: training
under spectral norm lifts the other singular values up to the first. Five rounds are still cheap.
The gradient is u v^T either way.

**sigma of what?** A convolution's weight, reshaped to (O, C K L), is a matrix that maps one patch
to one pixel. Its norm is not that of the convolution, which maps images whose patches overlap: that
one is up to sqrt(K L) larger. The same power iteration finds it, with the convolution in the place
of theta and the transposed convolution in the place of theta^T; where the image wraps around, the
Fourier transform gives it exactly. Zero padding stays below that, nearer the larger the image.

The example measures: the error after k rounds on random and on trained layers; the error along two
trainings, with one and five rounds a step; the norms of convolutions both ways; the cost of a step.

Run it with `python examples/09_spectral_norm.py --out out`.
"""

import argparse
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import minigan as mg
from minigan import losses, nn, optim
from minigan.nn.operator_norm import circular_norm, operator_norm
from minigan.nn.spectral import sigmas

BATCH, ROUNDS = 32, [1, 2, 5, 15, 50, 200]


def images(generator):
    """Two kinds of pictures to be told apart: smooth ones, and white noise. (N, 1, 8, 8) each."""
    smooth, noise = generator.normal((2, BATCH, 1, 8, 8))
    for axis in (2, 3):
        smooth = smooth + np.roll(smooth, 1, axis) + np.roll(smooth, 2, axis)
    return mg.tensor(smooth / 3.0), mg.tensor(noise)


def build(normalize):
    """A convolutional discriminator; `normalize` is applied to each layer with a weight."""
    return nn.Sequential(
        normalize(nn.Conv2d(1, 16, 3, padding=1)), nn.LeakyReLU(0.2),
        normalize(nn.Conv2d(16, 32, 4, 2, 1)), nn.LeakyReLU(0.2),
        nn.Flatten(), normalize(nn.Linear(512, 1)),
    )  # fmt: skip


def as_matrix(layer):
    """The weight that a convolution uses, as (O, C K L)."""
    return layer.weight.detach().numpy().reshape(layer.out_channels, -1)


def train(network, steps, watch=lambda: None):
    """Train with the hinge loss; return what `watch()` saw before each step of the optimiser."""
    generator, loss = mg.Generator(0), losses.Hinge()
    adam, seen = optim.Adam(network.parameters(), lr=2e-4, betas=(0.0, 0.9)), []
    for _ in range(steps):
        real, fake = images(generator)
        adam.zero_grad()
        loss.discriminator(network(real), network(fake)).backward()
        seen.append(watch())
        adam.step()
    return seen


def errors_by_round(matrix):
    """|1 - estimate / exact| after each number of rounds, from one random start."""
    runs = (mg.power_iteration(matrix, steps=k, generator=mg.Generator(0)) for k in ROUNDS)
    return np.array([abs(1 - sigma.item() / np.linalg.norm(matrix, 2)) for _, sigma, _ in runs])


def seconds_a_step(method, width, repeats):
    """Time forward and backward of one layer (width, width) whose weight has just changed."""
    layer = nn.Linear(width, width)
    weight = layer.weight
    if method != "none":
        nn.spectral_norm(layer, method=method)
    x, best = mg.ones(BATCH, width), np.inf
    for _ in range(repeats):
        weight.assign_(weight.data * np.float32(0.999))
        begin = time.perf_counter()
        layer(x).sum().backward()
        best = min(best, time.perf_counter() - begin)
    return best


# -- the four measurements ------------------------------------------------------------------------


def rounds_on_layers(plain, steps):
    """Power iteration on a layer before and after plain training: {name: errors by round}."""
    matrices = {"random": as_matrix(plain[2]).copy()}
    train(plain, steps)
    matrices["trained"] = as_matrix(plain[2])
    by_layer = {name: errors_by_round(matrix) for name, matrix in matrices.items()}
    print("relative error of sigma after k rounds" + "".join(f"{k:>9}" for k in ROUNDS))
    for name, errors in by_layer.items():
        print(f"  {name:36}" + "".join(f"{e:9.1e}" for e in errors))
    return by_layer


def rounds_along_training(steps):
    """Power iteration while the weights move: the last network, and {name: errors by step}."""
    print(
        f"|sigma(theta / sigma) - 1| along {steps:3} steps   at first   median  largest   s_2 / s_1"
    )
    along = {}
    for n in (1, 5):
        critic = build(lambda layer, n=n: nn.spectral_norm(layer, n_power_iterations=n))
        history = train(critic, steps, watch=lambda critic=critic: sigmas(critic))
        for name in ("0", "2"):
            errors = np.array([abs(seen[name].used - 1) for seen in history])
            first, second = np.linalg.svd(as_matrix(critic[int(name)]), compute_uv=False)[:2]
            numbers = f"{errors[0]:11.1e}{np.median(errors):9.1e}{errors.max():9.1e}"
            print(f"  layer {name}, {n} a step{'':21}{numbers}{second / first:12.3f}")
            along[f"layer {name}, {n} a step"] = errors
    return critic, along


def both_views(layers):
    """The norms of convolutions as matrices, on images of two sizes, and on a torus."""
    print("norms of convolutions      matrix   operator 8x8   32x32   circular 32x32")
    for name, layer in layers.items():
        matrix = np.linalg.norm(as_matrix(layer), 2)
        small, large = operator_norm(layer, 8), operator_norm(layer, 32, steps=100)
        around = circular_norm(layer.weight, 32, stride=layer.stride)
        print(f"  {name:23}{matrix:8.3f}{small:15.3f}{large:8.3f}{around:17.3f}")


def costs_of_a_step(widths, repeats):
    """Milliseconds of a step by method and width of the layer."""
    print(f"ms a step (forward, backward, batch {BATCH})" + "".join(f"{w:>9}" for w in widths))
    costs = {}
    for method in ("none", "power", "svd"):
        costs[method] = [1e3 * seconds_a_step(method, w, repeats) for w in widths]
        print(f"  spectral norm: {method:22}" + "".join(f"{ms:9.2f}" for ms in costs[method]))
    return costs


def draw(by_layer, along, widths, costs, picture):
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(14, 4))
    for name, errors in by_layer.items():
        left.loglog(ROUNDS, np.maximum(errors, 1e-7), "o-", label=name)
    left.set(xlabel="rounds of power iteration", title="relative error, from a random start")
    left.legend()
    for name, errors in along.items():
        middle.semilogy(np.maximum(errors, 1e-7), linewidth=0.8, label=name)
    middle.set(xlabel="training step", title="relative error along training", ylim=(1e-5, 1))
    middle.legend(fontsize=8)
    for method, milliseconds in costs.items():
        right.loglog(widths, milliseconds, "o-", label=method)
    right.set(xlabel="width of the layer", ylabel="ms", title="forward and backward, one layer")
    right.set_xticks([], minor=True)
    right.set_xticks(widths, widths)
    right.legend()
    figure.tight_layout()
    figure.savefig(picture, dpi=110)
    plt.close(figure)


def main(out, smoke):
    mg.manual_seed(0)
    steps = 60 if smoke else 600
    plain = build(lambda layer: layer)
    by_layer = rounds_on_layers(plain, steps)
    critic, along = rounds_along_training(steps)
    both_views({
        "3x3, plainly trained": plain[0], "3x3, normalised": critic[0],
        "4x4/2, plainly trained": plain[2], "4x4/2, normalised": critic[2],
    })  # fmt: skip
    widths = [32, 128] if smoke else [32, 64, 128, 256, 512]
    costs = costs_of_a_step(widths, repeats=3 if smoke else 10)
    draw(by_layer, along, widths, costs, out / "09_spectral_norm.png")
    print(f"picture: {out / '09_spectral_norm.png'}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Spectral norm, four ways.")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for the picture")
    parser.add_argument("--smoke", action="store_true", help="fewer steps, for the tests")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    main(options.out, options.smoke)
