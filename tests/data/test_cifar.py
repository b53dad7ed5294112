import numpy as np
import pytest

from minigan.data import DataError, load_cifar10
from minigan.data.cifar import CLASSES, cifar_folder

RECORDS = 3


def write_cifar(folder, *, rng):
    """Write six small files; return the planes (18, 3, 32, 32) and the classes in their order."""
    planes = rng.integers(0, 256, (18, 3, 32, 32), np.uint8)
    classes = rng.integers(0, 10, 18).astype(np.uint8)
    names = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
    for k, name in enumerate(names):
        records = [
            bytes([classes[i]]) + planes[i].tobytes() for i in range(k * RECORDS, (k + 1) * RECORDS)
        ]
        (folder / name).write_bytes(b"".join(records))
    return planes, classes


def test_records_become_images_and_labels(tmp_path, rng):
    planes, classes = write_cifar(tmp_path, rng=rng)
    train, test, both = (
        load_cifar10(tmp_path, part, records=RECORDS) for part in ("train", "test", "all")
    )
    assert [len(d.images) for d in (train, test, both)] == [15, 3, 18]
    assert (train.images.dtype, train.labels.dtype) == (np.float32, np.int64)
    np.testing.assert_allclose(both.images, planes / 127.5 - 1, atol=1e-6)
    np.testing.assert_array_equal(both.labels, classes)
    np.testing.assert_array_equal(test.images, both.images[15:])
    np.testing.assert_array_equal(train.images, both.images[:15])


def test_the_folder_in_the_archive_is_found(tmp_path, rng):
    inner = tmp_path / "cifar-10-batches-bin"
    inner.mkdir()
    assert cifar_folder(tmp_path) is None
    write_cifar(inner, rng=rng)
    assert cifar_folder(tmp_path) == cifar_folder(inner) == inner
    assert len(load_cifar10(tmp_path, records=RECORDS).images) == 15


@pytest.mark.parametrize("change", [-1, 1, -3073])
def test_a_file_of_another_length_is_refused(tmp_path, rng, change):
    write_cifar(tmp_path, rng=rng)
    path = tmp_path / "data_batch_4.bin"
    path.write_bytes((path.read_bytes() + b"x")[: 3 * 3073 + change])
    with pytest.raises(DataError, match=rf"batch_4.bin: {9219 + change:,} bytes, expected 9,219"):
        load_cifar10(tmp_path, records=RECORDS)


def test_the_length_is_looked_at_before_the_file_is_read(tmp_path, rng):
    write_cifar(tmp_path, rng=rng)
    with (tmp_path / "test_batch.bin").open("wb") as file:
        file.truncate(1 << 40)  # a terabyte, all of it a hole
    with pytest.raises(DataError, match="1,099,511,627,776 bytes, expected 30,730,000"):
        load_cifar10(tmp_path, "test")


def test_a_missing_file_and_an_impossible_class_are_named(tmp_path, rng):
    write_cifar(tmp_path, rng=rng)
    path = tmp_path / "data_batch_2.bin"
    raw = bytearray(path.read_bytes())
    raw[3073] = len(CLASSES)
    path.write_bytes(raw)
    with pytest.raises(DataError, match=r"data_batch_2.bin: class 10, but CIFAR-10's are 0 to 9"):
        load_cifar10(tmp_path, records=RECORDS)
    path.unlink()
    with pytest.raises(
        DataError, match=r"data_batch_2.bin: no such file: CIFAR-10 is data_batch_1"
    ):
        load_cifar10(tmp_path, records=RECORDS)
    with pytest.raises(ValueError, match="part is 'valid'"):
        load_cifar10(tmp_path, "valid", records=RECORDS)
