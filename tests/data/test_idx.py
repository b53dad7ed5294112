import contextlib
import gzip
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigan.data import DataError, load_idx, load_mnist, read_idx

CODES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}


def idx(array, *, shape=None):
    """The bytes of an IDX file, written by the format's description; `shape` lets it lie."""
    shape = array.shape if shape is None else shape
    kind = array.dtype.str[1:]
    head = bytes([0, 0, CODES[kind], len(shape)]) + struct.pack(f">{len(shape)}I", *shape)
    return head + array.astype(f">{kind}").tobytes()


def images(count, size=4, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size), np.uint8)


def write_mnist(folder, *, parts=("train", "t10k"), count=20, pack=gzip.compress, suffix=".gz"):
    """Write a small set in MNIST's names; return {part: (pixels, labels)}."""
    made = {}
    for seed, part in enumerate(parts):
        pixels, labels = images(count, seed=seed), (np.arange(count) % 10).astype(np.uint8)
        (folder / f"{part}-images-idx3-ubyte{suffix}").write_bytes(pack(idx(pixels)))
        (folder / f"{part}-labels-idx1-ubyte{suffix}").write_bytes(pack(idx(labels)))
        made[part] = pixels, labels
    return made


def peak_of(call):
    """The most memory that a call, which must fail, takes, in bytes."""
    tracemalloc.start()
    try:
        with pytest.raises(DataError) as failure:
            call()
        return tracemalloc.get_traced_memory()[1], str(failure.value)
    finally:
        tracemalloc.stop()


