"""Sequential and ModuleList: order, names, slices."""

import pytest

import minigan as mg
from minigan import nn


class Times(nn.Module):
    def __init__(self, factor):
        self.factor = factor

    def forward(self, x):
        return x * self.factor + 1.0


def test_sequential_applies_in_order():
    net = nn.Sequential(Times(2.0), Times(10.0))
    assert net(mg.ones(1)).item() == 31.0
    assert nn.Sequential()(mg.ones(1)).item() == 1.0


def test_names_are_positions():
    net = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1))
    assert list(net.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_list_protocol():
    layers = [Times(float(i)) for i in range(12)]
    net = nn.ModuleList(layers[:3]).extend(layers[3:])
    assert len(net) == 12
    assert list(net) == layers
    assert net[-1] is layers[-1]
    assert list(net.named_children())[10][0] == "10"
    with pytest.raises(IndexError):
        net[12]


def test_slices_keep_their_kind():
    net = nn.Sequential(*(Times(float(i)) for i in range(4)))
    assert isinstance(net[1:3], nn.Sequential)
    assert net[1:3](mg.ones(1)).item() == 5.0
    assert isinstance(nn.ModuleList(net)[:1], nn.ModuleList)


def test_refuses_what_is_no_module():
    with pytest.raises(TypeError, match="Sequential takes Modules, got function"):
        nn.Sequential(test_slices_keep_their_kind)
