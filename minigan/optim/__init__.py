"""Floor 4: optimisers, learning-rate schedules, gradient clipping and weight averaging."""

from minigan.optim.clip import clip_grad_norm_, clip_grad_value_
from minigan.optim.ema import EMA
from minigan.optim.optimizers import SGD, Adam, Optimizer, RMSprop
from minigan.optim.schedules import CosineDecay, LinearDecay, Schedule, StepDecay, WarmUp

__all__ = [
    "EMA",
    "SGD",
    "Adam",
    "CosineDecay",
    "LinearDecay",
    "Optimizer",
    "RMSprop",
    "Schedule",
    "StepDecay",
    "WarmUp",
    "clip_grad_norm_",
    "clip_grad_value_",
]
