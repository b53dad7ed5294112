"""The theory: Markdown files beside the examples, one a chapter, with LaTeX between dollar signs.

A line that is a link to an example, `[Example 03](../03_optimal_discriminator.py)`, is the place
where the page shows it; a reader of the bare file follows the link instead.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from minigan.lecture.examples import LectureError

FOLDER = "lecture"  # inside the folder of the examples

_TITLE = re.compile(r"# (.+)\n")
_PLACE = re.compile(r"^\[[^\]]*\]\(\.\./(\d\d)_\w+\.py\)$", re.MULTILINE)


@dataclass(frozen=True)
class Chapter:
    """A chapter: a title, and parts in order, each ("text", Markdown) or ("example", "03")."""

    title: str
    parts: tuple[tuple[str, str], ...]

    @property
    def numbers(self) -> list[str]:
        """The numbers of its examples, in order."""
        return [content for kind, content in self.parts if kind == "example"]


def read_chapters(examples: Path) -> list[Chapter]:
    """Read the chapters that lie in `lecture/` in the folder of the examples, in order."""
    paths = sorted((examples / FOLDER).glob("*.md"))
    if not paths:
        raise LectureError(f"no theory in {examples / FOLDER}: it comes with the examples")
    return [parse(path.read_text(encoding="utf-8"), str(path)) for path in paths]


def parse(text: str, name: str = "the text") -> Chapter:
    """Take a chapter apart: a title, and texts and examples in turn.

    >>> chapter = parse("# 1. Sums\\n\\nFirst.\\n\\n[Example 02](../02_sums.py)\\n\\nThen.\\n")
    >>> chapter.title, chapter.parts
    ('1. Sums', (('text', 'First.'), ('example', '02'), ('text', 'Then.')))
    """
    title = _TITLE.match(text)
    if title is None:
        raise LectureError(f'{name} must open with a title, "# ..."')
    pieces = _PLACE.split(text[title.end() :])  # text, number, text, number, ..., text
    kinds = ("text", "example")
    parts = ((kinds[i % 2], piece.strip()) for i, piece in enumerate(pieces))
    return Chapter(title[1], tuple((kind, piece) for kind, piece in parts if piece))


def only(chapters: Collection[Chapter], numbers: Collection[str]) -> Iterator[Chapter]:
    """Yield the chapters that have one of these examples; then one with those that none has."""
    placed = {number for chapter in chapters for number in chapter.numbers}
    for chapter in chapters:
        if set(chapter.numbers) & set(numbers):
            yield chapter
    rest = [("example", number) for number in numbers if number not in placed]
    if rest:
        yield Chapter("More examples", tuple(rest))
