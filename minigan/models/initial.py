"""Initial weights that several networks share."""

from __future__ import annotations

from typing import TypeVar

from minigan import nn

Network = TypeVar("Network", bound=nn.Module)


def normal_weights_(network: Network, *, std: float = 0.02) -> Network:
    """Draw weights of convolutions and linear layers from N(0, std^2); return the network.

    Biases become 0, scales of batch norm N(1, std^2), its shifts 0: what DCGAN and its descendants
    begin with (Radford et al. 2015, arXiv:1511.06434, section 4).
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, std)
        elif isinstance(module, nn.BatchNorm2d) and module.weight is not None:
            nn.init.normal_(module.weight, 1.0, std)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    return network
