"""Spectral normalisation (Miyato et al. 2018, arXiv:1802.05957): W / sigma in the place of W.

The layer's `weight` becomes W / sigma, sigma being the largest factor by which the layer can
stretch its input. The trained parameter is `weight_orig`. Two questions are open, and each is an
option of `spectral_norm`:

**Stretch what?** `view="matrix"` takes W as the matrix (O, everything else), as the paper does;
`view="operator"` takes a convolution as the linear map of images that it is, whose norm is another
number (`nn/operator_norm.py`).

**Computed how?** `method="svd"` takes the singular value decomposition, exactly and at every
forward. `method="power"` keeps the estimate sigma = <u, W v> of the power iteration, whose vectors
are the buffers `weight_u` and `weight_v` (the names of `torch.nn.utils.spectral_norm`, so its
state dicts load). Four rules about u and v, each of which has been broken somewhere:

* They advance **once per change of the weight**, however many forwards lie between: the real
  and the fake batch of a step, and the penalty's interpolates, all meet the same W / sigma. The
  weight's version says whether it has changed.
* They are frozen in evaluation mode.
* They are constants of the graph: d sigma / d W = u v^T. A graph that holds them never sees them
  change, because each advance makes new arrays instead of writing into the old ones.
* They are saved. `state_dict()` brings them up to date first, and vectors that were loaded count
  as up to date, so a resumed run goes on exactly where the saved one stood.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minigan import ops
from minigan.backend import Generator, xp_of
from minigan.nn.conv import Conv2d, ConvTranspose2d
from minigan.nn.linear import Linear
from minigan.nn.module import Module
from minigan.nn.operator_norm import ConvOperator, iterate, random_image
from minigan.nn.parameter import Buffer, Parameter
from minigan.tensor import Tensor

_KEPT = ("weight_orig", "weight_u", "weight_v")


def spectral_norm(
    layer: Module,
    *,
    method: str = "power",
    view: str = "matrix",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    warmup: int = 50,
    input_size: int | tuple[int, int] | None = None,
) -> Module:
    """Divide the weight of a layer by its largest singular value; return the layer.

    `method`: "power" does `n_power_iterations` each time the weight has changed, and `warmup` at
    once, from random vectors, so that sigma is right from the start (50 bring it within 1% on
    random layers up to 512 wide, on the average; 15, which are usual, within 2%); "svd" decomposes
    the matrix at every forward, exact with all its derivatives.

    `view`: "matrix" is (O, everything else), O being the output channels: axis 0, and axis 1 for
    `ConvTranspose2d`. "operator" is a convolution on images of `input_size`, an int or (H, W); for
    a `Linear` layer the two are the same. It needs `method="power"`.

    Raises ValueError for a layer without a weight matrix or with spectral norm already, and for
    options that do not go together.

    >>> import numpy as np
    >>> from minigan import manual_seed, nn
    >>> _ = manual_seed(0)
    >>> layer = spectral_norm(nn.Linear(8, 4))
    >>> list(layer.state_dict())
    ['bias', 'weight_orig', 'weight_u', 'weight_v']
    >>> bool(abs(np.linalg.norm(layer.weight.numpy(), 2) - 1) < 0.01)
    True
    """
    weight = vars(layer).get("weight")
    if is_normalized(layer):
        raise ValueError(f"{layer!r} has spectral norm already")
    if not isinstance(weight, Parameter) or weight.ndim < 2:
        raise ValueError(f"spectral_norm needs a layer with a weight matrix, got {layer!r}")
    seen_as = _view(layer, method, view, input_size)
    if method == "power":
        compute: _Normalization = PowerIteration(seen_as, n_power_iterations, eps)
    else:
        compute = Decomposition(seen_as, eps)
    layer.derive("weight", compute)
    layer.weight_orig = weight
    compute.start(layer, warmup)
    return layer


def remove_spectral_norm(layer: Module) -> Module:
    """Make the normalised weight an ordinary parameter of the layer again; return the layer.

    The layer computes what it computed before, to the bit, and its weight is free to grow.
    Optimisers hold `weight_orig`: build them anew. Raises ValueError without spectral norm.

    >>> from minigan import nn
    >>> layer = remove_spectral_norm(spectral_norm(nn.Linear(8, 4)))
    >>> list(layer.state_dict())
    ['bias', 'weight']
    """
    if not is_normalized(layer):
        raise ValueError(f"{layer!r} has no spectral norm to remove")
    original = layer.weight_orig
    baked = Parameter(
        layer.weight.detach(), requires_grad=original.requires_grad, device=original.device
    )
    layer._derived = {n: how for n, how in layer._derived.items() if n != "weight"}
    for name in _KEPT:
        vars(layer).pop(name, None)
    layer.weight = baked
    return layer


class Sigma(NamedTuple):
    """The norms of one layer: of the weight that is trained, and of the one that is used."""

    trained: float
    used: float


def sigmas(module: Module) -> dict[str, Sigma]:
    """Return {dotted name: (sigma of the trained weight, sigma of the used one)} for the log.

    It lists every linear and convolution layer of the tree, with spectral norm or without (then
    the two are equal). Both are computed afresh: by SVD, or for `view="operator"` by 200 power
    iterations. With spectral norm `used` should be 1; `trained` is free to drift, and a drift means
    a falling effective learning rate. No random stream moves, and training goes on as without it.

    >>> from minigan import nn
    >>> net = nn.Sequential(spectral_norm(nn.Linear(8, 4), method="svd"), nn.ReLU())
    >>> {name: round(sigma.used, 5) for name, sigma in sigmas(net).items()}
    {'0': 1.0}
    """
    layers = {name: m for name, m in module.named_modules() if isinstance(m, _LAYERS)}
    return {name: _sigma_of(layer) for name, layer in layers.items()}


def is_normalized(layer: Module) -> bool:
    """Say whether a layer has spectral norm."""
    return "weight_orig" in vars(layer)


_LAYERS = Linear | Conv2d | ConvTranspose2d


def _sigma_of(layer: Module) -> Sigma:
    """Return the exact norms of a layer's trained and used weight."""
    if not is_normalized(layer):
        exact = MatrixView(_row_axis(layer)).exact(layer.weight)
        return Sigma(exact, exact)
    compute = layer._derived["weight"]
    compute.settle(layer)
    exact = compute.view.exact(layer.weight_orig)
    return Sigma(exact, exact / (compute.sigma(layer).item() + compute.eps))


