import re

import pytest

from minigan.cli import run
from minigan.train.config import CONFIGS
from minigan.train.run_folder import RunFolder
from minigan.train.settings import build_config

TINY = ("--batch-size=4", "--latent=3", "--width=2", "--save-every=1", "--eval-samples=0")


def said(capsys, *command):
    assert run([str(word) for word in command]) == 0
    return capsys.readouterr().out


def test_every_recipe_has_its_line(capsys):
    lines = said(capsys, "recipes").splitlines()
    for recipe, cls in CONFIGS.items():
        (line,) = [line for line in lines if line.split()[:1] == [recipe]]
        assert cls.about in line
        assert cls.takes in line
        assert re.search(rf"\b{cls().steps}\b", line)


@pytest.mark.parametrize("recipe", CONFIGS)
def test_the_options_of_a_recipe_are_a_config_file_of_its_defaults(tmp_path, capsys, recipe):
    text = said(capsys, "recipes", recipe)
    assert CONFIGS[recipe].about in text
    file = tmp_path / "defaults.toml"
    file.write_text(text)
    assert build_config({}, recipe=recipe, file=file) == CONFIGS[recipe]()
    assert len(text.splitlines()) == len(CONFIGS[recipe].options())


def test_an_unknown_recipe_has_no_options(capsys):
    assert run(["recipes", "diggits"]) == 1
    assert "did you mean 'digits'?" in capsys.readouterr().err


def test_runs_are_listed(tmp_path, capsys, monkeypatch):
    out = tmp_path / "runs"
    for steps in (2, 3):
        said(capsys, "train", "--out", out, f"--steps={steps}", "--set=log_every=1", *TINY)
    folder = RunFolder.open(out / "00001-digits")
    path = folder.checkpoints.path(3)
    path.write_bytes(path.read_bytes()[:-1])
    text = said(capsys, "runs", out)
    first, second = (
        line for line in text.splitlines() if re.match(r" +0000\d-digits +digits", line)
    )
    assert re.search(
        r" 2/2 +done +D \d\.\d+  R1 \d\.\d+  G \d\.\d+ +- +\d{4}-\d\d-\d\d \d\d:\d\d", first
    )
    assert re.search(r" 2/3 +damaged ", second)
    assert text.splitlines()[-1].startswith(f"00001-digits: cannot read checkpoint {path}")
    monkeypatch.chdir(tmp_path)
    assert said(capsys, "runs") == text.replace(str(out), "runs")


def test_no_runs_are_said_to_be_none(tmp_path, capsys):
    assert said(capsys, "runs", tmp_path) == f"no runs in {tmp_path}\n"
    assert run(["runs", str(tmp_path / "absent")]) == 1
    assert "no folder" in capsys.readouterr().err
