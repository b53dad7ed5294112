import os

import numpy as np
import pytest
from PIL import Image

from minigan.data import (
    DataError,
    SkippedFiles,
    load_folder,
    load_paired,
    load_side_by_side,
    load_unpaired,
)
from minigan.data import folders as module


def paint(path, colour, *, size=(8, 8)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def colours(images):
    """The colour of each image of one colour, in bytes: (N, 3)."""
    assert np.ptp(images, axis=(2, 3)).max() == 0
    return np.rint((images[:, :, 0, 0] + 1) * 127.5).astype(int).tolist()


RED, GREEN, BLUE = [255, 0, 0], [0, 128, 0], [0, 0, 255]


class TestFolder:
    def test_pictures_in_the_order_of_their_names(self, tmp_path):
        for name, colour in [("c.png", "red"), ("a.webp", "blue"), ("b.PNG", "green")]:
            picture = Image.new("RGB", (6, 4), colour)
            kind = {"lossless": True} if name.endswith("webp") else {}
            picture.save(tmp_path / name, **kind)
        data = load_folder(tmp_path)
        assert (data.images.shape, data.images.dtype) == ((3, 3, 4, 6), np.float32)
        assert colours(data.images) == [BLUE, GREEN, RED]
        assert (data.labels.tolist(), data.labels.dtype) == ([0, 0, 0], np.int64)
        assert data.images.flags.c_contiguous

    def test_subfolders_are_classes(self, tmp_path):
        paint(tmp_path / "dog" / "1.png", "red")
        paint(tmp_path / "cat" / "1.png", "green")
        paint(tmp_path / "cat" / "2.png", "blue")
        (tmp_path / ".cache").mkdir()
        data = load_folder(tmp_path)
        assert colours(data.images) == [GREEN, BLUE, RED]
        assert data.labels.tolist() == [0, 0, 1]

    def test_size_channels_and_fit(self, tmp_path):
        stripes = np.uint8([[0] * 4 + [255] * 8 + [0] * 4])
        Image.fromarray(np.repeat(stripes, 8, axis=0)).save(tmp_path / "stripes.png")
        cover = load_folder(tmp_path, size=4, channels=1).images
        stretch = load_folder(tmp_path, size=4, channels=1, fit="stretch").images
        assert (cover.shape, (cover == 1).all()) == ((1, 1, 4, 4), True)
        assert (stretch[..., [0, 3]] < -0.7).all()
        assert (stretch[..., [1, 2]] > 0.7).all()
        assert load_folder(tmp_path, size=4).images.shape == (1, 3, 4, 4)

    def test_what_cannot_be_used_is_skipped_counted_and_named(self, tmp_path):
        paint(tmp_path / "good.png", "red")
        whole = (tmp_path / "good.png").read_bytes()
        (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
        (tmp_path / "notes.txt").write_text("read me")
        (tmp_path / "zero.jpg").touch()
        (tmp_path / ".hidden").write_text("not even looked at")
        os.mkfifo(tmp_path / "pipe")
        with pytest.warns(SkippedFiles) as caught:
            data = load_folder(tmp_path, size=4)
        assert data.images.shape == (1, 3, 4, 4)
        (warning,) = caught
        assert str(warning.message) == (
            f"{tmp_path}: skipped 4 of 5: cut.png (damaged or cut), notes.txt (not a PNG, JPEG or "
            "WebP picture), pipe (not a file), zero.jpg (empty)"
        )
        names = [skipped.name for skipped in warning.message.skipped]
        assert names == ["cut.png", "notes.txt", "pipe", "zero.jpg"]

    def test_labels_stay_with_their_pictures_when_some_are_skipped(self, tmp_path):
        for folder, colour in [("a", "red"), ("b", "blue")]:
            for number in range(3):
                paint(tmp_path / folder / f"{number}.png", colour)
        (tmp_path / "a" / "0.png").write_bytes(b"broken")
        with pytest.warns(SkippedFiles, match=r"skipped 1 of 6: a/0.png \(not a PNG"):
            data = load_folder(tmp_path)
        assert data.labels.tolist() == [0, 0, 1, 1, 1]
        assert colours(data.images) == [RED, RED, BLUE, BLUE, BLUE]

    def test_without_a_size_the_commonest_one_stays(self, tmp_path):
        paint(tmp_path / "a.png", "blue", size=(4, 4))
        for name in "bc":
            paint(tmp_path / f"{name}.png", "red", size=(8, 6))
        with pytest.warns(SkippedFiles, match=r"skipped 1 of 3: a.png \(4 x 4, not 6 x 8\)"):
            data = load_folder(tmp_path)
        assert data.images.shape == (2, 3, 6, 8)
        assert len(load_folder(tmp_path, size=8).images) == 3

    def test_of_many_the_first_five_are_named(self, tmp_path):
        paint(tmp_path / "a.png", "red")
        for number in range(1200):
            (tmp_path / f"{number:04}.png").touch()
        with pytest.warns(SkippedFiles, match=r"0004.png \(empty\), and 1,195 more") as caught:
            load_folder(tmp_path)
        assert len(caught[0].message.skipped) == 1200

    def test_nothing_left_is_an_error(self, tmp_path):
        with pytest.raises(DataError, match="no files; expected PNG, JPEG or WebP pictures"):
            load_folder(tmp_path)
        (tmp_path / "a.png").write_text("no picture")
        with pytest.raises(DataError, match=r"no usable picture among 1 files: a.png \(not a PNG"):
            load_folder(tmp_path)
        with pytest.raises(DataError, match="absent: no such folder"):
            load_folder(tmp_path / "absent")
        with pytest.raises(DataError, match=r"a.png: not a folder"):
            load_folder(tmp_path / "a.png")

    @pytest.mark.parametrize("sizes", [[4, 4, 4], [1, 4, 4, 4]])
    def test_more_than_the_memory_is_refused(self, tmp_path, monkeypatch, sizes):
        for number, size in enumerate(sizes):
            paint(tmp_path / f"{number}.png", "red", size=(size, size))
        count = 3 * 4 * 4 * 3 * 4  # three pictures of 4 x 4 in three channels of four bytes
        monkeypatch.setattr(module, "MOST_MEMORY", count - 1)
        with pytest.raises(DataError, match=r"pictures of this size take .* give a smaller size"):
            load_folder(tmp_path)
        monkeypatch.setattr(module, "MOST_MEMORY", count)
        assert len(load_folder(tmp_path, size=2).images) == len(sizes)

    def test_the_first_picture_tells_that_all_would_be_too_much(self, tmp_path, monkeypatch):
        for number in range(9):
            paint(tmp_path / f"{number}.png", "red")
        read, genuine = [], module.read_picture
        monkeypatch.setattr(
            module, "read_picture", lambda path, **kw: read.append(path) or genuine(path, **kw)
        )
        monkeypatch.setattr(module, "MOST_MEMORY", 9 * 8 * 8 * 3 * 4 - 1)
        with pytest.raises(DataError, match="9 pictures of this size take"):
            load_folder(tmp_path)
        assert len(read) == 1

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"size": 0}, "size is 0"),
            ({"channels": 2}, "channels is 2"),
            ({"fit": "squeeze"}, "fit is 'squeeze': use 'cover' or 'stretch'"),
        ],
    )
    def test_impossible_options(self, tmp_path, options, message):
        for load in (load_folder, load_side_by_side):
            with pytest.raises(ValueError, match=message):
                load(tmp_path, **options)


