"""The sweep: rows, names, failures."""

import numpy as np
import pytest

import minigan as mg
from minigan.testing import InconclusiveError, median_error, run_sweep, sweep
from minigan.testing.cases import case
from minigan.testing.draw import normal


def test_rows_come_in_the_order_asked_for_and_are_reported():
    seen = []
    rows = run_sweep(["tanh", "add"], order=1, progress=seen.append)
    assert [row.op for row in rows] == ["tanh", "add"]
    assert rows == seen
    for row in rows:
        assert row.passed
        assert row.verdict == "pass"
        assert row.orders == "1"
        assert row.method == "complex"
        assert row.cases >= 4
        assert row.seconds > 0
        assert row.message == ""
    assert median_error(rows) < 1e-12


@pytest.mark.parametrize(
    ("name", "near"), [("tnah", "tanh"), ("conv2", "conv2d"), ("batchnorm", "batch_norm")]
)
def test_unknown_name_suggests_near_ones(name, near):
    with pytest.raises(ValueError, match=rf"no op named '{name}': did you mean .*{near}") as caught:
        run_sweep([name])
    assert "\n" not in str(caught.value)


def test_name_like_nothing_points_to_the_table():
    with pytest.raises(ValueError, match="see `minigan gradcheck`"):
        run_sweep(["zzzzzz"])


def test_a_zero_gradient_is_told_apart():
    [row] = run_sweep(["sign"], order=1)
    assert row.verdict == "zero"
    assert row.passed
    assert np.isnan(median_error([row]))


def wrong(x):
    return x * 2.0 - x.detach()


def crashing(x):
    raise RuntimeError("no luck")


@pytest.mark.parametrize(
    ("fn", "verdict", "words"),
    [
        (wrong, "FAIL", "the first derivative"),
        (crashing, "FAIL", "RuntimeError: no luck"),
        (lambda x: mg.sign(x), "inconclusive", "zero on both sides"),
    ],
)
def test_failures_are_rows(fn, verdict, words):
    broken = case(fn, normal(2, 3), check={"method": "five_point"})
    row = sweep.run_op("op", [case(mg.exp, normal(2)), broken])
    assert row.verdict == verdict
    assert not row.passed
    assert np.isnan(row.relative_error)
    assert words in row.message
    assert broken.label in row.message


def test_run_case_raises_what_the_check_raises():
    with pytest.raises(InconclusiveError):
        sweep.run_case(case(mg.sign, normal(2, 3)))


def test_float32_sweep():
    [row] = run_sweep(["softmax"], dtype="float32")
    assert row.passed
    assert 1e-9 < row.relative_error < 1e-4
