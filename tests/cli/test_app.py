import subprocess
import sys

import pytest

from minigan import __version__, cli
from minigan.cli import run


def test_version(capsys):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"minigan {__version__}\n"


def test_no_arguments_show_the_help(capsys):
    assert run([]) == 0
    said = capsys.readouterr().out
    for command in ("train", "sample", "evaluate", "gradcheck", "info"):
        assert f"\n  {command} " in said


def test_an_unknown_command_gives_one_line(capsys):
    assert run(["trian"]) == 2
    assert capsys.readouterr().err.startswith("minigan: No such command 'trian'")


def test_every_option_of_a_run_is_in_the_help(capsys):
    assert run(["train", "--help"]) == 0
    said = capsys.readouterr().out
    for option in ("--steps", "--batch-size", "--no-spectral-norm", "--resume", "--dry-run"):
        assert option in said


@pytest.mark.parametrize(("module", "package"), [("typer", "typer"), ("PIL", "pillow")])
def test_a_missing_library_gives_one_line(module, package):
    code = f"import sys; sys.modules[{module!r}] = None; from minigan.cli import main; main()"
    done = _python("-c", code, "train", "--dry-run")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f'minigan: {package} is missing: pip install "minigan[train]"\n'


def test_a_library_that_is_missed_later_gives_one_line_and_no_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert run(["train", "--out", str(tmp_path / "runs")]) == 1
    expected = 'minigan: scikit-learn is missing: pip install "minigan[train]"\n'
    assert capsys.readouterr().err == expected
    assert not (tmp_path / "runs").exists()


def test_a_bug_is_not_mistaken_for_a_missing_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "minigan.cli.app", None)
    with pytest.raises(ModuleNotFoundError):
        run([])


def test_main_exits_with_the_code(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["minigan", "--version"])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 0


def test_the_module_is_the_command():
    done = _python("-m", "minigan", "--version")
    assert (done.returncode, done.stdout) == (0, f"minigan {__version__}\n")


def _python(*arguments):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
