"""The detector names the first op that made a NaN, forward, backward and twice backward."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import numpy as np
import pytest

import minigan as mg
from minigan import AnomalyError, nn


def line_of(function, offset):
    """Return "file:line" of the line `offset` lines below a function's head."""
    return f"{__file__}:{inspect.getsourcelines(function)[1] + offset}"


def test_nothing_is_raised_and_nothing_changed_where_all_is_finite():
    x = mg.tensor([[1.0, 2.0]], requires_grad=True)
    with mg.detect_anomaly():
        inside = mg.grad(mg.log(x).sum(), x)[0]
    np.testing.assert_array_equal(inside.numpy(), mg.grad(mg.log(x).sum(), x)[0].numpy())


def test_a_forward_op_is_named_with_its_line_and_the_first_value():
    def compute():
        mg.sqrt(mg.tensor([[1.0, 4.0], [-1.0, -2.0]])).sum()

    with pytest.raises(AnomalyError) as caught, mg.detect_anomaly():
        compute()
    text, place = str(caught.value), line_of(compute, 1)
    assert f"sqrt, called at {place}, made 2 nan values of 4 (the first at [1, 0])" in text
    assert text.endswith("finite arguments of shapes (2, 2) went into sqrt")


def test_a_program_beside_the_package_is_not_taken_for_a_part_of_it():
    path = f"{Path(mg.__file__).parent}_play/script.py"
    program = compile("mg.sqrt(mg.tensor([-1.0]))", path, "exec")
    with pytest.raises(AnomalyError, match=f"called at {re.escape(path)}:1,"), mg.detect_anomaly():
        exec(program)


def test_the_op_that_passes_a_nan_on_is_not_blamed():
    x = mg.tensor([1.0, float("nan")])
    with (
        pytest.raises(AnomalyError, match="argument 'a' of add had a NaN when it was given"),
        mg.detect_anomaly(),
    ):
        x + 1.0


def test_a_derivative_is_named_with_the_line_of_its_op():
    x = mg.tensor([1.0, 0.0], requires_grad=True)

    def compute():
        y = mg.sqrt(x)
        (y * 3.0).sum().backward()

    with pytest.raises(AnomalyError) as caught, mg.detect_anomaly():
        compute()
    place = line_of(compute, 1)
    assert f"the derivative of sqrt(x), called at {place}, made 1 inf" in str(caught.value)
    assert x.grad is None


def test_what_was_recorded_before_the_block_has_no_line():
    x = mg.tensor([0.0], requires_grad=True)
    y = mg.sqrt(x).sum()
    with (
        pytest.raises(AnomalyError, match=r"derivative of sqrt\(x\), called at a place before"),
        mg.detect_anomaly(),
    ):
        y.backward()


def test_the_second_derivative_is_looked_at():
    x = mg.tensor([0.0], requires_grad=True)
    with mg.detect_anomaly():
        (g,) = mg.grad((x**1.5).sum(), x, create_graph=True)  # 1.5 x^0.5, finite at 0
        with pytest.raises(AnomalyError, match="the derivative of pow"):
            mg.grad(g.sum(), x)


def test_fused_ops_are_looked_at_forward_and_backward():
    norm, huge = nn.LayerNorm(2, elementwise_affine=False), mg.full((1, 2), 3e38)
    with pytest.raises(AnomalyError, match="^normalize, called"), mg.detect_anomaly():
        norm(huge)  # the sum overflows
    x = mg.tensor([[1.0, 1.001]], requires_grad=True)
    with pytest.raises(AnomalyError, match="^the derivative of normalize"), mg.detect_anomaly():
        norm(x).backward(huge * mg.tensor([1.0, -1.0]))


def test_an_infinity_among_the_arguments_may_pass():
    mask = mg.tensor([0.0, -np.inf])
    with mg.detect_anomaly():
        assert mg.exp(mask + 1.0).numpy()[1] == 0
        with pytest.raises(AnomalyError, match="argument 'a' of multiply had an infinity"):
            mask * 0.0


def test_a_result_without_axes_is_looked_at():
    with (
        pytest.raises(AnomalyError, match=r"^multiply.* made 1 nan value of 1; argument 'b'"),
        mg.detect_anomaly(),
    ):
        mg.tensor(1.0) * float("nan")


def test_infinities_can_be_allowed():
    x = mg.tensor([1000.0])
    with mg.detect_anomaly(infinite=False):
        assert mg.exp(x).item() == np.inf
    with (
        pytest.raises(AnomalyError, match=r"exp.* made 1 infinite value of 1"),
        mg.detect_anomaly(),
    ):
        mg.exp(x)


def test_it_ends_with_the_block_also_after_an_error():
    x = mg.tensor([-1.0])
    with pytest.raises(AnomalyError), mg.detect_anomaly():
        mg.log(x)
    with np.errstate(invalid="ignore"):
        assert np.isnan(mg.log(x).item())


def test_blocks_on_several_threads_are_one_result():
    x = mg.ones(1 << 18)
    x.numpy()[12345] = -1.0
    with (
        pytest.raises(AnomalyError, match=r"made 1 nan value of 262144 \(the first at \[12345\]\)"),
        mg.detect_anomaly(),
    ):
        mg.sqrt(x)
