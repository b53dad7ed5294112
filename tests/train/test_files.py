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
