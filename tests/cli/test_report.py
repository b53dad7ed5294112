import os
import re

import pytest

from minigan.cli import run

TINY = ["--steps=4", "--batch-size=4", "--latent=3", "--width=2", "--eval-samples=0",
        "--preview-every=2", "--log-every=1"]  # fmt: skip


@pytest.fixture
def trained(tmp_path, capsys):
    assert run(["train", *TINY, "--out", str(tmp_path / "runs")]) == 0
    capsys.readouterr()
    return tmp_path / "runs" / "00000-digits"


def test_a_page_is_written_into_the_run(trained, capsys):
    assert run(["report", str(trained)]) == 0
    assert re.fullmatch(
        rf"{re.escape(str(trained))}/report.html: 0\.\d MB, step 4\n", capsys.readouterr().out
    )
    page = (trained / "report.html").read_text(encoding="utf-8")
    assert page.count("data-step=") == 3
    assert "minigan train --steps=4" in page
    assert "minigan evaluate" in page
    assert "Trained by minigan" in page


def test_the_run_itself_is_left_alone(trained):
    before = {p: p.read_bytes() for p in trained.rglob("*") if p.is_file()}
    assert run(["report", str(trained)]) == 0
    after = {p: p.read_bytes() for p in trained.rglob("*") if p.is_file()}
    del after[trained / "report.html"]
    assert after == before


def test_another_place_can_be_named(trained, tmp_path):
    assert run(["report", str(trained), "--out", str(tmp_path / "a.html")]) == 0
    assert (tmp_path / "a.html").stat().st_size > 10_000
    assert not (trained / "report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent"], "no run at absent"),
        (["{run}", "--out=a.txt"], "--out is 'a.txt': must be a file that ends in .html"),
        (["{run}", "--out=/dev/null/a.html"], "Not a directory"),
        (["{run}", "--out=absent/a.html"], "absent/a.html"),
    ],
)
def test_a_mistake_gives_one_line(trained, capsys, arguments, message):
    assert run(["report", *(a.format(run=trained) for a in arguments)]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert message in said


def test_what_is_no_run_is_refused(tmp_path, capsys):
    os.mkdir(tmp_path / "empty")
    assert run(["report", str(tmp_path / "empty")]) == 1
    assert "is not a run: it has no config.toml" in capsys.readouterr().err
