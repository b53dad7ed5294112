"""Every op, to second order, through the table of cases; and that the table misses none."""

from __future__ import annotations

import functools
import inspect

import numpy as np
import pytest

import minigan.ops
from minigan.op import OPS, Op
from minigan.recording import trace
from minigan.tensor import Tensor
from minigan.testing import median_error
from minigan.testing.cases import CASES, Case
from minigan.testing.sweep import Row, draw, run_op, select

TABLE = select()
MODULES = ("activations", "conv", "elementwise", "indexing", "linalg", "linear", "normalization",
           "padding", "reductions", "resampling")  # fmt: skip
UNRECORDED = {"batch_statistics"}  # returns arrays for running averages, by its definition


@functools.cache
def second_order(name: str) -> Row:
    return run_op(name, TABLE[name], order=2)


@pytest.mark.parametrize("name", TABLE)
def test_gradient_and_its_gradient(name):
    row = second_order(name)
    assert row.passed, row.message
    assert row.relative_error < 1e-9
    assert row.verdict == ("zero" if name == "sign" else "pass")


def test_median_error_is_at_round_off():
    assert median_error([second_order(name) for name in TABLE]) < 1e-10


@pytest.mark.parametrize("name", TABLE)
def test_gradient_in_float32(name):
    row = run_op(name, TABLE[name], order=1, dtype="float32")
    assert row.passed, row.message


@pytest.mark.parametrize("name", ["tanh", "conv2d", "batch_norm", "matmul", "softmax", "norm"])
def test_third_order(name):
    row = run_op(name, TABLE[name][:2], order=3)
    assert row.passed, row.message


# -- completeness --------------------------------------------------------------------------------


def ops_of_the_library() -> dict[str, Op]:
    return {name: op for name, op in OPS.items() if op.__module__.startswith("minigan.ops.")}


@functools.cache
def users() -> dict[str, list[Case]]:
    """The cases whose forward pass runs an op, by the op's name."""
    found: dict[str, list[Case]] = {}
    for case in CASES:
        seen: set[str] = set()
        inputs = [Tensor(x) if isinstance(x, np.ndarray) else x for x in draw(case)]
        with trace(lambda name, out, seen=seen: seen.add(name)):
            case.fn(*inputs)
        for name in seen:
            found.setdefault(name, []).append(case)
    return found


def test_every_differentiable_op_is_run_by_some_case():
    assert {name for name, op in ops_of_the_library().items() if op.differentiable} <= set(users())


# Rules of a derivative that is 0: a multiple of it is as right as the rule itself.
ZEROS = {("sign", "x"), ("leaky_relu_gradient", "y")}
RULES = [(name, arg) for name, op in ops_of_the_library().items() for arg in op.rules]


@pytest.mark.parametrize("factor", [1.001, -1.0])
@pytest.mark.parametrize(("name", "argument"), [rule for rule in RULES if rule not in ZEROS])
def test_a_wrong_rule_of_any_op_is_caught_by_its_cases(name, argument, factor, monkeypatch):
    rule = OPS[name].rules[argument]
    wrong = rule._replace(function=lambda g, *needs: rule.function(g, *needs) * factor)
    monkeypatch.setitem(OPS[name].rules, argument, wrong)
    row = run_op(name, users()[name], order=1)
    assert row.verdict == "FAIL"
    assert "hint" in row.message


def test_every_public_function_has_a_case():
    public = set()
    for module in MODULES:
        owner = getattr(minigan.ops, module)
        for name, value in vars(owner).items():
            if name.startswith("_") or getattr(value, "__module__", None) != owner.__name__:
                continue
            exported = inspect.isfunction(value) and name in vars(minigan.ops)
            if exported or (isinstance(value, Op) and value.differentiable):
                public.add(name)
    without_derivative = {op.name for op in OPS.values() if not op.differentiable}
    assert len(public) > 80
    assert not public - set(TABLE) - without_derivative - UNRECORDED


def test_cases_of_one_op_differ():
    for name, cases in TABLE.items():
        keys = [(c.label, str([x for x in c.inputs if not callable(x)])) for c in cases]
        assert len(cases) == 1 or len(keys) == len(cases), name
