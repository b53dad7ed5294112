"""The double of CuPy must count honestly, serve "cuda" for a block, and speak CuPy's dialect."""

import operator
import sys

import numpy as np
import pytest

from minigan.backend import backend_of, get_backend, gpu_status, is_array, xp_of
from minigan.errors import DeviceError
from minigan.testing.cupy_double import CaptureError, CupyDouble, cupy_double, dialect, ndarray


@pytest.fixture
def xp():
    return CupyDouble()


@pytest.fixture
def host():
    return np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)


@pytest.fixture
def x(xp, host):
    array = xp.asarray(host)
    xp.reset()
    return array


class TestCounts:
    @pytest.mark.parametrize(
        "read",
        [
            lambda xp, x: float(x[0, 0]),
            lambda xp, x: int(x[0, 0]),
            lambda xp, x: bool(x[0, 0]),
            lambda xp, x: complex(x[0, 0]),
            lambda xp, x: x[0, 0].item(),
            lambda xp, x: x.get(),
            lambda xp, x: x.tolist(),
            lambda xp, x: x.tobytes(),
            lambda xp, x: repr(x),
            lambda xp, x: f"{x[0, 0]:.3f}",
            lambda xp, x: xp.asnumpy(x),
            lambda xp, x: x[x > 0],
            lambda xp, x: x.__setitem__(x > 0, 0.0),
            lambda xp, x: xp.nonzero(x),
            lambda xp, x: x.nonzero(),
            lambda xp, x: xp.where(x > 0),
            lambda xp, x: xp.unique(x),
            lambda xp, x: 1.0 if x[0, 0] > 0 else 0.0,
            lambda xp, x: xp.cuda.Stream.null.synchronize(),
            lambda xp, x: xp.cuda.get_current_stream().synchronize(),
            lambda xp, x: xp.cuda.runtime.deviceSynchronize(),
            lambda xp, x: xp.cuda.Device().synchronize(),
        ],
    )
    def test_one_wait_each_and_none_while_capturing(self, xp, x, read):
        read(xp, x)
        assert xp.synchronisations == 1
        assert len(xp.journal) == 1
        with xp.capturing(), pytest.raises(CaptureError, match="host wait") as caught:
            read(xp, x)
        assert xp.journal[0] in str(caught.value)
        assert xp.synchronisations == 1

    @pytest.mark.parametrize(
        "send",
        [
            lambda xp, x: xp.asarray([1.0, 2.0]),
            lambda xp, x: xp.array(np.ones(3)),
            lambda xp, x: x.set(np.zeros((3, 4), np.float32)),
            lambda xp, x: x[[0, 1]],
            lambda xp, x: x[np.array([0, 1])],
            lambda xp, x: xp.take(x, [0, 1]),
        ],
    )
    def test_one_copy_each_and_none_while_capturing(self, xp, x, send):
        send(xp, x)
        assert xp.copies_to_device == 1
        assert xp.synchronisations == 0
        with xp.capturing(), pytest.raises(CaptureError, match="copies a host array"):
            send(xp, x)

    @pytest.mark.parametrize(
        ("call", "launches"),
        [
            (lambda xp, x: x + 1, 1),
            (lambda xp, x: (x * x).sum(axis=0), 2),
            (lambda xp, x: xp.exp(-x), 2),
            (lambda xp, x: operator.iadd(x, 1), 1),
            (lambda xp, x: x.__setitem__(0, 0.0), 1),
            (lambda xp, x: operator.setitem(x, 0, operator.iadd(x[0], 1)), 1),  # x[0] += 1
            (lambda xp, x: xp.zeros(3), 1),
            (lambda xp, x: xp.asarray(2.0), 1),
            (lambda xp, x: xp.exp(x, out=x), 1),
            (lambda xp, x: x.reshape(4, 3), 0),
            (lambda xp, x: x.T[1:, None], 0),
            (lambda xp, x: x.T.reshape(12), 1),
            (lambda xp, x: xp.split(x, 2, axis=1), 0),
            (lambda xp, x: xp.broadcast_to(x, (5, 3, 4)), 0),
            (lambda xp, x: xp.asarray(x), 0),
        ],
    )
    def test_launches(self, xp, x, call, launches):
        call(xp, x)
        assert xp.launches == launches
        assert xp.synchronisations == xp.copies_to_device == 0

    def test_capture_lets_kernels_pass(self, xp, x, host):
        with xp.capturing():
            y = xp.einsum("ij,kj->ik", x, x) @ x + xp.full((), 2.0, dtype=xp.float32)
        np.testing.assert_allclose(y.get(), host @ host.T @ host + 2, rtol=1e-5)

    def test_cusolver_cannot_be_captured(self, xp, x):
        with xp.capturing(), pytest.raises(CaptureError, match=r"linalg\.svd"):
            xp.linalg.svd(x)

    def test_the_mode_ends_with_its_block(self, xp, x):
        with pytest.raises(CaptureError), xp.capturing():
            float(x[0, 0])
        assert isinstance(float(x[0, 0]), float)

    def test_reset(self, xp, x):
        float((x + 1).sum())
        xp.reset()
        assert (xp.launches, xp.synchronisations, xp.copies_to_device, xp.journal) == (0, 0, 0, [])


