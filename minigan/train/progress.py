"""What is seen while a run trains: a live bar in a terminal, plain lines anywhere else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

Show = Callable[[int, Mapping[str, float]], None]

_LINES = 10  # plain lines a run


class Throughput:
    """Images a second since the start of this process's part of the run."""

    def __init__(self, first_step: int, images_a_step: int) -> None:
        self.first, self.images, self.start = first_step, images_a_step, time.perf_counter()

    def rate(self, step: int) -> float:
        """Return the images a second on average, up to `step`."""
        return (step - self.first) * self.images / max(self.seconds(), 1e-9)

    def seconds(self) -> float:
        """Return the seconds since the start."""
        return time.perf_counter() - self.start

    def left(self, step: int, total: int) -> float:
        """Return the seconds that the steps up to `total` will take at this rate."""
        return (total - step) * self.seconds() / max(step - self.first, 1)


@contextmanager
def showing(console: Console, clock: Throughput, total: int) -> Iterator[Show]:
    """Yield a function `show(step, losses)` to call after every step of a run of `total` steps."""
    if not console.is_terminal:
        yield _plain_lines(console, clock, total)
        return
    columns = (
        TextColumn("step"),
        MofNCompleteColumn(),
        BarColumn(),
        TextColumn("{task.fields[text]}"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=total, completed=clock.first, text="")

        def show(step: int, losses: Mapping[str, float]) -> None:
            progress.update(task, completed=step, text=_text(losses, clock.rate(step)))

        yield show


def _plain_lines(console: Console, clock: Throughput, total: int) -> Show:
    every = max(1, total // _LINES)

    def show(step: int, losses: Mapping[str, float]) -> None:
        if step % every == 0 or step == total:
            text = _text(losses, clock.rate(step))
            console.out(f"step {step}/{total}  {text}  {clock.left(step, total):.0f} s left")

    return show


def _text(losses: Mapping[str, float], rate: float) -> str:
    return (
        f"D {losses['loss_d']:.3f}  G {losses['loss_g']:.3f}  R1 {losses['r1']:.3f}  "
        f"{rate:.0f} images/s"
    )