class TestOneFile:
    @pytest.mark.parametrize("kind", CODES)
    @pytest.mark.parametrize("pack", [bytes, gzip.compress])
    def test_every_type_is_read_in_the_machines_order(self, tmp_path, kind, pack):
        array = np.arange(-60, 60).astype(kind).reshape(2, 3, 4, 5)
        path = tmp_path / "a"
        path.write_bytes(pack(idx(array)))
        got = read_idx(path)
        assert got.dtype == array.dtype
        assert got.dtype.isnative
        np.testing.assert_array_equal(got, array)

    def test_the_name_does_not_decide_whether_it_is_compressed(self, tmp_path):
        pixels = images(3)
        (tmp_path / "a.gz").write_bytes(idx(pixels))
        (tmp_path / "b").write_bytes(gzip.compress(idx(pixels)))
        np.testing.assert_array_equal(read_idx(tmp_path / "a.gz"), pixels)
        np.testing.assert_array_equal(read_idx(tmp_path / "b"), pixels)

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"", "starts with nothing, so it is no IDX file"),
            (b"\x89PNG\r\n\x1a\n", "starts with 89 50 4e 47, so it is no IDX file"),
            (b"\0\0\x0a\x01\0\0\0\x01x", "starts with 00 00 0a 01"),
            (b"\0\0\x08\x00", "starts with 00 00 08 00"),
            (b"\0\0\x08\x03\0\0\0\x01", "ends within its header"),
        ],
    )
    def test_another_kind_of_file_is_refused(self, tmp_path, data, message):
        path = tmp_path / "file"
        path.write_bytes(data)
        with pytest.raises(DataError, match=message) as failure:
            read_idx(path)
        assert str(path) in str(failure.value)
        assert "\n" not in str(failure.value)

    @pytest.mark.parametrize("pack", [bytes, gzip.compress])
    @pytest.mark.parametrize(
        ("shape", "message"),
        [
            ((9, 4, 4), "9 x 4 x 4 values, 144 bytes, but there are only 128"),
            ((7, 4, 4), "7 x 4 x 4 values, 112 bytes, but there are more"),
        ],
    )
    def test_a_header_that_lies_is_caught(self, tmp_path, pack, shape, message):
        path = tmp_path / "lie"
        path.write_bytes(pack(idx(images(8), shape=shape)))
        with pytest.raises(DataError, match=message):
            read_idx(path)

    @pytest.mark.parametrize("pack", [bytes, gzip.compress])
    def test_an_announced_gigabyte_is_not_allocated(self, tmp_path, pack):
        path = tmp_path / "lie"
        path.write_bytes(pack(idx(images(8), shape=(1000, 1000, 1000))))
        peak, message = peak_of(lambda: read_idx(path))
        assert "1,000,000,000 bytes, but there are only 128" in message
        assert peak < 4e6

    @pytest.mark.parametrize("shape", [(60_000, 1000, 1000), (2**32 - 1,) * 255])
    def test_more_than_a_gigabyte_is_refused_at_once(self, tmp_path, shape):
        path = tmp_path / "lie"
        path.write_bytes(idx(images(8), shape=shape))
        peak, message = peak_of(lambda: read_idx(path))
        assert "at most 1,073,741,824 are read" in message
        assert peak < 1e6

    def test_a_compressed_file_that_never_stops_is_read_no_further_than_announced(self, tmp_path):
        path = tmp_path / "bomb.gz"
        head = idx(np.zeros((1, 10, 10), np.uint8))
        path.write_bytes(gzip.compress(head + bytes(100_000_000), compresslevel=1))
        peak, message = peak_of(lambda: read_idx(path))
        assert "but there are more" in message
        assert peak < 4e6

    def test_a_cut_compressed_file(self, tmp_path):
        path = tmp_path / "cut.gz"
        whole = gzip.compress(idx(images(50)))
        for length in (3, 12, len(whole) // 2, len(whole) - 5):
            path.write_bytes(whole[:length])
            with pytest.raises(DataError, match="the gzip file ends too early: it was cut"):
                read_idx(path)

    def test_a_wrong_checksum_in_a_compressed_file(self, tmp_path):
        path = tmp_path / "damaged.gz"
        whole = bytearray(gzip.compress(idx(images(50))))
        whole[-6] ^= 1  # within the CRC
        path.write_bytes(whole)
        with pytest.raises(DataError, match="the gzip file is damaged"):
            read_idx(path)

    @given(st.data())
    def test_no_damage_gets_through_as_anything_but_a_data_error(self, tmp_path_factory, data):
        path = tmp_path_factory.mktemp("idx") / "file"
        pack = data.draw(st.sampled_from([bytes, gzip.compress]))
        raw = bytearray(pack(idx(images(5))))
        for _ in range(data.draw(st.integers(1, 4))):
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(raw[: data.draw(st.integers(0, len(raw)))])
        with contextlib.suppress(DataError):
            assert read_idx(path).nbytes <= 80

    def test_what_is_no_file_is_refused(self, tmp_path):
        with pytest.raises(DataError, match="no such file"):
            read_idx(tmp_path / "absent")
        with pytest.raises(DataError, match="not a file"):
            read_idx(tmp_path)


class TestDataset:
    def test_images_and_labels(self, tmp_path):
        pixels, labels = write_mnist(tmp_path)["train"]
        data = load_mnist(tmp_path)
        assert data.images.shape == (20, 1, 4, 4)
        assert (data.images.dtype, data.labels.dtype) == (np.float32, np.int64)
        np.testing.assert_allclose(data.images[:, 0], pixels / 127.5 - 1, atol=1e-6)
        np.testing.assert_array_equal(data.labels, labels)

    def test_parts(self, tmp_path):
        write_mnist(tmp_path)
        train, test, both = (load_mnist(tmp_path, part).images for part in ("train", "test", "all"))
        np.testing.assert_array_equal(both, np.concatenate([train, test]))
        assert not np.array_equal(train, test)

    @pytest.mark.parametrize("only", ["train", "t10k"])
    def test_one_part_alone_is_split(self, tmp_path, only):
        write_mnist(tmp_path, parts=(only,), count=50)
        sizes = [len(load_mnist(tmp_path, part).images) for part in ("train", "test", "all")]
        assert sizes == [40, 10, 50]
        assert np.bincount(load_mnist(tmp_path, "test").labels).tolist() == [1] * 10

    def test_a_plain_file_beside_its_compressed_copy_is_the_one(self, tmp_path):
        write_mnist(tmp_path)
        for path in sorted(tmp_path.glob("train-*")):
            path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
            path.write_bytes(b"not read")
        assert len(load_mnist(tmp_path).images) == 20

    def test_two_sets_in_one_folder_are_refused(self, tmp_path):
        write_mnist(tmp_path)
        (tmp_path / "emnist-letters-train-images-idx3-ubyte").write_bytes(idx(images(2)))
        with pytest.raises(DataError, match="are both train images: name the file"):
            load_mnist(tmp_path)

    def test_a_missing_file_is_named(self, tmp_path):
        with pytest.raises(DataError, match="no images in IDX files, such as train-images"):
            load_mnist(tmp_path)
        write_mnist(tmp_path)
        (tmp_path / "train-labels-idx1-ubyte.gz").unlink()
        with pytest.raises(DataError, match=r"train-images-idx3-ubyte.gz without its labels"):
            load_mnist(tmp_path)

    def test_images_need_as_many_labels(self, tmp_path):
        (tmp_path / "i").write_bytes(idx(images(4)))
        (tmp_path / "l").write_bytes(idx(np.zeros(3, np.uint8)))
        with pytest.raises(DataError, match=r"/l: 3 labels, but .*/i has 4"):
            load_idx(tmp_path / "i", tmp_path / "l")

    def test_labels_are_no_images_and_images_no_labels(self, tmp_path):
        (tmp_path / "i").write_bytes(idx(images(4)))
        (tmp_path / "l").write_bytes(idx(np.zeros(4, np.uint8)))
        (tmp_path / "wide").write_bytes(idx(np.zeros((4, 2, 2), np.float32)))
        (tmp_path / "none").write_bytes(idx(np.zeros((0, 28, 28), np.uint8)))
        with pytest.raises(DataError, match="4 values of type uint8: images are bytes along 3"):
            load_idx(tmp_path / "l")
        with pytest.raises(DataError, match="labels are bytes along 1 axis"):
            load_idx(tmp_path / "i", tmp_path / "i")
        with pytest.raises(DataError, match="4 x 2 x 2 values of type float32"):
            load_idx(tmp_path / "wide")
        with pytest.raises(DataError, match="0 x 28 x 28 values .* at least one"):
            load_idx(tmp_path / "none")
        assert load_idx(tmp_path / "i").labels.tolist() == [0, 0, 0, 0]
