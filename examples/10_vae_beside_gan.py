"""10. A VAE beside a GAN: one network z -> x, two ways to train it.

Both models below have the same generator G, a small convolutional network, and both are sampled the
same way: draw z from N(0, I), compute G(z). They differ in what tells G how to change.

* **GAN.** A second network, the discriminator D, learns to tell real images from fakes, and G
  follows the slope of log D(G(z)): make this one look real. Nothing forces G to make *every* kind
  of image, and there is no number that says how probable an image is.
* **VAE.** A second network, the encoder, proposes for each real image x the latents q(z|x) that it
  might have come from, and G must reproduce x from them, while q is kept close to the N(0, I) that
  samples will be drawn from:

      log p(x) >= ELBO = E_q(z|x) log p(x|z) - KL(q(z|x) || N(0, I))

  Every real image is asked for, so no class can be dropped, and the bound can be evaluated on
  images that nobody trained on. With several z an image, weighted by p(x, z) / q(z|x), it becomes
  tighter; how much it rises tells how far q is from the true posterior.

The price of the VAE is blur. Where z leaves x uncertain, the best G(z) under a likelihood that
treats pixels one by one is the *average* of the images it might be; a discriminator would see at
once that an average is no digit. And the encoder's latents need not fill N(0, I) evenly: between
them lie z that no image was ever encoded to.

The same number of steps trains both on scikit-learn's 8x8 digits, and the same classifier judges
2,000 samples of each beside held-out real ones: Frechet distance of its features, reverse KL of
the classes, classes covered, smallest share of a class. The picture shows samples of both, and
held-out digits beside their reconstruction by the VAE.

Run it with `python examples/10_vae_beside_gan.py --out out`.
"""

import argparse
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import minigan as mg
from minigan.backend import Generator
from minigan.data import load_digits
from minigan.train.config import GANConfig, VAEConfig
from minigan.train.gan import GANTrainer
from minigan.train.pictures import tile, to_bytes
from minigan.train.quality import Judge
from minigan.train.sample import images_of, latents
from minigan.train.threads import blas_threads
from minigan.train.vae import VAETrainer


def train(trainer):
    """Train to the end; return the seconds it took."""
    started = time.perf_counter()
    for _ in range(trainer.config.steps):
        trainer.step()
    return time.perf_counter() - started


def bounds(vae, images, samples):
    """Return the ELBO and the importance-weighted bound of images, in nats an image."""
    x, generator = mg.tensor(images), Generator(0)
    with mg.no_grad():
        elbo = vae.bound(x, generator).elbo.numpy()
        tighter = [
            vae.importance_bound(x[i : i + 50], generator, samples=samples).numpy()
            for i in range(0, len(images), 50)
        ]
    return elbo.mean(), np.concatenate(tighter).mean()


def show(name, figures, seconds=""):
    print(
        f"{name:8}{figures.frechet:10.1f}{figures.reverse_kl:12.4f}{figures.covered:9}"
        f"{figures.smallest_share:16.1%}{seconds:>10}"
    )


def draw(panels, path):
    """Draw grids of images (N, 1, 8, 8), 8 to a row, each under its title."""
    figure, axes = plt.subplots(2, 2, figsize=(8, 8.6), layout="constrained")
    for axis, (title, images) in zip(axes.flat, panels.items(), strict=True):
        axis.imshow(tile(to_bytes(images), 8)[..., 0], cmap="gray", vmin=0, vmax=255)
        axis.set_title(title)
        axis.axis("off")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main(out, smoke):
    size = {"steps": 100, "width": 8} if smoke else {"steps": 1000}
    gan, vae = GANTrainer(GANConfig(**size)), VAETrainer(VAEConfig(**size))
    seconds = {"GAN": f"{train(gan):.0f} s", "VAE": f"{train(vae):.0f} s"}
    generators = {"GAN": gan.ema.module, "VAE": vae.ema.module}

    real, held_out = load_digits("train"), load_digits("test")
    judge = Judge(real, held_out, steps=100 if smoke else 500)
    z = latents(range(2000), gan.config.latent)
    samples = {name: images_of(g, z, chunk=100) for name, g in generators.items()}
    weights = f"{gan.g.num_parameters():,} weights in G"
    print(f"both: {gan.config.steps} steps of {gan.config.batch_size} images, {weights}")
    print(f"judge: {judge.accuracy:.1%} accuracy on held-out digits")
    print(
        f"{'':10}{'Frechet':>9}{'reverse KL':>12}{'classes':>9}{'smallest share':>15}{'time':>10}"
    )
    show("real", judge.measure(real.images))
    for name, images in samples.items():
        figures = judge.measure(images, compared=len(real.images))  # the distance: of equally many
        show(name, figures, seconds[name])

    vae.vae.eval()
    elbo, tighter = bounds(vae.vae, held_out.images, samples=50)
    on_training, _ = bounds(vae.vae, real.images[: len(held_out.images)], samples=1)
    print(f"VAE, held-out digits, nats an image: ELBO {elbo:.2f}, 50 samples {tighter:.2f}")
    print(f"VAE, training digits: ELBO {on_training:.2f}; the GAN has no such number")

    shown = held_out.images[:32]
    with mg.no_grad():
        again = vae.vae(mg.tensor(shown)).numpy()
    pairs = np.concatenate([shown.reshape(4, 8, 1, 8, 8), again.reshape(4, 8, 1, 8, 8)], axis=1)
    panels = {
        "Real digits": real.images[:64],
        "Held-out digits above their reconstructions": pairs.reshape(64, 1, 8, 8),
        "GAN: samples": samples["GAN"][:64],
        "VAE: samples of the same z": samples["VAE"][:64],
    }
    picture = out / "10_vae_beside_gan.png"
    draw(panels, picture)
    print(f"picture: {picture}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A VAE and a GAN with one generator.")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for the picture")
    parser.add_argument("--smoke", action="store_true", help="few steps, for the tests")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with blas_threads(1):  # products as small as these take longer when they are shared out
        main(options.out, options.smoke)
