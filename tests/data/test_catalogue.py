import gzip
import struct

import numpy as np
import pytest
from PIL import Image

from minigan.data import DataError, catalogue, open_dataset, open_domains, open_pair


def write_idx(path, array):
    head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(gzip.compress(head + array.tobytes()))


@pytest.fixture
def mnist(tmp_path):
    """A folder with forty images in MNIST's test files."""
    labels = (np.arange(40) % 10).astype(np.uint8)
    pixels = np.repeat(np.repeat(labels[:, None, None] * np.uint8(20), 6, axis=1), 6, axis=2)
    write_idx(tmp_path / "t10k-images-idx3-ubyte.gz", pixels)
    write_idx(tmp_path / "t10k-labels-idx1-ubyte.gz", labels)
    return tmp_path


def paint(path, colour, size=(8, 8)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


class TestDatasets:
    def test_names(self):
        assert open_dataset("digits", part="test").images.shape == (355, 1, 8, 8)
        assert open_dataset("stacked-digits", channels=3).labels.max() == 999

    def test_every_name_gives_images_in_range(self):
        for name in catalogue.DATASETS:
            images, labels = open_dataset(name, size=16, channels=3)
            assert images.shape == (len(labels), 3, 16, 16)
            assert (images.dtype, labels.dtype) == (np.float32, np.int64)
            assert -1 <= images.min() < images.max() <= 1

    @pytest.mark.parametrize("spelt", ["folder", "file"])
    def test_idx(self, mnist, spelt):
        spec = mnist if spelt == "folder" else mnist / "t10k-images-idx3-ubyte.gz"
        train, test = (open_dataset(str(spec), part=part) for part in ("train", "test"))
        whole = open_dataset(spec, part="all", size=3, channels=3)
        assert whole.images.shape == (40, 3, 3, 3)
        np.testing.assert_allclose(whole.images[:, 1, 1, 1], whole.labels * 20 / 127.5 - 1, 1e-6)
        assert [len(part.images) for part in (train, test)] == [40, 0]

    def test_a_file_of_images_without_labels(self, mnist):
        (mnist / "t10k-labels-idx1-ubyte.gz").unlink()
        data = open_dataset(mnist / "t10k-images-idx3-ubyte.gz", part="all")
        assert data.labels.tolist() == [0] * 40

    def test_cifar(self, tmp_path):
        (tmp_path / "test_batch.bin").write_bytes(bytes(3073))
        with pytest.raises(DataError, match=r"test_batch.bin: 3,073 bytes, expected 30,730,000"):
            open_dataset(tmp_path, part="test")

    def test_pictures(self, tmp_path):
        for number in range(10):
            paint(tmp_path / f"{number}.png", "red")
        assert open_dataset(tmp_path).images.shape == (8, 3, 8, 8)
        assert open_dataset(tmp_path, part="test", size=4, channels=1).images.shape == (2, 1, 4, 4)
        assert open_dataset(tmp_path, part="all").labels.tolist() == [0] * 10

    def test_pictures_in_train_and_test(self, tmp_path):
        paint(tmp_path / "train" / "cat" / "1.png", "red")
        paint(tmp_path / "train" / "dog" / "1.png", "red")
        paint(tmp_path / "test" / "cat" / "1.png", "blue")
        with pytest.raises(DataError, match="train and test have not the same subfolders"):
            open_dataset(tmp_path)
        paint(tmp_path / "test" / "dog" / "1.png", "blue")
        train, test, both = (open_dataset(tmp_path, part=p) for p in ("train", "test", "all"))
        assert train.labels.tolist() == test.labels.tolist() == [0, 1]
        np.testing.assert_array_equal(both.images, np.concatenate([train.images, test.images]))
        assert (train.images[:, 0] == 1).all()
        assert (test.images[:, 2] == 1).all()

    def test_parts_of_two_sizes_cannot_be_joined(self, tmp_path):
        paint(tmp_path / "train" / "1.png", "red")
        paint(tmp_path / "test" / "1.png", "red", size=(4, 4))
        with pytest.raises(
            DataError, match=r"\(3, 8, 8\) and \(3, 4, 4\) in train and test: give a size"
        ):
            open_dataset(tmp_path, part="all")


class TestErrors:
    @pytest.mark.parametrize(
        ("spec", "message"),
        [
            ("digts", "digts: no such dataset: neither one of .*; did you mean 'digits'?"),
            ("no/such/place", "no/such/place: no such dataset: .* nor a file or folder that is"),
        ],
    )
    def test_an_unknown_name(self, spec, message):
        with pytest.raises(DataError, match=message):
            open_dataset(spec)

    def test_a_folder_of_something_else_is_told_what_was_found(self, tmp_path):
        with pytest.raises(
            DataError, match="found nothing; expected MNIST's IDX files, CIFAR-10's"
        ):
            open_dataset(tmp_path)
        for name in "fedcbag":
            (tmp_path / name).touch()
        (tmp_path / "A").mkdir()
        with pytest.raises(DataError, match="found A/, a, b, c, d and 3 more; expected") as failure:
            open_dataset(tmp_path)
        assert str(failure.value).startswith(f"{tmp_path}: ")
        assert "\n" not in str(failure.value)

    @pytest.mark.parametrize(
        ("name", "data", "message"),
        [
            ("a.png", b"\x89PNG", "one picture: name the folder it lies in"),
            ("a.zip", b"PK\x03\x04", "starts with 50 4b 03 04; expected an IDX file .*unpack"),
            ("a", b"", "starts with nothing; expected an IDX file"),
            ("a.tar.gz", gzip.compress(b"ustar"), "starts with 75 73 74 61, so it is no IDX file"),
        ],
    )
    def test_a_file_of_something_else(self, tmp_path, name, data, message):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DataError, match=message) as failure:
            open_dataset(tmp_path / name)
        assert str(tmp_path / name) in str(failure.value)

    def test_two_domains_are_no_dataset(self, tmp_path):
        paint(tmp_path / "trainA" / "1.png", "red")
        with pytest.raises(DataError, match="two domains, trainA and trainB, where one dataset"):
            open_dataset(tmp_path)

    def test_an_unknown_part(self):
        with pytest.raises(ValueError, match="part is 'valid'"):
            open_dataset("digits", part="valid")


