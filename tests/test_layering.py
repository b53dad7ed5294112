"""The house rule: a file imports only from floors below its own, and never in a circle.

The imports are read from the syntax trees, those inside functions included; only what stands
under `if TYPE_CHECKING:` is no import at run time and does not count.
"""

import ast
import graphlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "minigan"

# The floor of each module or package directly below minigan/.
FLOORS = {
    "_version": 0,
    "errors": 0,
    "backend": 0,
    "node": 1,
    "tensor": 1,
    "recording": 2,
    "op": 2,
    "autograd": 2,
    "ops": 3,
    "anomaly": 3,
    "profiler": 3,
    "nn": 4,
    "optim": 4,
    "losses": 5,
    "penalties": 5,
    "lipschitz": 5,
    "divergences": 5,
    "transport": 5,
    "models": 6,
    "data": 6,
    "metrics": 6,
    "modes": 6,
    "translation_measures": 6,
    "train": 7,
    "lecture": 7,
    "cli": 8,
    "__main__": 8,
}
WINDOW = 6.5  # minigan/__init__.py shows what lies below it; the floors above may go through it
TESTING = 3.5  # beside the house: it sees floors 0 to 3, and only the command line sees it

OPTIONAL = {
    "PIL",
    "cupy",
    "hypothesis",
    "latex2mathml",
    "markdown_it",
    "matplotlib",
    "mdit_py_plugins",
    "pygments",
    "pooch",
    "requests",
    "rich",
    "safetensors",
    "scipy",
    "sklearn",
    "tensorboardX",
    "threadpoolctl",
    "tomli_w",
    "typer",
}


# -- reading the imports --------------------------------------------------------------------------


