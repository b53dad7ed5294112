"""Each way of not having a GPU gives one clear line: which it is, and what to do about it.

CuPy itself is not needed: a module that fails as CuPy 14 fails is planted in its place.
"""

import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest

import minigan as mg
from minigan.backend import get_backend, gpu_status
from minigan.backend.device import _load_cupy
from minigan.errors import DeviceError
from minigan.testing.cupy_double import CupyDouble

INSTALL = "cupy-cuda13x[ctk]", "cupy-cuda12x[ctk]"


class CUDARuntimeError(RuntimeError):
    """As `cupy.cuda.runtime.CUDARuntimeError`: the number of the error is in `.status`."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class DynamicLibNotFoundError(RuntimeError):
    """As `cuda.pathfinder.DynamicLibNotFoundError`, which is no ImportError."""


class FailingProduct(np.ndarray):
    """An array whose first matrix product finds out that cuBLAS is missing."""

    def __matmul__(self, other):
        raise ImportError("libcublas.so.13: cannot open shared object file: No such file")


def failing(error):
    def fail(*args, **kwargs):
        raise error

    return fail


def plant(monkeypatch, ones):
    """Put a module in CuPy's place whose `ones` is the given function."""
    cupy = ModuleType("cupy")
    cupy.__version__ = "14.2.0"
    cupy.ndarray = type("ndarray", (), {})
    cupy.asarray = cupy.asnumpy = failing(AssertionError("not to be reached"))
    cupy.ones = ones
    monkeypatch.setitem(sys.modules, "cupy", cupy)


ERRORS = {
    "no driver": (
        CUDARuntimeError(
            35,
            "cudaErrorInsufficientDriver: CUDA driver version is insufficient for CUDA runtime "
            "version",
        ),
        ("driver", "cudaErrorInsufficientDriver"),
    ),
    "no device": (
        CUDARuntimeError(100, "cudaErrorNoDevice: no CUDA-capable device is detected"),
        ("no device", "cudaErrorNoDevice", "CUDA_VISIBLE_DEVICES"),
    ),
    "no cuBLAS": (
        ImportError("libcublas.so.13: cannot open shared object file: No such file or directory"),
        ("library", "libcublas.so.13", *INSTALL),
    ),
    "no NVRTC": (
        DynamicLibNotFoundError('Failure finding "libnvrtc.so":\n  No such file: libnvrtc.so*'),
        ("library", "libnvrtc.so", *INSTALL),
    ),
    "no headers": (
        RuntimeError("Failed to find CUDA headers.\nPlease install cuda-cudart-dev."),
        ("headers", *INSTALL),
    ),
    "another error": (
        CUDARuntimeError(2, "cudaErrorMemoryAllocation: out of memory"),
        ("CUDARuntimeError", "out of memory"),
    ),
    "an error without words": (RuntimeError(), ("RuntimeError",)),
}


def assert_one_clear_line(words):
    """Check that every road to the GPU ends in the same line, and that it holds the words."""
    with pytest.raises(DeviceError) as caught:
        get_backend("cuda")
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith("no GPU")
    for word in words:
        assert word in line
    assert gpu_status() == line
    for road in (
        lambda: mg.device("cuda"),
        lambda: mg.tensor(1.0, device="cuda"),
        lambda: mg.tensor(1.0).to("cuda"),
    ):
        with pytest.raises(DeviceError) as again:
            road()
        assert str(again.value) == line
    assert mg.current_device() == "cpu"
    return caught.value


def test_cupy_absent(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    error = assert_one_clear_line(("CuPy is not installed", "pip install", *INSTALL))
    assert error.__cause__ is None


def test_cupy_absent_really(monkeypatch):
    """Not only None in its place: nothing to find on the path at all."""
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    monkeypatch.setattr(sys, "path", [])
    assert_one_clear_line(("CuPy is not installed", *INSTALL))


@pytest.mark.parametrize("kind", ERRORS)
def test_first_kernel_fails(monkeypatch, kind):
    error, words = ERRORS[kind]
    plant(monkeypatch, failing(error))
    assert assert_one_clear_line(words).__cause__ is error


def test_library_missing_at_the_first_product(monkeypatch):
    """cuBLAS is loaded late: `ones` works and `@` does not."""
    plant(monkeypatch, lambda shape, dtype: np.ones(shape, dtype).view(FailingProduct))
    assert_one_clear_line(("library", "libcublas.so.13", *INSTALL))


def test_library_missing_while_cupy_is_imported(monkeypatch, tmp_path):
    source = 'raise ImportError("libcudart.so.13: cannot open shared object file")\n'
    (tmp_path / "cupy.py").write_text(source)
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    assert_one_clear_line(("library", "libcudart.so.13", *INSTALL))
    assert "cupy" not in sys.modules


def test_module_missing_inside_cupy(monkeypatch, tmp_path):
    """A broken CuPy is not an absent one: the line names the module that it lacks."""
    (tmp_path / "cupy.py").write_text("import fastrlock_that_is_not_there\n")
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(DeviceError, match="fastrlock_that_is_not_there") as caught:
        get_backend("cuda")
    assert "CuPy is not installed" not in str(caught.value)


def test_a_failure_is_not_remembered(monkeypatch):
    """Whoever mends the cause need not start Python anew: each request looks again."""
    plant(monkeypatch, failing(ERRORS["no device"][0]))
    with pytest.raises(DeviceError, match="no device"):
        get_backend("cuda")
    double = CupyDouble()
    monkeypatch.setitem(sys.modules, "cupy", double)
    backend = _load_cupy()  # what get_backend calls; loaded here without being registered for all
    assert backend.xp is double
    np.testing.assert_array_equal(backend.asnumpy(backend.asarray(np.arange(3))), [0, 1, 2])
    before = double.synchronisations
    backend.synchronize()
    assert double.synchronisations == before + 1


@pytest.mark.parametrize("name", ["gpu", "cuda:0", "CUDA", ""])
def test_unknown_device(name):
    with pytest.raises(DeviceError, match="use 'cpu' or 'cuda'"):
        mg.device(name)


def test_importing_minigan_does_not_import_cupy():
    code = "import sys, minigan; sys.exit('cupy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
