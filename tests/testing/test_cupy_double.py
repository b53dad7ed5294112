"""The double of CuPy must give NumPy's numbers and refuse what CuPy refuses."""

import copy
import operator

import numpy as np
import pytest

from minigan.testing.cupy_double import CupyDouble, ndarray


def words(text):
    return text.split()


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


def assert_same(actual, expected):
    """Check that a device array holds exactly the NumPy array `expected`, dtype included."""
    assert isinstance(actual, ndarray)
    assert actual.dtype == np.asarray(expected).dtype
    np.testing.assert_array_equal(actual.get(), expected, strict=False)
    assert actual.shape == np.shape(expected)


class TestNumbers:
    @pytest.mark.parametrize(
        "name", words("add sub mul truediv floordiv mod pow eq ne lt le gt ge")
    )
    @pytest.mark.parametrize("other", [2, 1.5, np.float32(0.5), np.float64(0.5)], ids=repr)
    def test_operators_with_scalars(self, x, host, name, other):
        function = getattr(operator, name)
        with np.errstate(invalid="ignore"):
            assert_same(function(x, other), function(host, other))
            assert_same(function(other, abs(x)), function(other, abs(host)))

    @pytest.mark.parametrize("name", words("add sub mul truediv matmul"))
    def test_operators_with_arrays(self, xp, x, host, name):
        function = getattr(operator, name)
        square = host.T.copy() if name == "matmul" else host + 1
        assert_same(function(x, xp.asarray(square)), function(host, square))

    @pytest.mark.parametrize("name", words("iadd isub imul itruediv"))
    def test_in_place_operators_keep_the_array(self, x, host, name):
        view = x[0]
        result = getattr(operator, name)(x, 2.0)
        assert result is x
        assert_same(view, getattr(operator, name)(host, 2.0)[0])

    def test_in_place_keeps_the_dtype_or_raises(self, x):
        with pytest.raises(TypeError, match="same_kind"):
            x += 1j

    @pytest.mark.parametrize("name", words("sum mean var std max min prod argmax any all"))
    @pytest.mark.parametrize("axis", [None, 0, 1])
    def test_reductions_give_arrays(self, xp, x, host, name, axis):
        expected = getattr(host, name)(axis=axis)
        assert_same(getattr(x, name)(axis=axis), expected)
        assert_same(getattr(xp, name)(x, axis=axis), expected)

    def test_a_sum_of_two_0d_arrays_is_a_0d_array(self, x, host):
        total = x.sum() + x.sum()
        assert_same(total, host.sum() + host.sum())
        assert total.shape == ()

    @pytest.mark.parametrize(
        "call",
        [
            lambda m, a: m.concatenate([a, a], axis=1),
            lambda m, a: m.stack((a, a)),
            lambda m, a: m.einsum("ij,kj->ik", a, a),
            lambda m, a: m.where(a > 0, a, 0.0),
            lambda m, a: m.clip(a, -1, 1),
            lambda m, a: m.pad(a, [(1, 1), (0, 2)], mode="reflect"),
            lambda m, a: m.moveaxis(a, 0, 1),
            lambda m, a: m.tensordot(a, a, axes=([1], [1])),
            lambda m, a: m.linalg.svd(a)[1],
            lambda m, a: m.fft.fft(a),
            lambda m, a: m.lib.stride_tricks.sliding_window_view(a, (2, 2)),
            lambda m, a: m.full_like(a, 3.0),
            lambda m, a: m.take_along_axis(a, m.argsort(a, axis=1), axis=1),
            lambda m, a: m.take(a, m.asarray([0, 2]), axis=1),
            lambda m, a: m.broadcast_to(a, (2, 3, 4)),
            lambda m, a: m.maximum(a, 0.0) + m.pi * m.eye(3, 4, dtype=a.dtype),
            lambda m, a: m.nonzero(a > 0)[0],
            lambda m, a: m.zeros([2, 3], dtype=m.float32),
        ],
    )
    def test_functions(self, xp, x, host, call):
        assert_same(call(xp, x), call(np, host))

    def test_several_results(self, xp, x, host):
        for part, expected in zip(xp.split(x, 2, axis=1), np.split(host, 2, axis=1), strict=True):
            assert_same(part, expected)
        assert len(xp.linalg.svd(x, full_matrices=False)) == 3

    def test_out_returns_the_array_given(self, xp, x, host):
        out = xp.empty_like(x)
        assert xp.exp(x, out=out) is out
        assert xp.add(x, 1, out) is out
        assert_same(out, host + 1)

    def test_division_by_zero_is_silent(self, xp):
        quotient = xp.ones(2) / xp.zeros(2)
        assert np.isinf(quotient.get()).all()
        assert np.isneginf(xp.log(xp.zeros(2)).get()).all()
        quotient /= 0.0

    def test_elementwise_results_are_in_c_order(self, xp, x):
        assert x.T.flags.f_contiguous
        assert (x.T + 1).flags.c_contiguous
        assert xp.exp(x.T).flags.c_contiguous

    def test_copies(self, x, host):
        twin = copy.deepcopy(x)
        twin[...] = 0.0
        assert_same(x, host)
        assert x.astype(np.float32, copy=False) is x
        assert_same(x.astype(np.float64), host.astype(np.float64))

    def test_facts(self, xp, x, host):
        for name in ("shape", "dtype", "ndim", "size", "itemsize", "nbytes", "strides"):
            assert getattr(x, name) == getattr(host, name)
        assert len(x) == 3
        assert xp.ndim(x) == 2
        assert xp.result_type(x, np.float64) == np.float64
        assert_same(x.T, host.T)
        assert_same(next(iter(x)), host[0])


