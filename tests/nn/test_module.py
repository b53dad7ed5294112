"""Module: finding parameters, modes, state dictionaries and their errors, the printed tree."""

import copy

import numpy as np
import pytest

import minigan as mg
from minigan import nn, optim
from minigan.testing.cupy_double import cupy_double


class Block(nn.Module):
    """A module with every kind of attribute."""

    def __init__(self):
        self.scale = nn.Parameter([2.0, 3.0])
        self.register_buffer("count", np.array(0))
        self.register_buffer("cache", np.zeros(2, np.float32), persistent=False)
        self.inner = nn.Linear(2, 2)
        self.note = "not a tensor"
        self.plain = mg.zeros(7)

    def forward(self, x):
        return self.inner(x) * self.scale


class Tied(nn.Module):
    """Two names for one layer and one parameter."""

    def __init__(self):
        self.first = nn.Linear(2, 2, bias=False)
        self.second = self.first
        self.third = nn.Linear(2, 2, bias=False)
        self.third.weight = self.first.weight


def names(pairs):
    return [name for name, _ in pairs]


class TestTree:
    def test_finds_members_by_name(self):
        block = Block()
        assert names(block.named_parameters()) == ["scale", "inner.weight", "inner.bias"]
        assert names(block.named_buffers()) == ["count", "cache"]
        assert names(block.named_modules()) == ["", "inner"]
        assert names(block.named_children()) == ["inner"]
        assert block.num_parameters() == 2 + 4 + 2
        assert all(p.requires_grad for p in block.parameters())
        assert not any(b.requires_grad for b in block.buffers())

    def test_shared_ones_count_once(self):
        tied = Tied()
        assert names(tied.named_parameters()) == ["first.weight"]
        assert names(tied.named_modules()) == ["", "first", "third"]
        assert tied.num_parameters() == 4
        assert list(tied.state_dict()) == ["first.weight", "second.weight", "third.weight"]

    def test_a_deleted_attribute_is_gone(self):
        block = Block()
        del block.inner
        assert names(block.named_parameters()) == ["scale"]

    def test_apply_visits_children_first(self):
        seen = []
        net = nn.Sequential(nn.Sequential(nn.Linear(1, 1)), nn.ReLU())
        assert net.apply(lambda m: seen.append(type(m).__name__)) is net
        assert sorted(seen) == ["Linear", "ReLU", "Sequential", "Sequential"]
        assert seen.index("Linear") < seen.index("Sequential")
        assert seen[-1] == "Sequential"

    def test_deepcopy_shares_nothing_and_keeps_ties(self):
        tied = Tied()
        twin = copy.deepcopy(tied)
        twin.first.weight.assign_(0.0)
        assert twin.third.weight is twin.first.weight
        assert np.abs(tied.first.weight.numpy()).max() > 0
        assert names(copy.deepcopy(Block()).named_buffers()) == ["count", "cache"]
        assert "cache" not in copy.deepcopy(Block()).state_dict()


