"""One picture file: from bytes nobody has vouched for to pixels of one kind.

Only the decoders of PNG, JPEG and WebP are let near the file, sizes are looked at before pixels are
unpacked, and whatever goes wrong becomes one `Unusable` with a reason in a few words. Pillow (extra
`train`) does the decoding.

What comes out has been turned upright by its EXIF orientation; transparency lies on white; sixteen
bits were cut to eight (the upper byte, as Pillow and libpng do with colours); of an animation it is
the first frame.

Letters: H, W, C channels.
"""

from __future__ import annotations

import re
import struct
import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from minigan.data.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

Fit = Literal["cover", "stretch"]

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp"})
MOST_PIXELS = 80_000_000  # more than most cameras make; 320 MB once unpacked

_FORMATS = ("PNG", "JPEG", "WEBP")
_SIGNATURE = re.compile(rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|RIFF....WEBP", re.DOTALL)
_DAMAGED = "damaged or cut"
_MOST_BYTES = 1 << 28  # of a file: WebP is read as a whole before its size is known
_GREY, _COLOUR = "L", "RGB"

# What Pillow raises on bytes that are not what they should be, at one place or another.
_DAMAGE = (
    SyntaxError,
    ValueError,
    EOFError,
    KeyError,
    IndexError,
    TypeError,
    OverflowError,
    struct.error,
    zlib.error,
)


class Unusable(Exception):
    """A file that gives no picture; the text is the reason in a few words."""


def read_picture(path: Path, *, channels: int = 3, most_pixels: int = MOST_PIXELS) -> Image:
    """Return the upright picture in a file, in Pillow's mode "L" (`channels` 1) or "RGB" (3).

    Raises `Unusable` for a file that is no picture, damaged, cut, or of more than `most_pixels`.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    _check_file(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about odd metadata: the pixels are what counts
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(path, formats=_FORMATS) as picture:
                _check_size(picture.size, most_pixels)
                picture.load()
                upright = ImageOps.exif_transpose(picture)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise Unusable(f"more than {most_pixels:,} pixels") from None
        except UnidentifiedImageError:
            raise Unusable(_unidentified(path)) from None
        except MemoryError:
            raise Unusable("takes too much memory") from None
        except OSError as error:  # with a number the system's, without one Pillow's
            raise Unusable(_unreadable(error) if error.errno else _DAMAGED) from None
        except _DAMAGE:
            raise Unusable(_DAMAGED) from None
    return _flatten(upright, channels)


def fit_picture(picture: Image, size: int | None, fit: Fit) -> np.ndarray:
    """Return a picture's pixels (H, W, C), bytes: size x size, or as they are where it is None.

    "cover" takes the largest square in the middle, "stretch" all of the picture, out of proportion.
    Shrinking is anti-aliased: Pillow's `BILINEAR`, which is `transforms.resize` on bytes.
    """
    from PIL import Image

    if size is not None:
        whole = _middle_square(picture) if fit == "cover" else picture
        picture = whole.resize((size, size), Image.Resampling.BILINEAR)
    pixels = np.asarray(picture)
    return pixels[..., None] if pixels.ndim == 2 else pixels  # (H, W) -> (H, W, 1)


def _middle_square(picture: Image) -> Image:
    width, height = picture.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return picture.crop((left, top, left + side, top + side))


def check_options(size: int | None, channels: int, fit: Fit) -> None:
    """Raise `ValueError` for a size, a number of channels or a fit that cannot be."""
    if size is not None and size < 1:
        raise ValueError(f"size is {size}: give an integer >= 1, or None for the size they have")
    if channels not in (1, 3):
        raise ValueError(f"channels is {channels}: use 1 (grey) or 3 (colour)")
    if fit not in ("cover", "stretch"):
        raise ValueError(f"fit is {fit!r}: use 'cover' or 'stretch'")


def require_pillow(path: str | Path) -> None:
    """Raise `DataError` where Pillow is not installed."""
    try:
        import PIL  # noqa: F401
    except ImportError:
        raise DataError(f"{path}: pictures need Pillow: pip install 'minigan[train]'") from None


def _check_file(path: Path) -> None:
    try:
        size = path.stat().st_size
        regular = path.is_file()
    except OSError as error:
        raise Unusable(_unreadable(error)) from None
    if not regular:
        raise Unusable("not a file")  # a pipe would wait for ever
    if not size:
        raise Unusable("empty")
    if size > _MOST_BYTES:
        raise Unusable(f"{size:,} bytes, at most {_MOST_BYTES:,} are read")


def _unreadable(error: OSError) -> str:
    return f"cannot be read: {error.strerror}"


def _unidentified(path: Path) -> str:
    """Return why Pillow knows no picture in a file: it begins as one, or is something else."""
    with open(path, "rb") as file:
        start = file.read(12)
    return _DAMAGED if _SIGNATURE.match(start) else "not a PNG, JPEG or WebP picture"


def _check_size(size: tuple[int, int], most_pixels: int) -> None:
    width, height = size
    if width * height > most_pixels:
        raise Unusable(f"{width} x {height}, more than {most_pixels:,} pixels")


# -- kinds of pixels ------------------------------------------------------------------------------


def _flatten(picture: Image, channels: int) -> Image:
    """Return a picture of any mode as grey or colour, opaque, eight bits."""
    mode = _GREY if channels == 1 else _COLOUR
    if picture.mode.startswith("I"):  # sixteen bits of grey, which convert() would clip at 255
        picture = _eight_bits(picture)
    if picture.has_transparency_data:
        picture = _on_white(picture)
    return picture.convert(mode)


def _eight_bits(picture: Image) -> Image:
    """Return sixteen bits of grey as eight; a value that means "transparent" becomes alpha."""
    from PIL import Image

    values = np.asarray(picture)
    grey = Image.fromarray((values >> 8).astype(np.uint8))
    key = picture.info.get("transparency")
    if key is not None:
        grey.putalpha(Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8)))
    return grey


def _on_white(picture: Image) -> Image:
    """Return a picture with alpha, or with a colour that means "transparent", laid on white."""
    from PIL import Image

    key = picture.info.get("transparency")
    if isinstance(key, tuple) and max(key) > 255:  # sixteen bits, like the colours before the cut
        picture.info["transparency"] = tuple(value >> 8 for value in key)
    layer = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
