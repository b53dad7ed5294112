"""Floor 4: networks as trees of modules, with PyTorch's names, options and state-dict keys."""

from minigan.nn import init
from minigan.nn.activations import (
    ELU,
    GELU,
    Identity,
    LeakyReLU,
    LogSigmoid,
    LogSoftmax,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from minigan.nn.containers import ModuleList, Sequential
from minigan.nn.conv import Conv2d, ConvTranspose2d
from minigan.nn.dropout import Dropout
from minigan.nn.linear import Embedding, Linear
from minigan.nn.module import LoadReport, Module
from minigan.nn.normalization import (
    AdaIN,
    BatchNorm1d,
    BatchNorm2d,
    GroupNorm,
    InstanceNorm2d,
    LayerNorm,
    PixelNorm,
)
from minigan.nn.padding import ReflectionPad2d, ReplicationPad2d, ZeroPad2d
from minigan.nn.parameter import Buffer, Parameter
from minigan.nn.resampling import (
    AdaptiveAvgPool2d,
    AvgPool2d,
    Flatten,
    MaxPool2d,
    PixelShuffle,
    PixelUnshuffle,
    Unflatten,
    Upsample,
)
from minigan.nn.spectral import Sigma, remove_spectral_norm, sigmas, spectral_norm

__all__ = [
    "AdaIN",
    "AdaptiveAvgPool2d",
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "Buffer",
    "Conv2d",
    "ConvTranspose2d",
    "Dropout",
    "ELU",
    "Embedding",
    "Flatten",
    "GELU",
    "GroupNorm",
    "Identity",
    "InstanceNorm2d",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LoadReport",
    "LogSigmoid",
    "LogSoftmax",
    "MaxPool2d",
    "Module",
    "ModuleList",
    "Parameter",
    "PixelNorm",
    "PixelShuffle",
    "PixelUnshuffle",
    "ReLU",
    "ReflectionPad2d",
    "ReplicationPad2d",
    "Sequential",
    "SiLU",
    "Sigma",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
    "Unflatten",
    "Upsample",
    "ZeroPad2d",
    "init",
    "remove_spectral_norm",
    "sigmas",
    "spectral_norm",
]
