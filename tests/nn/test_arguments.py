"""Checks of constructor arguments; what layers do with them is in the layers' own tests."""

import numpy as np
import pytest

from minigan.nn.arguments import refuse_inplace, short, whole


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3), np.array(3)])
def test_whole_numbers_become_ints(value):
    number = whole(value, "n")
    assert (number, type(number)) == (3, int)


@pytest.mark.parametrize("value", [3.0, "3", None, np.float32(3), (3,)])
def test_what_is_no_whole_number(value):
    with pytest.raises(TypeError, match="^n=.*: give an int$"):
        whole(value, "n")


def test_bounds():
    with pytest.raises(ValueError, match="^n=0: give an int >= 1$"):
        whole(0, "n")
    assert whole(0, "n", least=0) == 0
    assert whole(-7, "n", least=None) == -7


def test_in_place_and_short_pairs():
    refuse_inplace("ReLU", False)
    with pytest.raises(ValueError, match=r"^ReLU\(inplace=True\): minigan changes no result"):
        refuse_inplace("ReLU", True)
    assert (short((2, 2)), short((2, 3))) == ("2", "(2, 3)")
