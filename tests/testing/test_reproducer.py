"""Reproducers are pasted, and the same failure is seen."""

from __future__ import annotations

import math
import sys
from functools import partial

import numpy as np
import pytest

import minigan as mg
from minigan.testing import GradcheckError, PropertyError, gradcheck
from minigan.testing.reproducer import literal, reproducer

X = np.random.default_rng(0).normal(size=(2, 3))


@mg.op(elementwise=True)
def doubtful(x):
    """|x| with twice its slope."""
    return np.where(x.real < 0, -x, x)


doubtful.vjp(x=lambda g, x: g * 2.0 * mg.sign(x))


@mg.op
def rolled(x, *, shift):
    """A roll whose rule rolls the same way."""
    return np.roll(x, shift)


rolled.vjp(x=lambda g, shift: mg.roll(g, shift, 0))

gain = mg.tensor(np.array([2.0, 3.0, -1.0]), requires_grad=True)


def scaled(x):
    return doubtful(x) * gain


def index_by(x, index):
    return doubtful(x)[index]


def failure(check) -> str:
    with pytest.raises(GradcheckError) as caught:
        check()
    return str(caught.value)


def repeat(message: str, **scope) -> None:
    """Paste the lines a report ends with."""
    exec(pasted(message), scope)


def pasted(message: str) -> str:
    """The lines a report ends with."""
    lines = message.split("reproduce with\n")[1].splitlines()
    return "\n".join(line[4:] for line in lines)


CALLS = {
    "plain": lambda: gradcheck(doubtful, [X]),
    "kinks": lambda: gradcheck(doubtful, [np.array([0.0, 1.0])], kinks=False),
    "five points": lambda: gradcheck(doubtful, [X], method="five_point", order=2, seed=3),
    "projected": lambda: gradcheck(doubtful, [X], full_limit=0, directions=2, properties=False),
    "options of the op": lambda: gradcheck(partial(rolled, shift=1), [np.arange(4.0)]),
    "factor": lambda: gradcheck(mg.tanh, [X], factor=0.0, properties=("purity",)),
    "linear": lambda: gradcheck(mg.square, [X + 3.0], linear=True),
    "dtype": lambda: gradcheck(doubtful, [X], dtype=np.float32),
    "names": lambda: gradcheck(doubtful, [X], names=["height"], zero_ok=["height"]),
    "integers": lambda: gradcheck(index_by, [X, np.array([1, 0, 1])]),
    "large": lambda: gradcheck(doubtful, [np.linspace(-1.0, 2.0, 300)], properties=False),
    "parameters": lambda: gradcheck(scaled, [X], params=[gain]),
    "named parameters": lambda: gradcheck(scaled, [X], params={"gain": gain}),
}


def numberless(message: str) -> str:
    """A report without the numbers, which a stand-in for a large input changes."""
    return "".join(c for c in message.split("reproduce with")[0] if not (c.isdigit() or c in "-.e"))


@pytest.mark.parametrize("name", CALLS)
def test_pasted_lines_fail_in_the_same_way(name):
    message = failure(CALLS[name])
    again = failure(partial(repeat, message))
    if name == "large":
        message, again = numberless(message).splitlines()[0], numberless(again).splitlines()[0]
    assert again == message


def test_a_module_brings_its_parameters(monkeypatch):
    broken = mg.nn.Linear(3, 2)
    broken.forward = lambda x: doubtful(x) @ broken.weight.T
    monkeypatch.setattr(sys.modules["__main__"], "broken", broken, raising=False)
    check = partial(gradcheck, broken, [X], dtype="float64", zero_ok=["bias"], properties=False)
    for params in (dict(broken.named_parameters()), list(broken.parameters())):
        message = failure(partial(check, params=params))
        assert "from __main__ import broken as fn" in message
        assert "fn.named_parameters()" in message or "fn.parameters()" in message
        assert failure(partial(repeat, message)) == message


