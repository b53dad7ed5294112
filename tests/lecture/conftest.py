"""Examples and a chapter that are made for the tests."""

import pytest

GOOD = '''"""01. Sums and <tags>.

The *sum* of two numbers, a < b:

    a + b

Run it with `python examples/01_sums.py`.
"""

import argparse
import os
from pathlib import Path

import numpy as np
from PIL import Image

parser = argparse.ArgumentParser()
parser.add_argument("--out", type=Path)
parser.add_argument("--smoke", action="store_true")
options = parser.parse_args()
print("1 + 1 = 2 & 1 < 2", "smoke" if options.smoke else "in full", os.environ["MPLBACKEND"])
print("ä ‖")
picture = options.out / "01_sums.png"
Image.fromarray(np.full((3, 700), 200, np.uint8)).save(picture)
print(f"picture: {picture}")
'''

BAD = '''"""02. A program that fails.

It prints 1.0 and then divides by zero.
"""

print(1.0)
1 / 0
'''

THEORY = """# 1. Sums

Of $a < b$, in a line so long that a phone must scroll it:

$$\\sum_{i=1}^{n} a_i = a_1 + a_2 + a_3 + a_4 + a_5 + a_6 + a_7 + a_8 + a_9 + a_{10}$$

[Example 01](../01_sums.py)

| sum | formula |
|---|---|
| of two, which has a name so long that the table is wide | $\\mathbb{E}_P \\max(0, 1 - s)$ |

Then <b>this</b>.
"""


@pytest.fixture
def folder(tmp_path):
    """A folder of examples: one that works, one that fails, and a chapter about the first."""
    folder = tmp_path / "examples"
    (folder / "lecture").mkdir(parents=True)
    (folder / "01_sums.py").write_text(GOOD, encoding="utf-8")
    (folder / "02_fails.py").write_text(BAD, encoding="utf-8")
    (folder / "helper.py").write_text("not an example")
    (folder / "lecture" / "1_sums.md").write_text(THEORY, encoding="utf-8")
    return folder
