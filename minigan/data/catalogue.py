"""From what a user writes after `--data` to a dataset: a name, a file or a folder.

| given | is |
|---|---|
| a name of `DATASETS` | that dataset; a folder of the same name is written `./digits` |
| a file in IDX format | its images, and the labels of the file beside it, if there is one |
| a folder with MNIST's files | MNIST, or a set in its format |
| a folder with `data_batch_1.bin` ... | CIFAR-10 |
| a folder with `train` and `test` | image folders, one for each part |
| any other folder | an image folder, classes by subfolder |

`open_domains` does the same for two domains. Letters: N images, C channels, H, W.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from pathlib import Path

from minigan.data.cifar import cifar_folder, load_cifar10
from minigan.data.decode import SUFFIXES, Fit
from minigan.data.digits import Dataset, load_digits
from minigan.data.domains import (
    SIDE,
    Domains,
    paired_digits,
    photograph_domains,
    rerendered_digits,
    two_collections,
)
from minigan.data.errors import DataError
from minigan.data.folders import (
    DatasetPair,
    has_pictures,
    load_folder,
    load_paired,
    load_side_by_side,
    load_unpaired,
    two_folders,
)
from minigan.data.idx import GZIP_MAGIC, find_mnist, labels_beside, load_idx, load_mnist
from minigan.data.parts import check_part, load_parts, part_of
from minigan.data.pixels import with_channels
from minigan.data.stacked import load_stacked_digits
from minigan.data.transforms import resize

# The datasets with a name, as functions of the part; one more is one more line.
DATASETS: dict[str, Callable[[str], Dataset]] = {
    "digits": load_digits,
    "stacked-digits": load_stacked_digits,
}
# The pairs of domains with a name, and those whose images are paired too: `open_pair` takes both,
# and folders.
PAIRS: dict[str, Callable[[], Domains]] = {
    "rerendered-digits": rerendered_digits,
    "photographs": photograph_domains,
}
PAIRED: dict[str, Callable[[], Domains]] = {
    "rerendered-digits": paired_digits,
}

_EXPECTED = (
    "expected MNIST's IDX files, CIFAR-10's data_batch_1.bin ..., or PNG, JPEG or WebP pictures"
)
_TESTS = ("testA", "testB", "test")  # folders that hold a test part of two domains
_SHOWN = 5  # names from a folder in an error


def open_dataset(
    spec: str | Path,
    *,
    part: str = "train",
    size: int | None = None,
    channels: int | None = None,
    fit: Fit = "cover",
) -> Dataset:
    """Return the dataset that a name, a file or a folder stands for: (N, C, H, W) and labels.

    `part`: "train", "test" or "all"; what comes as one is split as `part_of` does. `size`: resize
    to size x size; `channels`: 1 or 3; None leaves both as they are (pictures become colour).
    Raises `DataError`, one line that says what was found and what is expected.

    >>> open_dataset("digits", size=16, channels=3).images.shape
    (1442, 3, 16, 16)
    """
    check_part(part)
    path = Path(spec)
    if str(spec) in DATASETS:
        data = DATASETS[str(spec)](part)
    elif path.is_dir():
        data = _open_folder(path, part, size, channels or 3, fit)
    elif path.exists():
        data = part_of(_open_file(path), part)
    else:
        raise DataError(_unknown(spec, DATASETS, "dataset"))
    return _shaped(data, size, channels)


def open_domains(
    spec: str | Path,
    *,
    part: str = "train",
    paired: bool = False,
    size: int | None = None,
    channels: int = 3,
    fit: Fit = "cover",
) -> DatasetPair:
    """Return one part of the two domains that a folder holds.

    The folder has `trainA` and `trainB` (`testA` and `testB` for part "test"). With `paired` their
    files belong together by name; or the folder has `train` (and `test`), or itself holds pictures
    (of part "train"), whose left half is in a and whose right half in b.
    """
    path = Path(spec)
    options = {"size": size, "channels": channels, "fit": fit}
    if path.is_file():
        raise DataError(f"{path}: a file; give the folder that has trainA and trainB")
    if not path.is_dir():
        raise DataError(_no_such_pair(spec, paired))
    if not paired:
        return load_unpaired(path, part, **options)
    if (path / f"{part}A").is_dir():
        return load_paired(*two_folders(path, part), **options)
    inner = path / part
    if part != "train" and not inner.is_dir():
        raise DataError(f"{path}: no folder {part}A, nor {part} with pictures of two halves")
    return load_side_by_side(inner if inner.is_dir() else path, **options)


def open_pair(spec: str | Path, *, paired: bool = False, size: int | None = None) -> Domains:
    """Return the two domains, training and test, that a name or a folder stands for.

    A name of `PAIRS`, or with `paired` of `PAIRED`, brings its own size. Folders are read by
    `open_domains`; where one has no test part, the last fifth of the training is the test. With
    `paired` the images of the two domains belong together one by one. A folder with MNIST's files
    is a domain of its own, and scikit-learn's digits are the other: see `two_collections`.

    >>> open_pair("rerendered-digits").name
    'rerendered-digits'
    >>> open_pair("rerendered-digits", paired=True).b_train.shape
    (1442, 3, 16, 16)
    """
    named = _named(paired)
    if str(spec) in named:
        return named[str(spec)]()
    if not paired and Path(spec).is_dir() and find_mnist(Path(spec)):
        return _with_digits(spec)
    train = open_domains(spec, part="train", paired=paired, size=size)
    if any((Path(spec) / name).is_dir() for name in _TESTS):
        test = open_domains(spec, part="test", paired=paired, size=size)
    else:
        train, test = _last_fifth(train, spec)
    parts = (side.images for pair in (train, test) for side in (pair.a, pair.b))
    return Domains(Path(spec).name, *parts, paired=paired)


def _with_digits(spec: str | Path) -> Domains:
    images, labels = load_mnist(spec, "all")
    if min(images.shape[2:]) < SIDE or images.shape[2] != images.shape[3]:
        high, wide = images.shape[2:]
        raise DataError(f"{spec}: images of {high} x {wide}; squares of {SIDE} or more are needed")
    return two_collections(images, labels)


def _named(paired: bool) -> dict[str, Callable[[], Domains]]:
    return PAIRED if paired else PAIRS


def _last_fifth(pair: DatasetPair, spec: str | Path) -> tuple[DatasetPair, DatasetPair]:
    """Hold the last fifth of each side out, one image at least."""
    if min(len(side.images) for side in pair) < 2:
        raise DataError(f"{spec}: one image of a domain, and no test part: give two at least")

    def cut(data: Dataset, test: bool) -> Dataset:
        border = len(data.images) - max(1, len(data.images) // 5)
        part = slice(border, None) if test else slice(border)
        return Dataset(data.images[part], data.labels[part])

    return tuple(DatasetPair(*(cut(side, test) for side in pair)) for test in (False, True))


def _open_folder(path: Path, part: str, size: int | None, channels: int, fit: Fit) -> Dataset:
    if find_mnist(path):
        return load_mnist(path, part)
    if cifar_folder(path):
        return load_cifar10(path, part)
    if any((path / name).is_dir() for name in ("trainA", "trainB")):
        raise DataError(
            f"{path}: two domains, trainA and trainB, where one dataset is expected: name one of "
            "the two, or choose a recipe for two"
        )
    return _open_pictures(path, part, size, channels, fit)


def _open_pictures(path: Path, part: str, size: int | None, channels: int, fit: Fit) -> Dataset:
    options = {"size": size, "channels": channels, "fit": fit}
    inner = _folders(path)
    present = [name for name in ("train", "test") if name in inner]
    if present:
        _check_classes(path, present)
        return load_parts(path, present, part, lambda name: load_folder(path / name, **options))
    if not has_pictures(path) and not any(has_pictures(path / name) for name in inner):
        raise DataError(f"{path}: found {_contents(path)}; {_EXPECTED}")
    return part_of(load_folder(path, **options), part)


def _check_classes(path: Path, present: list[str]) -> None:
    """Refuse parts whose classes differ: their numbers would not mean the same."""
    classes = [_folders(path / name) for name in present]
    if any(names != classes[0] for names in classes):
        raise DataError(f"{path}: train and test have not the same subfolders, one for each class")


def _folders(path: Path) -> list[str]:
    return sorted(p.name for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))


def _open_file(path: Path) -> Dataset:
    if not path.is_file():
        raise DataError(f"{path}: neither a file nor a folder")
    with open(path, "rb") as file:
        start = file.read(4)
    if path.suffix.lower() in SUFFIXES:
        raise DataError(f"{path}: one picture: name the folder it lies in")
    if start[:2] not in (b"\0\0", GZIP_MAGIC):
        raise DataError(
            f"{path}: starts with {start.hex(' ') or 'nothing'}; expected an IDX file such as "
            "train-images-idx3-ubyte.gz, or a folder (unpack archives first)"
        )
    return load_idx(path, labels_beside(path))


def _shaped(data: Dataset, size: int | None, channels: int | None) -> Dataset:
    images = data.images if channels is None else with_channels(data.images, channels)
    return Dataset(images if size is None else resize(images, size), data.labels)


def _no_such_pair(spec: str | Path, paired: bool) -> str:
    kind = "pair of domains" + " with paired images" * paired
    return _unknown(spec, _named(paired), kind)


def _unknown(spec: str | Path, names: Iterable[str], kind: str) -> str:
    known = list(names)
    near = difflib.get_close_matches(str(spec), known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    choice = f"one of {', '.join(known)}, nor " if known else ""
    return f"{spec}: no such {kind}: neither {choice}a file or folder that is there{hint}"


def _contents(path: Path) -> str:
    names = sorted(entry.name + "/" * entry.is_dir() for entry in path.iterdir())
    if not names:
        return "nothing"
    others = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + others
