"""Guesses from the mark a mistake leaves on a Jacobian, and the report that prints them."""

import numpy as np
import pytest

from minigan.testing.report import Mismatch, entry, hints

rng = np.random.default_rng(0)
JACOBIAN = rng.normal(size=(4, 3, 4, 3))  # out + arg
SHAPES = ((4, 3), (4, 3))


def first(analytic, numeric=JACOBIAN, out=(4, 3), arg=(4, 3)):
    return hints(analytic, numeric, out, arg)[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda j: -j, "sign: the analytic derivative is minus"),
        (lambda j: 1.001 * j, "constant factor: every entry is 1.001 times"),
        (lambda j: -1.1 * j, "sign and constant factor"),
        (lambda j: 12 * j, "mean against sum: the ratio is 12, 12 entries"),
        (lambda j: j / 3, "mean against sum: the ratio is 1/3"),
        (lambda j: 0 * j, "zero"),
        (lambda j: j + 1e-8, "precision"),
        (lambda j: j + np.nan, "not finite"),
        (lambda j: j.swapaxes(1, 3), "transposed"),
        (lambda j: j[:, :, ::-1], "flipped"),
        (lambda j: j[..., ::-1, ::-1], "flipped"),
        (lambda j: abs(j), "some entries have the wrong sign"),
        (lambda j: np.where(j > 1, 2 * j, j), "the wrong entries are 2 times"),
        (lambda j: np.where(j > 1, j**2, j), "no simple pattern"),
    ],
)
def test_guess(change, words):
    assert words in first(change(JACOBIAN))


def test_guess_of_a_missing_sum():
    jacobian = rng.normal(size=(5, 3, 3))
    assert "missing sum over broadcast axes: (3,) was stretched to (5, 3)" in first(
        jacobian * rng.normal(size=(5, 1, 1)), jacobian, (5, 3), (3,)
    )


def test_guess_of_padding():
    jacobian = rng.normal(size=(2, 5, 5))
    wrong = jacobian.copy()
    wrong[:, 0] += 1
    assert first(wrong, jacobian, (2,), (5, 5)).startswith("padding")


def test_mismatch_prints_every_part():
    text = str(Mismatch("f", 2, "x", "d out[0] / d x[1]", 1.5, 0.5, "complex", 1e-16, 1, 9,
                        ("a guess",), "gradcheck(f)"))  # fmt: skip
    for part in ("f: the second derivative", "'x'", "d out[0] / d x[1]", "1.5", "0.5", "complex",
                 "ratio     3", "1 of 9", "a guess", "gradcheck(f)"):  # fmt: skip
        assert part in text


def test_ratio_to_zero_is_infinite():
    assert Mismatch("f", 1, "x", "", 1.0, 0.0, "", 0, 1, 1, (), "").ratio == np.inf


def test_entry():
    assert entry("x", (1, 2)) == "x[1, 2]"
    assert entry("x", ()) == "x"
