"""Floor 5: optimal transport, the distance that knows how far apart two distributions are.

`exact.py`: the linear programme, its coupling and its dual. `one_dimensional.py`: the closed form
on the line, and slices of many dimensions. `sinkhorn.py`: entropic transport in the log domain,
differentiable on any device. `points.py`: what they share.

Costs are powers of the Euclidean distance: p = 1 by default, so that values are Wasserstein-1
distances. Pass p = 2 for squared distances.
"""

from minigan.transport.exact import TransportPlan, optimal_transport, wasserstein
from minigan.transport.one_dimensional import sliced_wasserstein, wasserstein_1d
from minigan.transport.points import pairwise_cost
from minigan.transport.sinkhorn import SinkhornPlan, sinkhorn, sinkhorn_divergence

__all__ = [
    "SinkhornPlan",
    "TransportPlan",
    "optimal_transport",
    "pairwise_cost",
    "sinkhorn",
    "sinkhorn_divergence",
    "sliced_wasserstein",
    "wasserstein",
    "wasserstein_1d",
]
