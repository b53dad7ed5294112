import contextlib
import io
import os
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from minigan.data.decode import Unusable, fit_picture, read_picture

# Where the stored corner (0, 0) of an image comes to lie in the upright one, by EXIF orientation:
# "the 0th row is the visual top, the 0th column the visual left side" and so on (EXIF 2.3, 4.6.4).
UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[:, ::-1],
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: a.swapaxes(0, 1)[::-1],
}


def png(width, height, *, depth, kind, rows, before=b""):
    """A PNG file written by the format's description; Pillow does not write every kind."""
    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    parts = chunk(b"IHDR", head) + before + chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + parts + chunk(b"IEND", b"")


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def encoded(picture, kind, **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def read(tmp_path):
    """Read the picture in some bytes: (H, W, C), as integers that cannot wrap around."""

    def read(data, **options):
        path = tmp_path / "picture"  # no suffix: what it is decides, not what it is called
        path.write_bytes(data)
        return fit_picture(read_picture(path, **options), None, "cover").astype(int)

    return read


@pytest.fixture
def photograph(rng):
    """A smooth colour image, 12 high and 20 wide, that survives lossy compression."""
    small = Image.fromarray(rng.integers(0, 256, (3, 5, 3), np.uint8))
    return small.resize((20, 12), Image.Resampling.BICUBIC)


class TestKinds:
    @pytest.mark.parametrize(
        ("kind", "options", "tolerance"),
        [
            ("PNG", {}, 0),
            ("WEBP", {"lossless": True}, 0),
            ("WEBP", {"quality": 95}, 40),
            ("JPEG", {"quality": 95, "subsampling": 0}, 12),
            ("JPEG", {"quality": 95, "progressive": True}, 40),
            ("MPO", {"quality": 95, "subsampling": 0}, 12),  # what some cameras call a JPEG
        ],
    )
    def test_formats(self, read, photograph, kind, options, tolerance):
        got = read(encoded(photograph, kind, **options))
        assert got.shape == (12, 20, 3)
        assert np.abs(got - np.asarray(photograph).astype(int)).max() <= tolerance

    def test_grey_becomes_colour_and_colour_grey(self, read, photograph):
        grey = photograph.convert("L")
        np.testing.assert_array_equal(read(encoded(grey, "PNG"), channels=1)[..., 0], grey)
        np.testing.assert_array_equal(
            read(encoded(grey, "PNG")), np.repeat(np.asarray(grey)[..., None], 3, axis=2)
        )
        np.testing.assert_array_equal(read(encoded(photograph, "PNG"), channels=1)[..., 0], grey)

    def test_palette_and_black_and_white(self, read, photograph):
        palette = photograph.quantize(16)
        np.testing.assert_array_equal(read(encoded(palette, "PNG")), palette.convert("RGB"))
        bits = photograph.convert("1")
        np.testing.assert_array_equal(
            read(encoded(bits, "PNG"), channels=1)[..., 0], np.asarray(bits) * 255
        )

    def test_printing_inks(self, read):
        red = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
        assert np.abs(read(encoded(red, "JPEG", quality=100)) - [255, 0, 0]).max() <= 3

    def test_the_first_frame_of_an_animation(self, read):
        frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
        for kind in ("PNG", "WEBP"):
            options = {"save_all": True, "append_images": frames[1:]}
            options |= {"lossless": True} if kind == "WEBP" else {}
            got = read(encoded(frames[0], kind, **options))
            np.testing.assert_array_equal(got, np.broadcast_to([255, 0, 0], (4, 4, 3)))


class TestAlpha:
    @pytest.mark.parametrize("kind", ["PNG", "WEBP"])
    @pytest.mark.parametrize("alpha", [0, 64, 255])
    def test_lies_on_white(self, read, kind, alpha):
        picture = Image.new("RGBA", (3, 3), (200, 100, 0, alpha))
        options = {"lossless": True} if kind == "WEBP" else {}
        expected = np.array([200, 100, 0]) * alpha / 255 + 255 * (1 - alpha / 255)
        assert np.abs(read(encoded(picture, kind, **options)) - expected).max() <= 1

    def test_grey_with_alpha(self, read):
        picture = Image.new("LA", (2, 2), (0, 51))  # a fifth of black on white
        assert np.abs(read(encoded(picture, "PNG"), channels=1) - 204).max() <= 1

    @pytest.mark.parametrize("mode", ["L", "RGB", "P"])
    def test_a_value_that_means_transparent(self, read, mode):
        pixels = np.array([[10, 20], [20, 30]], np.uint8)
        if mode == "RGB":
            picture, key = Image.fromarray(np.repeat(pixels[..., None], 3, 2)), (20, 20, 20)
        else:
            picture, key = Image.fromarray(pixels), 20
        if mode == "P":
            picture.putpalette([value for value in range(256) for _ in range(3)])
        got = read(encoded(picture, "PNG", transparency=key), channels=1)[..., 0]
        assert got.tolist() == [[10, 255], [255, 30]]


class TestSixteenBits:
    VALUES = np.array([[0, 0x12FF], [0x8000, 0xFFFF]])

    def rows(self, channels):
        """The rows of a PNG: a filter byte 0, then each value once for each channel."""
        wide = np.repeat(self.VALUES.astype(">u2")[..., None], channels, axis=2)
        return b"".join(b"\0" + row.tobytes() for row in wide)

    def test_grey_keeps_its_upper_byte(self, read):
        got = read(png(2, 2, depth=16, kind=0, rows=self.rows(1)))
        np.testing.assert_array_equal(got[..., 0], self.VALUES >> 8)
        assert (got == got[..., :1]).all()
        np.testing.assert_array_equal(
            read(encoded(Image.fromarray(np.uint16(self.VALUES)), "PNG")), got
        )

    def test_colour_does_too(self, read):
        got = read(png(2, 2, depth=16, kind=2, rows=self.rows(3)))
        np.testing.assert_array_equal(got, np.repeat((self.VALUES >> 8)[..., None], 3, 2))

    @pytest.mark.parametrize(("kind", "channels"), [(4, 2), (6, 4)])
    def test_alpha(self, read, kind, channels):
        got = read(png(2, 2, depth=16, kind=kind, rows=self.rows(channels)), channels=1)[..., 0]
        alpha = (self.VALUES >> 8) / 255
        expected = alpha * (self.VALUES >> 8) + (1 - alpha) * 255
        assert np.abs(got - expected).max() <= 1

    @pytest.mark.parametrize(("kind", "channels"), [(0, 1), (2, 3)])
    def test_a_value_that_means_transparent(self, read, kind, channels):
        key = chunk(b"tRNS", struct.pack(">H", 0x12FF) * channels)
        data = png(2, 2, depth=16, kind=kind, rows=self.rows(channels), before=key)
        assert read(data, channels=1)[..., 0].tolist() == [[0, 255], [0x80, 255]]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation_is_applied(read, photograph, kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(photograph, kind, exif=exif, **options)
    stored = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    np.testing.assert_array_equal(read(data), UPRIGHT[orientation](stored))


class TestFit:
    def test_cover_takes_the_square_in_the_middle(self, rng):
        picture = Image.fromarray(rng.integers(0, 256, (10, 16, 3), np.uint8))
        got = fit_picture(picture, 10, "cover")
        np.testing.assert_array_equal(got, np.asarray(picture)[:, 3:13])
        tall = fit_picture(picture.transpose(Image.Transpose.TRANSPOSE), 10, "cover")
        np.testing.assert_array_equal(tall, got.swapaxes(0, 1))

    def test_stretch_takes_everything(self):
        halves = Image.fromarray(np.repeat(np.uint8([[0] * 20 + [200] * 20]), 4, axis=0))
        (row,) = {tuple(row) for row in fit_picture(halves, 4, "stretch")[..., 0].tolist()}
        assert row == (0, 25, 175, 200)  # a triangle 20 wide, an eighth of it across the edge
        assert fit_picture(halves, 4, "cover").shape == (4, 4, 1)

    def test_a_sliver_does_not_take_much_memory(self):
        got = fit_picture(Image.new("L", (5000, 1), 7), 64, "cover")
        assert (got == 7).all()


class TestRefused:
    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (b"", "empty"),
            (b"once upon a time", "not a PNG, JPEG or WebP picture"),
            (b"GIF89a" + bytes(100), "not a PNG, JPEG or WebP picture"),
            (png(30_000, 30_000, depth=8, kind=0, rows=b""), "more than 80,000,000 pixels"),
            (png(9_400, 9_400, depth=8, kind=0, rows=b""), "9400 x 9400, more than 80,000,000"),
            (png(9_500, 9_500, depth=8, kind=0, rows=b""), "more than 80,000,000 pixels"),
        ],
        ids=["empty", "text", "gif", "Pillow's bomb", "ours", "Pillow's warning"],
    )
    def test_other_files_and_bombs(self, read, data, reason):
        with pytest.raises(Unusable, match=reason):
            read(data)

    def test_other_formats_of_pillows_are_not_tried(self, read, photograph):
        for kind in ("GIF", "BMP", "TIFF", "PPM"):
            with pytest.raises(Unusable, match="not a PNG, JPEG or WebP picture"):
                read(encoded(photograph, kind))

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    def test_a_cut_file(self, read, photograph, kind):
        whole = encoded(photograph, kind)
        for length in range(1, len(whole) * 3 // 4, 7):
            with pytest.raises(Unusable, match="damaged or cut|not a PNG"):
                read(whole[:length])
        with pytest.raises(Unusable, match="damaged or cut"):
            read(whole[:14])

    @given(st.data())
    def test_no_damage_gets_through_as_anything_else(self, tmp_path_factory, data):
        exif = Image.Exif()
        exif[0x0112] = 6
        kind = data.draw(st.sampled_from(["PNG", "JPEG", "WEBP"]))
        raw = bytearray(encoded(Image.linear_gradient("L").resize((9, 7)), kind, exif=exif))
        for _ in range(data.draw(st.integers(1, 5))):
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
        path = tmp_path_factory.mktemp("damaged") / "file"
        path.write_bytes(raw)
        with contextlib.suppress(Unusable):
            assert read_picture(path, most_pixels=10_000).mode == "RGB"

    def test_what_is_no_file_does_not_hang(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "astray").symlink_to(tmp_path / "absent")
        with pytest.raises(Unusable, match="not a file"):
            read_picture(tmp_path / "pipe")
        with pytest.raises(Unusable, match="cannot be read: No such file"):
            read_picture(tmp_path / "astray")

    def test_a_huge_file_is_not_read(self, tmp_path):
        path = tmp_path / "huge.webp"
        with path.open("wb") as file:
            file.write(b"RIFF\xff\xff\xff\xffWEBP")
            file.truncate(1 << 40)  # a terabyte, nearly all of it a hole
        with pytest.raises(Unusable, match="1,099,511,627,776 bytes, at most"):
            read_picture(path)
