"""samples/*.png as films: one picture for each step, a series for each name; and still pictures.

    step-000100.png           the film "step": samples over time
    triples-000100.png        the film "triples": real, translated, back
    triples-a2b-000100.png    the film "triples-a2b"
    reals.png                 a still

Every picture is decoded before it is shown, so a broken one is named and left out, and no image
larger than 40 million pixels is ever decoded. A picture that fits its share of the page is shown
byte for byte, another as a smaller JPEG.
"""

from __future__ import annotations

import io
import os
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from minigan.train.report.history import LARGEST_STEP
from minigan.train.webpage import data_uri

MOST_FRAMES = 40  # of a film
BUDGET = 5_000_000  # bytes of all pictures together, before base64 makes 4 of every 3

_MOST_FILMS, _MOST_STILLS = 6, 12
_LARGEST_FILE = 50_000_000  # bytes
_MOST_PIXELS, _LONGEST_SIDE = 40_000_000, 16_384
_SMALLER_SIDES = (2048, 1448, 1024, 724, 512, 362, 256, 128, 64)  # pixels
_NUMBERED = re.compile(r"(.+)-(\d{1,12})\.png")
_NOT_SHOWN = frozenset(("latest.png",))  # the last frame once more

# What Pillow raises for files that are no PNG, are cut short, or claim what they do not hold.
_UNREADABLE = (OSError, SyntaxError, ValueError, OverflowError, Image.DecompressionBombError,
               Image.DecompressionBombWarning)  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """A picture inside the page: where it comes from, its address, its size in pixels."""

    file: str
    uri: str
    width: int
    height: int
    smaller: bool = False  # than the file


@dataclass(frozen=True)
class Film:
    """Pictures over the steps, in order; `found`: how many files there are."""

    name: str
    frames: tuple[tuple[int, Picture], ...]
    found: int


@dataclass
class Album:
    """All pictures of a run: `films` and `stills` by name; `problems`: one line a bad file."""

    films: dict[str, Film] = field(default_factory=dict)
    stills: dict[str, Picture] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def read_album(folder: Path) -> Album:
    """Read the pictures of a folder, as many of them as a page can hold."""
    numbered, others = _listed(folder)
    album = Album()
    _say_what_is_left_out(album, numbered, others)
    chosen = {name: evenly(films, MOST_FRAMES) for name, films in _first(numbered, _MOST_FILMS)}
    stills = others[:_MOST_STILLS]
    paths = [path for film in chosen.values() for _, path in film] + stills
    limit = fair_share([_size(path) for path in paths], BUDGET)
    for name, film in chosen.items():
        frames = [(step, p) for step, path in film if (p := _read(path, limit, album))]
        if frames:
            album.films[name] = Film(name, tuple(frames), len(numbered[name]))
    album.stills = {path.stem: p for path in stills if (p := _read(path, limit, album))}
    return album


def evenly(items: Sequence, most: int) -> list:
    """Return at most `most` items, evenly spaced, the first and the last among them.

    >>> evenly(range(101), 5)
    [0, 25, 50, 75, 100]
    """
    if len(items) <= most:
        return list(items)
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]


def fair_share(sizes: Sequence[int], budget: int) -> int:
    """Return the largest limit for which the sizes, each cut to it, fit into the budget together.

    >>> fair_share([10, 50, 90], 100)  # 10 + 45 + 45
    45
    >>> fair_share([10, 20], 100)
    100
    """
    left = budget
    for i, size in enumerate(sorted(sizes)):
        share = left // (len(sizes) - i)
        if size > share:
            return share
        left -= size
    return budget


def _listed(folder: Path) -> tuple[dict[str, list[tuple[int, Path]]], list[Path]]:
    """Return ({film: its (step, path) in order}, the other PNG files), both sorted by name."""
    numbered: dict[str, list[tuple[int, Path]]] = {}
    others = []
    for path in sorted(folder.glob("*.png")) if folder.is_dir() else ():
        match = _NUMBERED.fullmatch(path.name)
        if match and int(match[2]) <= LARGEST_STEP:
            numbered.setdefault(match[1], []).append((int(match[2]), path))
        elif path.name not in _NOT_SHOWN and not path.name.startswith("."):
            others.append(path)
    return {name: sorted(film) for name, film in numbered.items()}, others


def _first(films: dict[str, list], count: int) -> list[tuple[str, list]]:
    """Return the first films, the samples ahead of all others."""
    return sorted(films.items(), key=lambda pair: (pair[0] != "step", pair[0]))[:count]


def _say_what_is_left_out(album: Album, films: dict[str, list], stills: list[Path]) -> None:
    for what, found, most in (("series", films, _MOST_FILMS), ("pictures", stills, _MOST_STILLS)):
        if len(found) > most:
            album.problems.append(f"{len(found)} {what} in samples/: {most} of them are shown")


def _size(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _read(path: Path, limit: int, album: Album) -> Picture | None:
    """Return a file as a picture of at most `limit` bytes; note why where that cannot be done."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _checked(path, limit)
    except _UNREADABLE as error:
        reason = str(error) if isinstance(error, _Refused) else "not a PNG that can be read"
        album.problems.append(f"{path.name}: {reason}")
        return None


class _Refused(ValueError):
    """A file that is not even opened, or not decoded."""


def _checked(path: Path, limit: int) -> Picture:
    if not path.is_file() or _size(path) > _LARGEST_FILE:  # a pipe would make us wait
        raise _Refused("not a file of at most 50 MB")
    with open(path, "rb") as file:
        data = file.read(_LARGEST_FILE)
    with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
        width, height = image.size
        if width * height > _MOST_PIXELS or max(width, height) > _LONGEST_SIDE:
            raise _Refused(f"{width} x {height} pixels are too many")
        image.load()
        if len(data) <= limit:
            return Picture(path.name, data_uri(data), width, height)
        return _smaller(path.name, image, limit)


def _smaller(name: str, image: Image.Image, limit: int) -> Picture:
    """Return a picture as a JPEG, reduced until it fits."""
    image = image.convert("RGB")
    for side in _SMALLER_SIDES:
        image.thumbnail((side, side))
        out = io.BytesIO()
        image.save(out, format="JPEG", quality=85)
        if out.tell() <= limit:
            break
    return Picture(name, data_uri(out.getvalue(), "image/jpeg"), *image.size, smaller=True)
