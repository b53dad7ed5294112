"""The Tensor by itself: creation, dtypes, versions, the ways in and out, text."""

import copy
import pickle

import numpy as np
import pytest

import minigan as mg
from minigan.errors import GraphError, ShapeError, VersionError


def test_python_numbers_become_float32_and_arrays_keep_their_dtype():
    assert mg.tensor([1.0, 2.0]).dtype == np.float32
    assert mg.tensor(1.5).dtype == np.float32
    assert mg.tensor([1, 2]).dtype == np.int64
    assert mg.tensor(np.zeros(2)).dtype == np.float64
    assert mg.tensor(np.zeros(2), dtype="float32").dtype == np.float32


def test_tensor_copies_and_as_tensor_does_not():
    array = np.zeros(3)
    assert not np.shares_memory(mg.tensor(array).data, array)
    assert np.shares_memory(mg.as_tensor(array).data, array)


def test_text_or_objects_are_refused():
    with pytest.raises(TypeError, match="cannot make a tensor of str"):
        mg.tensor("abc")


@pytest.mark.parametrize(
    "make",
    [
        lambda x: x * np.float64(2.0),
        lambda x: np.float64(2.0) * x,
        lambda x: x + np.array(1.0),
        lambda x: x / 3,
        lambda x: x**2,
        lambda x: x.sum() + x.sum(),
        lambda x: x.mean() * np.float64(0.1),
        lambda x: mg.where(x > 0, x, 0.0),
        lambda x: mg.maximum(x, np.float64(0.5)),
        lambda x: mg.sigmoid(x) + mg.softplus(x) + mg.relu(x) + mg.elu(x) + mg.gelu(x),
        lambda x: x.std() + mg.norm(x) + mg.logsumexp(x),
        lambda x: mg.clip(x, min=-1.0, max=np.float64(1.0)),
    ],
)
def test_float32_stays_float32_forward_and_backward(make):
    x = mg.tensor([[1.0, -2.0], [3.0, 0.5]], requires_grad=True)
    seen = []
    with mg.trace(lambda name, out: seen.append((name, out.dtype))):
        y = make(x).sum()
        (g,) = mg.grad(y, x, create_graph=True)
        if g.requires_grad:
            mg.grad((g * g).sum(), x, allow_unused=True)
    assert y.dtype == g.dtype == np.float32
    assert {d for _, d in seen if d.kind == "f"} == {np.dtype(np.float32)}


def test_results_are_arrays_and_never_numpy_scalars():
    x = mg.tensor([1.0, 2.0])
    for y in (x.sum(), x.max(), x.sum() + x.sum(), x[0], x.norm(), mg.exp(2.0)):
        assert type(y.data) is np.ndarray


def test_asarray_works_detached_and_explains_itself_otherwise():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    np.testing.assert_array_equal(np.asarray(x.detach()), [1.0, 2.0])
    with pytest.raises(TypeError, match=r"use t.detach\(\)"):
        np.asarray(x)
    with pytest.raises(TypeError):
        np.exp(x)


def test_arrays_and_tensors_mix_in_either_order():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    array = np.array([3.0, 4.0], dtype=np.float32)
    for y in (array * x, x * array):
        assert isinstance(y, mg.Tensor)
        np.testing.assert_array_equal(y.numpy(), [3.0, 8.0])
        np.testing.assert_array_equal(mg.grad(y.sum(), x)[0].numpy(), array)
    np.testing.assert_array_equal(([1.0, 1.0] - x).numpy(), [0.0, -1.0])


def test_numpy_of_a_recorded_result_is_read_only():
    x = mg.tensor([1.0], requires_grad=True)
    with pytest.raises(ValueError, match="read-only"):
        (x * 2.0).numpy()[0] = 5.0


def test_item_float_int_bool_len_and_index():
    assert mg.tensor([[3.0]]).item() == 3.0
    assert float(mg.tensor(2.5)) == 2.5
    assert int(mg.tensor(2.5)) == 2
    assert bool(mg.tensor(1.0))
    assert len(mg.zeros(4, 2)) == 4
    assert [10, 20, 30][mg.tensor(1)] == 20
    with pytest.raises(ShapeError, match=r"item\(\) needs one element"):
        mg.zeros(2).item()
    with pytest.raises(ValueError, match="ambiguous"):
        bool(mg.zeros(2))
    with pytest.raises(TypeError, match="0-d"):
        len(mg.tensor(1.0))
    with pytest.raises(TypeError, match="index must be an integer"):
        [1, 2][mg.tensor(1.0)]


def test_iteration_gives_rows():
    assert [row.numpy().tolist() for row in mg.tensor([[1, 2], [3, 4]])] == [[1, 2], [3, 4]]


def test_dlpack_in_and_out_shares_memory():
    x = mg.tensor([1.0, 2.0])
    array = np.from_dlpack(x)
    assert np.shares_memory(array, x.data)
    assert np.shares_memory(mg.from_dlpack(array).data, x.data)
    with pytest.raises(BufferError, match="detach"):
        np.from_dlpack(mg.tensor([1.0], requires_grad=True))


