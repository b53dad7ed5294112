"""minigan recipes, runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from minigan.cli.tables import print_options, print_recipes, print_runs
from minigan.train.config import CONFIGS
from minigan.train.settings import config_class


def recipes(
    recipe: Annotated[
        str | None, typer.Argument(metavar="[RECIPE]", help="One, to list its options.")
    ] = None,
) -> None:
    """List what can be trained, on what, and how long it takes; or the options of one recipe."""
    if recipe is None:
        print_recipes(Console(), CONFIGS)
    else:
        print_options(Console(), config_class(recipe))


def runs(
    root: Annotated[Path, typer.Argument(metavar="[ROOT]", help="Their folder.")] = Path("runs"),
) -> None:
    """List the runs in a folder: how far they are, whether they are whole, how good."""
    from minigan.train.overview import survey

    found = survey(root)
    if not found:
        print(f"no runs in {root}")
        return
    print_runs(Console(), found)
