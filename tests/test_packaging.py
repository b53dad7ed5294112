"""The package as others meet it: metadata, commands, files that must be there, and the README."""

import importlib
import re
import runpy
import subprocess
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import setuptools

import minigan as mg
from minigan.testing import gradcheck

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def metadata():
    """What setup.py hands to setuptools, whatever is installed."""
    with mock.patch.object(setuptools, "setup") as setup, pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        runpy.run_path("setup.py")
    return setup.call_args.kwargs


def blocks(language):
    """The README's code blocks in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def makefile_targets():
    return set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


def requirement_names(requirements):
    """Package names without extras and versions: "cupy-cuda12x[ctk]>=14" -> "cupy-cuda12x"."""
    return {re.match(r"[A-Za-z0-9_.-]+", requirement).group() for requirement in requirements}


class TestMetadata:
    def test_the_version_has_one_home(self, metadata):
        assert metadata["version"] == mg.__version__
        releases = re.findall(r"^## \[(\d.*?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
        assert releases[0] == mg.__version__, "the changelog's latest release"

    def test_numpy_is_the_only_hard_dependency(self, metadata):
        assert metadata["install_requires"] == ["numpy>=2.0"]
        assert metadata["python_requires"] == ">=3.11"

    def test_extras(self, metadata):
        extras = metadata["extras_require"]
        assert set(extras) == {
            "train",
            "tensorboard",
            "download",
            "cuda12",
            "cuda13",
            "test",
            "bench",
            "docs",
        }
        assert set(extras["train"]) <= set(extras["test"]), "the tests cover the command line"
        assert requirement_names(extras["cuda12"]) == {"cupy-cuda12x"}
        assert requirement_names(extras["cuda13"]) == {"cupy-cuda13x"}
        every = set().union(*map(requirement_names, extras.values()))
        assert not every & {"torch", "tensorflow", "jax", "chainer", "autograd"}, "from scratch"

    def test_every_package_is_found(self, metadata):
        found = {Path(*name.split(".")) for name in metadata["packages"]}
        folders = {path.parent.relative_to(ROOT) for path in ROOT.glob("minigan/**/*.py")}
        assert found == folders, "a folder of sources without __init__.py is left out of the wheel"

    def test_the_console_script_exists(self, metadata):
        (script,) = metadata["entry_points"]["console_scripts"]
        assert script == "minigan = minigan.cli:main"
        assert callable(importlib.import_module("minigan.cli").main)


class TestFiles:
    def test_licence(self, metadata):
        text = (ROOT / "LICENSE").read_text(encoding="utf-8")
        assert text.startswith("MIT License\n\nCopyright (c) 2026 minigan authors\n")
        assert metadata["license_expression"] == "MIT"

    def test_type_hints_are_shipped(self, metadata):
        assert (ROOT / "minigan" / "py.typed").is_file()
        assert "py.typed" in metadata["package_data"]["minigan"]

    def test_ci_runs_the_tests_and_the_linter(self):
        script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
        assert "\nset -euo pipefail\n" in script
        assert script.index("\nmake test\n") < script.index("\nmake lint\n")

    def test_every_make_target_is_phony_and_listed_by_help(self):
        phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE).group(1)
        assert set(phony.split()) == makefile_targets()
        done = subprocess.run(
            ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True
        )
        listed = re.findall(r"^make ([a-z-]+) ", done.stdout, re.MULTILINE)
        assert set(listed) == makefile_targets()

    def test_no_file_outgrows_a_reader(self):
        sources = [*ROOT.glob("minigan/**/*.py"), *ROOT.glob("examples/*.py")]
        long = {p.name: n for p in sources if (n := len(p.read_text().splitlines())) > 500}
        assert not long, "files over 500 lines are split"


class TestReadme:
    def test_opens_with_the_two_commands(self):
        commands = re.findall(r"^make \S+", README, re.MULTILINE)
        assert commands[:2] == ["make demo", "make test"]
        assert README.index("make test") < 1000

    def test_python_blocks_run_in_order(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        namespace = {"__name__": "readme"}
        assert len(blocks("python")) >= 3
        for number, block in enumerate(blocks("python"), start=1):
            exec(compile(block, f"README.md, block {number}", "exec"), namespace)

    def test_the_failure_shown_is_what_the_checker_says(self):
        @mg.op(elementwise=True)
        def lorentzian(x):
            return 1 / (1 + x * x)

        lorentzian.vjp(x=lambda g, x, out: 2 * g * x * out * out)
        with pytest.raises(AssertionError) as failure:
            gradcheck(lorentzian, [np.random.default_rng(0).normal(size=(3, 4))])
        (shown,) = blocks("text")
        shown = re.findall(r"^(lorentzian: .*|  ratio .*|  hint .*)$", shown, re.MULTILINE)
        assert len(shown) == 3
        assert not set(shown) - set(str(failure.value).splitlines())

    def test_make_commands_exist(self):
        named = set(re.findall(r"\bmake ([a-z][a-z-]*)\b", "".join(blocks("(?:sh|console)"))))
        named |= set(re.findall(r"`make ([a-z][a-z-]*)", README))
        assert {"demo", "test"} <= named
        assert named <= makefile_targets()

    def test_minigan_commands_exist(self):
        app = importlib.import_module("minigan.cli.app").app
        known = {command.name or command.callback.__name__ for command in app.registered_commands}
        named = set(re.findall(r"^minigan ([a-z]+)", "".join(blocks("sh")), re.MULTILINE))
        named |= set(re.findall(r"`minigan ([a-z]+)", README))
        assert {"train", "sample", "gradcheck"} <= named
        assert named <= known

    def test_links_and_paths_exist(self):
        links = re.findall(r"\]\(([^)#:]+)\)", README)
        paths = re.findall(r"`((?:minigan|examples|benchmarks|tests)/[\w/.-]*)`", README)
        missing = [path for path in [*links, *paths] if not (ROOT / path).exists()]
        assert not missing
