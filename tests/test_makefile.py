"""The Makefile's care for what it did not make, and for folders with spaces."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def make(tmp_path):
    """A function that runs make in an otherwise empty folder."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "setup.py").touch()

    def run(*arguments):
        command = ["make", "--no-print-directory", f"PYTHON={sys.executable}", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    return run


def test_an_environment_of_somebody_else_is_left_alone(make, tmp_path):
    mine = tmp_path / ".venv" / "mine"
    mine.parent.mkdir()
    mine.touch()
    done = make(".venv/.created")
    assert done.returncode != 0
    assert ".venv was not made by this Makefile: move it away, or make VENV=" in done.stderr
    assert make("clean").returncode == 0
    assert mine.exists()


def test_clean_removes_the_environment_it_made(make, tmp_path):
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / ".created").touch()
    (tmp_path / "runs").mkdir()
    assert make("clean").returncode == 0
    assert not (tmp_path / ".venv").exists()
    assert (tmp_path / "runs").exists()


def test_runs_may_lie_in_a_folder_with_spaces(make):
    script = make("--dry-run", "demo", "RUNS=my runs").stdout
    assert 'minigan train --out "my runs"' in script
    assert 'ls -d "my runs"/[0-9]*-digits' in script