# -- what the weight is taken for -----------------------------------------------------------------


class MatrixView:
    """The weight as a matrix whose rows are its axis `axis`: u is (O,), v is (K,)."""

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def start(self, weight: Tensor, steps: int, eps: float) -> tuple[Tensor, Tensor]:
        """Return (u, v) after `steps` power iterations from a random u."""
        return self.advance(weight, None, steps, eps)

    def advance(
        self, weight: Tensor, u: Tensor | None, steps: int, eps: float
    ) -> tuple[Tensor, Tensor]:
        """Do `steps` power iterations: v <- W^T u / |W^T u|, u <- W v / |W v|."""
        u, _, v = ops.power_iteration(self.matrix(weight.detach()), u, steps=steps, eps=eps)
        return u, v

    def sigma(self, weight: Tensor, u: Tensor, v: Tensor) -> Tensor:
        """Return u^T W v = <W, u v^T>, a scalar, differentiable in the weight."""
        outer = u.data[:, None] * v.data[None, :]  # (O, K)
        rest = weight.shape[: self.axis] + weight.shape[self.axis + 1 :]
        rows_first = outer.reshape(weight.shape[self.axis], *rest)  # (O, K) -> (O, ...)
        return (weight * Tensor(xp_of(outer).moveaxis(rows_first, 0, self.axis))).sum()

    def matrix(self, weight: Tensor) -> Tensor:
        """Lay out the weight as a matrix with `axis` as its rows: (O, K)."""
        rows_first = ops.moveaxis(weight, self.axis, 0)  # (O, ...)
        return rows_first.reshape(rows_first.shape[0], -1)  # (O, K)

    def exact(self, weight: Tensor) -> float:
        """Return the largest singular value, in double precision."""
        matrix = self.matrix(weight.detach()).numpy().astype(np.float64)
        return float(np.linalg.norm(matrix, 2))


class OperatorView:
    """The weight as a convolution of images: u is an output image, v an input image."""

    def __init__(self, operator: ConvOperator) -> None:
        self.operator = operator

    def start(self, weight: Tensor, steps: int, eps: float) -> tuple[Tensor, Tensor]:
        """Return (u, v) after `steps` power iterations from a random u."""
        return self.advance(weight, random_image(self.operator.output_shape, weight), steps, eps)

    def advance(self, weight: Tensor, u: Tensor, steps: int, eps: float) -> tuple[Tensor, Tensor]:
        """Do `steps` power iterations with the convolution and its adjoint."""
        return iterate(self.operator, weight.detach(), u, steps=steps, eps=eps)

    def sigma(self, weight: Tensor, u: Tensor, v: Tensor) -> Tensor:
        """Return <u, A v>, a scalar, differentiable in the weight."""
        return (u.detach() * self.operator.apply(weight, v.detach())).sum()

    def exact(self, weight: Tensor) -> float:
        """Return the norm by many iterations from a start of its own."""
        weight = weight.detach()
        u = random_image(self.operator.output_shape, weight, Generator(0))
        return self.sigma(weight, *iterate(self.operator, weight, u, steps=200)).item()


