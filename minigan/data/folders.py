"""Folders of pictures: one collection, classes by subfolder, two domains, or pairs.

A file that gives no picture of the right size is left out, and a `SkippedFiles` warning counts and
names such files; where nothing is left, that is a `DataError`. The order is that of the names, so
a folder is the same dataset on every machine.

Letters: N pictures, H, W, C channels.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minigan.data.decode import (
    SUFFIXES,
    Fit,
    Unusable,
    check_options,
    fit_picture,
    read_picture,
    require_pillow,
)
from minigan.data.digits import Dataset
from minigan.data.errors import DataError, Skipped, SkippedFiles, listed
from minigan.data.pixels import from_bytes

MOST_MEMORY = 8 << 30  # bytes of a dataset once it is float32

Views = tuple[np.ndarray, ...]  # what one file, or one pair, gives: arrays (H, W, C), bytes


class DatasetPair(NamedTuple):
    """Two collections, a and b: of equal length and paired one by one, or unpaired."""

    a: Dataset
    b: Dataset


class Item(NamedTuple):
    """What is read, or skipped, as one: its name in messages, and its files."""

    name: str
    files: tuple[Path, ...]


# -- the kinds of folders -------------------------------------------------------------------------


def load_folder(
    folder: str | Path, *, size: int | None = None, channels: int = 3, fit: Fit = "cover"
) -> Dataset:
    """Load the PNG, JPEG and WebP pictures of a folder: (N, channels, size, size).

    Pictures that lie in the folder itself are one class, label 0; where there are none, each
    subfolder is a class, numbered in the order of their names. `size`: what they are resized to,
    "cover" by the square in their middle or "stretch" out of proportion; None keeps the size that
    most of them have and skips the others. Needs Pillow.
    """
    read = _reader(folder, size, channels, fit)
    classes = _classes(Path(folder))
    items = [Item(_relative(p, folder), (p,)) for files in classes for p in files]
    labels = np.repeat(np.arange(len(classes)), [len(files) for files in classes])
    kept, (pixels,) = _read_all(folder, items, lambda item: (read(item.files[0]),))
    return Dataset(_as_images(pixels), labels[kept].astype(np.int64))


def load_unpaired(
    root: str | Path,
    part: str = "train",
    *,
    size: int | None = None,
    channels: int = 3,
    fit: Fit = "cover",
) -> DatasetPair:
    """Load two domains from the folders `trainA` and `trainB` of `root`; part "test": `testA` ...

    The layout of CycleGAN's datasets (Zhu et al. 2017, arXiv:1703.10593); options as in
    `load_folder`. All labels are 0.
    """
    folders = two_folders(root, part)
    a, b = (load_folder(f, size=size, channels=channels, fit=fit) for f in folders)
    if a.images.shape[1:] != b.images.shape[1:]:
        raise DataError(
            f"{root}: pictures of {_size(a.images.shape[2:])} in {folders[0].name} and of "
            f"{_size(b.images.shape[2:])} in {folders[1].name}: give a size for both"
        )
    return DatasetPair(a, b)


def load_paired(
    folder_a: str | Path,
    folder_b: str | Path,
    *,
    size: int | None = None,
    channels: int = 3,
    fit: Fit = "cover",
) -> DatasetPair:
    """Load pairs from two folders: files of the same name, up to the suffix, belong together.

    A picture without its partner is skipped, and so is a pair of two sizes, or one of which a half
    is damaged.
    """
    read = _reader(folder_a, size, channels, fit)
    sides = [_by_stem(Path(folder)) for folder in (folder_a, folder_b)]
    stems = sorted(sides[0].keys() | sides[1].keys())
    items = [Item(stem, tuple(s[stem] for s in sides if stem in s)) for stem in stems]

    def both(item: Item) -> Views:
        if len(item.files) < 2:
            raise Unusable(f"only in {item.files[0].parent.name}")
        return tuple(map(read, item.files))

    return _domains(_read_all(folder_a, items, both)[1])


def load_side_by_side(
    folder: str | Path, *, size: int | None = None, channels: int = 3, fit: Fit = "cover"
) -> DatasetPair:
    """Load pairs from pictures whose left half is in domain a and whose right half in b.

    The layout of pix2pix's datasets (Isola et al. 2017, arXiv:1611.07004). A picture of odd width
    is skipped; `size` is that of a half.
    """
    check_options(size, channels, fit)
    require_pillow(folder)

    def halves(item: Item) -> Views:
        picture = read_picture(item.files[0], channels=channels)
        width, height = picture.size
        if width % 2:
            raise Unusable(f"{width} pixels wide: two halves need an even number")
        boxes = [(0, 0, width // 2, height), (width // 2, 0, width, height)]
        return tuple(fit_picture(picture.crop(box), size, fit) for box in boxes)

    items = [Item(path.name, (path,)) for path in _files(Path(folder))]
    return _domains(_read_all(folder, items, halves)[1])


def two_folders(root: str | Path, part: str = "train") -> tuple[Path, Path]:
    """Return `trainA` and `trainB` of a folder, or `testA` and `testB`; `DataError` without."""
    if part not in ("train", "test"):
        raise ValueError(f"part is {part!r}: use 'train' or 'test'")
    folders = Path(root) / f"{part}A", Path(root) / f"{part}B"
    missing = [folder.name for folder in folders if not folder.is_dir()]
    if missing:
        raise DataError(f"{root}: no folder {' nor '.join(missing)}: expected {part}A and {part}B")
    return folders


# -- which files ----------------------------------------------------------------------------------


def has_pictures(folder: Path) -> bool:
    """Return whether a folder holds a file with the suffix of a picture."""
    return any(path.suffix.lower() in SUFFIXES for path in _files(folder))


def _classes(folder: Path) -> list[list[Path]]:
    """Return the files of each class: of the folder itself, or of its subfolders."""
    inner = [path for path in _visible(folder) if path.is_dir()]
    return [_files(folder)] if has_pictures(folder) or not inner else [_files(p) for p in inner]


def _files(folder: Path) -> list[Path]:
    return [path for path in _visible(folder) if not path.is_dir()]


def _visible(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DataError(f"{folder}: {'not a folder' if folder.exists() else 'no such folder'}")
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _by_stem(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in _files(folder):
        if (first := found.setdefault(path.stem, path)) is not path:
            raise DataError(f"{folder}: {first.name} and {path.name}: names of pairs must differ")
    return found


# -- reading them ---------------------------------------------------------------------------------


def _reader(
    folder: str | Path, size: int | None, channels: int, fit: Fit
) -> Callable[[Path], np.ndarray]:
    """Return the function that reads one file, once the options have been found to be possible."""
    check_options(size, channels, fit)
    require_pillow(folder)
    return lambda path: fit_picture(read_picture(path, channels=channels), size, fit)


def _read_all(
    folder: str | Path, items: Sequence[Item], read: Callable[[Item], Views]
) -> tuple[list[int], Views]:
    """Read what can be read: (numbers of the items kept, arrays (N, H, W, C)); warn of the rest.

    Kept are the views of the commonest shape, the first of equally common ones.
    """
    views: dict[int, Views] = {}
    skipped: dict[int, str] = {}
    held = 0  # bytes
    for number, item in enumerate(items):
        try:
            views[number] = _of_one_size(read(item))
        except Unusable as reason:
            skipped[number] = str(reason)
            continue
        held += _weight(views[number])
        expected = len(items) * held if len(views) == 1 else held  # told by the first one
        _check_memory(folder, len(items), expected)
    if not views:
        raise DataError(_nothing(folder, items, skipped))
    common = Counter(_shape(v) for v in views.values()).most_common(1)[0][0]
    odd = {n: v for n, v in views.items() if _shape(v) != common}
    skipped |= {n: f"{_size(_shape(v))}, not {_size(common)}" for n, v in odd.items()}
    kept = [number for number in views if number not in odd]
    _warn(folder, items, skipped)
    return kept, tuple(np.stack(side) for side in zip(*(views[n] for n in kept), strict=True))


def _of_one_size(views: Views) -> Views:
    shapes = [view.shape for view in views]
    if len(set(shapes)) > 1:
        raise Unusable(f"the halves are {' and '.join(map(_size, shapes))}")
    return views


def _shape(views: Views) -> tuple[int, ...]:
    return views[0].shape


def _weight(views: Views) -> int:
    return sum(view.nbytes for view in views)


def _check_memory(folder: str | Path, count: int, pixels: int) -> None:
    needed = 4 * pixels  # a float32 for each byte
    if needed > MOST_MEMORY:
        raise DataError(
            f"{folder}: {count:,} pictures of this size take {needed / 2**30:.1f} GiB, at most "
            f"{MOST_MEMORY / 2**30:.0f} are used: give a smaller size, or fewer pictures"
        )


def _nothing(folder: str | Path, items: Sequence[Item], skipped: dict[int, str]) -> str:
    if not items:
        return f"{folder}: no files; expected PNG, JPEG or WebP pictures"
    reasons = listed([Skipped(items[n].name, reason) for n, reason in skipped.items()])
    return f"{folder}: no usable picture among {len(items):,} files: {reasons}"


def _warn(folder: str | Path, items: Sequence[Item], skipped: dict[int, str]) -> None:
    if skipped:
        left_out = [Skipped(items[n].name, reason) for n, reason in sorted(skipped.items())]
        counts = f"skipped {len(left_out):,} of {len(items):,}"
        text = f"{folder}: {counts}: {listed(left_out)}"
        warnings.warn(SkippedFiles(text, left_out), stacklevel=4)


def _domains(sides: Views) -> DatasetPair:
    a, b = (Dataset(_as_images(s), np.zeros(len(s), np.int64)) for s in sides)
    return DatasetPair(a, b)


def _as_images(pixels: np.ndarray) -> np.ndarray:
    return from_bytes(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))  # NHWC -> NCHW


def _relative(path: Path, folder: str | Path) -> str:
    return path.relative_to(folder).as_posix()


def _size(shape: Sequence[int]) -> str:
    return f"{shape[0]} x {shape[1]}"