class TestUnpaired:
    def test_two_domains_of_their_own_lengths(self, tmp_path):
        paint(tmp_path / "trainA" / "1.png", "red")
        paint(tmp_path / "trainB" / "1.png", "blue")
        paint(tmp_path / "trainB" / "2.png", "green")
        paint(tmp_path / "testA" / "1.png", "green")
        paint(tmp_path / "testB" / "1.png", "green")
        a, b = load_unpaired(tmp_path, size=4)
        assert (colours(a.images), colours(b.images)) == ([RED], [BLUE, GREEN])
        assert colours(load_unpaired(tmp_path, "test").a.images) == [GREEN]

    def test_what_is_missing_is_named(self, tmp_path):
        paint(tmp_path / "trainA" / "1.png", "red")
        with pytest.raises(DataError, match="no folder trainB: expected trainA and trainB"):
            load_unpaired(tmp_path)
        with pytest.raises(DataError, match="no folder testA nor testB"):
            load_unpaired(tmp_path, "test")
        with pytest.raises(ValueError, match="part is 'all': use 'train' or 'test'"):
            load_unpaired(tmp_path, "all")

    def test_two_sizes_need_a_size(self, tmp_path):
        paint(tmp_path / "trainA" / "1.png", "red", size=(6, 4))
        paint(tmp_path / "trainB" / "1.png", "blue", size=(8, 8))
        with pytest.raises(DataError, match="4 x 6 in trainA and of 8 x 8 in trainB: give a size"):
            load_unpaired(tmp_path)
        assert load_unpaired(tmp_path, size=4).b.images.shape == (1, 3, 4, 4)