class TestDomains:
    def test_unpaired_and_paired_folders(self, tmp_path):
        for name in ("1", "2"):
            paint(tmp_path / "trainA" / f"{name}.png", "red")
            paint(tmp_path / "trainB" / f"{name}.png", "blue")
        paint(tmp_path / "trainB" / "3.png", "blue")
        unpaired = open_domains(tmp_path, size=4)
        assert [len(side.images) for side in unpaired] == [2, 3]
        with pytest.warns(UserWarning, match=r"skipped 1 of 3: 3 \(only in trainB\)"):
            paired = open_domains(tmp_path, paired=True)
        assert [len(side.images) for side in paired] == [2, 2]

    @pytest.mark.parametrize("inner", ["", "train"])
    def test_side_by_side(self, tmp_path, inner):
        paint(tmp_path / inner / "1.png", "red", size=(8, 4))
        a, b = open_domains(tmp_path, paired=True)
        assert a.images.shape == b.images.shape == (1, 3, 4, 4)

    @pytest.mark.parametrize("name", catalogue.PAIRS)
    def test_a_name(self, name):
        domains = open_pair(name)
        assert len(domains.a_train) > len(domains.a_test) > 0
        with pytest.raises(DataError, match=f"did you mean '{name}'"):
            open_pair(name[:-1])

    @pytest.mark.parametrize("name", catalogue.PAIRED)
    def test_a_name_of_pairs(self, name):
        domains = open_pair(name, paired=True)
        assert domains.paired
        assert len(domains.a_train) == len(domains.b_train) > len(domains.a_test) > 0
        with pytest.raises(DataError, match=f"did you mean '{name}'"):
            open_pair(name[:-1], paired=True)

    def test_a_name_of_domains_without_pairs(self):
        assert not open_pair("photographs").paired
        message = "photographs: no such pair of domains with paired images: neither one of rerend"
        with pytest.raises(DataError, match=message):
            open_pair("photographs", paired=True)

    @pytest.mark.parametrize("inner", ["", "train"])
    def test_pairs_side_by_side_hold_a_fifth_out(self, tmp_path, inner):
        for i in range(10):
            paint(tmp_path / inner / f"{i}.png", (20 * i, 0, 0), size=(8, 4))
        domains = open_pair(tmp_path, paired=True)
        assert domains.paired
        shades = [set(np.unique(side[:, 0])) for side in (domains.a_train, domains.a_test)]
        assert [len(s) for s in shades] == [8, 2]
        assert not shades[0] & shades[1]
        np.testing.assert_array_equal(domains.a_test, domains.b_test)

    @pytest.mark.parametrize("paired", [False, True])
    def test_one_image_cannot_be_parted(self, tmp_path, paired):
        for side in "AB":
            paint(tmp_path / f"train{side}" / "1.png", "red")
        with pytest.raises(DataError, match="one image of a domain, and no test part: give two"):
            open_pair(tmp_path, paired=paired)

    def test_pairs_side_by_side_with_a_test_part(self, tmp_path):
        for part, count in (("train", 3), ("test", 2)):
            for i in range(count):
                paint(tmp_path / part / f"{i}.png", "red", size=(8, 4))
        domains = open_pair(tmp_path, paired=True)
        assert [len(domains.a_train), len(domains.b_test)] == [3, 2]

    def test_pairs_by_name_hold_a_fifth_out(self, tmp_path):
        for i in range(5):
            paint(tmp_path / "trainA" / f"{i}.png", (20 * i, 0, 0))
            paint(tmp_path / "trainB" / f"{i}.png", (0, 20 * i, 0))
        domains = open_pair(tmp_path, paired=True)
        assert [len(domains.a_train), len(domains.b_test)] == [4, 1]
        np.testing.assert_array_equal(domains.a_train[:, 0], domains.b_train[:, 1])

    def test_folders_with_a_test_part(self, tmp_path):
        for folder, count in (("trainA", 3), ("trainB", 2), ("testA", 2), ("testB", 1)):
            for i in range(count):
                paint(tmp_path / folder / f"{i}.png", "red", size=(4, 4))
        domains = open_pair(tmp_path, size=8)
        shapes = [getattr(domains, n).shape for n in ("a_train", "b_train", "a_test", "b_test")]
        assert shapes == [(n, 3, 8, 8) for n in (3, 2, 2, 1)]
        assert domains.true_map is None

    def test_folders_without_one_hold_a_fifth_out(self, tmp_path):
        for folder, count in (("trainA", 10), ("trainB", 2)):
            for i in range(count):
                paint(tmp_path / folder / f"{i}.png", "red", size=(4, 4))
        domains = open_pair(tmp_path)
        assert (len(domains.a_train), len(domains.a_test)) == (8, 2)
        assert (len(domains.b_train), len(domains.b_test)) == (1, 1)

    def test_a_folder_without_them(self, tmp_path):
        with pytest.raises(DataError, match="no folder trainA nor trainB"):
            open_domains(tmp_path)
        with pytest.raises(DataError, match="no such pair of domains"):
            open_domains(tmp_path / "absent")
        file = tmp_path / "one.txt"
        file.write_text("no folder")
        with pytest.raises(DataError, match="a file; give the folder that has trainA and trainB"):
            open_domains(file)


