"""What is seen while a run trains: a live bar in a wide terminal, plain lines anywhere else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

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
_SHORT = {"loss_d": "D", "loss_g": "G", "r1": "R1", "reconstruction": "rec", "kl": "KL"}
_NARROWEST = 70  # columns of a terminal in which the bar still has room


class Throughput:
    """Images a second since the start of this process's part of the run.

    `before`: the seconds that the parts before it took; `makes`: what to call the images.
    """

    def __init__(
        self, first_step: int, images_a_step: int, *, before: float = 0.0, makes: str = "images"
    ) -> None:
        self.first, self.images, self.before, self.makes = first_step, images_a_step, before, makes
        self.start = time.perf_counter()

    def rate(self, step: int) -> float:
        """Return the images a second on average, up to `step`."""
        return (step - self.first) * self.images / max(self.seconds(), 1e-9)

    def seconds(self) -> float:
        """Return the seconds since the start."""
        return time.perf_counter() - self.start

    def total_seconds(self) -> float:
        """Return the seconds of the whole run so far."""
        return self.before + self.seconds()

    def left(self, step: int, total: int) -> float:
        """Return the seconds that the steps up to `total` will take at this rate."""
        return (total - step) * self.seconds() / max(step - self.first, 1)


@contextmanager
def showing(console: Console, clock: Throughput, total: int) -> Iterator[Show]:
    """Yield a function `show(step, losses)` to call after every step of a run of `total` steps."""
    if not console.is_interactive or console.width < _NARROWEST:
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
            progress.update(task, completed=step, text=_text(losses, clock, step))

        yield show


def say(console: Console, line: str) -> None:
    """Print a line of progress, or not: a training is worth more than its display.

    Nobody may be listening any more, as in `minigan train | head -1` (rich makes a `SystemExit` of
    a closed pipe), or the disk of a log file is full.
    """
    with suppress(OSError, SystemExit):
        console.out(line, highlight=False)


def _plain_lines(console: Console, clock: Throughput, total: int) -> Show:
    every = max(1, total // _LINES)

    def show(step: int, losses: Mapping[str, float]) -> None:
        if step % every == 0 or step == total:
            text = _text(losses, clock, step)
            say(console, f"step {step}/{total}  {text}  {clock.left(step, total):.0f} s left")

    return show


def losses_text(losses: Mapping[str, float]) -> str:
    """Return losses as text: "D 1.250  G 0.500"."""
    return "  ".join(f"{_SHORT.get(name, name)} {value:.3f}" for name, value in losses.items())


def _text(losses: Mapping[str, float], clock: Throughput, step: int) -> str:
    return f"{losses_text(losses)}  {clock.rate(step):.0f} {clock.makes}/s"