class TestIndexing:
    @pytest.mark.parametrize(
        "key",
        [
            0,
            -1,
            (1, 2),
            slice(None, None, -2),
            (slice(None), 1),
            (None, Ellipsis, 0),
            ([0, 2], [1, 1]),
            np.array([2, 0]),
            (slice(None), [True, False, True, True]),
            np.ones((3, 4), bool),
        ],
        ids=str,
    )
    def test_as_numpy(self, x, host, key):
        assert_same(x[key], host[key])

    def test_setting_writes_through_views(self, x, host):
        x[1][2] = 7.0
        x[1, 3] = x[0, 0]
        host[1, 2], host[1, 3] = 7.0, host[0, 0]
        assert_same(x, host)

    def test_views_share_one_base(self, xp, x):
        assert x.base is None
        assert x[0].base is x.T[1:].base is x
        assert x.reshape(4, 3)[0, 0].base is x
        assert xp.broadcast_to(x, (2, 3, 4)).base is x
        assert x.T.copy().base is None
        assert not x[0].flags.owndata
        assert not hasattr(x.flags, "writeable")  # CuPy's arrays do not say

    def test_a_full_index_is_a_view(self, x):
        element = x[1, 2]
        element[...] = 9.0
        assert float(x[1, 2]) == 9.0

    def test_index_arrays_out_of_range_wrap(self, xp, x, host):
        index = xp.asarray([3, -4, 5])
        assert_same(x[index], host[[0, 2, 2]])
        assert_same(x[..., index], host[:, [3, 0, 1]])
        assert_same(x[None, :, index], host[None][:, :, [3, 0, 1]])
        assert_same(xp.take(x, index, axis=0), host[[0, 2, 2]])
        rows = xp.asarray([[4], [-5], [0]])
        assert_same(xp.take_along_axis(x, rows, axis=1), host[[0, 1, 2], [0, 3, 0]][:, None])

    def test_integers_out_of_range_raise(self, x):
        with pytest.raises(IndexError):
            x[3]

    @pytest.mark.parametrize("key", [1.0, "a", np.array([0.5])], ids=repr)
    def test_what_is_no_index(self, x, key):
        with pytest.raises(IndexError):
            x[key]

    def test_a_device_array_is_no_bound_of_a_slice(self, xp, x):
        with pytest.raises(TypeError):
            x[: xp.asarray(2)]

    def test_add_at_counts_repeats(self, xp):
        x = xp.zeros(3)
        xp.add.at(x, xp.asarray([0, 0, 4]), 1.0)
        assert_same(x, np.array([2.0, 1.0, 0.0]))

    @pytest.mark.parametrize("dtype", [np.complex128, np.int64])
    def test_add_at_has_no_atomics_for(self, xp, dtype):
        zeros = xp.zeros(3, dtype=dtype)
        with pytest.raises(TypeError, match=np.dtype(dtype).name):
            xp.add.at(zeros, xp.asarray([0, 0]), 1)
        xp.add.at(zeros, slice(1, None), 1)  # without index arrays it is an ordinary addition
        assert_same(zeros, np.array([0, 1, 1], dtype))


