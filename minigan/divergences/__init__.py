"""Floor 5: how far apart two distributions are when their densities are compared point by point.

`densities.py`: KL, JS, total variation, the best discriminator and the value of the game, for
weights or for densities on a grid. `normal.py`: closed forms for Gaussians. `monte_carlo.py`:
estimates from samples, with standard errors.

**One convention throughout.** Tensors, arrays and numbers go in; a Tensor comes out, differentiable
with respect to every Tensor that requires a gradient; `.item()` makes a number of it. Logarithms
are natural (nats) unless `base=2` asks for bits. 0 log 0 = 0; mass of p where q has none makes
KL(p || q) infinite, without a warning.
"""

from minigan.divergences.densities import (
    game_value,
    js,
    kl,
    optimal_discriminator,
    total_variation,
)
from minigan.divergences.monte_carlo import (
    Estimate,
    js_lower_bound,
    js_monte_carlo,
    kl_monte_carlo,
)
from minigan.divergences.normal import kl_multivariate_normal, kl_normal

__all__ = [
    "Estimate",
    "game_value",
    "js",
    "js_lower_bound",
    "js_monte_carlo",
    "kl",
    "kl_monte_carlo",
    "kl_multivariate_normal",
    "kl_normal",
    "optimal_discriminator",
    "total_variation",
]
