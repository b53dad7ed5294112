"""Pictures as PNG bytes: grids of images, and the curves of the losses.

Letters: N images, C channels (1 or 3), H, W rows and columns of one image, R, K rows and columns
of the grid.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from minigan.errors import ShapeError
from minigan.train.errors import ConfigError

_WIDE = 64  # screen pixels for one image
_LARGEST = 10**8  # screen pixels for a grid

_CURVES = {
    "loss_d": "D (without penalties)",
    "loss_g": "G",
    "r1": "R1, gamma/2 |grad D(real)|²",
    "gp": "gradient penalty",
    "loss": "loss, nats an image",
    "reconstruction": "-log p(x|z)",
    "kl": "KL(q(z|x) ‖ N(0, I))",
    **{
        f"{way}_{name}": f"{way[0].upper()} to {way[1].upper()}: {label}"
        for way in ("ab", "ba")
        for name, label in (
            ("adversarial", "adversarial"),
            ("cycle", "cycle"),
            ("identity", "identity"),
            ("distance", "distance to the right answer"),
            ("judge", "D"),
        )
    },
}


def grid_png(images: np.ndarray, *, columns: int | None = None, scale: int | None = None) -> bytes:
    """Return a grid of images (N, C, H, W) in [-1, 1] as a PNG file's bytes, row by row.

    `columns`: by default the grid is square; never more than there are images. `scale`: the side of
    the square that a pixel becomes, by default as much as makes an image 64 pixels wide. Raises
    `ConfigError` for a grid of more than 10^8 pixels.
    """
    scale = scale or max(1, _WIDE // images.shape[-1])
    columns = min(columns or math.ceil(math.sqrt(len(images))), len(images))
    pixels = tile(to_bytes(images), columns)  # (RH, KW, C)
    height, width = (scale * side for side in pixels.shape[:2])
    if height * width > _LARGEST:
        raise ConfigError(
            f"a grid of {width} x {height} pixels is too large: fewer --seeds or a lower --scale"
        )
    pixels = pixels.repeat(scale, axis=0).repeat(scale, axis=1)
    return _png(Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels))


def to_bytes(images: np.ndarray) -> np.ndarray:
    """Map [-1, 1] to 0..255 by rounding, values beyond it to the nearest end; uint8."""
    return np.rint(np.clip((np.asarray(images) + 1.0) * 127.5, 0, 255)).astype(np.uint8)


def tile(images: np.ndarray, columns: int, *, gap: int = 1) -> np.ndarray:
    """Lay out images (N, C, H, W), uint8, row by row as one (R H', K W', C) with grey gaps."""
    if images.ndim != 4 or not len(images) or images.shape[1] not in (1, 3):
        raise ShapeError(f"a grid takes (N, 1 or 3, H, W) with N >= 1, got {images.shape}")
    count, channels, height, width = images.shape
    rows = -(-count // columns)
    shape = (rows * (height + gap) + gap, columns * (width + gap) + gap, channels)
    canvas = np.full(shape, 128, np.uint8)
    for i, image in enumerate(images):
        row, column = divmod(i, columns)
        top, left = gap + row * (height + gap), gap + column * (width + gap)
        canvas[top : top + height, left : left + width] = image.transpose(1, 2, 0)  # (H, W, C)
    return canvas


def losses_png(records: Sequence[dict[str, Any]], levels: Sequence[float] = ()) -> bytes:
    """Plot the losses of "step" records against the step; return a PNG file's bytes.

    `levels`: dashed lines, a GAN's losses where the discriminator cannot tell real from fake.
    """
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)  # no pyplot: nothing global, no display
    axes = figure.subplots()
    for name in _CURVES:
        _plot(axes, records, name)
    axes.set(xlabel="step", ylabel="loss")
    _draw_levels(axes, levels)
    if axes.lines:
        figure.legend(loc="outside upper center", ncols=4, fontsize="small", frameon=False)
    return _figure_png(figure)


def points_png(points: np.ndarray, *, behind: np.ndarray) -> bytes:
    """Plot points (N, 2) over those `behind` (M, 2); return a PNG file's bytes.

    Those behind alone decide the axes, so that pictures of one target are frames of one film; what
    lies outside is not shown.
    """
    figure = Figure(figsize=(4.8, 4.8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.scatter(*behind.T, s=4, color="0.75", label="target", linewidths=0)
    axes.scatter(*points.T, s=4, color="C0", label="samples", linewidths=0)
    low, high = behind.min(axis=0), behind.max(axis=0)
    reach = 0.7 * (high - low).max() * np.array([-1, 1])
    x, y = (low + high) / 2
    axes.set(xlim=x + reach, ylim=y + reach, aspect="equal")
    axes.legend(loc="upper right", fontsize="small", markerscale=3)
    return _figure_png(figure)


def _figure_png(figure: Figure) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=100, metadata={"Software": None})
    return out.getvalue()


def _plot(axes: Axes, records: Sequence[dict[str, Any]], name: str) -> None:
    """Plot one loss, if the records have it."""
    points = [(r["step"], r[name]) for r in records if r.get(name) is not None]
    if points:
        axes.plot(*zip(*points, strict=True), label=_CURVES[name], linewidth=1)


def _draw_levels(axes: Axes, levels: Sequence[float]) -> None:
    for i, level in enumerate(levels):
        label = None if i else "D cannot tell real from fake"
        axes.axhline(level, color="grey", linewidth=0.8, linestyle="--", label=label)
    if levels and min(levels) > 0:
        axes.set_ylim(bottom=0)


def _png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, format="PNG")
    return out.getvalue()