def test_repr_shows_shape_dtype_device_and_op():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    assert repr(x) == (
        "Tensor([1., 2.], shape=(2,), dtype=float32, device='cpu', requires_grad=True)"
    )
    assert "op=tanh" in repr(mg.tanh(x))
    assert "op=sum" in repr(x.sum())


def test_only_floats_require_gradients():
    with pytest.raises(TypeError, match="floating-point"):
        mg.tensor([1, 2], requires_grad=True)


def test_tensors_are_keys_by_identity():
    x = mg.tensor([1.0, 2.0])
    assert {x: "here"}[x] == "here"


def test_pickle_is_refused_and_deepcopy_copies_the_leaf():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    with pytest.raises(TypeError, match="safetensors"):
        pickle.dumps(x)
    twin = copy.deepcopy(x)
    assert twin.requires_grad
    assert twin.node is not x.node
    np.testing.assert_array_equal(twin.grad.numpy(), x.grad.numpy())
    assert not np.shares_memory(twin.data, x.data)
    with pytest.raises(GraphError, match="only leaves"):
        copy.deepcopy(x * 2.0)


class TestAssign:
    def test_writes_in_place_and_bumps_the_version(self):
        x = mg.zeros(2, requires_grad=True)
        memory = x.data
        x.assign_(np.array([1.0, 2.0]))
        assert x.data is memory
        assert x.version == 1
        assert x.dtype == np.float32
        np.testing.assert_array_equal(x.numpy(), [1.0, 2.0])

    @pytest.mark.parametrize(
        "keep",
        [
            lambda w: w * w,
            lambda w: w.reshape(2, 1) @ mg.ones(1, 2) * w,
            lambda w: mg.exp(w.T * 1.0) * w.detach(),
            lambda w: w[:1] * w[1:],
        ],
    )
    def test_a_kept_array_that_changed_raises(self, keep):
        w = mg.ones(2, requires_grad=True)
        y = keep(w).sum()
        w.assign_(np.zeros(2))
        with pytest.raises(VersionError, match="was version 0 when it was kept and is 1 now"):
            y.backward()

    def test_the_message_names_op_argument_shape_and_both_versions(self):
        a, b = mg.ones(2, requires_grad=True), mg.ones(2, requires_grad=True)
        y = mg.multiply(a, b).sum()
        b.assign_(np.zeros(2))
        with pytest.raises(VersionError) as caught:
            y.backward()
        for part in ("multiply", "'b'", "(2,)", "version 0", "is 1 now"):
            assert part in str(caught.value)

    def test_a_change_through_a_view_or_detached_twin_is_seen(self):
        for alias in (
            lambda w: w.detach(),
            lambda w: w.detach().reshape(4),
            lambda w: w.detach().T,
        ):
            w = mg.ones(2, 2, requires_grad=True)
            y = (w * w).sum()
            view = alias(w)
            view.assign_(np.zeros(view.shape))
            with pytest.raises(VersionError):
                y.backward()

    def test_what_no_rule_keeps_may_change(self):
        w = mg.ones(2, requires_grad=True)
        y = (w + 1.0).sum()
        w.assign_(np.zeros(2))
        y.backward()
        np.testing.assert_array_equal(w.grad.numpy(), [1.0, 1.0])

    def test_recorded_results_and_wrong_values_are_refused(self):
        w = mg.ones(2, requires_grad=True)
        with pytest.raises(GraphError, match="multiply"):
            (w * 2.0).assign_(np.zeros(2))
        with pytest.raises(GraphError, match="only leaves"):
            w.reshape(2, 1).assign_(np.zeros((2, 1)))
        with pytest.raises(GraphError):
            (w * 2.0).detach().assign_(np.zeros(2))
        with pytest.raises(ShapeError, match=r"\(3,\)"):
            w.assign_(np.zeros(3))
        with pytest.raises(TypeError, match="complex"):
            w.assign_(np.zeros(2, dtype=complex))


def test_grad_can_be_set_dropped_and_is_checked():
    x = mg.ones(2, requires_grad=True)
    x.grad = mg.ones(2)
    x.grad = None
    assert x.grad is None
    with pytest.raises(ShapeError):
        x.grad = mg.ones(3)
    with pytest.raises(GraphError, match="requires_grad_"):
        mg.ones(2).grad = mg.ones(2)


def test_freezing_and_thawing_a_leaf_keeps_its_gradient():
    x = mg.ones(2, requires_grad=True)
    y = (x * x).sum()
    x.requires_grad_(False)
    assert not (x * 2.0).requires_grad
    x.requires_grad_(True)
    y.backward()  # a graph recorded before still reaches the same leaf
    np.testing.assert_array_equal(x.grad.numpy(), [2.0, 2.0])
    with pytest.raises(GraphError, match=r"use detach\(\)"):
        (x * 2.0).requires_grad_(False)


