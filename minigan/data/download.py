"""Downloads, only where asked for: by pooch (extra `download`), and never without a checksum.

What comes is written beside its place, checked, and moved there when the checksum is right; nothing
else is left behind.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from minigan.data.errors import DataError

_MOST_BYTES = 2 << 30  # of a download, so that a server cannot fill the disk
_SECONDS = 30  # without an answer
_CHUNK = 1 << 16  # bytes taken at a time
_CHECKSUM = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")

_MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_FASHION = "https://fashion-mnist.s3.eu-central-1.amazonaws.com/"

# The sets that are known by name: the address of each file and its checksum.
KNOWN: dict[str, dict[str, str]] = {
    "mnist": {
        f"{_MNIST}train-images-idx3-ubyte.gz": "sha256:"
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        f"{_MNIST}train-labels-idx1-ubyte.gz": "sha256:"
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        f"{_MNIST}t10k-images-idx3-ubyte.gz": "sha256:"
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        f"{_MNIST}t10k-labels-idx1-ubyte.gz": "sha256:"
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    },
    "fashion-mnist": {
        f"{_FASHION}train-images-idx3-ubyte.gz": "sha256:"
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        f"{_FASHION}train-labels-idx1-ubyte.gz": "sha256:"
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        f"{_FASHION}t10k-images-idx3-ubyte.gz": "sha256:"
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        f"{_FASHION}t10k-labels-idx1-ubyte.gz": "sha256:"
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    },
}


def fetch(name: str, folder: str | Path) -> Path:
    """Download a set of `KNOWN` into a folder, made if need be, and return it for `open_dataset`.

    Files that are there and right are not downloaded again.
    """
    if name not in KNOWN:
        near = difflib.get_close_matches(name, KNOWN, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise DataError(f"no download is called {name!r}: use one of {', '.join(KNOWN)}{hint}")
    for url, checksum in KNOWN[name].items():
        download(url, checksum, folder)
    return Path(folder)


def download(url: str, checksum: str, folder: str | Path, *, name: str | None = None) -> Path:
    """Download one file into a folder and return its path.

    `url`: http or https; `checksum`: "sha256:" or "sha512:" and the digits; `name`: of the file,
    else the last part of the address. Raises `DataError` for a wrong checksum or a failed download,
    with nothing changed, and where pooch is not installed.
    """
    address = urlsplit(url)
    if address.scheme not in ("http", "https"):
        raise DataError(f"{url}: only http and https addresses are fetched")
    if not _CHECKSUM.fullmatch(str(checksum).lower()):
        raise DataError(f"{url}: the checksum is {checksum!r}: give 'sha256:' and 64 hex digits")
    name = Path(address.path).name if name is None else name
    if name in ("", ".", "..") or Path(name).name != name:
        raise DataError(f"{url}: {name!r} cannot be a file's name: give a `name`")
    return _retrieve(url, checksum, Path(folder), name)


def _retrieve(url: str, checksum: str, folder: Path, name: str) -> Path:
    try:
        import pooch
        import requests
    except ImportError:
        raise DataError("downloads need pooch: pip install 'minigan[download]'") from None
    try:
        path = pooch.retrieve(url, checksum, fname=name, path=folder, downloader=_stream)
    except requests.RequestException as error:
        raise DataError(f"{url}: cannot be fetched: {_one_line(error)}") from None
    except DataError:  # a ValueError too: it has its own words
        raise
    except ValueError:  # pooch's word for a wrong checksum
        raise DataError(f"{url}: what came has not the checksum {checksum}: not kept") from None
    return Path(path)


def _stream(url: str, target: str, _: Any) -> None:
    """Fetch into a file, as pooch asks for it, but no more than a bounded number of bytes."""
    import requests

    with requests.get(url, stream=True, timeout=_SECONDS) as answer, open(target, "wb") as file:
        answer.raise_for_status()
        for chunk in answer.iter_content(_CHUNK):
            if file.tell() + len(chunk) > _MOST_BYTES:
                raise DataError(f"{url}: more than {_MOST_BYTES:,} bytes: not kept")
            file.write(chunk)


def _one_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
