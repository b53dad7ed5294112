"""A variational autoencoder: the other way to a generator z -> x.

A GAN never says how probable an image is. A VAE (Kingma and Welling 2013, arXiv:1312.6114) does,
from below: for every distribution q(z|x),

    log p(x) >= ELBO = E_q(z|x) log p(x|z) - KL(q(z|x) || N(0, I))

and the gap is KL(q(z|x) || p(z|x)). An encoder computes q(z|x) = N(mean, diag exp log_var), a
decoder p(x|z); both climb the bound. The expectation is over a distribution that is itself being
trained, so z is *reparametrised*: z = mean + std eps with eps ~ N(0, I) makes z a function of the
encoder's weights with the randomness outside, and the gradient goes through it.

Letters: N batch, Z latent size, w width, C image channels, S image size, K samples an image.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from minigan import nn
from minigan.backend import Generator, backend_of
from minigan.models.dcgan import DCGANGenerator
from minigan.models.likelihoods import Bernoulli, Gaussian
from minigan.ops import exp, logsumexp, repeat, square
from minigan.tensor import Tensor, as_tensor

LIKELIHOODS = ("bernoulli", "binomial", "gaussian")


def kl_to_standard_normal(mean: Tensor, log_var: Tensor) -> Tensor:
    """Return KL(N(mean, diag exp log_var) || N(0, I)) for each row, in nats: (N, Z) -> (N,).

        1/2 sum over z of  exp(log_var) + mean^2 - 1 - log_var     (>= 0; appendix B of the paper)

    >>> import minigan as mg
    >>> kl_to_standard_normal(mg.tensor([[0.0, 0.0], [3.0, 4.0]]), mg.zeros(2, 2)).numpy()
    array([ 0. , 12.5], dtype=float32)
    """
    return 0.5 * (exp(log_var) + square(mean) - 1.0 - log_var).sum(axis=1)


def reparametrize(mean: Tensor, log_var: Tensor, generator: Generator) -> Tensor:
    """Draw z = mean + exp(log_var / 2) eps, eps ~ N(0, I): (N, Z), differentiable in both.

    eps is drawn on the host, so that every device sees the same one.
    """
    noise = generator.normal(mean.shape, dtype=mean.dtype)
    return mean + exp(0.5 * log_var) * as_tensor(backend_of(mean.data).asarray(noise))


class Bound(NamedTuple):
    """The two parts of the ELBO, one number an image (N,): `elbo` = `log_prob` - `kl`, in nats."""

    log_prob: Tensor
    kl: Tensor

    @property
    def elbo(self) -> Tensor:
        return self.log_prob - self.kl


class VAE(nn.Module):
    """An encoder, a decoder and a likelihood, and the bound that they climb together.

    `encoder`: x (N, ...) -> (N, 2 Z), means and then log-variances; `decoder`: z (N, Z) -> what
    `likelihood` reads.

    >>> import minigan as mg
    >>> vae = VAE(nn.Linear(5, 2 * 2), nn.Linear(2, 5), Gaussian())
    >>> vae.bound(mg.randn(3, 5), Generator(0)).elbo.shape
    (3,)
    """

    def __init__(
        self, encoder: nn.Module, decoder: nn.Module, likelihood: Bernoulli | Gaussian
    ) -> None:
        self.encoder, self.decoder, self.likelihood = encoder, decoder, likelihood

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of q(z|x), each (N, Z)."""
        both = self.encoder(x)  # (N, 2 Z)
        half = both.shape[1] // 2
        return both[:, :half], both[:, half:]

    def decode(self, z: Tensor) -> Tensor:
        """Return what the likelihood reads, from latents (N, Z)."""
        return self.decoder(z)

    def forward(self, x: Tensor) -> Tensor:
        """Return the reconstruction of x: the image expected at the mean of q(z|x)."""
        mean, _ = self.encode(x)
        return self.likelihood.mean(self.decode(mean))

    def bound(self, x: Tensor, generator: Generator) -> Bound:
        """Return the ELBO's parts for x (N, ...), with one z an image and the KL in closed form."""
        mean, log_var = self.encode(x)
        z = reparametrize(mean, log_var, generator)  # (N, Z)
        log_prob = self.likelihood.log_prob(x, self.decode(z))
        return Bound(log_prob, kl_to_standard_normal(mean, log_var))

    def importance_bound(self, x: Tensor, generator: Generator, *, samples: int) -> Tensor:
        """Return the tighter bound E log 1/K sum_k p(x, z_k) / q(z_k|x), K = `samples`: (N,).

        K = 1 is the ELBO; the bound rises with K to log p(x) (Burda et al. 2015,
        arXiv:1509.00519, theorem 1).
        """
        mean, log_var = (repeat(v, samples, axis=0) for v in self.encode(x))  # (N K, Z)
        z = reparametrize(mean, log_var, generator)
        log_prob = self.likelihood.log_prob(repeat(as_tensor(x), samples, axis=0), self.decode(z))
        # log p(z) - log q(z|x): the halves of log 2 pi in both cancel.
        noise = (z - mean) * exp(-0.5 * log_var)
        log_ratio = 0.5 * (square(noise) - square(z) + log_var).sum(axis=1)  # (N K, Z) -> (N K,)
        log_weights = (log_prob + log_ratio).reshape(-1, samples)  # (N K,) -> (N, K)
        return logsumexp(log_weights, axis=1) - math.log(samples)


class ConvVAE(VAE):
    """A VAE of square images in [-1, 1] whose decoder is the GAN's generator, `vae.generator`.

    Sampling is the same for both models: draw z ~ N(0, I), compute `generator(z)`, the expected
    image. Only the training differs. `likelihood`: "bernoulli", "binomial" (of `levels` dots a
    pixel: 16 for scikit-learn's digits) or "gaussian"; `size` S: 8, 16, 32, ...

    >>> import minigan as mg
    >>> ConvVAE(latent=3, width=4)(mg.zeros(2, 1, 8, 8)).shape
    (2, 1, 8, 8)
    """

    def __init__(
        self,
        *,
        latent: int = 32,
        width: int = 24,
        channels: int = 1,
        size: int = 8,
        likelihood: str = "bernoulli",
        levels: int = 16,
    ) -> None:
        generator = DCGANGenerator(latent=latent, width=width, channels=channels, size=size)
        encoder = _encoder(2 * latent, width, channels, size)
        super().__init__(encoder, generator, _likelihood(likelihood, levels))

    @property
    def generator(self) -> DCGANGenerator:
        return self.decoder

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder.before_tanh(z)  # (N, Z) -> (N, C, S, S)


def _encoder(outputs: int, width: int, channels: int, size: int) -> nn.Sequential:
    """(N, C, S, S) -> (N, outputs): halved down to 2 x 2, the channels doubled each time."""
    layers = [nn.Conv2d(channels, width, 3, padding=1), nn.LeakyReLU(0.2)]  # (N, w, S, S)
    while size > 2:
        layers += [nn.Conv2d(width, 2 * width, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        width, size = 2 * width, size // 2
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(width * size * size, outputs))


def _likelihood(name: str, levels: int) -> Bernoulli | Gaussian:
    if name not in LIKELIHOODS:
        raise ValueError(f"likelihood is {name!r}: use one of {', '.join(LIKELIHOODS)}")
    if name == "gaussian":
        return Gaussian(std=0.5, image=True)
    return Bernoulli(trials=levels if name == "binomial" else 1)
