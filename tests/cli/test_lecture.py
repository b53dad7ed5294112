import re
import sys

import pytest

from minigan.cli import run
from minigan.lecture import examples

PROSE = '"""{number}. Title {number}."""\nprint({number!r}, "is printed")\n'


@pytest.fixture
def folder(tmp_path):
    """Two small examples, and a chapter with both."""
    folder = tmp_path / "examples"
    (folder / "lecture").mkdir(parents=True)
    for number in ("01", "02"):
        (folder / f"{number}_x{number}.py").write_text(PROSE.format(number=number))
    places = "[Example 01](../01_x01.py)\n\n[Example 02](../02_x02.py)\n"
    (folder / "lecture" / "1.md").write_text(f"# 1. Chapter\n\n{places}")
    return folder


def test_the_lecture_is_run_and_written(folder, tmp_path, capsys):
    assert run(["lecture", "--examples", str(folder), "--out", str(tmp_path / "a" / "b")]) == 0
    said = capsys.readouterr().out
    assert [line.split()[0] for line in said.splitlines()] == ["01_x01", "02_x02", "done:"]
    assert "2 of 2 ran" in said
    page = (tmp_path / "a" / "b" / "lecture.html").read_text(encoding="utf-8")
    assert page.index("01 is printed") < page.index("02 is printed")


def test_one_example_alone(folder, tmp_path, capsys):
    assert run(["lecture", "2", "--examples", str(folder), "--out", str(tmp_path)]) == 0
    page = (tmp_path / "lecture.html").read_text(encoding="utf-8")
    assert "02 is printed" in page
    assert "01 is printed" not in page
    assert "1. Chapter" in page


def test_a_failing_example_is_reported_and_the_others_are_shown(folder, tmp_path, capsys):
    (folder / "01_x01.py").write_text('"""01. Fails."""\nraise ValueError("no good")')
    assert run(["lecture", "--examples", str(folder), "--out", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert err == "01_x01: ValueError: no good\n"
    assert "FAILED" in out
    page = (tmp_path / "lecture.html").read_text(encoding="utf-8")
    assert "ValueError: no good" in page
    assert "02 is printed" in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--examples=absent"], "no examples in .*absent: they come with a checkout of minigan"),
        (["nothing"], "no example is called 'nothing': use one of 01_"),
        (["--out=/dev/null/x"], "Not a directory"),
    ],
)
def test_a_mistake_gives_one_line(arguments, message, capsys):
    assert run(["lecture", *arguments]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert re.search(message, said)


def test_ctrl_c_ends_it_with_one_line(folder, tmp_path, capsys, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(examples.subprocess, "run", interrupted)
    assert run(["lecture", "--examples", str(folder), "--out", str(tmp_path)]) == 130
    assert capsys.readouterr().err == "minigan: interrupted\n"


def test_a_missing_library_is_named_before_anything_runs(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.delitem(sys.modules, "minigan.lecture.page", raising=False)
    monkeypatch.delitem(sys.modules, "minigan.lecture.markup", raising=False)
    monkeypatch.setitem(sys.modules, "latex2mathml", None)
    assert run(["lecture", "--examples", str(folder), "--out", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("minigan: latex2mathml is missing: pip install latex2mathml")
