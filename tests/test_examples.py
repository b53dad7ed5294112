"""Every example runs in its short form, prints its numbers, and saves a picture worth the name."""

import ast
import functools
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run an example as a reader would, once a module: name -> (finished process, its folder)."""

    @functools.cache
    def run_example(name):
        folder = tmp_path_factory.mktemp(name)
        out = folder / "made" / "by" / "the example"
        script = ROOT / "examples" / f"{name}.py"
        command = [sys.executable, "-W", "error", str(script), "--smoke", "--out", str(out)]
        search_path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        environment = {**os.environ, "MPLBACKEND": "Agg", "PYTHONPATH": search_path}
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
        )
        return done, out

    return run_example


def numbers(pattern, text):
    """The numbers that a pattern's group finds at the ends of lines."""
    return [float(number) for number in re.findall(pattern + r"(\S+)$", text, re.MULTILINE)]


def test_the_readers_path_starts_here():
    assert [path.stem for path in EXAMPLES][:2] == ["01_scalar_backprop", "02_double_backward"]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
class TestExample:
    def test_runs_prints_and_draws(self, path, run):
        done, out = run(path.stem)
        assert done.returncode == 0, done.stderr
        assert len(re.findall(r"\d\.\d", done.stdout)) >= 5, "an example prints its numbers"
        pictures = list(out.glob("*.png"))
        assert pictures, "an example saves a picture"
        for picture in pictures:
            assert str(picture) in done.stdout, "an example says where its picture is"
            assert np.asarray(Image.open(picture)).std() > 1, f"{picture.name} is blank"

    def test_teaches_before_it_computes(self, path):
        source = path.read_text(encoding="utf-8")
        prose = ast.get_docstring(ast.parse(source))
        assert prose.startswith(f"{path.stem[:2]}. "), "the number opens the prose"
        assert len(prose.split()) >= 100, "prose first"
        assert f"python examples/{path.name}" in prose, "the prose says how to run it"
        assert len(source.splitlines()) <= 200, "an example is read at one sitting"


@pytest.mark.parametrize("path", EXAMPLES[:2], ids=lambda path: path.stem)
def test_a_missing_matplotlib_gives_one_line(path):
    code = "import runpy, sys; sys.modules['matplotlib'] = None; runpy.run_path(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr == 'this example draws: pip install -e ".[train]" brings matplotlib\n'


def test_scalar_backprop_agrees_with_the_chain_rule(run):
    stdout = run("01_scalar_backprop")[0].stdout
    differences = numbers(r"^[xwbpuyL]  .* ", stdout)
    assert len(differences) == 7
    assert np.abs(differences).max() < 1e-15
    assert "dc/da = 4 " in stdout


def test_double_backward_agrees_with_closed_forms(run):
    stdout = run("02_double_backward")[0].stdout
    tanh = numbers(r"order \d: ", stdout)
    assert len(tanh) == 5
    assert max(tanh) < 1e-13
    newton = numbers(r"step \d: .*error ", stdout)
    assert newton[0] > 0.1
    assert newton[-1] < 1e-14
    penalty = numbers(r"dP/d[Wv]: largest difference ", stdout)
    assert len(penalty) == 2
    assert max(penalty) < 1e-13
