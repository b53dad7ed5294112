"""Every op, the ways it is used, and inputs away from its kinks: what the sweep runs.

A test asserts that no differentiable op and no public function is missing here.
"""

from minigan.testing.cases import arrays, elementwise, networks, reductions
from minigan.testing.cases.table import Case, case

CASES: list[Case] = [
    *elementwise.CASES,
    *arrays.CASES,
    *reductions.CASES,
    *networks.CASES,
]

__all__ = ["CASES", "Case", "case"]
