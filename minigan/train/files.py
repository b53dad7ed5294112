"""Files that are whole or absent: written beside their place, then moved there in one step."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PART = ".part"  # the temporary file of `name` is `.name.XXXXXXXX.part`


def write_atomic(path: str | Path, data: bytes) -> Path:
    """Write a file so that every reader, at any time, finds the old content or the new one.

    The data go to a temporary file in the same folder, to the disk, and then to their name
    (`os.replace` is atomic within a file system), and the folder goes to the disk too. A failure
    leaves the old file and no litter, and an `OSError` names `path`; only a process that is killed
    leaves its temporary file, for `remove_parts`. After a power cut the old content may be back,
    if this function had not returned, but never half a file.
    """
    path = Path(path)
    with naming(path):
        descriptor, temporary = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name}.", suffix=_PART
        )
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o666 & ~_umask())  # mkstemp makes files that only the owner reads
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):  # it may be at its place already
                os.unlink(temporary)
            raise
        to_disk(path.parent)
    return path


def write_text(path: str | Path, text: str) -> Path:
    """Write a text file as UTF-8, whole or not at all."""
    return write_atomic(path, text.encode("utf-8"))


def to_disk(path: str | Path) -> None:
    """Wait until a file's content, or the names in a folder, are on the disk.

    A file system that cannot do this for folders does without.
    """
    with naming(path):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                raise
        finally:
            os.close(descriptor)


def remove_parts(folder: str | Path) -> int:
    """Remove what writers that were killed left in a folder; return how many files."""
    parts = [p for p in Path(folder).glob(f".*{_PART}") if p.is_file()]
    for part in parts:
        part.unlink(missing_ok=True)
    return len(parts)


@contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Let every `OSError` in the block name this file: one from a full disk names none."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from None


def _umask() -> int:
    """Return the process's file mode mask, which can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
