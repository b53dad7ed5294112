"""Run folders made for the tests, without any training: an ordinary one and a hostile one."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from minigan.train.config import GANConfig
from minigan.train.report.gather import gather
from minigan.train.report.page import build_page
from minigan.train.run_folder import RunFolder

SCRIPT = '</script><script>document.title = "owned"</script><img src=x onerror="alert(1)">'

QUALITY = {
    "kind": "quality",
    "step": 30,
    "accuracy": 0.98,
    "samples": 2000,
    "floor": {"frechet": 1.9, "covered": 10, "shares": [0.5, 0.5]},
    "generator": {"frechet": 7.6, "covered": 9, "shares": [0.2, 0.8]},
    "untrained": {"frechet": 1131.0, "covered": 7, "shares": [0.9, 0.1]},
}


def png(width=16, height=16, value=0, *, noise=False):
    """A PNG file's bytes: one grey, or noise that no compression makes small."""
    pixels = np.full((height, width, 3), value, np.uint8)
    if noise:
        pixels = np.random.default_rng(value).integers(0, 256, pixels.shape).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format="PNG")
    return out.getvalue()


def records(steps=(10, 20, 30)):
    for step in steps:
        yield {"kind": "step", "step": step, "loss_d": 1.3, "loss_g": 0.7, "r1": 1 / step,
               "images_per_second": 1420.0, "seconds": step / 10}  # fmt: skip
        yield {"kind": "norms", "step": step, "sigma": {"head.1": 1.0, "from_image.0": 2.0},
               "gradient": {"d": 0.5, "g": 0.25}}  # fmt: skip


def write_records(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


@pytest.fixture
def folder(tmp_path):
    """A run of thirty steps that has everything."""
    config = GANConfig(steps=30, width=8)
    folder = RunFolder.create(tmp_path / "runs", config, ["minigan", "train", "--steps", "30"])
    write_records(folder.metrics_file, records())
    folder.quality_file.write_text(json.dumps(QUALITY))
    for i, step in enumerate((0, 10, 20, 30)):
        (folder.samples / f"step-{step:06d}.png").write_bytes(png(value=60 * i))
        (folder.samples / f"triples-a2b-{step:06d}.png").write_bytes(png(48, value=60 * i))
    (folder.samples / "reals.png").write_bytes(png(value=255))
    (folder.samples / "latest.png").write_bytes(png(value=180))
    return folder


@pytest.fixture
def hostile(tmp_path):
    """A run whose every name and text tries to become markup, and whose files are broken."""
    root = tmp_path / "<b>runs"
    folder = RunFolder.create(root, GANConfig(steps=30), [SCRIPT, "\x00\u202e"])
    lines = [
        json.dumps({"kind": "step", "step": 1, SCRIPT[:80]: 1.0, "loss_d": 1e999, "loss_g": None}),
        json.dumps({"kind": "step", "step": 2, SCRIPT[:80]: 2.0, "loss_d": -1e308}),
        json.dumps({"kind": "norms", "step": 2, "sigma": {"\ud800</svg>": 1.0, "x": [1]}}),
        json.dumps({"kind": "norms", "step": 2, "sigma": 3, "gradient": {"g": "<i>"}}),
        '{"kind": "step", "step": 1e3}',
        '{"kind": "step", "step": -1}',
        f'{{"kind": "step", "step": {10**30}}}',
        f'{{"kind": "step", "step": 3, "loss_d": {10**400}}}',
        "[" * 100_000,
        SCRIPT,
    ]
    folder.metrics_file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = {
        "step": 10**400,
        SCRIPT: 1.0,
        "generator": {SCRIPT: float("nan"), "b": 10**250, "c": [1, None], "d": SCRIPT},
        "</table>": {SCRIPT: 1},
    }
    folder.quality_file.write_text(json.dumps(found))
    (folder.samples / "step-000000.png").write_bytes(png()[:40])
    (folder.samples / "step-000001.png").write_text(SCRIPT)
    (folder.samples / "step-999999999999999.png").write_bytes(png())
    (folder.samples / '"><script>alert(1)<-000002.png').write_bytes(png())
    (folder.samples / "reals.png").mkdir()
    folder.checkpoints.path(7).write_text(SCRIPT)
    return folder


@pytest.fixture
def make_png():
    """A function that makes a PNG file's bytes."""
    return png


@pytest.fixture
def record():
    """A function that writes records as the metrics.jsonl of a folder."""
    return lambda folder, lines: write_records(folder.metrics_file, lines)


@pytest.fixture
def page_of():
    """A function that makes the page of a run folder."""
    return lambda folder: build_page(gather(folder))
