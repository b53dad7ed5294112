import errno
import os
import stat

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


def test_what_is_written_is_on_the_disk_before_it_has_its_name_and_then_the_name_too(
    tmp_path, monkeypatch
):
    done = []
    fsync, replace = os.fsync, os.replace

    def note_fsync(descriptor):
        done.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "replace", lambda *names: (done.append("name"), replace(*names)))
    files.write_atomic(tmp_path / "a", b"x")
    assert done == ["file", "name", "folder"]


@pytest.mark.parametrize(("code", "passes"), [(errno.EINVAL, True), (errno.EIO, False)])
def test_a_file_system_that_cannot_sync_folders_will_do(tmp_path, monkeypatch, code, passes):
    def refused(descriptor):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refused)
    if passes:
        files.to_disk(tmp_path)
    else:
        with pytest.raises(OSError, match="error") as caught:
            files.to_disk(tmp_path)
        assert caught.value.filename == str(tmp_path)


def test_what_a_killed_writer_left_is_removed_and_nothing_else(tmp_path, monkeypatch):
    def killed(*names):
        raise SystemExit

    for name in (".hidden", "a.part", "b"):
        (tmp_path / name).touch()
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", killed)
        patched.setattr(os, "unlink", killed)  # as if there had been no time for it
        with pytest.raises(SystemExit):
            files.write_atomic(tmp_path / "a", b"x")
    assert len(list(tmp_path.iterdir())) == 4
    assert files.remove_parts(tmp_path) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == [".hidden", "a.part", "b"]
    assert files.remove_parts(tmp_path / "absent") == 0
