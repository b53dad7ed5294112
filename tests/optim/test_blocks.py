"""Updates in blocks against the same formulas taken one parameter at a time, bit for bit."""

import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan import nn, optim
from minigan.errors import ShapeError, VersionError
from minigan.optim import blocks
from minigan.testing.cupy_double import cupy_double

MAKERS = {
    "sgd": lambda ps: optim.SGD(ps, 0.1),
    "nesterov": lambda ps: optim.SGD(ps, 0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
    "adam": lambda ps: optim.Adam(ps, 0.1, betas=(0.5, 0.9)),
    "adam with decay": lambda ps: optim.Adam(ps, 0.1, weight_decay=0.1),
    "adamw": lambda ps: optim.Adam(ps, 0.1, weight_decay=0.1, decoupled=True),
    "rmsprop": lambda ps: optim.RMSprop(ps, 0.1, weight_decay=0.1, momentum=0.9),
}
each_optimizer = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


class Plain:
    """The reference: one parameter after another, whole arrays, fresh memory at each operation."""

    def __init__(self, optimizer, values):
        self.like = optimizer
        self.values = [v.copy() for v in values]
        self.state = [{n: np.zeros_like(v) for n in optimizer.slots} for v in values]
        self.steps = [0] * len(values)

    def step(self, grads):
        rules = {optim.SGD: self.sgd, optim.Adam: self.adam, optim.RMSprop: self.rmsprop}
        for i, g in enumerate(grads):
            if g is not None:
                self.steps[i] += 1
                rules[type(self.like)](i, self.values[i], g, self.state[i])

    def decayed(self, p, g):
        return g + self.like.weight_decay * p if self.like.weight_decay else g

    def sgd(self, i, p, g, s):
        o, g = self.like, self.decayed(p, g)
        if o.momentum:
            s["momentum_buffer"] = s["momentum_buffer"] * o.momentum + g
            g = g + o.momentum * s["momentum_buffer"] if o.nesterov else s["momentum_buffer"]
        self.values[i] = p - o.lr * g

    def adam(self, i, p, g, s):
        o, (b1, b2), t = self.like, self.like.betas, self.steps[i]
        g = g if o.decoupled else self.decayed(p, g)
        s["exp_avg"] = s["exp_avg"] * b1 + g * (1.0 - b1)
        s["exp_avg_sq"] = s["exp_avg_sq"] * b2 + g * g * (1.0 - b2)
        root = np.sqrt(s["exp_avg_sq"]) * (1.0 - b2**t) ** -0.5 + o.eps
        p = p * (1.0 - o.lr * o.weight_decay) if o.decoupled else p
        self.values[i] = p + s["exp_avg"] / root * (-o.lr / (1.0 - b1**t))

    def rmsprop(self, i, p, g, s):
        o, g = self.like, self.decayed(p, g)
        s["square_avg"] = s["square_avg"] * o.alpha + (1.0 - o.alpha) * g * g
        s["momentum_buffer"] = s["momentum_buffer"] * o.momentum + g / (
            np.sqrt(s["square_avg"]) + o.eps
        )
        self.values[i] = p - o.lr * s["momentum_buffer"]

    def assert_same(self, params, optimizer):
        for param, value in zip(params, self.values, strict=True):
            assert param.dtype == value.dtype
            np.testing.assert_array_equal(param.numpy(), value)
        state = optimizer.state_dict()
        assert state.pop("lr") == optimizer.lr
        assert state.pop("step").tolist() == self.steps
        moved = [i for i, t in enumerate(self.steps) if t]
        assert set(state) == {f"{i}.{name}" for i in moved for name in optimizer.slots}
        for key, array in state.items():
            i, name = key.split(".")
            assert array.dtype == self.values[int(i)].dtype
            np.testing.assert_array_equal(array, self.state[int(i)][name])


LAYOUTS = {
    "C": lambda a: np.array(a, order="C"),
    "F": lambda a: np.array(a, order="F"),
    "reversed": lambda a: np.array(a[..., ::-1])[..., ::-1] if a.ndim else a,
    "gaps": lambda a: np.repeat(a[..., None], 2, axis=-1)[..., 0],
}
layouts = st.sampled_from(list(LAYOUTS.values()))
shapes = st.lists(st.integers(0, 5), max_size=3).map(tuple)
kinds = st.tuples(shapes, st.sampled_from(["f4", "f8"]), layouts)


def feed(optimizer, params, grads):
    for param, g in zip(params, grads, strict=True):
        param.grad = None if g is None else mg.Tensor(g)
    optimizer.step()


def arrays_like(rng, arrays, layout=LAYOUTS["C"]):
    return [layout(np.array(rng.standard_normal(a.shape), a.dtype)) for a in arrays]


def leaves(arrays):
    """Tensors on exactly these arrays, whatever their layout."""
    return [mg.Tensor(a, requires_grad=True) for a in arrays]


def small_blocks(patch, block, small):
    patch.setattr(blocks, "BLOCK", block)
    patch.setattr(blocks, "SMALL", small)


@pytest.fixture
def threads():
    """Set the number of threads, for one test."""
    before = mg.get_num_threads()
    yield mg.set_num_threads
    mg.set_num_threads(before)


class TestAgainstOneByOne:
    @given(st.data(), st.sampled_from(list(MAKERS.values())), st.lists(kinds, min_size=1))
    def test_any_parameters(self, data, make, kinds):
        """Shapes, dtypes and layouts; gradients that are missing; blocks of a few values."""
        rng = np.random.default_rng(data.draw(st.integers(0, 99)))
        values = [layout(np.array(rng.standard_normal(s), kind)) for s, kind, layout in kinds]
        params = leaves(values)
        with pytest.MonkeyPatch.context() as patch:
            small_blocks(patch, data.draw(st.integers(1, 30)), data.draw(st.integers(0, 30)))
            optimizer = make(params)
            plain = Plain(optimizer, values)
            for _ in range(4):
                grads = arrays_like(rng, values, data.draw(layouts))
                grads = [g if data.draw(st.integers(0, 3)) else None for g in grads]
                plain.step(grads)
                before = [None if g is None else g.copy() for g in grads]
                feed(optimizer, params, grads)
                plain.assert_same(params, optimizer)
                for g, kept in zip(grads, before, strict=True):
                    assert kept is None or np.array_equal(g, kept)

    @each_optimizer
    def test_a_network_on_any_number_of_threads(self, make, threads):
        """Large parameters and small ones, in blocks of the real size."""
        rng = np.random.default_rng(0)
        values = arrays_like(
            rng,
            [
                np.empty(s, "f4")
                for s in [(512, 400), (400,), (3, 200_000), (1, 300_000), (90, 300), (7,), (80, 80)]
            ],
        )
        plain = Plain(make(leaves(arrays_like(rng, values))), values)
        runs = {count: leaves(copy.deepcopy(values)) for count in (1, 2, 5)}
        optimizers = {count: make(params) for count, params in runs.items()}
        for layout in (LAYOUTS["C"], LAYOUTS["F"]):
            grads = arrays_like(rng, values, layout)
            plain.step(grads)
            for count, params in runs.items():
                threads(count)
                feed(optimizers[count], params, grads)
        for count, params in runs.items():
            plain.assert_same(params, optimizers[count])

    @each_optimizer
    @given(st.integers(0, 5), st.lists(st.integers(0, 2), min_size=3, max_size=3))
    def test_a_state_in_the_middle(self, make, when, missing):
        rng = np.random.default_rng(1)
        values = arrays_like(rng, [np.empty(s, "f4") for s in [(3, 4), (5,), ()]])
        params = leaves(copy.deepcopy(values))
        optimizer = make(params)
        plain = Plain(optimizer, values)
        for t in range(6):
            if t == when:
                saved = optimizer.state_dict()
                params = leaves([p.numpy().copy() for p in params])
                optimizer = make(params)
                optimizer.load_state_dict(saved)
                plain.assert_same(params, optimizer)  # and before it has moved again
            grads = [
                g if t >= m else None
                for g, m in zip(arrays_like(rng, values), missing, strict=True)
            ]
            plain.step(grads)
            feed(optimizer, params, grads)
        plain.assert_same(params, optimizer)


class TestHowOftenTheFormulaIsCalled:
    def calls(self, monkeypatch, params, grads):
        """Return how many values each call gets."""
        optimizer, sizes = optim.Adam(params), []
        update = optimizer._update

        def counted(t, p, *rest):
            assert all(part.shape == p.shape for part in rest)
            sizes.append(p.size)
            update(t, p, *rest)

        monkeypatch.setattr(optimizer, "_update", counted)
        feed(optimizer, params, grads)
        return sorted(sizes)

    def test_once_for_many_small_parameters(self, monkeypatch):
        values = [np.ones(s, "f4") for s in [(128, 128), (128,), (2, 128)] * 4]
        assert self.calls(monkeypatch, leaves(values), values) == [4 * (128 * 128 + 3 * 128)]

    @pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
    def test_blocks_of_a_large_one(self, monkeypatch, layout):
        small_blocks(monkeypatch, 40, 10)
        values = [layout(np.ones((30, 4), "f4"))]
        assert self.calls(monkeypatch, leaves(values), [np.ones((30, 4), "f4")]) == [40] * 3

    def test_blocks_do_not_depend_on_the_shape(self, monkeypatch):
        small_blocks(monkeypatch, 50, 10)
        values = [np.ones(s, "f4") for s in [(1, 120), (120,), (2, 60), (120, 1)]]
        assert self.calls(monkeypatch, leaves(values), values) == [20] * 4 + [50] * 8

    def test_on_a_device_once_for_each(self, monkeypatch):
        """No block is worth a kernel's launch there."""
        small_blocks(monkeypatch, 40, 10)
        with cupy_double():
            values = [mg.ones(s, device="cuda").data for s in [(30, 4), (3,), ()]]
            assert self.calls(monkeypatch, leaves(values), values) == [1, 3, 120]


class TestWhatMayHappenBetweenSteps:
    def start(self, make=MAKERS["adam"], sizes=((3, 2), (4,), (5, 5))):
        rng = np.random.default_rng(2)
        values = arrays_like(rng, [np.empty(s, "f4") for s in sizes])
        params = leaves(copy.deepcopy(values))
        optimizer = make(params)
        plain = Plain(optimizer, values)
        grads = arrays_like(rng, values)
        plain.step(grads)
        feed(optimizer, params, grads)
        return params, optimizer, plain, grads

    def go_on(self, params, optimizer, plain, grads):
        plain.step(grads)
        feed(optimizer, params, grads)
        plain.assert_same(params, optimizer)

    @each_optimizer
    def test_assigned_and_replaced(self, make):
        params, optimizer, plain, grads = self.start(make)
        params[0].assign_(7.0)
        plain.values[0] = np.full((3, 2), 7.0, "f4")
        self.go_on(params, optimizer, plain, grads)
        params[1].data = params[1].data + 1  # another array
        plain.values[1] = plain.values[1] + 1
        self.go_on(params, optimizer, plain, grads)

    @each_optimizer
    def test_one_of_them_becomes_float64(self, make):
        params, optimizer, plain, grads = self.start(make)
        params[2].rebind_(params[2].data.astype("f8"))
        plain.values[2] = plain.values[2].astype("f8")
        plain.state[2] = {name: s.astype("f8") for name, s in plain.state[2].items()}
        for _ in range(2):
            self.go_on(params, optimizer, plain, [*grads[:2], grads[2].astype("f8")])

    def test_moved_to_another_device_and_back(self):
        params, optimizer, plain, grads = self.start()
        with cupy_double():
            for place in ("cuda", "cpu"):
                for param, g in zip(params, grads, strict=True):
                    param.rebind_(mg.tensor(param.numpy(), device=place).data)
                    param.grad = mg.tensor(g, device=place)
                optimizer.step()
                plain.step(grads)
        plain.assert_same(params, optimizer)

    def test_two_optimisers_over_the_same_parameters(self):
        """Each keeps its own state, and both write to the same memory."""
        params, adam, plain, grads = self.start()
        sgd = optim.SGD(params[:2], 0.5)
        sgd.step()
        plain.values[:2] = [p - 0.5 * g for p, g in zip(plain.values[:2], grads[:2], strict=True)]
        self.go_on(params, adam, plain, grads)

    def test_a_copied_optimiser_goes_its_own_way(self):
        params, optimizer, plain, grads = self.start()
        twin = copy.deepcopy(optimizer)
        feed(twin, twin.params, grads)
        plain.assert_same(params, optimizer)
        self.go_on(params, optimizer, plain, grads)
        plain.assert_same(twin.params, twin)

    def test_scratch_is_given_back(self):
        params, optimizer, plain, grads = self.start()
        mg.free_scratch()
        self.go_on(params, optimizer, plain, grads)
        assert mg.scratch_bytes() > 0

    def test_aliases_see_the_new_values(self):
        params, optimizer, _, grads = self.start()
        arrays, views = [p.data for p in params], [p.numpy()[1:] for p in params]
        before = copy.deepcopy(arrays)
        feed(optimizer, params, grads)
        for param, array, view, old in zip(params, arrays, views, before, strict=True):
            assert param.data is array
            assert (array != old).all()
            np.testing.assert_array_equal(view, array[1:])

    def test_versions_count_the_steps_of_each(self):
        params, optimizer, _, grads = self.start()
        feed(optimizer, params, [grads[0], None, None])
        assert [p.version for p in params] == [2, 1, 1]

    def test_overlapping_parameters_move_one_after_the_other(self):
        rng = np.random.default_rng(3)
        memory = rng.standard_normal((4, 3)).astype("f4")
        expected = memory.copy()
        params = leaves([memory, memory[1:3], memory.T])
        grads = arrays_like(rng, [p.data for p in params])
        feed(optim.SGD(params, 0.5, weight_decay=0.1), params, grads)
        for view, g in zip((expected, expected[1:3], expected.T), grads, strict=True):
            view -= 0.5 * (g + 0.1 * view)
        np.testing.assert_allclose(memory, expected, rtol=1e-6)


class TestRefusals:
    def made(self):
        params = leaves([np.ones(3, "f4"), np.ones(2, "f4")])
        optimizer = optim.Adam(params)
        feed(optimizer, params, [np.ones(3, "f4"), np.ones(2, "f4")])
        return params, optimizer

    def assert_refused(self, params, optimizer, error, match):
        """Nothing has been changed: not the first parameter either, nor any step count."""
        before = [p.numpy().copy() for p in params], [p.version for p in params]
        state = optimizer.state_dict()
        with pytest.raises(error, match=match):
            optimizer.step()
        for param, old in zip(params, before[0], strict=True):
            np.testing.assert_array_equal(param.numpy(), old)
        assert [p.version for p in params] == before[1]
        after = optimizer.state_dict()
        assert all(np.array_equal(after[key], state[key]) for key in state | after)

    def test_a_gradient_of_another_shape(self):
        params, optimizer = self.made()
        params[1].data = np.ones((2, 1), "f4")
        self.assert_refused(
            params, optimizer, ShapeError, r"parameter 1 is \(2, 1\) on cpu, .* \(2,\) on cpu"
        )

    def test_a_gradient_on_another_device(self):
        params, optimizer = self.made()
        with cupy_double():
            params[1].grad = mg.ones(2, device="cuda")
            self.assert_refused(params, optimizer, ShapeError, r"on cpu, .* on cuda")

    def test_a_parameter_of_another_shape(self):
        params, optimizer = self.made()
        params[1].rebind_(np.ones((2, 1), "f4")).grad = mg.ones(2, 1)
        self.assert_refused(
            params, optimizer, ShapeError, r"is \(2, 1\) now, its state \(2,\): build a new"
        )

    def test_read_only_memory(self):
        params, optimizer = self.made()
        params[1].data.flags.writeable = False
        self.assert_refused(params, optimizer, ValueError, "parameter 1 is on read-only memory")
        params[1].grad = None  # to stay where it is is no offence
        optimizer.step()
        assert params[0].version == 2

    @pytest.mark.parametrize("block", [4, 1 << 17])
    def test_an_error_in_the_middle(self, block, monkeypatch):
        """What may have been written counts as written, and training can go on from a state."""
        small_blocks(monkeypatch, block, 0)
        params = leaves([np.ones(8, "f4"), np.ones(8, "f4")])
        optimizer = optim.Adam(params)
        feed(optimizer, params, [np.ones(8, "f4")] * 2)
        saved, values = optimizer.state_dict(), [p.numpy().copy() for p in params]
        loss = (params[0] * params[0]).sum()
        params[1].grad = mg.full(8, 1e30)  # its square is too much for float32
        with np.errstate(over="raise"), pytest.raises(FloatingPointError):
            optimizer.step()
        with pytest.raises(VersionError):
            loss.backward()
        assert optimizer.state_dict()["step"].tolist() == [2, 2]
        optimizer.load_state_dict(saved)
        for param, value in zip(params, values, strict=True):
            param.assign_(value)
        plain = Plain(optimizer, [np.ones(8, "f4")] * 2)
        for _ in range(2):
            plain.step([np.ones(8, "f4")] * 2)
        feed(optimizer, params, [np.ones(8, "f4")] * 2)
        plain.assert_same(params, optimizer)


class TestEMA:
    def net(self):
        return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))

    def test_bit_for_bit(self):
        net = self.net()
        ema = optim.EMA(net, decay=0.9)
        expected = {name: p.numpy().copy() for name, p in ema.module.named_parameters()}
        versions = [p.version for p in ema.module.parameters()]
        rng = np.random.default_rng(0)
        for _ in range(3):
            for name, param in net.named_parameters():
                param.assign_(rng.standard_normal(param.shape).astype("f4"))
                expected[name] = expected[name] + (param.numpy() - expected[name]) * (1.0 - 0.9)
            ema.update()
        for name, average in ema.module.named_parameters():
            assert average.dtype == np.float32
            np.testing.assert_array_equal(average.numpy(), expected[name])
        assert [p.version for p in ema.module.parameters()] == [v + 3 for v in versions]

    def test_a_network_that_became_another(self):
        net = self.net()
        ema = optim.EMA(net)
        before = ema.state_dict()
        net[0].weight.assign_(1.0)
        net[2].weight = nn.Parameter(np.ones((4, 2), "f4"))
        with pytest.raises(ShapeError, match=r"\(2, 4\) on cpu, what it shall follow \(4, 2\)"):
            ema.update()
        after = ema.state_dict()
        assert all(np.array_equal(before[name], after[name]) for name in before)