class TestModes:
    def test_train_and_eval(self):
        net = nn.Sequential(Block(), nn.Dropout())
        assert all(m.training for m in net.modules())
        assert net.eval() is net
        assert not any(m.training for m in net.modules())
        net[0].train()
        assert [m.training for m in net.modules()] == [False, True, True, False]

    def test_requires_grad_and_zero_grad(self):
        block = Block()
        block(mg.ones(1, 2)).sum().backward()
        assert all(p.grad is not None for p in block.parameters())
        block.zero_grad()
        assert all(p.grad is None for p in block.parameters())
        assert block.requires_grad_(False) is block
        assert not block(mg.ones(1, 2)).requires_grad
        block.requires_grad_()
        assert block(mg.ones(1, 2)).requires_grad

    def test_to_dtype_keeps_identity_and_integers(self):
        block = Block()
        before = list(block.parameters())
        assert block.to(dtype="float64") is block
        assert all(a is b for a, b in zip(before, block.parameters(), strict=True))
        assert {p.dtype for p in block.parameters()} == {np.dtype("float64")}
        assert block.count.dtype.kind == "i"
        assert all(p.requires_grad for p in block.parameters())
        assert block(mg.ones(1, 2, dtype="float64")).dtype == np.float64

    def test_to_where_it_is_changes_nothing(self):
        block = Block()
        block(mg.ones(1, 2)).sum().backward()
        grad = block.scale.grad
        block.scale.register_hook(lambda g: None)
        block.to("cpu", "float32")
        assert block.scale.grad is grad

    def test_gradients_move_too(self):
        block = Block()
        block(mg.ones(1, 2)).sum().backward()
        before = block.scale.grad.numpy()
        block.to(dtype="float64")
        assert block.scale.grad.dtype == np.float64
        np.testing.assert_array_equal(block.scale.grad.numpy(), before)

    def test_hooks_are_not_lost_in_silence(self):
        block = Block()
        remove = block.inner.weight.register_hook(lambda g: None)
        with pytest.raises(mg.errors.GraphError, match="lose the hooks of inner.weight: register"):
            block.to(dtype="float64")
        assert {p.dtype for p in block.parameters()} == {np.dtype("float32")}
        remove()
        assert block.to(dtype="float64").scale.dtype == np.float64

    def test_to_refuses_what_is_no_device_and_no_floating_dtype(self):
        for net in (nn.ReLU(), Block()):
            with pytest.raises(mg.errors.DeviceError, match="unknown device 'float64'"):
                net.to("float64")
            with pytest.raises(TypeError, match=r"to\(dtype='int32'\): .* floating dtype"):
                net.to(dtype="int32")


class TestDevices:
    """On the pretended GPU, with the CPU as the default device all the while."""

    def test_to_moves_everything_there_and_back(self):
        net = nn.Sequential(nn.spectral_norm(nn.Linear(3, 4)), nn.BatchNorm1d(4))
        before = net.state_dict()
        with cupy_double():
            net.to("cuda")
            assert {t.device for t in (*net.parameters(), *net.buffers())} == {"cuda"}
            for name, value in net.state_dict().items():
                assert type(value) is np.ndarray
                np.testing.assert_array_equal(value, before[name])
            net.load_state_dict(before)
            net.to("cpu")
        assert {t.device for t in (*net.parameters(), *net.buffers())} == {"cpu"}

    def test_born_there(self):
        with cupy_double(), mg.device("cuda"):
            net = nn.Sequential(nn.Embedding(4, 3), nn.Linear(3, 4), nn.BatchNorm1d(4))
            assert {t.device for t in (*net.parameters(), *net.buffers())} == {"cuda"}
            assert net(np.array([1, 2])).device == "cuda"

    def test_training_goes_on_as_on_the_cpu(self):
        def train(device):
            mg.manual_seed(0)
            net = nn.Sequential(nn.spectral_norm(nn.Linear(3, 4)), nn.BatchNorm1d(4)).to(device)
            adam, ema = optim.Adam(net.parameters()), optim.EMA(net, decay=0.5)
            schedule = optim.LinearDecay(adam, total=10)
            x = mg.randn(5, 3, generator=mg.Generator(1), device=device)
            for _ in range(3):
                adam.zero_grad()
                (net(x) ** 3).sum().backward()
                optim.clip_grad_norm_(net.parameters(), 0.1)
                adam.step()
                schedule.step()
                ema.update()
                adam.load_state_dict(adam.state_dict())
            return ema.state_dict()

        expected = train("cpu")
        with cupy_double():
            actual = train("cuda")
        for name, value in actual.items():
            np.testing.assert_allclose(value, expected[name], rtol=1e-3, atol=1e-5, err_msg=name)


