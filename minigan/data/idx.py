"""IDX files, the format of MNIST and Fashion-MNIST, compressed or not.

    2 bytes 0 | type code | number of axes | the length of each axis, big-endian uint32 | the data

(LeCun, Cortes and Burges, "The MNIST database of handwritten digits".) Nothing in such a file is
believed before it has been checked. Memory is taken as data arrive, never because the header
announces them; a header that announces too much or too little, a file that was cut, and a
compressed one that never stops are all refused.

Letters: N images, H, W.
"""

from __future__ import annotations

import gzip
import math
import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from minigan.data.digits import Dataset
from minigan.data.errors import DataError
from minigan.data.parts import check_part, load_parts
from minigan.data.pixels import from_bytes

GZIP_MAGIC = b"\x1f\x8b"
LARGEST = 1 << 30  # bytes of data in a file: MNIST has 47 million, the largest EMNIST set 550

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_CHUNK = 1 << 20  # bytes taken from a file at a time

_NAME = re.compile(r"(?:.*[-_])?(train|t10k|test)-(images|labels)[-.]idx[13]-ubyte(?:\.gz)?")

Found = dict[tuple[str, str], Path]  # ("train" or "test", "images" or "labels") -> file


# -- one file -------------------------------------------------------------------------------------


def read_idx(path: str | Path, *, largest: int = LARGEST) -> np.ndarray:
    """Return the array in an IDX file, gzip-compressed or not, in the machine's byte order.

    `largest`: how many bytes of data a file may announce. Raises `DataError` for what is not
    exactly one whole array, `OSError` where the file cannot be read.
    """
    path = Path(path)
    with _opened(path) as file:
        dtype, shape = _read_header(file, path)
        announced = math.prod(shape) * dtype.itemsize
        if announced > largest:
            raise DataError(
                f"{path}: the header announces {_axes(shape)} values, {announced:,} bytes: "
                f"at most {largest:,} are read"
            )
        data = _read_at_most(file, announced + 1)  # one more than there may be
    if len(data) != announced:
        present = f"only {len(data):,}" if len(data) < announced else "more"
        raise DataError(
            f"{path}: the header announces {_axes(shape)} values, {announced:,} bytes, but there "
            f"are {present}: the file is cut or damaged"
        )
    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file, decompressed if it is compressed; damage to the compression is a `DataError`."""
    if not path.is_file():  # a pipe would wait for ever
        raise DataError(f"{path}: {'not a file' if path.exists() else 'no such file'}")
    with open(path, "rb") as raw:
        compressed = raw.read(2) == GZIP_MAGIC
        raw.seek(0)
        if not compressed:
            yield raw
            return
        try:
            with gzip.GzipFile(fileobj=raw) as file:
                yield file
        except EOFError:
            raise DataError(f"{path}: the gzip file ends too early: it was cut") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise DataError(f"{path}: the gzip file is damaged ({error})") from None


def _read_header(file: BinaryIO, path: Path) -> tuple[np.dtype, tuple[int, ...]]:
    start = file.read(4)
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in _TYPES or not start[3]:
        raise DataError(
            f"{path}: starts with {start.hex(' ') or 'nothing'}, so it is no IDX file: expected "
            "00 00, a type code (08 for bytes) and the number of axes"
        )
    lengths = file.read(4 * start[3])
    if len(lengths) < 4 * start[3]:
        raise DataError(f"{path}: ends within its header: the file is cut")
    return np.dtype(_TYPES[start[2]]), struct.unpack(f">{start[3]}I", lengths)


def _read_at_most(file: BinaryIO, count: int) -> bytearray:
    """Return the next bytes, all there are up to `count`; memory grows with what is there."""
    data = bytearray()
    while len(data) < count and (chunk := file.read(min(_CHUNK, count - len(data)))):
        data += chunk
    return data


def _axes(shape: tuple[int, ...]) -> str:
    shown = " x ".join(map(str, shape[:4]))
    return f"{shown} x ..." if len(shape) > 4 else shown


# -- a dataset ------------------------------------------------------------------------------------


def load_idx(images: str | Path, labels: str | Path | None = None) -> Dataset:
    """Load a file of images and one of labels; without a second file every label is 0.

    Images are bytes (N, H, W) and come as (N, 1, H, W); labels are bytes (N,).
    """
    pixels = _read_bytes(images, axes=3, kind="images")
    if labels is None:
        classes = np.zeros(len(pixels), np.int64)
    else:
        classes = _read_bytes(labels, axes=1, kind="labels").astype(np.int64)
    if len(classes) != len(pixels):
        raise DataError(f"{labels}: {len(classes):,} labels, but {images} has {len(pixels):,}")
    return Dataset(from_bytes(pixels)[:, None], classes)  # (N, H, W) -> (N, 1, H, W)


def load_mnist(folder: str | Path, part: str = "train") -> Dataset:
    """Load MNIST, or a set in its format, from a folder with its files.

    `part`: "train", "test" or "all". The files keep their names, `train-images-idx3-ubyte` and so
    on, with or without `.gz`. A folder that has only one of the two parts is split like the digits:
    of each class every fifth image is test.
    """
    check_part(part)
    files = find_mnist(folder)
    present = [name for name in ("train", "test") if (name, "images") in files]
    if not present:
        raise DataError(f"{folder}: no images in IDX files, such as train-images-idx3-ubyte.gz")
    return load_parts(folder, present, part, lambda name: _load_pair(folder, files, name))


def find_mnist(folder: str | Path) -> Found:
    """Return the files of MNIST in a folder by part and kind; a file beats its compressed copy."""
    found: Found = {}
    for path in sorted(Path(folder).iterdir()):  # "x" comes before "x.gz"
        if match := _NAME.fullmatch(path.name):
            key = ("train" if match[1] == "train" else "test", match[2])
            first = found.setdefault(key, path)
            if first.name.removesuffix(".gz") != path.name.removesuffix(".gz"):
                raise DataError(
                    f"{folder}: {first.name} and {path.name} are both {' '.join(key)}: name the "
                    "file of images instead of the folder"
                )
    return found


def labels_beside(images: str | Path) -> Path | None:
    """Return the file of labels that belongs to a file of images by its name; None without one."""
    path = Path(images)
    match = _NAME.fullmatch(path.name)
    if not match or match[2] != "images":
        return None
    plain = path.name.removesuffix(".gz").replace("-images", "-labels").replace("idx3", "idx1")
    beside = (path.with_name(plain + suffix) for suffix in ("", ".gz"))
    return next((labels for labels in beside if labels.is_file()), None)


def _load_pair(folder: str | Path, files: Found, part: str) -> Dataset:
    if (part, "labels") not in files:
        images = files[part, "images"].name
        raise DataError(f"{folder}: {images} without its labels: name that file, not the folder")
    return load_idx(files[part, "images"], files[part, "labels"])


def _read_bytes(path: str | Path, *, axes: int, kind: str) -> np.ndarray:
    array = read_idx(path)
    if array.dtype != np.uint8 or array.ndim != axes or not array.size:
        raise DataError(
            f"{path}: {_axes(array.shape)} values of type {array.dtype}: {kind} are bytes along "
            f"{axes} {'axes' if axes > 1 else 'axis'}, at least one"
        )
    return array
