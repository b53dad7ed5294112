import errno
import os

import pytest

from minigan.train import files


def test_a_file_is_written_and_replaced(tmp_path):
    path = tmp_path / "a.txt"
    assert files.write_text(path, "one") == path
    files.write_text(path, "zwölf")
    assert path.read_text(encoding="utf-8") == "zwölf"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_the_mode_is_that_of_any_new_file(tmp_path):
    (tmp_path / "plain").touch()
    path = files.write_atomic(tmp_path / "a", b"x")
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_a_failure_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch, error, function):
    path = files.write_atomic(tmp_path / "a", b"old")

    def fail(*arguments):
        raise error

    monkeypatch.setattr(os, function, fail)
    with pytest.raises(type(error)):
        files.write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_the_temporary_file_is_beside_its_place(tmp_path, monkeypatch):
    # os.replace is atomic within one file system only
    moved = []
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: (moved.append(a), replace(a, b)))
    files.write_atomic(tmp_path / "a", b"x")
    assert os.path.dirname(moved[0]) == str(tmp_path)


def test_a_full_disk_names_the_file_it_is_about(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # as from write(2): no file name

    path = files.write_atomic(tmp_path / "a", b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        files.write_atomic(path, b"new")
    assert caught.value.filename == str(path)
    assert caught.value.errno == errno.ENOSPC


def test_a_missing_folder_names_the_file_not_the_temporary_one(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        files.write_atomic(tmp_path / "absent" / "a", b"x")
    assert caught.value.filename == str(tmp_path / "absent" / "a")


def test_an_interruption_after_the_move_is_not_masked(tmp_path, monkeypatch):
    replace = os.replace

    def replace_and_stop(*names):
        replace(*names)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", replace_and_stop)
    with pytest.raises(KeyboardInterrupt):
        files.write_atomic(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