class TestInstallation:
    def test_serves_cuda_for_the_block(self):
        with cupy_double() as double:
            backend = get_backend("cuda")
            x = backend.asarray(np.ones(3))
            assert backend_of(x) is backend
            assert xp_of(1.0, x) is double
            backend.synchronize()
            assert double.synchronisations == 1
            assert (double.cuda.is_available(), double.get_array_module(x)) == (True, double)
        assert not is_array(x)

    def fail_inside_a_double(self, outer):
        with cupy_double():
            assert get_backend("cuda") is not outer
            raise ZeroDivisionError

    def test_restores_what_was_there(self):
        with cupy_double():
            outer = get_backend("cuda")
            with pytest.raises(ZeroDivisionError):
                self.fail_inside_a_double(outer)
            assert get_backend("cuda") is outer
            assert backend_of(outer.asarray([1.0])) is outer

    def test_report_names_the_double(self):
        with cupy_double():
            assert "double" in gpu_status()

    def test_without_the_double_there_may_be_no_gpu(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "cupy", None)
        with cupy_double():
            pass
        with pytest.raises(DeviceError):
            get_backend("cuda")


class TestDialect:
    """The tables against the real CuPy, where it is installed (no GPU needed)."""

    def test_absent_names(self):
        cupy = pytest.importorskip("cupy")
        assert [name for name in sorted(dialect.ABSENT) if hasattr(cupy, name)] == []
        for path, names in dialect.ABSENT_IN.items():
            module = operator.attrgetter(path)(cupy)
            assert [name for name in sorted(names) if hasattr(module, name)] == []

    def test_names_offered(self, xp):
        cupy = pytest.importorskip("cupy")
        names = dialect.SYNCHRONISING | dialect.METADATA | dialect.FROM_SHAPE | dialect.SEQUENCES
        assert [name for name in sorted(names) if not hasattr(cupy, name)] == []
        assert [name for name in sorted(dialect.CUSOLVER) if not hasattr(cupy.linalg, name)] == []

    def test_methods(self):
        cupy = pytest.importorskip("cupy")
        public = [name for name in dir(ndarray) if not name.startswith("_")]
        assert [name for name in public if not hasattr(cupy.ndarray, name)] == []

    def test_atomics(self):
        cupy = pytest.importorskip("cupy")
        ufuncs = {name: getattr(cupy, name) for name in dir(np) if hasattr(cupy, name)}
        have = {n for n, u in ufuncs.items() if isinstance(getattr(u, "_scatter_op", None), str)}
        assert have == dialect.UFUNC_AT
