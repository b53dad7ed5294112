import subprocess

import pytest

from minigan.cli import bench, run


def test_the_devices_are_compared(capfd):
    arguments = ["bench", "toy", "--smoke", "--threads=1", "--device=cpu", "--device=cuda"]
    assert run(arguments) == 0
    said = capfd.readouterr().out
    assert "minigan cpu" in said
    assert "minigan cuda" in said
    assert "no GPU: " in said or "absent" not in said


def test_options_reach_the_benchmark(monkeypatch):
    asked = {}

    def call(command, *, cwd, check):
        asked.update(command=command[1:], cwd=cwd)
        return subprocess.CompletedProcess(command, 3)

    monkeypatch.setattr(subprocess, "run", call)
    assert run(["bench", "toy", "style32", "--rounds=2"]) == 3
    assert asked["command"] == ["-m", "benchmarks.compare", "toy", "style32", "--rounds", "2"]
    assert (asked["cwd"] / "benchmarks").is_dir()


def test_without_a_source_tree_it_says_what_is_missing(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(bench.minigan, "__file__", str(tmp_path / "minigan" / "__init__.py"))
    assert run(["bench"]) == 1
    assert "bench needs the folder benchmarks/" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--rounds=0"], ["--device=tpu"]])
def test_wrong_options_are_refused(arguments, capsys):
    assert run(["bench", *arguments]) == 2
    assert capsys.readouterr().err.startswith("minigan: Invalid value for")