class TestState:
    def test_round_trip(self):
        one, two = Block(), Block()
        one.count.assign_(5)
        state = one.state_dict()
        assert list(state) == ["scale", "inner.weight", "inner.bias", "count"]
        assert all(type(v) is np.ndarray for v in state.values())
        versions = [p.version for p in two.parameters()]
        assert two.load_state_dict(state) == ([], [])
        for name, value in two.state_dict().items():
            np.testing.assert_array_equal(value, state[name])
        assert [p.version for p in two.parameters()] == [v + 1 for v in versions]

    def test_state_is_a_copy_both_ways(self):
        block = Block()
        state = block.state_dict()
        state["scale"][:] = 7.0
        assert block.scale.numpy().tolist() == [2.0, 3.0]
        block.load_state_dict(state)
        state["scale"][:] = 9.0
        assert block.scale.numpy().tolist() == [7.0, 7.0]

    def test_values_take_the_dtype_of_their_place(self):
        block = Block()
        state = {name: value.astype(np.float64) for name, value in block.state_dict().items()}
        block.load_state_dict(state)
        assert block.scale.dtype == np.float32
        assert block.count.dtype.kind == "i"

    def test_all_that_is_wrong_is_listed_and_nothing_is_loaded(self):
        block = Block()
        before = block.state_dict()
        state = {name: np.zeros_like(value) for name, value in before.items()}
        del state["count"], state["inner.bias"]
        state["inner.weight"] = np.zeros((3, 2))
        state["extra"] = np.zeros(1)
        with pytest.raises(ValueError, match="nothing was loaded") as caught:
            block.load_state_dict(state)
        assert str(caught.value) == (
            "state does not fit Block, nothing was loaded; missing: inner.bias, count; "
            "unexpected: extra; misshapen: inner.weight is (3, 2), must be (2, 2)"
        )
        for name, value in block.state_dict().items():
            np.testing.assert_array_equal(value, before[name])

    @pytest.mark.parametrize(("name", "value", "fault"), [
        ("inner.bias", np.ones(2) * 1j, "inner.bias is complex128, must be float32"),
        ("inner.bias", np.array(["1", "2"]), r"inner.bias is ndarray \(<U1\), must be float32"),
        ("inner.bias", None, r"inner.bias is NoneType \(object\), must be float32"),
        ("inner.bias", [[1.0], [1.0, 2.0]], "inner.bias "),
        ("inner.bias", np.array([1e300, 0.0]), "inner.bias holds values of float64 that do not"),
        ("count", np.array(0.5), "count holds values of float64 that do not exist in int64"),
        ("count", np.array(np.nan), "count holds values of float64 that do not exist in int64"),
    ])  # fmt: skip
    @pytest.mark.parametrize("strict", [True, False])
    def test_values_that_do_not_fit_leave_everything_as_it_was(self, name, value, fault, strict):
        block = Block()
        before = block.state_dict()
        state = {key: np.zeros_like(kept) for key, kept in before.items()} | {name: value}
        with pytest.raises(ValueError, match=f"nothing was loaded; unfit: {fault}"):
            block.load_state_dict(state, strict=strict)
        for key, kept in block.state_dict().items():
            np.testing.assert_array_equal(kept, before[key])

    def test_lists_tensors_and_broken_weights_load(self):
        block = Block().to(dtype="float64")
        state = {"scale": [0.1, np.nan], "inner.bias": mg.tensor([1, 2])}
        block.load_state_dict(state, strict=False)
        assert block.scale.numpy()[0] == 0.1
        assert np.isnan(block.scale.numpy()[1])
        assert block.inner.bias.numpy().tolist() == [1.0, 2.0]

    def test_not_strict_returns_what_was_passed_over(self):
        block = Block()
        state = {"scale": np.zeros(2), "extra": np.zeros(1)}
        report = block.load_state_dict(state, strict=False)
        assert report.missing == ["inner.weight", "inner.bias", "count"]
        assert report.unexpected == ["extra"]
        assert block.scale.numpy().tolist() == [0.0, 0.0]
        with pytest.raises(ValueError, match=r"misshapen: scale is \(3,\), must be \(2,\)"):
            block.load_state_dict({"scale": np.zeros(3)}, strict=False)

    def test_tied_parameters_load(self):
        tied, other = Tied(), Tied()
        tied.load_state_dict(other.state_dict())
        np.testing.assert_array_equal(tied.third.weight.numpy(), other.first.weight.numpy())
        assert tied.third.weight is tied.first.weight


