"""Floor 8: the command line. `minigan --help` lists the commands.

    app.py       the way in: every expected problem becomes one line and an exit code
    train.py     minigan train, sample, evaluate
    check.py     minigan gradcheck, info
    options.py   command-line options made from the fields of `train/config.py`
    tables.py    what is printed as a table

Exit codes: 0 done, 1 failed (one line says why), 2 wrong usage, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

# What the commands import besides NumPy: module name -> the name it is installed by.
_EXTRA = {
    "PIL": "pillow",
    "matplotlib": "matplotlib",
    "rich": "rich",
    "safetensors": "safetensors",
    "sklearn": "scikit-learn",
    "threadpoolctl": "threadpoolctl",
    "tomli_w": "tomli-w",
    "typer": "typer",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit; `arguments` default to those of the process."""
    sys.stdout.reconfigure(errors="replace")  # a terminal without Unicode must not end the work
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    try:
        from minigan.cli.app import dispatch

        return dispatch(list(arguments))
    except ModuleNotFoundError as error:
        package = _EXTRA.get((error.name or "").partition(".")[0])
        if package is None:
            raise
        print(f'minigan: {package} is missing: pip install "minigan[train]"', file=sys.stderr)
        return 1
