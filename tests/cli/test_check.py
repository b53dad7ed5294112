import re

import pytest

from minigan import __version__
from minigan.cli import run
from minigan.testing import sweep
from minigan.testing.sweep import Row


def test_a_table_of_the_named_ops(capsys):
    assert run(["gradcheck", "tanh", "matmul", "--order=1"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"tanh .* pass", said)
    assert re.search(r"matmul .* pass", said)
    assert "2 of 2 ops pass; median relative error" in said
    assert "(float64, cpu)" in said


def test_options_reach_the_checker(monkeypatch):
    asked = {}

    def sweep_of(names, *, progress, **options):
        asked.update(options, names=names)
        return [Row("tanh", 1, "1-3", "complex step", 1e-12, "pass", 0.1)]

    monkeypatch.setattr(sweep, "run_sweep", sweep_of)
    assert run(["gradcheck", "tanh", "--order=3", "--dtype=float32"]) == 0
    assert asked == {"names": ["tanh"], "order": 3, "dtype": "float32", "device": "cpu"}


@pytest.mark.parametrize("verdict", ["FAIL", "inconclusive"])
def test_a_failure_is_explained_and_ends_with_one(monkeypatch, capsys, verdict):
    rows = [
        Row("exp", 1, "1", "complex step", 1e-15, "pass", 0.1),
        Row("tanh", 2, "1", "-", float("nan"), verdict, 0.1, message="vjp of x: ratio 1.001"),
    ]
    monkeypatch.setattr(sweep, "run_sweep", lambda *_, **__: rows)
    assert run(["gradcheck"]) == 1
    captured = capsys.readouterr()
    assert "1 of 2 ops pass" in captured.out
    assert f"tanh: {verdict}: vjp of x: ratio 1.001" in captured.err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["tanhh"], 1, "no op named 'tanhh': did you mean"),
        (["--order=9"], 2, "Invalid value for '--order'"),
        (["--dtype=float16"], 2, "Invalid value for '--dtype'"),
    ],
)
def test_bad_arguments_give_one_line(capsys, arguments, code, message):
    assert run(["gradcheck", *arguments]) == code
    said = capsys.readouterr().err
    assert said.startswith(f"minigan: {message}")
    assert said.count("\n") == 1


def test_info_names_versions_gpu_and_blas(capsys):
    assert run(["info"]) == 0
    said = capsys.readouterr().out
    assert f"minigan {__version__}" in said
    assert re.search(r"NumPy \d", said)
    assert "GPU" in said
    assert re.search(r"^BLAS: .+", said, re.MULTILINE)


def test_the_table_is_whole_in_a_narrow_terminal(capsys, monkeypatch):
    rows = [Row("exp", 1, "1-2", "complex step", 1e-15, "pass", 0.1)]
    monkeypatch.setattr(sweep, "run_sweep", lambda *_, **__: rows)
    monkeypatch.setenv("COLUMNS", "10")
    assert run(["gradcheck"]) == 0
    assert re.search(r"exp +1 +1-2 +complex step +1.0e-15 +pass +0.10", capsys.readouterr().out)