def test_a_folder_of_mnist_is_a_domain_beside_the_digits(mnist, tmp_path):
    with pytest.raises(DataError, match="images of 6 x 6; squares of 16 or more are needed"):
        open_pair(mnist)
    pixels = np.repeat(np.arange(40, dtype=np.uint8)[:, None, None], 28, axis=1).repeat(28, axis=2)
    write_idx(mnist / "t10k-images-idx3-ubyte.gz", pixels)
    domains = open_pair(mnist)
    assert domains.name == "two-collections"
    assert domains.a_train.shape == (32, 1, 16, 16)
    assert domains.b_test.shape == (355, 1, 16, 16)
    expected = np.delete(np.arange(40), np.s_[4::5]) / 127.5 - 1  # every fifth is held out
    np.testing.assert_allclose(domains.a_train[:, 0, 8, 8], expected, atol=1e-6)
    np.testing.assert_array_equal(domains.labels.a_test, [4, 9] * 4)


def test_a_test_part_that_is_damaged_is_not_replaced_in_silence(tmp_path):
    for folder in ("trainA", "trainB", "testA", "testB"):
        for i in range(5):
            paint(tmp_path / folder / f"{i}.png", (40 * i, 0, 0))
    assert len(open_pair(tmp_path).a_test) == 5
    for path in (tmp_path / "testB").iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(DataError, match="testB"):
        open_pair(tmp_path)
