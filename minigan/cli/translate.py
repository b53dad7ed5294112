"""minigan translate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from minigan.cli.train import AtOption, RunArgument
from minigan.train.run_folder import RunFolder
from minigan.train.threads import blas_threads
from minigan.train.translate import (
    DIRECTIONS,
    LONGEST,
    Job,
    jobs_of,
    translate_files,
    translator_of,
)

Direction = StrEnum("Direction", {name: name for name in DIRECTIONS})


def translate(
    run: RunArgument,
    source: Annotated[
        Path,
        typer.Argument(metavar="IN", help="A PNG, JPEG or WebP picture, or a folder of them."),
    ],
    target: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="A file that ends in .png; of a folder, a folder."),
    ],
    direction: Annotated[
        Direction, typer.Option("--direction", help="From the run's domain A to B, or back.")
    ],
    size: Annotated[
        int | None,
        typer.Option(
            "--size", min=1, max=LONGEST, help="Resize to this longer side first [default: keep]."
        ),
    ] = None,
    at: AtOption = "last",
) -> None:
    """Translate pictures by a run's generator, at their own size; what is no picture is skipped."""
    from minigan.train import loop  # with what draws, which is slow to import

    folder = RunFolder.open(run)
    jobs = jobs_of(source, target)
    sampler, config, step = loop.load_generator(folder, at=at, tell=print)
    generator = translator_of(sampler, direction)
    with blas_threads(config.threads):
        count = translate_files(generator, jobs, size=size, watch=_watched)
    pictures = "1 picture" if count == 1 else f"{count:,} pictures"
    print(f"{target}: {pictures} of {source}, {direction} by the generator of step {step}")


def _watched(jobs: Sequence[Job]) -> Iterable[Job]:
    """Show a bar that passes while a folder is translated, where a terminal can show one."""
    console = Console()
    hidden = len(jobs) == 1 or not console.is_interactive
    return track(jobs, "translating", console=console, transient=True, disable=hidden)
