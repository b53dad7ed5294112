"""A disk that is full, a folder that cannot be written: one clear line, and earlier work whole."""

import errno
import os
import resource
import shutil
import subprocess
import sys

import pytest

from minigan.cli import run
from minigan.train import files, loop
from minigan.train.run_folder import RunFolder

pytestmark = pytest.mark.usefixtures("quick_curves")

TINY = ("--batch-size=4", "--latent=3", "--width=2", "--save-every=1", "--eval-samples=0")


@pytest.fixture
def trained(tmp_path, capsys):
    """A finished run of three steps."""
    assert run(["train", "--out", str(tmp_path / "runs"), "--steps=3", *TINY]) == 0
    capsys.readouterr()
    return RunFolder.open(tmp_path / "runs" / "00000-digits")


def fails(capsys, arguments):
    assert run([str(a) for a in arguments]) == 1
    said = capsys.readouterr().err
    assert said.startswith("minigan: ")
    assert said.count("\n") == 1
    return said


def bytes_of(folder):
    return {p: p.read_bytes() for p in folder.path.rglob("*") if p.is_file()}


def refuse(monkeypatch, code, *, name):
    """Let the disk refuse what is written to a file of this name, after half of it."""
    fsync = os.fsync

    def refused(descriptor):
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        if os.path.basename(path).startswith(f".{name}."):
            os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
            raise OSError(code, os.strerror(code))
        fsync(descriptor)

    monkeypatch.setattr(files.os, "fsync", refused)


needs_proc = pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="no /proc/self/fd")


@needs_proc
def test_a_disk_that_becomes_full_leaves_the_earlier_checkpoints_whole(
    trained, tmp_path, capsys, monkeypatch, content
):
    with monkeypatch.context() as patched:
        refuse(patched, errno.ENOSPC, name="step-000005.safetensors")
        said = fails(capsys, ["resume", trained.path, "--steps=6"])
    path = trained.checkpoints.path(5)
    assert said == (
        f"minigan: cannot write {path}: No space left on device; the last checkpoint is of step 4; "
        f"`minigan resume {trained.path}` goes on once it can write again\n"
    )
    assert trained.checkpoints.steps() == [2, 3, 4]
    for step in trained.checkpoints.steps():
        trained.checkpoints.load(step)
    assert not list(trained.path.rglob(".*"))
    assert run(["resume", str(trained.path)]) == 0
    assert run(["train", "--out", str(tmp_path / "whole"), "--steps=6", *TINY]) == 0
    whole = content(RunFolder.open(tmp_path / "whole" / "00000-digits"))
    got = content(trained)
    del got["samples"]["step-000003.png"]  # where the first part ended
    assert got == whole


@needs_proc
def test_a_disk_that_is_full_from_the_start_says_so(tmp_path, capsys, monkeypatch):
    refuse(monkeypatch, errno.ENOSPC, name="reals.png")
    out = tmp_path / "runs"
    said = fails(capsys, ["train", "--out", out, "--steps=3", *TINY])
    assert "reals.png: No space left on device; there is no checkpoint; `minigan resume" in said


def test_records_that_cannot_be_written_stop_the_run(trained, capsys, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(trained.metrics_file))

    monkeypatch.setattr(loop, "append_record", full)
    said = fails(capsys, ["resume", trained.path, "--steps=6", "--set=log_every=1"])
    assert said.startswith(f"minigan: cannot write {trained.metrics_file}: No space left on device")
    assert "the last checkpoint is of step 3" in said


def test_a_folder_that_is_read_only_says_so(trained, capsys, monkeypatch):
    """As root may write anywhere, the system's refusal is played."""

    def refused(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    before = bytes_of(trained)
    monkeypatch.setattr(files.tempfile, "mkstemp", refused)
    said = fails(capsys, ["resume", trained.path, "--steps=6"])
    assert "metrics.jsonl: Read-only file system; the last checkpoint is of step 3" in said
    said = fails(capsys, ["train", "--out", trained.path.parent, *TINY])
    assert said == (
        f"minigan: cannot write runs to {trained.path.parent}: Read-only file system; try --out\n"
    )
    said = fails(capsys, ["sample", trained.path])
    assert said == f"minigan: {trained.path / 'grid.png'}: Read-only file system\n"
    assert bytes_of(trained) == before
    assert list(trained.path.parent.iterdir()) == [trained.path]


def test_a_limit_on_the_size_of_files_is_a_full_disk(tmp_path):
    """Without any patch: the kernel cuts the writing of a checkpoint short."""

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    out = tmp_path / "runs"
    command = [sys.executable, "-m", "minigan", "train", "--out", str(out), "--steps=2", *TINY]
    done = subprocess.run(
        [*command, "--width=12", "--preview-every=0"],
        preexec_fn=limit,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "step-000001.safetensors: File too large; there is no checkpoint;" in done.stderr
    assert done.stderr.count("\n") == 1
    assert list((out / "00000-digits" / "checkpoints").iterdir()) == []


@pytest.fixture
def small_disk(tmp_path):
    """A function that runs a shell line with "$1" a disk of 400 kB, and returns how it ended."""
    if shutil.which("unshare") is None:
        pytest.skip("no unshare: cannot mount a small file system")

    def on_it(line):
        script = f'mount -t tmpfs -o size=400k tmpfs "$1" && {line}'
        words = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", str(tmp_path)]
        return subprocess.run(words, capture_output=True, text=True)

    if on_it("true").returncode:
        pytest.skip("this system lets nobody mount a small file system")
    return on_it


def test_a_real_disk_that_is_full(small_disk):
    """The disk takes some checkpoints and not the next; those it took are still good."""
    minigan = f"{sys.executable} -m minigan"
    options = " ".join([*TINY, "--width=8", "--steps=50", "--set keep_last=99"])
    look = f'{minigan} runs "$1"; ls -A "$1"/*/checkpoints'
    done = small_disk(f'{{ {minigan} train --out "$1" {options}; {look}; }}')
    assert ": No space left on device; the last checkpoint is of step " in done.stderr
    assert "interrupted" in done.stdout
    assert ".part" not in done.stdout
