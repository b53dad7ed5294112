"""Is this derivative right? The gradient checker, for minigan's ops and for yours.

An op of your own is checked in three lines:

>>> import numpy as np
>>> import minigan as mg
>>> @mg.op(elementwise=True)
... def cube(x):
...     return x**3
>>> rules = cube.vjp(x=lambda g, x: 3.0 * g * mg.square(x))

>>> from minigan.testing import gradcheck
>>> gradcheck(cube, [np.linspace(0.5, 2.0, 4)], order=2)
gradcheck of cube in float64: passed in ... s
  order 1: relative error ... (complex, every entry): x pass
  order 2: relative error ... (complex, every entry): x pass, cotangent of out pass
  also: purity, determinism, aliasing, dtypes, cotangents, layouts, alone, symmetry, sizes

A wrong rule is named, with a guess at the mistake and lines that repeat the check:

>>> rules = cube.vjp(x=lambda g, x: -3.0 * g * mg.square(x))
>>> gradcheck(cube, [np.array([0.5, 2.0])])
Traceback (most recent call last):
    ...
minigan.testing.report.GradcheckError: cube: the first derivative with respect to 'x' is wrong
  at        d out[1] / d x[1]
  analytic  -12
  numeric   12   (complex, error about 2.7e-15)
  ratio     -1
  extent    2 of 4 numbers compared are wrong
  hint      sign: the analytic derivative is minus the numerical one
  reproduce with
    ...

`minigan.testing.strategies` (hypothesis) draws shapes, layouts, geometries and graphs for property
tests; `run_sweep` checks every op of minigan, as `minigan gradcheck` does on the command line.
"""

from minigan.testing.gradcheck import GradcheckResult, gradcheck
from minigan.testing.report import (
    GradcheckError,
    InconclusiveError,
    NonDifferentiablePoint,
    PropertyError,
)
from minigan.testing.sweep import Row, median_error, run_sweep

__all__ = [
    "GradcheckError",
    "GradcheckResult",
    "InconclusiveError",
    "NonDifferentiablePoint",
    "PropertyError",
    "Row",
    "gradcheck",
    "median_error",
    "run_sweep",
]
