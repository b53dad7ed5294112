import signal
import subprocess
import sys
import warnings

import pytest

from minigan import __version__, cli
from minigan.cli import run
from minigan.data import Skipped, SkippedFiles


def test_version(capsys):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"minigan {__version__}\n"


def test_no_arguments_show_the_help(capsys):
    assert run([]) == 0
    said = capsys.readouterr().out
    for command in (
        "train",
        "resume",
        "sample",
        "translate",
        "evaluate",
        "recipes",
        "runs",
        "info",
    ):
        assert f"\n  {command} " in said


def test_an_unknown_command_gives_one_line(capsys):
    assert run(["trian"]) == 2
    assert capsys.readouterr().err.startswith("minigan: No such command 'trian'")


def test_every_option_of_a_run_is_in_the_help(capsys):
    assert run(["train", "--help"]) == 0
    said = capsys.readouterr().out
    for option in ("--steps", "--batch-size", "--no-spectral-norm", "--set", "--dry-run"):
        assert option in said


def missing(package):
    remedy = 'in a checkout pip install -e ".[train]" brings all there is'
    return f"minigan: {package} is missing: pip install {package}; {remedy}\n"


@pytest.mark.parametrize(("module", "package"), [("typer", "typer"), ("PIL", "pillow")])
def test_a_missing_library_gives_one_line(module, package):
    code = f"import sys; sys.modules[{module!r}] = None; from minigan.cli import main; main()"
    done = _python("-c", code, "train", "--out=/dev/null/runs")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == missing(package)


def test_a_library_that_is_missed_later_gives_one_line_and_no_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert run(["train", "--out", str(tmp_path / "runs")]) == 1
    assert capsys.readouterr().err == missing("scikit-learn")
    assert not (tmp_path / "runs").exists()


def test_a_bug_is_not_mistaken_for_a_missing_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "minigan.cli.app", None)
    with pytest.raises(ModuleNotFoundError):
        run([])


def test_main_exits_with_the_code(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["minigan", "--version"])
    former = signal.getsignal(signal.SIGINT)
    with pytest.raises(SystemExit) as left:
        cli.main()
    signal.signal(signal.SIGINT, former)
    assert left.value.code == 0


def test_the_help_does_not_wait_for_the_slow_libraries():
    code = (
        "import sys; from minigan.cli import run; run(['train', '--help']); run(['--version']);"
        "sys.exit(bool({'matplotlib', 'PIL', 'sklearn'} & sys.modules.keys()))"
    )
    assert _python("-c", code).returncode == 0


def test_ctrl_c_while_the_command_is_imported_gives_one_line(monkeypatch, capsys):
    class Slow:
        @property
        def dispatch(self):
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "minigan.cli.app", Slow())
    assert run(["--version"]) == 130
    assert capsys.readouterr().err == "minigan: interrupted\n"


def test_ctrl_c_after_the_work_does_not_disturb_the_end():
    code = (
        "import atexit, signal; from minigan.cli import main;"
        "signal.signal(signal.SIGINT, signal.default_int_handler);"
        "atexit.register(lambda: (signal.raise_signal(signal.SIGINT), print('at rest')));"
        "main(['--version'])"
    )
    done = _python("-c", code)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("at rest\n")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "No space left on device"), "standard output: No space left on device"),
        (OSError(28, "No space left on device", "a/b"), "a/b: No space left on device"),
        (MemoryError(), "out of memory: use a smaller --width, --batch-size or grid"),
    ],
)
def test_a_lack_of_space_gives_one_line(monkeypatch, capsys, error, said):
    def short(*_, **__):
        raise error

    monkeypatch.setattr("minigan.cli.app.app", short)
    assert run(["info"]) == 1
    assert capsys.readouterr().err == f"minigan: {said}\n"


def test_skipped_files_are_told_once_in_one_line(monkeypatch, capsys):
    def opened_twice(*_, **__):
        for name in ("a.png", "a.png", "b.png"):
            text = f"pictures: skipped 1 of 3: {name} (empty)"
            warnings.warn(SkippedFiles(text, [Skipped(name, "empty")]), stacklevel=1)

    monkeypatch.setattr("minigan.cli.app.app", opened_twice)
    former = warnings.showwarning, list(warnings.filters)
    lines = [f"minigan: pictures: skipped 1 of 3: {name}.png (empty)\n" for name in "ab"]
    for _ in range(2):  # each command tells of its own
        assert run(["info"]) == 0
        assert capsys.readouterr() == ("", "".join(lines))
    assert (warnings.showwarning, list(warnings.filters)) == former


def test_other_warnings_are_shown_as_ever(monkeypatch):
    monkeypatch.setattr("minigan.cli.app.app", lambda *_, **__: warnings.warn("odd", stacklevel=1))
    with pytest.warns(UserWarning, match="^odd$") as shown:
        assert run(["info"]) == 0
    assert len(shown) == 1
    with pytest.raises(UserWarning, match="^odd$"):  # warnings are errors here
        run(["info"])


def test_what_is_shown_of_warnings_comes_back_after_an_error(monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr("minigan.cli.app.app", broken)
    former = warnings.showwarning
    with pytest.raises(ZeroDivisionError):
        run(["info"])
    assert warnings.showwarning is former


def test_the_module_is_the_command():
    done = _python("-m", "minigan", "--version")
    assert (done.returncode, done.stdout) == (0, f"minigan {__version__}\n")


def _python(*arguments):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
