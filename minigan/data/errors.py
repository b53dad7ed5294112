"""What can be wrong with data, each told in one line that names the file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

_NAMED = 5  # files that a message names before it goes on with a number


class DataError(ValueError):
    """Data that cannot be used: missing, damaged, dishonest about their size, or of another kind.

    Its text is one line: the path, what was found there, and what is expected.
    """


class Skipped(NamedTuple):
    """A file that was left out, and why."""

    name: str
    reason: str


class SkippedFiles(UserWarning):
    """Some files of a folder were left out; `skipped` names them all, the text the first few."""

    def __init__(self, text: str, skipped: Sequence[Skipped]) -> None:
        super().__init__(text)
        self.skipped = tuple(skipped)


def listed(skipped: Sequence[Skipped]) -> str:
    """Return the first few of the files, with their reasons, and the number of the others.

    >>> listed([Skipped("a.png", "damaged"), Skipped("b.txt", "not an image")])
    'a.png (damaged), b.txt (not an image)'
    """
    named = [f"{name} ({reason})" for name, reason in skipped[:_NAMED]]
    others = len(skipped) - len(named)
    return ", ".join([*named, f"and {others:,} more"] if others else named)
