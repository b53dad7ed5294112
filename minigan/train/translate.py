"""Pictures translated by a run's generator: a file, or all of a folder, each at its own size.

The generators of translations are convolutional throughout, so what has learned from small squares
translates a picture of any size. Where a side is not even as often as the network halves it, the
picture is continued by reflection beyond its right and lower edges, and the translation cut back.
Nothing is scaled unless asked for; what a network makes of sizes far from those it has seen is
another question.

Of a folder one picture is in memory at a time. A file that gives none is left out, counted and
named by a `SkippedFiles` warning, as in `minigan.data.folders`.

Letters: H, W rows and columns of a picture, C channels it is read in, C' of its translation.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from minigan.data import DataError, Skipped, SkippedFiles, from_bytes
from minigan.data.decode import Unusable, fit_picture, read_picture, require_pillow
from minigan.data.errors import listed
from minigan.models import UNetGenerator
from minigan.nn import Module
from minigan.train.errors import ConfigError, RunError
from minigan.train.files import write_atomic
from minigan.translation_measures import as_map

if TYPE_CHECKING:
    from PIL.Image import Image

DIRECTIONS = {"a2b": "ab", "b2a": "ba"}  # to the part of a translation's sampler
LONGEST = 4096  # pixels of a side: memory and time grow with the area

_LEAST = 4  # pixels of a side that a `ResNetGenerator` can reflect at its edges


class Job(NamedTuple):
    """A file to be read, and the PNG file that its translation becomes."""

    source: Path
    target: Path


def translator_of(sampler: Module, direction: str) -> Module:
    """Return the generator of one direction, "a2b" or "b2a", of what a run has learned.

    Raises `ConfigError` for a run that has learned the other direction only, or no translation.
    """
    if direction not in DIRECTIONS:
        raise ConfigError(f"--direction is {direction!r}: must be {' or '.join(DIRECTIONS)}")
    parts = {way: getattr(sampler, part, None) for way, part in DIRECTIONS.items()}
    known = [way for way, generator in parts.items() if generator is not None]
    if not known:
        raise ConfigError(
            f"this run's {type(sampler).__name__} translates no pictures: give the run of a "
            "translation, such as cyclegan"
        )
    if direction not in known:
        raise ConfigError(f"--direction is {direction}: this run has learned {known[0]} alone")
    return parts[direction]


# -- from where to where --------------------------------------------------------------------------


def jobs_of(source: Path, target: Path) -> list[Job]:
    """Return what is to be done for a picture or a folder, before anything is read or written.

    `target` is a file that ends in .png for a picture, a folder for a folder (in which names stay,
    up to the suffix); a picture may also be sent into a folder that is there. Raises for a
    `source` that is not there or is an empty folder, for a place that cannot be written, and
    where a picture would be replaced by its translation, or by another's.
    """
    if not source.exists():
        raise DataError(f"{source}: no such file or folder; expected a picture or a folder")
    jobs = _of_folder(source, target) if source.is_dir() else [_of_file(source, target)]
    if not target.is_dir() and not target.parent.is_dir():
        raise RunError(f"cannot write {target}: {target.parent} is no folder; make it first")
    _refuse_to_overwrite(jobs)
    return jobs


def _of_file(source: Path, target: Path) -> Job:
    if target.is_dir():
        return _into(target, source)
    if target.suffix.lower() != ".png":
        raise ConfigError(f"OUT is {str(target)!r}: must be a file that ends in .png")
    return Job(source, target)


def _of_folder(source: Path, target: Path) -> list[Job]:
    if target.exists() and not target.is_dir():
        raise ConfigError(f"OUT is the file {str(target)!r}: must be a folder, as {source} is one")
    visible = sorted(path for path in source.iterdir() if not path.name.startswith("."))
    jobs = [_into(target, path) for path in visible if not path.is_dir()]
    if not jobs:
        raise DataError(f"{source}: no files; expected PNG, JPEG or WebP pictures")
    return jobs


def _into(folder: Path, source: Path) -> Job:
    return Job(source, folder / f"{source.stem}.png")


def _refuse_to_overwrite(jobs: Sequence[Job]) -> None:
    """Raise where a target is a file that is to be read, by whatever name or link."""
    inputs = {_identity(job.source) for job in jobs if job.source.exists()}
    for _, target in jobs:
        if target.exists() and _identity(target) in inputs:
            raise ConfigError(f"{target} would be overwritten, and is to be read: give another OUT")


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


# -- doing it -------------------------------------------------------------------------------------


def translate_files(
    generator: Module,
    jobs: Sequence[Job],
    *,
    size: int | None = None,
    watch: Callable[[Sequence[Job]], Iterable[Job]] = iter,
) -> int:
    """Translate files, each written whole or not at all; return how many pictures there were.

    `size`: pixels of the longer side, to which pictures are resized first. `watch`: iterates over
    the jobs, and may show how far they are. Files that give no picture are skipped with a
    `SkippedFiles` warning; where none gives one, that is a `DataError`.
    """
    require_pillow(jobs[0].source)
    made: dict[Path, Path] = {}  # target -> source
    skipped: list[Skipped] = []
    for job in watch(jobs):
        try:
            _translate_file(generator, job, size, made)
        except Unusable as reason:
            skipped.append(Skipped(job.source.name, str(reason)))
    _tell(jobs, skipped)
    return len(made)


def _translate_file(generator: Module, job: Job, size: int | None, made: dict[Path, Path]) -> None:
    source, target = job
    picture = read_picture(source, channels=generator.in_channels)
    if target in made:
        raise Unusable(f"would replace the translation of {made[target].name}")
    try:
        pixels = fit_picture(_resized(picture, size), None, "cover")  # (H, W, C)
        translated = translate_pixels(generator, pixels)
    except MemoryError:
        raise Unusable("takes too much memory: give a smaller --size") from None
    target.parent.mkdir(exist_ok=True)
    write_atomic(target, _png(translated))
    made[target] = source


def _tell(jobs: Sequence[Job], skipped: Sequence[Skipped]) -> None:
    """Warn of skipped files, or raise where they are all there were."""
    folder, count = jobs[0].source.parent, len(jobs)
    if len(skipped) == count == 1:
        raise DataError(f"{jobs[0].source}: {skipped[0].reason}")
    if len(skipped) == count:
        raise DataError(f"{folder}: no usable picture among {count:,} files: {listed(skipped)}")
    if skipped:
        text = f"{folder}: skipped {len(skipped):,} of {count:,}: {listed(skipped)}"
        warnings.warn(SkippedFiles(text, skipped), stacklevel=3)


# -- one picture ----------------------------------------------------------------------------------


def translate_pixels(generator: Module, pixels: np.ndarray) -> np.ndarray:
    """Translate a picture's pixels, bytes: (H, W, C) -> (H, W, C')."""
    from minigan.train.pictures import to_bytes  # with what draws, which is slow to import

    height, width, _ = pixels.shape
    image = from_bytes(pixels).transpose(2, 0, 1)  # (H, W, C) -> (C, H, W)
    rows, columns = (_fitting(generator, side) for side in (height, width))
    beyond = ((0, 0), (0, rows - height), (0, columns - width))
    image = np.pad(image, beyond, mode="reflect")  # to sides that the network can halve
    (translated,) = as_map(generator)(image[None])  # (1, C, ., .) -> (1, C', ., .)
    cut = translated[:, :height, :width]  # (C', H, W)
    return to_bytes(cut.transpose(1, 2, 0))  # (H, W, C')


def _fitting(generator: Module, side: int) -> int:
    """Return the least number of pixels >= `side` that a generator takes."""
    if isinstance(generator, UNetGenerator):
        step = least = 1 << generator.depth
    else:
        step = 1 << generator.halvings
        least = max(2 * step, _LEAST)
    return max(least, -(-side // step) * step)


def _resized(picture: Image, size: int | None) -> Image:
    """Return a picture in proportion with a longer side of `size`; None leaves it as it is."""
    from PIL import Image

    longer = max(picture.size)
    if size is not None:
        sides = (max(1, round(side * size / longer)) for side in picture.size)
        return picture.resize(tuple(sides), Image.Resampling.BILINEAR)
    if longer > LONGEST:
        width, height = picture.size
        raise Unusable(f"{width} x {height}, more than {LONGEST:,} pixels a side: give --size")
    return picture


def _png(pixels: np.ndarray) -> bytes:
    """Return pixels (H, W, 1 or 3) as a PNG file's bytes, grey or colour."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(out, format="PNG")
    return out.getvalue()
