"""The benchmark of mode collapse: its short form, its resumption, its table and its verdict."""

import argparse
import importlib
import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "benchmarks"


@pytest.fixture
def load(monkeypatch):
    """Import a module of the benchmark, as the script does: from its own folder."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """Run two methods in the short form, twice: (first output, second output, folder)."""
    folder = tmp_path_factory.mktemp("modes")
    outputs = [start(folder), start(folder)]
    return *outputs, folder


def start(folder):
    """Run the script as a reader would."""
    command = [sys.executable, "-W", "error", str(FOLDER / "modes.py"), "--smoke"]
    command += ["--methods", "minimax,r1", "--runs", str(folder / "runs")]
    command += ["--out", str(folder / "report"), "--processes", "1"]
    search_path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": search_path}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def record(**changes):
    """A run that just meets the bounds, or misses them by what is changed."""
    good = {"method": "r1", "target": "grid", "seed": 0, "modes": 24}
    return {**good, "high_quality": 0.8, "reverse_kl": 0.2, **changes}


def campaign(**changes):
    """Five good runs on each target; the changes hit the last on the ring."""
    runs = [
        record(target=t, seed=s, modes=m) for t, m in (("grid", 25), ("ring", 8)) for s in range(5)
    ]
    return [*runs[:-1], {**runs[-1], **changes}]


class TestShortForm:
    def test_reports_every_run_and_stands_beside_the_papers(self, smoke):
        first, _, folder = smoke
        content = json.loads((folder / "report" / "modes.json").read_text())
        runs = {(r["method"], r["target"], r["seed"]) for r in content["runs"]}
        assert runs == {(m, t, 0) for m in ("minimax", "r1") for t in ("ring", "grid")}
        page = (folder / "report" / "modes.md").read_text()
        for text in (first, page):
            assert "the architectures differ" in text
            assert text.count("PacGAN4 [PacGAN]") == 2, "once a target"

    def test_draws_the_samples(self, smoke):
        assert np.asarray(Image.open(smoke[2] / "report" / "modes.png")).std() > 1

    def test_does_not_run_again_what_is_finished(self, smoke):
        first, second, _ = smoke
        assert "4 runs, 0 of them finished before" in first
        assert "4 runs, 4 of them finished before" in second
        assert first[first.index("\nring\n") :] == second[second.index("\nring\n") :]

    def test_names_neither_host_nor_folder(self, smoke):
        text = (smoke[2] / "report" / "modes.json").read_text()
        assert not re.search(rf"\b{re.escape(platform.node())}\b", text)
        assert str(Path.home()) not in text
        assert str(ROOT) not in text


class TestResuming:
    def test_a_run_of_other_settings_does_not_count(self, load, smoke):
        modes, training = load("modes"), load("modes_training")
        runs = smoke[2] / "runs"
        job = training.Job("r1", "ring", 0, modes.SMOKE)
        assert modes.finished(job, runs)["method"] == "r1"
        other = training.Job("r1", "ring", 0, training.Settings())
        assert modes.finished(other, runs) is None
        assert modes.finished(training.Job("r1", "ring", 1, modes.SMOKE), runs) is None

    def test_a_run_is_a_function_of_its_seed(self, load):
        modes, training = load("modes"), load("modes_training")
        a, b, c = (
            training.run(training.Job("relativistic-r1-r2", "ring", seed, modes.SMOKE))["samples"]
            for seed in (3, 3, 4)
        )
        assert a == b
        assert a != c

    def test_every_method_trains(self, load):
        modes, training = load("modes"), load("modes_training")
        for method in training.METHODS:
            game = training.Game(training.Job(method, "grid", 0, modes.SMOKE))
            before = game.sample(8)
            game.play()
            assert (game.sample(8) != before).all(), method


class TestOptions:
    def test_seeds_are_a_range_or_a_list(self, load):
        numbers = load("modes").numbers
        assert numbers("0-4") == [0, 1, 2, 3, 4]
        assert numbers("0,2,7") == [0, 2, 7]
        assert numbers("3") == [3]

    def test_an_unknown_method_is_refused_by_name(self, load):
        modes = load("modes")
        assert modes.names("r1,wgan-gp") == ["r1", "wgan-gp"]
        with pytest.raises(argparse.ArgumentTypeError, match=r"'r2'.*relativistic-r1-r2"):
            modes.names("r1,r2")


class TestVerdict:
    @pytest.mark.parametrize(
        "change", [{"modes": 7}, {"high_quality": 0.79}, {"reverse_kl": 0.21}, {"reverse_kl": None}]
    )
    def test_one_bad_run_is_enough(self, load, change):
        report = load("modes_report")
        assert report.verdict(campaign()).endswith(": r1.")
        assert report.verdict(campaign(**change)).endswith(": no method.")

    def test_needs_five_seeds(self, load):
        report = load("modes_report")
        few = [r for r in campaign() if r["seed"] < 4]
        assert report.verdict(few).endswith(": no method.")

    def test_the_grid_may_miss_one_mode(self, load):
        report = load("modes_report")
        assert report.passes(record(modes=24))
        assert not report.passes(record(modes=23))

    def test_row_has_mean_error_and_worst(self, load):
        report = load("modes_report")
        runs = [record(seed=s, modes=m, high_quality=q, reverse_kl=0.1)
                for s, (m, q) in enumerate([(25, 0.9), (23, 0.7)])]  # fmt: skip
        row = report.rows(runs, "grid")[0]
        assert row == ("r1", "2", "24.0±1.0", "80.0±10.0", "0.100±0.000", "23", "70.0", "0.100")


class TestCommittedResults:
    def test_a_penalised_method_meets_the_bounds_and_minimax_does_not(self, load):
        content = json.loads((FOLDER / "results" / "modes.json").read_text(encoding="utf-8"))
        passing = content["passing"]
        assert passing == load("modes_report").passing(content["runs"])
        assert any(content["methods"][m]["penalty"] for m in passing)
        assert "minimax" in content["methods"]
        assert "minimax" not in passing
