import errno
import multiprocessing

import pytest

from minigan.train import run_folder
from minigan.train.config import GANConfig
from minigan.train.errors import RunError
from minigan.train.run_folder import RunFolder, next_path


def test_runs_are_numbered(tmp_path):
    names = [RunFolder.create(tmp_path / "runs", GANConfig()).path.name for _ in range(3)]
    assert names == ["00000-digits", "00001-digits", "00002-digits"]
    (tmp_path / "runs" / "00041-other").mkdir()
    (tmp_path / "runs" / "my-notes").mkdir()
    assert next_path(tmp_path / "runs", "digits").name == "00042-digits"


def test_a_new_run_holds_config_and_command(tmp_path):
    config = GANConfig(steps=5)
    folder = RunFolder.create(tmp_path, config, ["minigan", "train", "--out", "a b"])
    assert (folder.path / "command.txt").read_text() == "minigan train --out 'a b'\n"
    assert folder.samples.is_dir()
    assert RunFolder.open(folder.path).config() == config
    folder.note_command(["minigan", "again"])
    assert len((folder.path / "command.txt").read_text().splitlines()) == 2


def test_a_number_taken_meanwhile_is_passed_over(tmp_path, monkeypatch):
    (tmp_path / "00000-digits").mkdir()
    looks = iter([tmp_path / "00000-digits", tmp_path / "00001-digits"])
    monkeypatch.setattr(run_folder, "next_path", lambda root, name: next(looks))
    assert RunFolder.create(tmp_path, GANConfig()).path.name == "00001-digits"


def _create(root):
    return str(RunFolder.create(root, GANConfig()).path)


def test_runs_that_start_at_once_get_folders_of_their_own(tmp_path):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        paths = pool.map(_create, [tmp_path] * 12, chunksize=1)
    assert len(set(paths)) == 12
    assert all(RunFolder.open(path).config() == GANConfig() for path in paths)


def test_a_place_that_cannot_be_written_gives_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot write runs to .*: Not a directory; try --out"):
        RunFolder.create(tmp_path / "file" / "runs", GANConfig())


def test_what_is_no_run_gives_one_line(tmp_path):
    with pytest.raises(RunError, match="no run at .*: give a folder that `minigan train` made"):
        RunFolder.open(tmp_path / "absent")
    with pytest.raises(RunError, match="is not a run: it has no config.toml"):
        RunFolder.open(tmp_path)


def test_samples_have_the_film_and_the_step_in_their_names(tmp_path):
    folder = RunFolder.create(tmp_path, GANConfig())
    folder.write_sample("triples", 30, b"png")
    folder.write_latest(b"last")
    names = {p.name: p.read_bytes() for p in folder.samples.iterdir()}
    assert names == {"triples-000030.png": b"png", "latest.png": b"last"}


def test_one_process_at_a_time_is_in_a_run(tmp_path):
    folder = RunFolder.create(tmp_path, GANConfig())
    refused = pytest.raises(RunError, match="is in use by another minigan: wait for it or stop it")
    with folder.locked(), refused, RunFolder.open(folder.path).locked():
        pass
    with folder.locked():  # free again
        pass
    assert not [p for p in folder.path.iterdir() if p.name.startswith(".")]


def test_who_looks_sees_that_a_run_is_in_use_and_does_not_keep_it(tmp_path):
    folder = RunFolder.create(tmp_path, GANConfig())
    assert not folder.in_use()
    with folder.locked():
        assert folder.in_use()
    with folder.locked():
        pass


def test_who_wants_in_waits_for_who_only_looks(tmp_path, monkeypatch):
    folder, tries = RunFolder.create(tmp_path, GANConfig()), []
    flock = run_folder.fcntl.flock

    def busy_at_first(descriptor, kind):
        tries.append(kind)
        if len(tries) == 1:
            raise BlockingIOError
        flock(descriptor, kind)

    monkeypatch.setattr(run_folder.fcntl, "flock", busy_at_first)
    with folder.locked():
        assert len(tries) == 2


def test_a_run_is_tidied(tmp_path):
    folder = RunFolder.create(tmp_path, GANConfig())
    places = (folder.path, folder.samples, folder.checkpoints.folder)
    for place in places:
        (place / ".a.xyz.part").touch()
    folder.tidy()
    assert not [p for place in places for p in place.glob(".*")]


def test_a_folder_is_a_run_once_its_config_is_there(tmp_path, monkeypatch):
    def killed(*_):
        raise SystemExit

    monkeypatch.setattr(RunFolder, "write_config", killed)
    with pytest.raises(SystemExit):
        RunFolder.create(tmp_path, GANConfig(), ["minigan"])
    (begun,) = tmp_path.iterdir()
    assert {p.name for p in begun.iterdir()} == {"samples", "checkpoints", "command.txt"}
    with pytest.raises(RunError, match="is not a run"):
        RunFolder.open(begun)


def test_a_file_system_without_locks_will_do(tmp_path, monkeypatch):
    def unknown(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    folder = RunFolder.create(tmp_path, GANConfig())
    monkeypatch.setattr(run_folder.fcntl, "flock", unknown)
    entered = []
    with folder.locked():
        entered.append(True)
    assert entered


def test_a_run_has_every_option(tmp_path):
    folder = RunFolder.create(tmp_path, GANConfig())
    lines = folder.config_file.read_text().splitlines()
    folder.config_file.write_text("\n".join(x for x in lines if not x.startswith("gamma")))
    with pytest.raises(RunError, match="config.toml has lost 'gamma': put it back"):
        folder.config()


def test_a_run_in_which_nothing_was_done_can_be_discarded(tmp_path):
    folder = RunFolder.create(tmp_path, GANConfig())
    folder.discard()
    assert list(tmp_path.iterdir()) == []