def test_what_is_computed_without_recording_may_be_assigned():
    w = mg.ones(2, requires_grad=True)
    with mg.no_grad():
        y = w * 2.0
    y.assign_([5.0, 6.0])
    np.testing.assert_array_equal(y.numpy(), [5.0, 6.0])
    np.testing.assert_array_equal(w.numpy(), [1.0, 1.0])


class TestDtypes:
    """Nothing is float64 unless a float64 came in or was asked for."""

    @pytest.mark.parametrize(
        "make",
        [
            lambda: mg.ones(3) * mg.arange(3),
            lambda: mg.arange(3) * 0.5,
            lambda: mg.tensor([1, 2]) / 2,
            lambda: mg.sqrt(mg.arange(3)),
            lambda: mg.arange(3).mean(),
            lambda: mg.where(mg.ones(2) > 0, 1.0, 0.0),
            lambda: mg.ones(3) + mg.tensor([True, False, True]),
        ],
    )
    def test_integers_and_numbers_take_float32(self, make):
        assert make().dtype == np.float32

    def test_float64_arrays_keep_their_dtype(self):
        assert mg.exp(np.array(2.0)).dtype == np.float64
        assert (mg.tensor(np.ones(2)) * mg.arange(2)).dtype == np.float64
        assert mg.arange(3).astype("float64").dtype == np.float64

    def test_mixed_floats_are_for_elementwise_ops_alone(self):
        x, y = mg.ones(2, 2), mg.ones(2, 2, dtype="float64")
        assert (x * y).dtype == np.float64
        for op in (mg.matmul, lambda a, b: mg.concatenate([a, b])):
            with pytest.raises(TypeError, match=r"mixed dtypes \(float32, float64\)"):
                op(x, y)

    def test_integer_results_have_no_gradient(self):
        x = mg.ones(2, requires_grad=True)
        assert not x.astype("int32").requires_grad
        assert not mg.argmax(x).requires_grad


class TestSharing:
    """One memory, one version: nothing that a derivative needs changes unseen."""

    def test_a_tensor_of_a_tensor(self):
        x = mg.ones(2, requires_grad=True)
        y = (x * x).sum()
        mg.Tensor(x).assign_(np.zeros(2))
        with pytest.raises(VersionError):
            y.backward()
        with pytest.raises(GraphError):
            mg.Tensor(mg.exp(x)).assign_(np.zeros(2))

    def test_an_index_that_changes_later(self):
        x = mg.tensor([1.0, 2.0, 3.0], requires_grad=True)
        for index in (mg.tensor([0, 1]), np.array([0, 1])):
            y = x[index]
            if isinstance(index, mg.Tensor):
                index.assign_(2)
            else:
                index[:] = 2
            np.testing.assert_array_equal(mg.grad(y.sum(), x)[0].numpy(), [1.0, 1.0, 0.0])

    def test_copies_have_versions_of_their_own(self):
        table, w = mg.ones(4, 2), mg.ones(2, 2, requires_grad=True)
        y = (table[[0, 1]] * w).sum()
        table.assign_(np.zeros((4, 2)))
        np.testing.assert_array_equal(mg.grad(y, w)[0].numpy(), np.ones((2, 2)))

    @pytest.mark.parametrize(
        "view",
        [
            lambda x: x.T,
            lambda x: x[:, ::-1],
            lambda x: mg.flip(x, 0),
            lambda x: mg.crop(x, ((0, 0), (0, 1))),
            lambda x: mg.broadcast_to(x, (3, 2, 3)),
            lambda x: x.astype("float32"),
            lambda x: x.sum_to((2, 3)),
            lambda x: x.reshape(6),
            lambda x: x.detach(),
        ],
    )
    def test_views_share_theirs(self, view):
        x, w = mg.ones(2, 3), mg.ones(1, requires_grad=True)
        y = (view(x) * w).sum()
        x.assign_(np.zeros((2, 3)))
        with pytest.raises(VersionError):
            y.backward()

    def test_einsum_is_a_copy(self):
        x = mg.ones(2, 3)
        assert not np.shares_memory(mg.einsum("ij->ji", x).data, x.data)


def test_what_people_type_by_habit_works_or_says_what_to_do():
    x = mg.tensor([1.5], requires_grad=True)
    assert f"{x.sum():.2f}" == "1.50"
    x.requires_grad = False
    assert not x.requires_grad
    assert (x == None) is False  # noqa: E711
    assert x.tolist() == [1.5]
    assert (+x) is x
    assert mg.max([1.0, 2.0]).item() == 2.0
    with pytest.raises(TypeError, match=r"mg.where, mg.scatter, or assign_"):
        x[0] = 1.0
    with pytest.raises(mg.DeviceError, match="dtype='float64'"):
        x.to("float64")
    with pytest.raises(GraphError, match="create_graph=True"):
        (x.requires_grad_() * 2.0).backward(create_graph=True)
    with pytest.raises(TypeError, match="1.7 does not fit into int64"):
        mg.tensor([1]).assign_(1.7)
    with pytest.raises(TypeError, match="grad must be a Tensor"):
        x.grad = np.zeros(1)
