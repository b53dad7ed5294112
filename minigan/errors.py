"""The errors minigan raises on purpose, each for one kind of mistake.

All of them say in one line what is wrong (the thing, its shape or value) and what to do about it.
"""

from __future__ import annotations


class GraphError(RuntimeError):
    """The graph cannot be walked: freed, without a rule, or not connected to what was asked for."""


class VersionError(GraphError):
    """An array that a derivative needs was changed in place after it had been kept."""


class DeviceError(RuntimeError):
    """A device is missing, or arrays of two devices met in one op."""


class AnomalyError(ArithmeticError):
    """Within `detect_anomaly()`: an op made a NaN, or an infinity of finite numbers."""


class ShapeError(ValueError):
    """Shapes that do not fit together, or a rule that returned a gradient of the wrong shape."""