def modules(package):
    """Return {module name: file} of a package."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name, path, known):
    """Return the modules of the package that a file imports."""
    found = set()
    for node in executed(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = absolute(node, name, path)
            # `from package import x` imports the module package.x where there is one.
            full = [f"{source}.{alias.name}" for alias in node.names]
            found.update(target if target in known else source for target in full)
    top = name.partition(".")[0]
    return {target for target in found if target.partition(".")[0] == top}


def executed(tree):
    """Yield the nodes of a tree except those under `if TYPE_CHECKING:`."""
    stack = [tree]
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            stack.extend(node.orelse)
        else:
            stack.extend(ast.iter_child_nodes(node))


def absolute(node, name, path):
    """Return the module an `from ... import` takes from, with leading dots resolved."""
    if not node.level:
        return node.module
    here = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    here = here[: len(here) - node.level + 1]
    return ".".join([*here, node.module] if node.module else here)


# -- judging them ---------------------------------------------------------------------------------


def floor(name):
    """Return the floor of a module, or raise for one that has been given none."""
    below = name.split(".")[1:2]
    if not below:
        return WINDOW
    if below == ["testing"]:
        return TESTING
    if below[0] not in FLOORS:
        raise AssertionError(f"{name} has no floor: add {below[0]!r} to FLOORS")
    return FLOORS[below[0]]


def arrows_up(package):
    """Return one line for each import that the floors forbid."""
    known = modules(package)
    return [
        f"{name} (floor {floor(name)}) imports {target} (floor {floor(target)})"
        for name, path in known.items()
        for target in sorted(imports(name, path, known))
        if floor(target) > floor(name) or (floor(target) == TESTING and forbidden_tester(name))
    ]


def forbidden_tester(name):
    return floor(name) not in (TESTING, FLOORS["cli"])


def circle(package):
    """Return the modules of an import cycle, or []."""
    known = modules(package)
    graph = {name: imports(name, path, known) - {name} for name, path in known.items()}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


# -- the house ------------------------------------------------------------------------------------


def test_no_import_runs_up():
    assert arrows_up(PACKAGE) == []


def test_no_import_runs_in_a_circle():
    assert circle(PACKAGE) == []


def test_the_walk_sees_the_imports_there_are():
    known = modules(PACKAGE)
    found = imports("minigan.autograd", known["minigan.autograd"], known)
    assert {"minigan.node", "minigan.op", "minigan.tensor"} <= found
    assert imports("minigan.errors", known["minigan.errors"], known) == set()


def test_no_file_is_longer_than_500_lines():
    files = [p for folder in ("minigan", "tests", "benchmarks", "examples") for p in py(folder)]
    assert len(files) > 10
    long = {str(p.relative_to(ROOT)): n for p in files if (n := count_lines(p)) > 500}
    assert long == {}


def py(folder):
    return (ROOT / folder).rglob("*.py")


def count_lines(path):
    return len(path.read_text(encoding="utf-8").splitlines())


def test_importing_minigan_imports_no_optional_package():
    code = "import minigan, sys; print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.split())
    assert {"minigan", "numpy"} <= loaded
    assert loaded & OPTIONAL == set()


# -- the walk itself, on planted faults -----------------------------------------------------------


def plant(tmp_path, **files):
    """Write a package of the given modules: `ops__conv="..."` becomes minigan/ops/conv.py."""
    package = tmp_path / "minigan"
    for name, source in {"__init__": "", **files}.items():
        path = package.joinpath(*name.split("__") if name.strip("_") == name else [name])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".py").write_text(source, encoding="utf-8")
    return package


@pytest.mark.parametrize(
    "source",
    [
        "import minigan.ops.conv",
        "from minigan.ops.conv import conv2d",
        "from minigan.ops import conv",
        "from .ops import conv",
        "from .ops.conv import conv2d",
        "def late():\n    from minigan.ops.conv import conv2d",
        "try:\n    import minigan.ops.conv\nexcept ImportError:\n    pass",
    ],
)
def test_a_planted_arrow_up_is_found(tmp_path, source):
    package = plant(tmp_path, tensor=source, ops__conv="")
    expected = "minigan.tensor (floor 1) imports minigan.ops.conv (floor 3)"
    assert arrows_up(package) == [expected]


@pytest.mark.parametrize(
    ("files", "arrow"),
    [
        ({"ops__conv": "import minigan as mg"}, "minigan.ops.conv (floor 3) imports minigan "),
        ({"nn__conv": "from minigan import losses", "losses": ""}, "imports minigan.losses"),
        ({"testing__grad": "import minigan.nn"}, "minigan.testing.grad (floor 3.5) imports"),
        ({"nn__conv": "from minigan.testing import grad", "testing__grad": ""}, "testing.grad"),
        (
            {"models__a": "from ..train import loop", "train__loop": ""},
            "imports minigan.train.loop",
        ),
    ],
)
def test_other_planted_arrows_are_found(tmp_path, files, arrow):
    (line,) = arrows_up(plant(tmp_path, **files))
    assert arrow in line


@pytest.mark.parametrize(
    "files",
    [
        {"ops__conv": "from minigan.tensor import Tensor\nimport numpy", "tensor": ""},
        {"ops__conv": "from .linear import matmul", "ops__linear": ""},
        {"cli__main": "import minigan.testing, minigan, minigan.train.loop", "train__loop": ""},
        {
            "tensor": "from typing import TYPE_CHECKING\n"
            "if TYPE_CHECKING:\n    from minigan.ops import conv",
            "ops__conv": "",
        },
    ],
)
def test_lawful_imports_pass(tmp_path, files):
    package = plant(tmp_path, **files)
    assert arrows_up(package) == []
    assert circle(package) == []


def test_a_planted_circle_is_found(tmp_path):
    package = plant(
        tmp_path,
        ops__a="from minigan.ops import b",
        ops__b="from .c import f",
        ops__c="def f():\n    import minigan.ops.a",
    )
    assert {"minigan.ops.a", "minigan.ops.b", "minigan.ops.c"} == set(circle(package))


def test_a_module_without_a_floor_is_found(tmp_path):
    with pytest.raises(AssertionError, match="minigan.attic has no floor"):
        arrows_up(plant(tmp_path, ops__conv="import minigan.attic", attic=""))