def test_a_function_of_no_module_goes_by_its_name():
    @mg.op(elementwise=True)
    def local(x):
        return x * 3.0

    local.vjp(x=lambda g: g)
    message = failure(lambda: gradcheck(local, [X]))
    assert "fn = local  # local, line" in message
    assert failure(partial(repeat, message, local=local)) == message
    with pytest.raises(NameError, match="local"):
        repeat(message)


def test_parameters_of_a_closure_are_written_out():
    held = mg.tensor([1.5, 2.0], dtype="float64", requires_grad=True)
    message = failure(lambda: gradcheck(lambda x: doubtful(x) * held, [X[:, :2]], params=[held]))
    scope: dict = {}
    exec(pasted(message).rsplit("\n", 1)[0], scope)
    assert scope["fn"] is ...
    assert "<lambda>, line" in message
    np.testing.assert_array_equal(scope["param_0"].numpy(), [1.5, 2.0])
    assert scope["param_0"].requires_grad
    assert pasted(message).endswith("order=1, seed=0, params=[param_0])")


def test_only_options_that_differ_from_the_defaults_are_printed():
    message = failure(lambda: gradcheck(doubtful, [X], order=1, kinks=True, factor=500.0))
    assert message.endswith("gradcheck(fn, [input_0], order=1, seed=0)")


def test_a_property_can_be_repeated():
    @mg.op(elementwise=True)
    def same(x):
        return x

    same.vjp(x=lambda g: g)
    with pytest.raises(PropertyError) as caught:
        gradcheck(same, [X], properties=["aliasing"])
    assert "properties=['aliasing']" in str(caught.value)
    assert failure(partial(repeat, str(caught.value), same=same)) == str(caught.value)


def test_lines_are_exact():
    lines = reproducer(partial(mg.sum, axis=1), ["x", "n"], [X, 3], order=2, seed=5)
    assert lines.endswith("gradcheck(fn, [input_0, input_1], order=2, seed=5)")
    scope: dict = {}
    exec(lines.rsplit("\n", 1)[0], scope)
    assert scope["fn"].func is mg.sum
    assert scope["fn"].keywords == {"axis": 1}
    np.testing.assert_array_equal(scope["input_0"], X)
    assert scope["input_1"] == 3


@pytest.mark.parametrize(
    "value",
    [
        np.array([[1.5, np.nan], [-np.inf, 0.1]], np.float32), np.array(True), np.zeros((0, 3)),
        np.arange(3), math.inf, -0.0, None, "reflect", (1,), [2, (None, ...)], slice(1, None, 2),
        (slice(0, 2), np.array([0, 1])), True,
    ],
    ids=repr,
)  # fmt: skip
def test_literals_are_read_back(value):
    scope: dict = {}
    exec(f"import numpy as np; back = {literal(value)}", scope)
    np.testing.assert_equal(scope["back"], value)
    if isinstance(value, np.ndarray):
        assert (scope["back"].dtype, scope["back"].shape) == (value.dtype, value.shape)


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
def test_a_large_array_is_stood_in_for(dtype):
    value = (np.linspace(1.0, 5.0, 400).reshape(20, 20)).astype(dtype)
    scope: dict = {}
    exec(f"import numpy as np; back = {literal(value)}", scope)
    back = scope["back"]
    assert (back.dtype, back.shape) == (value.dtype, value.shape)
    assert value.min() <= back.min()
    assert back.max() <= value.max()


def test_a_stand_in_is_called_one():
    lines = reproducer(doubtful, ["x"], [np.zeros((30, 30))])
    assert "# x: random numbers in place of the given ones" in lines


def test_numbers_and_dtypes_of_numpy_become_plain():
    assert literal(np.float64(0.1)) == "0.1"
    assert literal(np.dtype("float32")) == literal(np.float32) == "'float32'"
    assert literal(mg.tensor([1.0])) == "mg.tensor(np.array([1.0], dtype='float32'))"
