"""The examples of a checkout: found by their numbers, run one at a time, their output kept."""

from __future__ import annotations

import ast
import difflib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import minigan
from minigan.train.errors import TrainError

_HOUSE = Path(minigan.__file__).parents[1]  # in a checkout, the folder with examples/
_NUMBERED = re.compile(r"(\d\d)_\w+\.py")
_ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


class LectureError(TrainError):
    """The examples or the theory are not there, or not in their form."""


@dataclass(frozen=True)
class Example:
    """A program of the folder: its number ("03") and path, its docstring, and what follows it."""

    number: str
    path: Path
    title: str
    prose: str
    program: str

    @property
    def name(self) -> str:
        return self.path.stem


@dataclass(frozen=True)
class Run:
    """What came of an example: what it printed, its pictures as PNG bytes, an error or ""."""

    example: Example
    output: str
    pictures: tuple[bytes, ...]
    error: str
    seconds: float


def find_folder(given: Path | None = None) -> Path:
    """Return the folder of the examples: the given one, the checkout's, or that of where we are."""
    places = [given] if given else [_HOUSE / "examples", Path("examples")]
    for place in places:
        if any(_NUMBERED.fullmatch(path.name) for path in place.glob("*.py")):
            return place
    raise LectureError(
        f"no examples in {places[-1].absolute()}: they come with a checkout of minigan and not "
        "with the installed package; run this in one, or name their folder with --examples"
    )


def find_examples(folder: Path) -> list[Example]:
    """Return the programs NN_*.py of a folder in order; `LectureError` for one without prose."""
    paths = sorted(path for path in folder.glob("*.py") if _NUMBERED.fullmatch(path.name))
    return [_read(path) for path in paths]


def choose(examples: Sequence[Example], name: str) -> Example:
    """Return the example of a name: its number, or its file's name with or without the number.

    `LectureError` with the nearest names where there is none.
    """
    known = {key: e for e in examples for key in (e.number, e.name, e.name[3:], e.path.name)}
    wanted = name.zfill(2) if name.isdigit() else name
    if wanted not in known:
        near = difflib.get_close_matches(wanted, known, n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]}?" if near else ""
        names = ", ".join(e.name for e in examples)
        raise LectureError(f"no example is called {name!r}: use one of {names}{hint}")
    return known[wanted]


def run(example: Example, *, smoke: bool = False) -> Run:
    """Run an example in a process of its own, as a reader would, and keep what it leaves."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, str(example.path.absolute()), "--out", out]
        done = subprocess.run(
            command + ["--smoke"] * smoke,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
        )
        pictures = tuple(path.read_bytes() for path in sorted(Path(out).glob("*.png")))
    return Run(
        example,
        output=_without_paths(done.stdout),
        pictures=pictures,
        error=_error(done),
        seconds=time.perf_counter() - started,
    )


def _read(path: Path) -> Example:
    source, number = path.read_text(encoding="utf-8"), path.name[:2]
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise LectureError(f"{path}, line {error.lineno}: {error.msg}") from None
    title, _, prose = (ast.get_docstring(tree) or "").partition("\n")
    if not title.startswith(f"{number}. "):
        raise LectureError(f'{path} must open with the prose "{number}. Title ..."')
    program = "\n".join(source.splitlines()[tree.body[0].end_lineno :])
    return Example(number, path, title[4:].rstrip("."), prose.strip(), program.strip("\n"))


def _environment() -> dict[str, str]:
    """Return an environment with this minigan, no display, UTF-8, and one thread unless set."""
    path = os.pathsep.join(filter(None, [str(_HOUSE), os.environ.get("PYTHONPATH")]))
    fixed = {"PYTHONPATH": path, "MPLBACKEND": "Agg", "PYTHONUTF8": "1"}
    return {**dict.fromkeys(_ONE_THREAD, "1"), **os.environ, **fixed}


def _without_paths(output: str) -> str:
    """Leave out the lines that say where a picture is: the page shows it."""
    lines = (line.rstrip() for line in output.splitlines() if not line.startswith("picture: "))
    return "\n".join(lines).strip("\n")


def _error(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode == 0:
        return ""
    return done.stderr.strip() or f"it ended with exit code {done.returncode} and said nothing"
