"""A generator by style (Karras et al. 2018, arXiv:1812.04948): StyleGAN for small images.

The latent does not enter at the bottom, where there is a learned constant. It is mapped to a style
w, and w sets mean and deviation of every feature map of every layer, by AdaIN:

    z -> pixel norm -> 8 layers -> w;      y = (1 + s_i(w)) (x - mu(x)) / sigma(x) + b_i(w)

with (s_i, b_i) an affine map of each layer i. As AdaIN wipes out the mean and deviation that x had,
a layer knows of w what its own style says and nothing else: two latents can share an image, coarse
layers following the one and fine layers the other (*mixing*). What no style describes, the place of
single hairs, comes from *noise*, one number a pixel, with a strength learned for each channel.

The tanh at the end is not StyleGAN's, whose images have no bounds. Digits are mostly black, which a
saturated tanh meets exactly and a linear layer only ever nearly.

A running mean of w is kept in training. *Truncation* pulls styles towards it, w' = mean + psi
(w - mean): psi = 0 is one image for all, psi = 0.7 trades variety for typical images.

Letters: N batch, Z size of latents and styles, w width, C image channels, S image size, R map size,
L layers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from minigan import nn
from minigan.backend import Generator, backend_of, default_generator
from minigan.models.checks import doublings, latents
from minigan.models.equalized import equalize
from minigan.nn.arguments import whole
from minigan.ops import broadcast_to
from minigan.recording import no_grad
from minigan.tensor import Tensor

_BASE = 4  # the constant is 4 x 4
_WIDEST = 512  # channels stop doubling here
_NOISES = ("random", "fixed", None)


class MappingNetwork(nn.Module):
    """Latents (N, Z) -> styles (N, Z): pixel norm, then fully connected layers.

    A hundredth of the learning rate (`lr_multiplier`), without which it diverges beside the
    synthesis network (appendix C of the paper).

    >>> import minigan as mg
    >>> MappingNetwork(latent=16)(mg.randn(2, 16)).shape
    (2, 16)
    """

    def __init__(self, *, latent: int = 512, layers: int = 8, lr_multiplier: float = 0.01) -> None:
        self.latent = whole(latent, "latent")
        self.layers = nn.Sequential(nn.PixelNorm())
        for _ in range(whole(layers, "layers")):
            layer = equalize(nn.Linear(latent, latent), lr_multiplier=lr_multiplier)
            self.layers.extend([layer, nn.LeakyReLU(0.2)])

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(latents(z, self.latent))  # (N, Z) -> (N, Z)


class StyleLayer(nn.Module):
    """Maps (N, w, R, R) and styles (N, Z) -> maps (N, w', R', R'): convolve, noise, bend, AdaIN.

    `convolve` makes maps of `channels` = w' and `size` = R'. The noise is `strength` (w', 1, 1),
    zero at first, times one number a pixel.
    """

    def __init__(self, convolve: nn.Module, channels: int, size: int, latent: int) -> None:
        self.convolve = convolve
        self.strength = nn.Parameter(np.zeros((channels, 1, 1), np.float32))
        self.register_buffer("fixed_noise", default_generator().normal((1, 1, size, size)))
        self.bend = nn.LeakyReLU(0.2)
        self.adain = nn.AdaIN(channels, latent, eps=1e-8)
        equalize(self.adain.affine, gain=1.0)

    def forward(
        self, x: Tensor, style: Tensor, *, noise: str | None, generator: Generator | None
    ) -> Tensor:
        x = self.convolve(x)  # (N, w, R, R) -> (N, w', R', R')
        if noise is not None:
            x = x + self.strength * self._draw(x, noise, generator)
        return self.adain(self.bend(x), style)

    def _draw(self, x: Tensor, noise: str, generator: Generator | None) -> Tensor:
        """Return one number a pixel: (N, 1, R', R'), or (1, 1, R', R') for all images."""
        if noise == "fixed":
            return self.fixed_noise
        source = generator or default_generator()
        drawn = source.normal((x.shape[0], 1, *x.shape[2:]), dtype=x.dtype)
        return Tensor(backend_of(x.data).asarray(drawn))


class SynthesisNetwork(nn.Module):
    """L styles (N, Z), one a layer -> images (N, C, S, S): two layers at each size 4, 8, ..., S.

    The first layer has no convolution: the constant before it is free as it is. The constant starts
    as N(0, 1), as in StyleGAN2; the ones of StyleGAN have no deviation that AdaIN could set.
    """

    def __init__(self, *, latent: int, width: int, channels: int, size: int, blur: bool) -> None:
        widths = widths_of(width, doublings(size, base=_BASE))[::-1]  # from 4 x 4 to S x S
        self.constant = nn.Parameter(default_generator().normal((1, widths[0], _BASE, _BASE)))
        self.layers = nn.ModuleList(_layers(widths, latent, blur))
        self.to_image = nn.Sequential(
            equalize(nn.Conv2d(widths[-1], channels, 1), gain=1.0), nn.Tanh()
        )

    def forward(
        self,
        styles: Sequence[Tensor],
        *,
        noise: str | None = "random",
        generator: Generator | None = None,
    ) -> Tensor:
        if len(styles) != len(self.layers):
            raise ValueError(f"{len(styles)} styles for {len(self.layers)} layers: give one each")
        if noise not in _NOISES:
            raise ValueError(f"noise is {noise!r}: use one of {', '.join(map(repr, _NOISES))}")
        x = broadcast_to(self.constant, (len(styles[0]), *self.constant.shape[1:]))  # (N, w, 4, 4)
        for layer, style in zip(self.layers, styles, strict=True):
            x = layer(x, style, noise=noise, generator=generator)  # (N, w, R, R)
        return self.to_image(x)  # (N, w, S, S) -> (N, C, S, S)


class StyleGenerator(nn.Module):
    """Latents (N, Z) -> images (N, C, S, S) in (-1, 1).

    `size` S: 8, 16, 32, ...; `width` w: channels at full size, twice as many at each halving, up to
    512. `blur` enlarges bilinearly and not by nearest neighbours, which is the same as a filter
    [1, 2, 1] / 4 after it (and, but for the border, after the convolution, where StyleGAN has it).
    `mean_style` (Z,) follows the mean of w over batches in training, by `decay`.

    >>> import minigan as mg
    >>> g = StyleGenerator(latent=16, width=4)
    >>> g(mg.randn(2, 16)).shape, g.num_layers
    ((2, 1, 8, 8), 4)
    """

    def __init__(
        self,
        *,
        latent: int = 512,
        width: int = 32,
        channels: int = 1,
        size: int = 8,
        mapping_layers: int = 8,
        blur: bool = False,
        decay: float = 0.995,
    ) -> None:
        if not 0 <= decay <= 1:
            raise ValueError(f"decay is {decay}: give a number from 0 to 1")
        self.latent, self.decay = whole(latent, "latent"), float(decay)
        self.mapping = MappingNetwork(latent=latent, layers=mapping_layers)
        self.synthesis = SynthesisNetwork(
            latent=latent, width=width, channels=channels, size=size, blur=blur
        )
        self.register_buffer("mean_style", np.zeros(latent, np.float32))  # (Z,)

    @property
    def num_layers(self) -> int:
        """L, the number of layers that take a style: two for each of the sizes 4, 8, ..., S."""
        return len(self.synthesis.layers)

    def forward(
        self,
        z: Tensor,
        z2: Tensor | None = None,
        *,
        crossover: int | None = None,
        psi: float = 1.0,
        noise: str | None = "auto",
        generator: Generator | None = None,
    ) -> Tensor:
        """Draw images of latents z; layers from `crossover` on, 0 to L, follow z2 instead.

        `psi`: truncation, 1 for none. `noise`: "random", drawn from `generator` (by default the
        thread's), one for each image; "fixed", the same at every call and for every image; None;
        or "auto", random in training and fixed in evaluation, so that a latent alone names an
        image there.
        """
        if (z2 is None) != (crossover is None):
            raise ValueError(
                "mixing takes both: a second latent z2, and crossover=, where it sets in"
            )
        style = self.mapping(z)  # (N, Z)
        if self.training:
            self._track(style)
        styles = [style] * self.num_layers
        if z2 is not None:
            styles = self._mixed(style, latents(z2, self.latent, "z2"), crossover)
        if psi != 1:
            styles = [self.truncated(style, psi) for style in styles]
        if noise == "auto":
            noise = "random" if self.training else "fixed"
        return self.synthesis(styles, noise=noise, generator=generator)

    def truncated(self, style: Tensor, psi: float) -> Tensor:
        """Return mean + psi (w - mean) of styles w (N, Z), mean being the running one."""
        return self.mean_style + float(psi) * (style - self.mean_style)

    def draw_crossover(self, generator: Generator, *, probability: float = 0.9) -> int:
        """Draw where to mix in a step of training: uniformly from 1 to L - 1.

        Or, with probability 1 - `probability`, L, which is no mixing. The whole batch shares it.
        """
        if generator.uniform(1)[0] >= probability:
            return self.num_layers
        return int(generator.integers(1, self.num_layers, 1)[0])

    def _mixed(self, style: Tensor, z2: Tensor, crossover: int) -> list[Tensor]:
        """Return the styles of all layers: `style` below `crossover`, that of z2 from there on."""
        count = self.num_layers
        crossover = whole(crossover, "crossover", least=0)
        if crossover > count:
            raise ValueError(f"crossover is {crossover}: give a layer from 0 to {count}")
        if len(z2) != len(style):
            raise ValueError(f"{len(style)} latents z and {len(z2)} latents z2: give equally many")
        if crossover == count:
            return [style] * count
        return [style] * crossover + [self.mapping(z2)] * (count - crossover)

    @no_grad()
    def _track(self, style: Tensor) -> None:
        """Move the running mean towards that of a batch of styles (N, Z)."""
        mean = style.detach().mean(axis=0)  # (N, Z) -> (Z,)
        self.mean_style.assign_(mean + self.decay * (self.mean_style - mean))


def widths_of(width: int, halvings: int) -> list[int]:
    """Return the channels at S, S / 2, ...: doubled at each halving up to 512.

    >>> widths_of(100, 4)
    [100, 200, 400, 512, 512]
    """
    width = whole(width, "width")
    return [min(width << i, max(width, _WIDEST)) for i in range(halvings + 1)]


def _layers(widths: Sequence[int], latent: int, blur: bool) -> Iterator[StyleLayer]:
    """Yield two layers for each size 4, 8, ..., whose channels are `widths`."""
    for i, width in enumerate(widths):
        first = nn.Identity() if i == 0 else _enlarging(widths[i - 1], width, blur)
        for convolve in (first, _convolution(width, width)):
            yield StyleLayer(convolve, width, _BASE << i, latent)


def _convolution(before: int, after: int) -> nn.Conv2d:
    """(N, before, R, R) -> (N, after, R, R)."""
    return equalize(nn.Conv2d(before, after, 3, padding=1))


def _enlarging(before: int, after: int, blur: bool) -> nn.Sequential:
    """(N, before, R, R) -> (N, after, 2 R, 2 R)."""
    mode = "bilinear" if blur else "nearest"
    return nn.Sequential(nn.Upsample(scale_factor=2, mode=mode), _convolution(before, after))