class TestRefusals:
    @pytest.mark.parametrize(
        "call",
        [
            np.asarray,
            lambda x: np.array([x, x]),
            np.exp,
            np.sum,
            lambda x: np.concatenate([x, x]),
            lambda x: np.add(1.0, x),
            lambda x: np.linalg.svd(x),
            lambda x: np.ones((3, 4)).__setitem__(0, x[0]),
        ],
    )
    def test_numpy_cannot_read_it(self, xp, x, call):
        with pytest.raises(TypeError):
            call(x)
        assert xp.synchronisations == 0

    def test_the_message_is_cupys(self, x):
        with pytest.raises(TypeError, match=r"Implicit conversion .* use `\.get\(\)`"):
            np.asarray(x)

    @pytest.mark.parametrize(
        "call",
        [
            lambda xp, x, other: x + other,
            lambda xp, x, other: other * x,
            lambda xp, x, other: x == other,
            lambda xp, x, other: operator.iadd(x, other),
            lambda xp, x, other: xp.add(x, other),
            lambda xp, x, other: xp.where(x > 0, x, other),
            lambda xp, x, other: xp.sum(other),
            lambda xp, x, other: xp.concatenate([x, other]),
            lambda xp, x, other: xp.einsum("ij,ij", x, other),
            lambda xp, x, other: x.__setitem__(Ellipsis, other),
        ],
    )
    @pytest.mark.parametrize("other", [np.ones((3, 4)), np.ones(()), [[1.0] * 4] * 3], ids=str)
    def test_host_arrays_and_lists(self, xp, x, call, other):
        with pytest.raises(TypeError, match="Unsupported type"):
            call(xp, x, other)

    def test_none_is_no_operand(self, x):
        with pytest.raises(TypeError, match="NoneType"):
            x == None  # noqa: B015, E711 (the operator itself is on trial)

    @pytest.mark.parametrize("name", ["errstate", "nditer", "ndenumerate", "block", "no_such_name"])
    def test_names_that_cupy_lacks(self, xp, name):
        with pytest.raises(AttributeError, match=name):
            getattr(xp, name)
        with pytest.raises(AttributeError, match=r"linalg\.multi_dot"):
            _ = xp.linalg.multi_dot

    def test_modules_not_offered(self, xp):
        with pytest.raises(AttributeError, match="random"):
            _ = xp.random

    @pytest.mark.parametrize(
        "call",
        [
            lambda xp, x: xp.sum(x, where=x > 0),
            lambda xp, x: x.max(initial=0.0),
            lambda xp, x: xp.var(x, correction=1),
            lambda xp, x: xp.exp(x, where=x > 0),
            lambda xp, x: xp.zeros(2, like=x),
            lambda xp, x: xp.clip(x, min=0, max=1),
            lambda xp, x: xp.linalg.svd(x, hermitian=True),
        ],
    )
    def test_keywords_that_cupy_lacks(self, xp, x, call):
        with pytest.raises(TypeError, match=r"keyword|arguments"):
            call(xp, x)

    def test_ufunc_methods_that_cupy_lacks(self, xp, x):
        with pytest.raises(NotImplementedError, match=r"maximum\.reduce"):
            xp.maximum.reduce(x)
        with pytest.raises(NotImplementedError, match=r"multiply\.at"):
            xp.multiply.at(x, 0, 2.0)

    def test_objects_have_no_device_dtype(self, xp):
        with pytest.raises(ValueError, match="Unsupported dtype"):
            xp.asarray(["a"])
        with pytest.raises(ValueError, match="Unsupported dtype"):
            xp.asarray(np.ones(2, np.longdouble))

    def test_arrays_have_no_hash_and_no_index(self, x):
        with pytest.raises(TypeError, match="unhashable"):
            hash(x)
        with pytest.raises(TypeError):
            range(x[0, 0])

    def test_other_types_may_answer_operators(self, x):
        class Answers:
            __array_ufunc__ = None

            def __radd__(self, other):
                return "answered"

        assert x + Answers() == "answered"
