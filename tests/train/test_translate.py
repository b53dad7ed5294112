"""Pictures in, pictures out: what the generator makes of the decoded pixels, at their own size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import minigan as mg
from minigan import nn
from minigan.data import DataError, SkippedFiles
from minigan.data.batches import drawing_from
from minigan.models import DCGANGenerator, ResNetGenerator, UNetGenerator
from minigan.train import translate
from minigan.train.errors import ConfigError, RunError
from minigan.train.recipes import Translators
from minigan.train.translate import Job, jobs_of, translate_files, translate_pixels, translator_of


def resnet(channels=3, out_channels=None, **options):
    with drawing_from(0, "weights"):
        out_channels = out_channels or channels
        network = ResNetGenerator(
            channels, out_channels, **{"blocks": 1, "width": 2, "halvings": 1, **options}
        )
    for parameter in network.parameters():
        parameter.assign_(10 * parameter.data)  # far from the grey of untrained networks
    return network


def unet(depth):
    with drawing_from(0, "weights"):
        return UNetGenerator(3, 3, depth=depth, width=2)


class Inverting(nn.Module):
    """x -> -x, of sides that are even as often as `halvings` says: an answer known beforehand."""

    def __init__(self, channels=3, halvings=3):
        self.in_channels, self.halvings = channels, halvings

    def forward(self, x):
        step = 1 << self.halvings
        assert x.shape[:2] == (1, self.in_channels)
        assert x.shape[2] % step == x.shape[3] % step == 0
        return -x


def noise(rng, *shape):
    return rng.integers(0, 256, shape, np.uint8)


def saved(path, pixels, **options):
    Image.fromarray(pixels).save(path, **options)
    return path


def opened(path):
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def go(tmp_path):
    """Translate one file into `out.png` and return its pixels."""

    def go(generator, source, **options):
        target = tmp_path / "out.png"
        assert translate_files(generator, jobs_of(source, target), **options) == 1
        return opened(target)

    return go


# -- one picture ----------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
def test_a_file_is_what_the_generator_makes_of_its_pixels(rng, tmp_path, go, channels):
    pixels = noise(rng, 12, 20, 3)[..., :channels].squeeze()
    generator = resnet(channels)
    got = go(generator, saved(tmp_path / "in.png", pixels))
    image = pixels.reshape(12, 20, channels).transpose(2, 0, 1)[None] / np.float32(127.5) - 1
    with mg.no_grad():
        made = generator.eval()(mg.tensor(image.astype(np.float32))).numpy()[0]
    expected = np.rint((made + 1) * 127.5).transpose(1, 2, 0).squeeze()
    assert got.std() > 20
    np.testing.assert_array_equal(got, expected)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 4), st.sampled_from([1, 3]))
def test_every_size_keeps_its_size_and_place(height, width, halvings, channels):
    pixels = noise(np.random.default_rng(height * width), height, width, channels)
    np.testing.assert_array_equal(
        translate_pixels(Inverting(channels, halvings), pixels), 255 - pixels
    )


@pytest.mark.parametrize("height", [1, 3, 7, 8, 13])
@pytest.mark.parametrize(
    "generator",
    [
        *(resnet(halvings=n, padding=kind) for n in (0, 1, 3) for kind in ("zeros", "reflect")),
        unet(2),
        unet(4),
    ],
    ids=lambda g: f"{type(g).__name__}-{getattr(g, 'depth', None) or g.halvings}",
)
def test_the_networks_take_any_size(rng, generator, height):
    pixels = noise(rng, height, 11, 3)
    assert translate_pixels(generator, pixels).shape == (height, 11, 3)


def test_what_lies_beyond_the_edge_is_the_reflection():
    class Recording(Inverting):
        def forward(self, x):
            self.seen = x.numpy()
            return super().forward(x)

    generator = Recording(1, 2)
    translate_pixels(generator, np.arange(30, dtype=np.uint8).reshape(5, 6, 1))
    seen = np.rint((generator.seen[0, 0] + 1) * 127.5)
    assert seen[0].tolist() == [0, 1, 2, 3, 4, 5, 4, 3]
    assert seen[:, 0].tolist() == [0, 6, 12, 18, 24, 18, 12, 6]


def test_sizes_that_fit_are_not_padded(rng):
    pixels = noise(rng, 16, 16, 3)
    for generator in (unet(4), resnet(halvings=3)):
        assert translate._fitting(generator, 16) == 16
        assert translate_pixels(generator, pixels).shape == pixels.shape


def test_grey_may_become_colour(rng, tmp_path, go):
    source = saved(tmp_path / "in.png", noise(rng, 8, 8))
    assert go(resnet(1, 3), source).shape == (8, 8, 3)
    assert go(resnet(3, 1), source).shape == (8, 8)


def test_the_kinds_of_pictures_are_those_of_the_readers(rng, tmp_path, go):
    pixels = noise(rng, 5, 8, 3)
    exif = Image.Exif()
    exif[0x0112] = 6  # the top is at the right: shown, it is turned clockwise
    turned = saved(tmp_path / "turned.png", pixels, exif=exif)
    np.testing.assert_array_equal(go(Inverting(), turned), 255 - np.rot90(pixels, -1))
    clear = saved(tmp_path / "clear.webp", np.zeros((4, 4, 4), np.uint8), lossless=True)
    np.testing.assert_array_equal(go(Inverting(), clear), np.zeros((4, 4, 3)))  # white, inverted
    grey = saved(tmp_path / "grey.png", pixels[..., 0])
    np.testing.assert_array_equal(go(Inverting(), grey), 255 - pixels[..., :1].repeat(3, axis=-1))
    np.testing.assert_array_equal(go(Inverting(1), grey), 255 - pixels[..., 0])


def test_a_size_is_that_of_the_longer_side(tmp_path, go):
    source = saved(tmp_path / "in.png", np.full((10, 40, 3), 55, np.uint8))
    for size, shape in ((20, (5, 20, 3)), (80, (20, 80, 3)), (1, (1, 1, 3))):
        np.testing.assert_array_equal(go(Inverting(), source, size=size), np.full(shape, 200))
    upright = saved(tmp_path / "upright.png", np.zeros((30, 20, 3), np.uint8))
    assert go(Inverting(), upright, size=15).shape == (15, 10, 3)


def test_a_very_large_picture_needs_a_size(tmp_path, go, monkeypatch):
    monkeypatch.setattr(translate, "LONGEST", 20)
    source = saved(tmp_path / "in.png", np.zeros((3, 21, 3), np.uint8))
    with pytest.raises(DataError, match=r"in.png: 21 x 3, more than 20 pixels a side: give --size"):
        go(Inverting(), source)
    assert go(Inverting(), source, size=20).shape == (3, 20, 3)


def test_too_little_memory_is_the_pictures_fault(rng, tmp_path, go):
    class Wasteful(Inverting):
        def forward(self, x):
            raise MemoryError

    source = saved(tmp_path / "in.png", noise(rng, 8, 8, 3))
    with pytest.raises(DataError, match="in.png: takes too much memory: give a smaller --size"):
        go(Wasteful(), source)


def test_the_generator_keeps_its_mode_and_state(rng):
    generator = unet(2).train()
    before = generator.state_dict()
    first = translate_pixels(generator, noise(rng, 8, 8, 3))
    assert generator.training
    assert first.std() > 0
    for name, array in generator.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


# -- folders --------------------------------------------------------------------------------------


@pytest.fixture
def pictures(rng, tmp_path):
    """A folder of three pictures, and what is none of its business."""
    folder = tmp_path / "in"
    (folder / "inner").mkdir(parents=True)
    saved(folder / "a.png", noise(rng, 8, 8, 3))
    saved(folder / "b.c.webp", noise(rng, 9, 4, 3), lossless=True)
    saved(folder / "d.PNG", noise(rng, 3, 5))
    saved(folder / ".hidden.png", noise(rng, 8, 8, 3))
    saved(folder / "inner" / "e.png", noise(rng, 8, 8, 3))
    return folder


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def test_a_folder_is_translated_name_by_name(pictures, out):
    before = {path: path.read_bytes() for path in pictures.rglob("*.*")}
    watched = []

    def watch(jobs):
        for job in jobs:
            watched.append(job.source.name)
            yield job

    assert translate_files(Inverting(), jobs_of(pictures, out), watch=watch) == 3
    assert names(out) == ["a.png", "b.c.png", "d.png"]
    assert watched == ["a.png", "b.c.webp", "d.PNG"]
    for name in ("a.png", "b.c.webp"):
        expected = 255 - np.asarray(Image.open(pictures / name))
        np.testing.assert_array_equal(opened((out / name).with_suffix(".png")), expected)
    assert {path: path.read_bytes() for path in pictures.rglob("*.*")} == before


def test_what_is_no_picture_is_skipped_and_named(pictures, out):
    data = (pictures / "a.png").read_bytes()
    (pictures / "cut.png").write_bytes(data[: len(data) // 2])
    (pictures / "notes.txt").write_text("of a.png")
    (pictures / "gone.png").symlink_to(pictures / "absent")
    with pytest.warns(SkippedFiles) as caught:
        assert translate_files(Inverting(), jobs_of(pictures, out)) == 3
    (warning,) = caught
    assert str(warning.message) == (
        f"{pictures}: skipped 3 of 6: cut.png (damaged or cut), "
        "gone.png (cannot be read: No such file or directory), "
        "notes.txt (not a PNG, JPEG or WebP picture)"
    )
    assert [each.name for each in warning.message.skipped] == ["cut.png", "gone.png", "notes.txt"]
    assert names(out) == ["a.png", "b.c.png", "d.png"]


def test_two_pictures_of_one_name_do_not_replace_each_other(rng, tmp_path, out):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.jpg").write_text("no picture: the name is still free")
    first, second = noise(rng, 8, 8, 3), noise(rng, 8, 8, 3)
    saved(folder / "a.png", first)
    saved(folder / "a.webp", second, lossless=True)
    reason = r"a.webp \(would replace the translation of a.png\)"
    with pytest.warns(SkippedFiles, match=f"skipped 2 of 3: a.jpg .*, {reason}"):
        assert translate_files(Inverting(), jobs_of(folder, out)) == 1
    np.testing.assert_array_equal(opened(out / "a.png"), 255 - first)


def test_a_folder_without_a_good_picture_is_refused(tmp_path, out):
    folder = tmp_path / "in"
    folder.mkdir()
    with pytest.raises(DataError, match="in: no files; expected PNG, JPEG or WebP pictures"):
        jobs_of(folder, out)
    (folder / "a.png").touch()
    with pytest.raises(DataError, match=r"in/a.png: empty$"):
        translate_files(Inverting(), jobs_of(folder, out))
    (folder / "b").touch()
    said = r"in: no usable picture among 2 files: a.png \(empty\), b \(empty\)"
    with pytest.raises(DataError, match=said):
        translate_files(Inverting(), jobs_of(folder, out))
    assert not out.exists()


def test_a_failing_write_leaves_no_half(pictures, out, monkeypatch):
    def full(path, data):
        raise OSError(28, "No space left on device", str(path))

    out.mkdir()
    monkeypatch.setattr(translate, "write_atomic", full)
    with pytest.raises(OSError, match="No space left on device"):
        translate_files(Inverting(), jobs_of(pictures, out))
    assert names(out) == []


# -- from where to where --------------------------------------------------------------------------


def test_a_picture_goes_to_a_file_or_into_a_folder_that_is_there(pictures, out):
    source = pictures / "b.c.webp"
    assert jobs_of(source, out.with_suffix(".PNG")) == [Job(source, out.with_suffix(".PNG"))]
    with pytest.raises(ConfigError, match=r"OUT is '.*out': must be a file that ends in .png"):
        jobs_of(source, out)
    out.mkdir()
    assert jobs_of(source, out) == [Job(source, out / "b.c.png")]


def test_places_that_cannot_be_are_refused_before_anything_is_done(pictures, tmp_path):
    absent, file = tmp_path / "absent", pictures / "a.png"
    with pytest.raises(DataError, match="absent: no such file or folder"):
        jobs_of(absent, tmp_path / "out.png")
    with pytest.raises(ConfigError, match=r"must be a file that ends in .png"):
        jobs_of(file, tmp_path / "out.jpg")
    for source, name in ((file, "out.png"), (pictures, "out")):
        with pytest.raises(RunError, match=r"cannot write .*absent is no folder; make it first"):
            jobs_of(source, absent / name)
    with pytest.raises(ConfigError, match=r"OUT is the file .*a.png': must be a folder, as"):
        jobs_of(pictures, file)
    assert not absent.exists()


def test_no_input_is_overwritten_by_any_name_or_link(pictures, tmp_path, out):
    file, link = pictures / "a.png", tmp_path / "link.png"
    link.symlink_to(file)
    out.mkdir()
    (out / "d.png").hardlink_to(file)
    (tmp_path / "again").symlink_to(pictures)
    for source, target in (
        (file, file),
        (file, pictures),
        (file, link),
        (link, file),
        (pictures, pictures),
        (pictures, tmp_path / "again"),
        (pictures, pictures / "inner" / ".."),
        (pictures, out),
    ):
        with pytest.raises(ConfigError, match="would be overwritten, and is to be read"):
            jobs_of(source, target)


def test_an_older_translation_is_replaced(pictures, out):
    jobs = jobs_of(pictures, out)
    assert translate_files(Inverting(), jobs) == translate_files(resnet(), jobs_of(pictures, out))
    assert not np.array_equal(opened(out / "a.png"), 255 - opened(pictures / "a.png"))


# -- which generator ------------------------------------------------------------------------------


def test_a_direction_names_a_generator():
    sampler = Translators(resnet(), resnet())
    assert translator_of(sampler, "a2b") is sampler.ab
    assert translator_of(sampler, "b2a") is sampler.ba
    with pytest.raises(ConfigError, match="--direction is 'a2c': must be a2b or b2a"):
        translator_of(sampler, "a2c")


@pytest.mark.parametrize(("part", "known", "other"), [("ab", "a2b", "b2a"), ("ba", "b2a", "a2b")])
def test_a_run_of_one_direction_has_no_other(part, known, other):
    class OneWay(nn.Module):
        def __init__(self):
            setattr(self, part, resnet())

    sampler = OneWay()
    assert translator_of(sampler, known) is getattr(sampler, part)
    with pytest.raises(ConfigError, match=f"--direction is {other}: .* learned {known} alone"):
        translator_of(sampler, other)


def test_what_draws_pictures_translates_none():
    with pytest.raises(ConfigError, match="run's DCGANGenerator translates no pictures: give the"):
        translator_of(DCGANGenerator(latent=3, width=2), "a2b")