def _view(layer: Module, method: str, view: str, input_size: Any) -> MatrixView | OperatorView:
    """Return the view that the options ask for, or raise where they do not go together."""
    for option, value, known in (
        ("method", method, ("power", "svd")),
        ("view", view, ("matrix", "operator")),
    ):
        if value not in known:
            raise ValueError(f"{option} is {value!r}: use one of {', '.join(map(repr, known))}")
    if view == "matrix":
        if input_size is not None:
            raise ValueError("input_size is for view='operator': a matrix has no image size")
        return MatrixView(_row_axis(layer))
    if isinstance(layer, Linear):
        return MatrixView(_row_axis(layer))
    if not isinstance(layer, Conv2d | ConvTranspose2d):
        raise ValueError(f"view='operator' is for convolutions, got {layer!r}")
    if method != "power":
        raise ValueError("view='operator' needs method='power': its matrix is too large for an SVD")
    if input_size is None:
        raise ValueError("view='operator' needs input_size=(H, W): the norm depends on it")
    return OperatorView(ConvOperator(layer, input_size))


def _row_axis(layer: Module) -> int:
    """Return the axis of the weight that holds the output channels."""
    return 1 if isinstance(layer, ConvTranspose2d) else 0


# -- how sigma is computed ------------------------------------------------------------------------


class _Normalization:
    """The base: computes W / sigma for a layer each time the weight is read."""

    def __init__(self, view: MatrixView | OperatorView, eps: float) -> None:
        self.view, self.eps = view, eps

    def __call__(self, module: Module) -> Tensor:
        """Return the normalised weight, differentiable in `weight_orig`; zero if that is zero."""
        self.settle(module)
        return module.weight_orig / (self.sigma(module) + self.eps)

    def __repr__(self) -> str:
        return "spectral_norm"

    def sigma(self, module: Module) -> Tensor:
        """Return sigma as it stands, a scalar, differentiable in `weight_orig`."""
        raise NotImplementedError(f"{type(self).__name__} has no sigma(): define one")

    def start(self, module: Module, warmup: int) -> None:
        """Give the layer the buffers that this needs."""

    def settle(self, module: Module) -> None:
        """Bring those buffers up to date."""


class Decomposition(_Normalization):
    """Takes sigma from the singular value decomposition: no state, exact to every derivative."""

    def sigma(self, module: Module) -> Tensor:
        return ops.singular_values(self.view.matrix(module.weight_orig))[0]


class PowerIteration(_Normalization):
    """Takes sigma = <u, W v> and keeps the layer's u and v up to date, by `steps` a change."""

    def __init__(self, view: MatrixView | OperatorView, steps: int, eps: float) -> None:
        super().__init__(view, eps)
        self.steps = steps
        self._seen = (0, 0)  # the versions of weight_orig and weight_u when they last agreed

    def sigma(self, module: Module) -> Tensor:
        return self.view.sigma(module.weight_orig, module.weight_u, module.weight_v)

    def start(self, module: Module, warmup: int) -> None:
        self._store(module, *self.view.start(module.weight_orig, warmup, self.eps))

    def settle(self, module: Module) -> None:
        """Advance u and v if the layer trains and its weight has changed since the last time.

        If u has been assigned since then, a state was loaded, and it fits the weight it came with.
        """
        versions = (module.weight_orig.version, module.weight_u.version)
        if versions == self._seen or not module.training:
            return
        if versions[1] != self._seen[1]:
            self._seen = versions
        else:
            self.advance(module, self.steps)

    def advance(self, module: Module, steps: int) -> None:
        """Do `steps` power iterations on the weight as it is now."""
        vectors = self.view.advance(module.weight_orig, module.weight_u, steps, self.eps)
        self._store(module, *vectors)

    def _store(self, module: Module, u: Tensor, v: Tensor) -> None:
        """Give the layer new buffers: a graph may hold the arrays of the old ones."""
        device = module.weight_orig.device
        module.weight_u, module.weight_v = Buffer(u, device=device), Buffer(v, device=device)
        self._seen = (module.weight_orig.version, module.weight_u.version)
