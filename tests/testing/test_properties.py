"""Which properties are checked when, and that they raise no false alarm on correct functions."""

import numpy as np
import pytest

import minigan as mg
from minigan.testing import gradcheck
from minigan.testing.levels import Problem
from minigan.testing.properties import BEHAVIOUR, CHECKS, properties_of

X = np.linspace(-1.0, 1.5, 6).reshape(2, 3)


@pytest.mark.parametrize("name", [name for name in CHECKS if name != "adjoint"])
def test_no_false_alarm_on_noise(name):
    """The gradient is 0 in exact arithmetic: what is computed is round-off, and not linear.

    So the adjoint test, which is for linear functions, does not apply.
    """
    rng = np.random.default_rng(0)
    problem = Problem(lambda x: mg.softmax(x).sum(), [rng.normal(size=(3, 4))])
    CHECKS[name](problem)  # raises what it would alarm with


@pytest.mark.parametrize(
    ("fn", "options", "extra"),
    [
        (mg.exp, {}, ["sizes"]),
        (mg.exp, {"order": 2}, ["symmetry", "sizes"]),
        (mg.negative, {}, ["adjoint", "sizes"]),
        (mg.negative, {"linear": False}, ["sizes"]),
        (lambda x: x * 2.0, {}, []),
        (lambda x: x * 2.0, {"linear": True}, ["adjoint"]),
    ],
)
def test_what_applies_is_checked_by_itself(fn, options, extra):
    assert gradcheck(fn, [X], **options).properties == (*BEHAVIOUR, *extra)


def test_what_is_named_is_checked_whatever_applies():
    assert gradcheck(mg.exp, [X], properties=["symmetry", "purity"]).properties == (
        "purity",
        "symmetry",
    )
    assert gradcheck(mg.exp, [X], properties=False).properties == ()
    assert gradcheck(lambda x: x * 2.0, [X], properties=(), linear=True).properties == ("adjoint",)


def test_a_name_that_is_no_property_is_refused():
    with pytest.raises(ValueError, match="no property named 'size': there are purity, .*, sizes"):
        properties_of(Problem(mg.exp, [X]), asked=["purity", "size"], linear=None)
    with pytest.raises(ValueError, match="no property named 'strides'"):
        gradcheck(mg.exp, [X], properties=["strides"])