class TestMistakes:
    def test_parameter_replaced_by_a_plain_tensor(self):
        layer = nn.Linear(2, 2)
        for value in (mg.zeros(2, 2), np.zeros((2, 2))):
            with pytest.raises(TypeError, match=r"Linear.weight is a Parameter.*assign_"):
                layer.weight = value
        layer.bias = None
        layer.weight = nn.Parameter(np.zeros((2, 2)))
        assert names(layer.named_parameters()) == ["weight"]

    def test_modules_in_a_list(self):
        net = nn.Module()
        with pytest.raises(TypeError, match=r"Module.layers: .*use nn.ModuleList"):
            net.layers = [nn.Linear(1, 1)]
        net.sizes = [1, 2]
        assert net.num_parameters() == 0

    @pytest.mark.parametrize("wrap", [
        lambda part: (part,), lambda part: {"key": part}, lambda part: [[1, part]],
        lambda part: {"deep": [(part,)]}, lambda part: {part},
    ])  # fmt: skip
    @pytest.mark.parametrize("kind", ["Linear", "Parameter", "Buffer"])
    def test_what_a_container_would_lose(self, wrap, kind):
        part = nn.Linear(1, 1) if kind == "Linear" else getattr(nn, kind)([1.0])
        net = nn.Module()
        with pytest.raises(
            TypeError, match=f"Module.held: the {kind} inside it would not be found"
        ):
            net.held = wrap(part)
        net.home = part
        net.held = wrap(part)
        assert len(net.state_dict()) == (2 if kind == "Linear" else 1)

    @pytest.mark.parametrize("walk", [
        lambda net: net.parameters(), lambda net: net.buffers(), lambda net: net.modules(),
        lambda net: net.state_dict(), lambda net: net.load_state_dict({}), lambda net: net.eval(),
    ])  # fmt: skip
    def test_a_list_filled_later_is_caught_by_the_next_walk(self, walk):
        inner = nn.Module()
        inner.layers = []
        net = nn.Sequential(inner)
        walk(net)
        inner.layers.append(nn.Linear(1, 1))
        with pytest.raises(TypeError, match=r"Module.layers: the Linear .*use nn.ModuleList"):
            walk(net)
        assert "Sequential" in repr(net)

    def test_a_container_that_outlives_its_home_is_caught(self):
        net = nn.Module()
        net.layers = nn.Linear(1, 1)
        net.layers = [net.layers]
        with pytest.raises(TypeError, match=r"Module.layers: the Linear .*use nn.ModuleList"):
            net.parameters()

    def test_unknown_attribute(self):
        with pytest.raises(
            AttributeError, match="Linear has no attribute 'wieght'; it has: .*weight"
        ):
            nn.Linear(1, 1).wieght  # noqa: B018

    def test_no_forward(self):
        with pytest.raises(NotImplementedError, match=r"Module has no forward\(\)"):
            nn.Module()(1)


class TestRepr:
    def test_leaf(self):
        assert repr(nn.Linear(3, 2, bias=False)) == "Linear(3, 2, bias=False)"

    def test_tree(self):
        last = nn.spectral_norm(nn.Linear(100, 1))
        net = nn.Sequential(nn.Sequential(nn.Linear(10, 100), nn.Tanh()), last)
        lines = repr(net).splitlines()
        assert lines == [
            "Sequential                            1,201 parameters",
            "├─ 0: Sequential                      1,100",
            "│  ├─ 0: Linear(10, 100)              1,100",
            "│  └─ 1: Tanh()",
            "└─ 1: Linear(100, 1) + spectral_norm    101",
        ]
