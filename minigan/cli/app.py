"""The typer application, and how an exception becomes one line and an exit code."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from minigan import __version__
from minigan.cli import bench, check, lecture, report, runs, train, translate
from minigan.data import DataError, SkippedFiles
from minigan.errors import DeviceError
from minigan.train.errors import Stopped, TrainError

# typer keeps its copy of click in a private place, older versions use click itself.
_UsageProblem = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")

_STOPPED = 130  # 128 + SIGINT: what shells report after Ctrl-C

app = typer.Typer(
    name="minigan",
    help="A reverse-mode autodiff mini-framework, and the GAN family on top of it.",
    add_completion=False,
    rich_markup_mode=None,
)
app.command()(train.train)
app.command()(train.resume)
app.command()(train.sample)
app.command()(translate.translate)
app.command()(train.evaluate)
app.command()(report.report)
app.command()(runs.recipes)
app.command()(runs.runs)
app.command()(lecture.lecture)
app.command()(check.gradcheck)
app.command()(check.info)
app.command()(bench.bench)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print(f"minigan {__version__}")
    elif context.invoked_subcommand is None:
        print(context.get_help())


def dispatch(arguments: list[str]) -> int:
    """Run one command: 0, or after one line on stderr 1 (failed), 2 (usage), 130 (Ctrl-C)."""
    try:
        with _skipped_files_in_one_line():
            code = app(arguments, prog_name="minigan", standalone_mode=False, obj=arguments) or 0
    except _UsageProblem as problem:  # "No such option" and the like
        text = " ".join(problem.format_message().split())  # choices come on lines of their own
        return _fail(text, code=problem.exit_code)
    except Stopped as problem:
        return _fail(str(problem), code=_STOPPED)
    except (TrainError, DeviceError, DataError) as problem:
        return _fail(str(problem))
    except OSError as problem:  # every file is named; only the standard output has no name
        where = problem.filename or "standard output"
        return _fail(f"{where}: {problem.strerror or problem}")
    except MemoryError:
        return _fail("out of memory: use a smaller --width, --batch-size or grid")
    except (KeyboardInterrupt, typer.Abort):
        code = _STOPPED
    # typer turns Ctrl-C into an exception or into this code, depending on its version.
    return _fail("interrupted", code=code) if code == _STOPPED else code


@contextmanager
def _skipped_files_in_one_line() -> Iterator[None]:
    """Say once, and as everything else is said, which files were left out.

    Python's own form names a line of the source; a dataset that is opened again would be told of
    again. All other warnings are shown as before.
    """
    told: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *place: Any) -> None:
        if not issubclass(category, SkippedFiles):
            former(message, category, *place)
        elif str(message) not in told:
            told.add(str(message))
            print(f"minigan: {message}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("always", SkippedFiles)
        former, warnings.showwarning = warnings.showwarning, show
        yield


def _fail(text: str, *, code: int = 1) -> int:
    print(f"minigan: {text}", file=sys.stderr)
    return code
