"""The binary version of CIFAR-10: 60,000 colour images of 32 x 32 pixels in ten classes.

A file is 10,000 records of 3,073 bytes and nothing else: the class, then the red, the green and the
blue plane, row by row (Krizhevsky 2009, "Learning multiple layers of features from tiny images").

Letters: N images, C = 3 channels, H = W = 32.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from minigan.data.digits import Dataset
from minigan.data.errors import DataError
from minigan.data.parts import check_part
from minigan.data.pixels import from_bytes

CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)

_TRAIN = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
_TEST = ("test_batch.bin",)
_FILES = {"train": _TRAIN, "test": _TEST, "all": _TRAIN + _TEST}
_SHAPE = (3, 32, 32)
_RECORD = 1 + 3 * 32 * 32  # bytes
_RECORDS = 10_000


def load_cifar10(folder: str | Path, part: str = "train", *, records: int = _RECORDS) -> Dataset:
    """Load CIFAR-10 from the folder with its `.bin` files.

    `part`: "train" (50,000 images), "test" (10,000) or "all"; labels 0 to 9 in the order of
    `CLASSES`. `records`: how many each file has, for sets cut down. Raises `DataError` for a
    missing file, one of another length, or a class beyond 9.
    """
    check_part(part)
    folder = cifar_folder(folder) or Path(folder)
    raw = [_read_records(folder / name, records) for name in _FILES[part]]
    images = np.empty((len(raw) * records, *_SHAPE), np.float32)
    for index, batch in enumerate(raw):  # file by file: no copy of the whole as bytes
        pixels = batch[:, 1:].reshape(-1, *_SHAPE)  # (N, 3072) -> (N, 3, 32, 32)
        images[index * records : (index + 1) * records] = from_bytes(pixels)
    labels = np.concatenate([batch[:, 0] for batch in raw]).astype(np.int64)
    return Dataset(images, labels)


def cifar_folder(folder: str | Path) -> Path | None:
    """Return where the files are: the folder, or `cifar-10-batches-bin` in it; None without any."""
    candidates = (Path(folder), Path(folder) / "cifar-10-batches-bin")
    names = _FILES["all"]
    return next((c for c in candidates if any((c / name).is_file() for name in names)), None)


def _read_records(path: Path, records: int) -> np.ndarray:
    """Return a file's records: (N, 3073), bytes."""
    if not path.is_file():
        raise DataError(f"{path}: no such file: CIFAR-10 is {', '.join(_FILES['all'])}")
    size, expected = path.stat().st_size, records * _RECORD
    if size != expected:
        raise DataError(
            f"{path}: {size:,} bytes, expected {expected:,} ({records:,} records of {_RECORD}): "
            "the file is cut, or of another set"
        )
    batch = np.fromfile(path, np.uint8, count=expected).reshape(records, _RECORD)
    if batch[:, 0].max() >= len(CLASSES):
        raise DataError(f"{path}: class {batch[:, 0].max()}, but CIFAR-10's are 0 to 9")
    return batch
