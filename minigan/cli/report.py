"""minigan report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from minigan.train.errors import ConfigError
from minigan.train.files import write_text
from minigan.train.run_folder import RunFolder


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A folder made by minigan train.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="The page [default: RUN/report.html].")
    ] = None,
) -> None:
    """Write one web page about a run: options, curves, pictures over time, figures.

    It needs no network, and can be made while the run trains.
    """
    from minigan.train.report.gather import gather  # its libraries are slow to import
    from minigan.train.report.page import build_page

    folder = RunFolder.open(run)
    target = out or folder.path / "report.html"
    if target.suffix.lower() != ".html" or target.is_dir():
        raise ConfigError(f"--out is {str(target)!r}: must be a file that ends in .html")
    gathered = gather(folder)
    page = build_page(gathered)
    write_text(target, page)
    print(f"{target}: {len(page.encode()) / 1e6:.1f} MB, step {gathered.step}")
