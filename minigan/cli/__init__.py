"""Floor 8: the command line. `minigan --help` lists the commands.

    app.py       the way in: every expected problem becomes one line and an exit code
    train.py     minigan train, resume, sample, evaluate
    translate.py minigan translate
    runs.py      minigan recipes, runs
    report.py    minigan report
    lecture.py   minigan lecture
    check.py     minigan gradcheck, info
    bench.py     minigan bench
    options.py   command-line options made from the fields of `train/config/`
    tables.py    what is printed as a table

Exit codes: 0 done, 1 failed (one line says why), 2 wrong usage, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

# What the commands import besides NumPy: module name -> the name it is installed by.
_EXTRA = {
    "PIL": "pillow",
    "latex2mathml": "latex2mathml",
    "markdown_it": "markdown-it-py",
    "matplotlib": "matplotlib",
    "mdit_py_plugins": "mdit-py-plugins",
    "pygments": "pygments",
    "rich": "rich",
    "safetensors": "safetensors",
    "sklearn": "scikit-learn",
    "threadpoolctl": "threadpoolctl",
    "tomli_w": "tomli-w",
    "typer": "typer",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit; `arguments` default to those of the process."""
    _open_output()
    code = _written_out(run(sys.argv[1:] if arguments is None else arguments))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is said: a late Ctrl-C has nothing to stop
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    try:
        from minigan.cli.app import dispatch

        return dispatch(list(arguments))
    except ModuleNotFoundError as error:
        package = _EXTRA.get((error.name or "").partition(".")[0])
        if package is None:
            raise
        everything = 'pip install -e ".[train]"'
        remedy = f"pip install {package}; in a checkout {everything} brings all there is"
        print(f"minigan: {package} is missing: {remedy}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # while the command was still being imported
        print("minigan: interrupted", file=sys.stderr)
        return 130


def _open_output() -> None:
    """Make the standard streams such that writing to them does not fail for trivial reasons."""
    if sys.stdout is None:  # closed, as by `>&-`
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.stdout.reconfigure(errors="replace")  # a terminal without Unicode must not end the work


def _written_out(code: int) -> int:
    """Write what is still buffered, and return the exit code: 1 if that fails."""
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python tries once more
        if code == 0:
            print(f"minigan: standard output: {error.strerror}", file=sys.stderr)
        return code or 1
    return code
