"""minigan lecture."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from minigan.lecture.chapters import only, read_chapters
from minigan.lecture.examples import Example, Run, choose, find_examples, find_folder, run
from minigan.train.files import write_text


def lecture(
    name: Annotated[
        str | None,
        typer.Argument(help="One example by number or name, as 03; all.", show_default=False),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="The folder for lecture.html.")] = Path("out"),
    smoke: Annotated[
        bool, typer.Option("--smoke", help="The short form: fewer steps, rougher numbers.")
    ] = False,
    examples: Annotated[
        Path | None, typer.Option("--examples", help="Their folder [default: the checkout's].")
    ] = None,
) -> int:
    """Run the examples and write one web page of theory, numbers and pictures; exit 1 if one fails.

    All of them take some minutes, with --smoke about one.
    """
    from minigan.lecture.page import build_page  # its libraries are of no use to other commands

    folder = find_folder(examples)
    chosen = find_examples(folder)
    if name is not None:
        chosen = [choose(chosen, name)]
    chapters = read_chapters(folder)
    out.mkdir(parents=True, exist_ok=True)
    runs = {r.example.number: r for r in _run_all(chosen, smoke)}
    page = build_page(list(only(chapters, runs)), runs, smoke=smoke)
    path = write_text(out / "lecture.html", page)
    failed = [r for r in runs.values() if r.error]
    for r in failed:
        print(f"{r.example.name}: {r.error.splitlines()[-1]}", file=sys.stderr)
    print(f"done: {path}, {len(page) / 1e6:.1f} MB, {len(runs) - len(failed)} of {len(runs)} ran")
    return 1 if failed else 0


def _run_all(examples: list[Example], smoke: bool) -> list[Run]:
    """Run the examples in turn, and say how each went."""
    console, runs = Console(), []
    with console.status("") as status:
        for n, example in enumerate(examples, 1):
            status.update(f"[{n}/{len(examples)}] {example.name} ...")
            runs.append(run(example, smoke=smoke))
            verdict = "FAILED" if runs[-1].error else f"{runs[-1].seconds:.1f} s"
            console.out(f"{example.name:32} {verdict}", highlight=False)
    return runs