class TestPaired:
    def test_names_belong_together(self, tmp_path):
        for name, left, right in [("2", "red", "blue"), ("1", "green", "red")]:
            paint(tmp_path / "a" / f"{name}.png", left)
            paint(tmp_path / "b" / f"{name}.jpg", right)
        a, b = load_paired(tmp_path / "a", tmp_path / "b", size=4)
        assert colours(a.images) == [GREEN, RED]
        assert np.abs(np.subtract(colours(b.images), [RED, BLUE])).max() <= 2  # JPEG

    def test_half_a_pair_is_skipped(self, tmp_path):
        for name in "01234":
            paint(tmp_path / "a" / f"{name}.png", "red")
            paint(tmp_path / "b" / f"{name}.png", "blue")
        (tmp_path / "a" / "0.png").unlink()
        (tmp_path / "b" / "1.png").unlink()
        (tmp_path / "b" / "2.png").write_bytes(b"broken")
        paint(tmp_path / "b" / "3.png", "blue", size=(4, 4))
        with pytest.warns(SkippedFiles) as caught:
            a, b = load_paired(tmp_path / "a", tmp_path / "b")
        assert [tuple(skipped) for skipped in caught[0].message.skipped] == [
            ("0", "only in b"),
            ("1", "only in a"),
            ("2", "not a PNG, JPEG or WebP picture"),
            ("3", "the halves are 8 x 8 and 4 x 4"),
        ]
        assert (colours(a.images), colours(b.images)) == ([RED], [BLUE])

    def test_one_name_twice_is_refused(self, tmp_path):
        paint(tmp_path / "a" / "1.png", "red")
        paint(tmp_path / "a" / "1.webp", "red")
        paint(tmp_path / "b" / "1.png", "red")
        with pytest.raises(DataError, match=r"a: 1.png and 1.webp: names of pairs must differ"):
            load_paired(tmp_path / "a", tmp_path / "b")


class TestSideBySide:
    def test_left_and_right(self, tmp_path, rng):
        pixels = rng.integers(0, 256, (3, 6, 12, 3), np.uint8)
        for number, picture in enumerate(pixels):
            Image.fromarray(picture).save(tmp_path / f"{number}.png")
        a, b = load_side_by_side(tmp_path)
        expected = pixels.transpose(0, 3, 1, 2) / 127.5 - 1
        np.testing.assert_allclose(a.images, expected[..., :6], atol=1e-6)
        np.testing.assert_allclose(b.images, expected[..., 6:], atol=1e-6)
        assert load_side_by_side(tmp_path, size=4, channels=1).b.images.shape == (3, 1, 4, 4)

    def test_an_odd_width_is_skipped(self, tmp_path):
        paint(tmp_path / "1.png", "red", size=(8, 4))
        paint(tmp_path / "2.png", "red", size=(9, 4))
        with pytest.warns(SkippedFiles, match=r"2.png \(9 pixels wide: two halves need an even"):
            a, b = load_side_by_side(tmp_path)
        assert len(a.images) == len(b.images) == 1
