"""Optimisers against plain NumPy loops over the published formulas; schedules, clipping, EMA."""

import copy
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan import nn, optim
from minigan.testing.cupy_double import cupy_double

SHAPES = [(3, 2), (4,), ()]
STEPS = 7


def gradients(seed=0, steps=STEPS):
    """A list, one entry a step, of one gradient a parameter."""
    rng = np.random.default_rng(seed)
    return [[rng.standard_normal(s).astype(np.float32) for s in SHAPES] for _ in range(steps)]


def start_values():
    rng = np.random.default_rng(99)
    return [rng.standard_normal(s).astype(np.float32) for s in SHAPES]


def run(make, steps, *, values=None):
    """Move parameters by given gradients; return optimiser, parameters."""
    params = [nn.Parameter(v) for v in (values or start_values())]
    optimizer = make(params)
    feed(optimizer, params, steps)
    return optimizer, params


def feed(optimizer, params, steps):
    for step in steps:
        for param, g in zip(params, step, strict=True):
            param.grad = None if g is None else mg.tensor(g)
        optimizer.step()


def reference(rule, steps):
    """Run `rule(p, g, state, t) -> p` for each parameter in float64."""
    out = []
    for i, p in enumerate(start_values()):
        p, state = p.astype(np.float64), {}
        for t, step in enumerate(steps, start=1):
            p = rule(p, step[i].astype(np.float64), state, t)
        out.append(p)
    return out


def assert_follows(make, rule, steps=None):
    steps = steps or gradients()
    _, params = run(make, steps)
    for param, expected in zip(params, reference(rule, steps), strict=True):
        assert param.dtype == np.float32
        np.testing.assert_allclose(param.numpy(), expected, rtol=2e-5, atol=2e-6)


class TestFormulas:
    def test_sgd(self):
        assert_follows(lambda ps: optim.SGD(ps, 0.1), lambda p, g, s, t: p - 0.1 * g)

    @pytest.mark.parametrize("nesterov", [False, True])
    def test_sgd_with_momentum_and_decay(self, nesterov):
        def rule(p, g, s, t):
            g = g + 0.01 * p
            s["b"] = 0.9 * s["b"] + g if t > 1 else g
            return p - 0.1 * (g + 0.9 * s["b"] if nesterov else s["b"])

        options = {"momentum": 0.9, "nesterov": nesterov, "weight_decay": 0.01}
        assert_follows(lambda ps: optim.SGD(ps, 0.1, **options), rule)

    @pytest.mark.parametrize("betas", [(0.9, 0.999), (0.0, 0.9), (0.5, 0.0)])
    @pytest.mark.parametrize(("decay", "decoupled"), [(0.0, False), (0.1, False), (0.1, True)])
    def test_adam(self, betas, decay, decoupled):
        lr, eps, (b1, b2) = 0.05, 1e-4, betas

        def rule(p, g, s, t):
            if decoupled:
                p = p - lr * decay * p
            else:
                g = g + decay * p
            s["m"] = b1 * s.get("m", 0.0) + (1 - b1) * g
            s["v"] = b2 * s.get("v", 0.0) + (1 - b2) * g**2
            m, v = s["m"] / (1 - b1**t), s["v"] / (1 - b2**t)
            return p - lr * m / (np.sqrt(v) + eps)

        options = {"betas": betas, "eps": eps, "weight_decay": decay, "decoupled": decoupled}
        assert_follows(lambda ps: optim.Adam(ps, lr, **options), rule)

    @pytest.mark.parametrize("momentum", [0.0, 0.8])
    def test_rmsprop(self, momentum):
        def rule(p, g, s, t):
            g = g + 0.02 * p
            s["v"] = 0.95 * s.get("v", 0.0) + 0.05 * g**2
            s["b"] = momentum * s.get("b", 0.0) + g / (np.sqrt(s["v"]) + 1e-3)
            return p - 0.01 * s["b"]

        options = {"alpha": 0.95, "eps": 1e-3, "weight_decay": 0.02, "momentum": momentum}
        assert_follows(lambda ps: optim.RMSprop(ps, 0.01, **options), rule)

    def test_first_adam_step_is_lr_times_the_sign(self):
        steps = gradients(steps=1)
        _, params = run(lambda ps: optim.Adam(ps, lr=0.01), steps)
        for param, before, g in zip(params, start_values(), steps[0], strict=True):
            np.testing.assert_allclose(param.numpy(), before - 0.01 * np.sign(g), atol=1e-6)

    def test_defaults_are_pytorchs(self):
        param = [nn.Parameter([0.0])]
        adam, rms, sgd = optim.Adam(param), optim.RMSprop(param), optim.SGD(param)
        assert (adam.lr, adam.betas, adam.eps) == (1e-3, (0.9, 0.999), 1e-8)
        assert (rms.lr, rms.alpha, rms.eps) == (1e-2, 0.99, 1e-8)
        assert (sgd.lr, sgd.momentum, sgd.weight_decay) == (1e-3, 0.0, 0.0)


MAKERS = {
    "sgd": lambda ps, lr=0.1: optim.SGD(ps, lr, momentum=0.9),
    "adam": lambda ps, lr=0.1: optim.Adam(ps, lr, weight_decay=0.1),
    "adamw": lambda ps, lr=0.1: optim.Adam(ps, lr, weight_decay=0.1, decoupled=True),
    "rmsprop": lambda ps, lr=0.1: optim.RMSprop(ps, lr, momentum=0.9),
}
each_optimizer = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


class TestBehaviour:
    @each_optimizer
    def test_float64_hyperparameters_leave_float32_alone(self, make):
        optimizer, params = run(lambda ps: make(ps, np.float64(0.1)), gradients())
        optimizer.lr = np.float64(0.05)
        feed(optimizer, params, gradients(1))
        assert type(optimizer.lr) is float
        assert {p.dtype for p in params} == {np.dtype(np.float32)}
        kept = {k: v.dtype for k, v in optimizer.state_dict().items() if k[0].isdigit()}
        assert set(kept.values()) == {np.dtype(np.float32)}

    @each_optimizer
    def test_gradients_and_memory(self, make):
        """The gradient is not changed, the parameter keeps its memory and its version goes up."""
        (g, *_), *_ = gradients()
        param = nn.Parameter(start_values()[0])
        memory, param.grad = param.data, mg.tensor(g)
        make([param]).step()
        np.testing.assert_array_equal(param.grad.numpy(), g)
        assert param.data is memory
        assert param.version == 1

    @each_optimizer
    def test_parameters_without_gradient_are_skipped(self, make):
        """Its value, its momentum and its step count wait for the next gradient."""
        steps = gradients()
        holes = [
            [None if i == 1 and t % 2 else g for i, g in enumerate(s)] for t, s in enumerate(steps)
        ]
        _, params = run(make, holes)
        _, alone = run(make, [[None, s[1], None] for s in steps[::2]])
        np.testing.assert_array_equal(params[1].numpy(), alone[1].numpy())
        np.testing.assert_array_equal(alone[0].numpy(), start_values()[0])

    @each_optimizer
    def test_state_round_trip_continues_bit_for_bit(self, make):
        _, straight = run(make, gradients())
        first, params = run(make, gradients()[:3])
        second = make(params)
        second.load_state_dict(first.state_dict())
        feed(second, params, gradients()[3:])
        for a, b in zip(straight, params, strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy())

    def test_state_dict_is_a_copy_of_arrays(self):
        optimizer, params = run(MAKERS["adam"], gradients())
        state = optimizer.state_dict()
        assert set(state) == {"lr", "step"} | {
            f"{i}.{n}" for i in range(3) for n in ("exp_avg", "exp_avg_sq")
        }
        before = {k: v.copy() for k, v in state.items()}
        feed(optimizer, params, gradients(5))
        assert all(np.array_equal(before[k], state[k]) for k in state)
        assert state["step"].tolist() == [STEPS] * 3

    def test_state_that_does_not_fit(self):
        optimizer, params = run(MAKERS["adam"], gradients())
        with pytest.raises(ValueError, match="Adam of 1 parameters cannot load a state of 3"):
            optim.Adam(params[:1]).load_state_dict(optimizer.state_dict())
        with pytest.raises(
            ValueError, match=r"SGD cannot load .*; unexpected: 0.exp_avg, 0.exp_avg_"
        ):
            optim.SGD(params).load_state_dict(optimizer.state_dict())
        for key, value, fault in (
            ("0.exp_avg", np.zeros(5), r"misshapen: 0.exp_avg is \(5,\), must be \(3, 2\)"),
            ("1.exp_avg", np.zeros(4) * 1j, "unfit: 1.exp_avg is complex128, must be float32"),
            ("3.exp_avg", np.zeros(4), "unexpected: 3.exp_avg$"),
            ("exp_avg", np.zeros(4), "unexpected: exp_avg$"),
            ("step", np.array([1, -1, 2]), r"whole numbers >= 0, got \[1, -1, 2\]"),
            ("step", np.array([1.5, 2, 2]), "whole numbers >= 0"),
            ("lr", np.array(-1.0), "lr is -1.0"),
        ):
            before = optimizer.state_dict()
            with pytest.raises(ValueError, match=fault):
                optimizer.load_state_dict(before | {"1.exp_avg_sq": np.zeros(4), key: value})
            after = optimizer.state_dict()
            assert all(np.array_equal(after[name], before[name]) for name in before)

    @each_optimizer
    def test_a_state_without_its_moments_is_refused(self, make):
        """They would start at zero again, but the step count, and so the bias, would not."""
        optimizer, params = run(make, gradients())
        state = {k: v for k, v in optimizer.state_dict().items() if not k.startswith("1.")}
        names = ", ".join(f"1.{slot}" for slot in optimizer.slots)
        with pytest.raises(ValueError, match=f"; missing: {names}$"):
            make(params).load_state_dict(state)
        plain, _ = run(optim.SGD, gradients())
        with pytest.raises(ValueError, match=f"; missing: 0.{optimizer.slots[0]}, "):
            make(params).load_state_dict(plain.state_dict())

    @each_optimizer
    def test_what_never_moved_has_no_state_to_load(self, make):
        optimizer, params = run(make, [[g, None, None] for g, *_ in gradients()])
        twin = make(params)
        twin.load_state_dict(optimizer.state_dict())
        assert set(twin.state_dict()) == {"lr", "step", *(f"0.{slot}" for slot in optimizer.slots)}

    @each_optimizer
    def test_loading_brings_the_learning_rate_and_copies(self, make):
        optimizer, params = run(make, gradients())
        optimizer.lr = 0.0625
        state = optimizer.state_dict()
        twin = make(params, 0.5)
        twin.load_state_dict(state)
        assert twin.lr == 0.0625
        for value in state.values():
            value[...] = 0
        np.testing.assert_array_equal(
            twin.state_dict()[f"0.{twin.slots[0]}"], optimizer.state_dict()[f"0.{twin.slots[0]}"]
        )

    @each_optimizer
    def test_the_state_follows_a_module_to_another_dtype(self, make):
        """From there on as a float64 optimiser that was loaded with the same state."""
        net = nn.Linear(2, 3)
        optimizer = make(list(net.parameters()))
        x = np.random.default_rng(0).standard_normal((4, 2))

        def step(net, optimizer, dtype):
            optimizer.zero_grad()
            (net(mg.tensor(x, dtype=dtype)) ** 2).sum().backward()
            optimizer.step()

        step(net, optimizer, "float32")
        net.to(dtype="float64")
        twin_net = copy.deepcopy(net)
        twin = make(list(twin_net.parameters()))
        twin.load_state_dict(optimizer.state_dict())
        for _ in range(3):
            step(net, optimizer, "float64")
            step(twin_net, twin, "float64")
        kept = {k: v for k, v in optimizer.state_dict().items() if k[0].isdigit()}
        assert {v.dtype for v in kept.values()} == {np.dtype("float64")}
        np.testing.assert_array_equal(net.weight.numpy(), twin_net.weight.numpy())

    @each_optimizer
    def test_the_state_follows_a_module_to_another_device(self, make):
        def train(device):
            net = nn.Linear(2, 3)
            net.load_state_dict({"weight": np.ones((3, 2)), "bias": np.zeros(3)})
            optimizer = make(list(net.parameters()))
            for place in ("cpu", device, "cpu"):
                net.to(place)
                optimizer.zero_grad()
                (net(mg.ones(4, 2, device=place)) ** 2).sum().backward()
                optimizer.step()
            return net.weight.numpy()

        with cupy_double():
            moved = train("cuda")
        np.testing.assert_allclose(moved, train("cpu"), rtol=1e-6)

    def test_zero_grad(self):
        optimizer, params = run(MAKERS["sgd"], gradients())
        optimizer.zero_grad()
        assert [p.grad for p in params] == [None] * 3

    def test_bad_arguments(self):
        param = nn.Parameter([1.0])
        with pytest.raises(TypeError, match=r"takes a list of parameters: write \[parameter\]"):
            optim.SGD(param)
        with pytest.raises(ValueError, match="no parameters"):
            optim.SGD([])
        with pytest.raises(ValueError, match="in the list twice"):
            optim.SGD([param, param])
        with pytest.raises(TypeError, match="parameter 1 is the result of an op"):
            optim.SGD([param, param * 2])
        with pytest.raises(TypeError, match="parameter 0 is str"):
            optim.SGD(["weight"])
        with pytest.raises(ValueError, match="lr is -1.0: it must be a number >= 0"):
            optim.Adam([param], lr=-1)
        with pytest.raises(ValueError, match="lr is nan"):
            optim.Adam([param], lr=float("nan"))
        with pytest.raises(ValueError, match=r"betas are \(0.9, 1.0\)"):
            optim.Adam([param], betas=(0.9, 1.0))
        with pytest.raises(ValueError, match="nesterov=True needs a momentum"):
            optim.SGD([param], nesterov=True)

    @each_optimizer
    def test_minimises_a_quadratic(self, make):
        x = nn.Parameter([3.0, -2.0])
        optimizer = make([x], 0.02)
        for _ in range(400):
            optimizer.zero_grad()
            ((x - 1.0) ** 2).sum().backward()
            optimizer.step()
        loss = float(((x - 1.0) ** 2).sum())
        assert loss < 0.2  # decay pulls the minimum a little towards zero

    def test_stepping_before_backward_is_caught(self):
        x = nn.Parameter([2.0])
        y = (x * x * x).sum()
        x.grad = mg.ones(1)
        optim.SGD([x]).step()
        with pytest.raises(mg.errors.VersionError, match="step the optimiser after"):
            y.backward()


class TestSchedules:
    def one(self, lr=2.0):
        return optim.SGD([nn.Parameter([0.0])], lr)

    def rates(self, schedule, steps):
        out = [schedule.optimizer.lr]
        for _ in range(steps):
            schedule.step()
            out.append(schedule.optimizer.lr)
        return out

    def test_linear(self):
        schedule = optim.LinearDecay(self.one(), 4, start=1, final=0.25)
        np.testing.assert_allclose(self.rates(schedule, 5), [2.0, 2.0, 1.5, 1.0, 0.5, 0.5])

    def test_cosine(self):
        rates = self.rates(optim.CosineDecay(self.one(), 4, final=0.5), 5)
        np.testing.assert_allclose(
            rates, [2.0, 1.5 + 0.5**1.5, 1.5, 1.5 - 0.5**1.5, 1.0, 1.0], rtol=1e-12
        )

    def test_step(self):
        schedule = optim.StepDecay(self.one(), 2, gamma=0.5)
        assert self.rates(schedule, 5) == [2.0, 2.0, 1.0, 1.0, 0.5, 0.5]

    def test_warm_up_and_after(self):
        optimizer = self.one()
        schedule = optim.WarmUp(optimizer, 4, after=optim.StepDecay(optimizer, 1, gamma=0.5))
        assert self.rates(schedule, 6) == [0.5, 1.0, 1.5, 2.0, 2.0, 1.0, 0.5]
        assert self.rates(optim.WarmUp(self.one(), 2), 3) == [1.0, 2.0, 2.0, 2.0]

    @given(st.integers(1, 40), st.integers(0, 60), st.sampled_from(["linear", "cosine", "warm"]))
    def test_resume_anywhere(self, total, steps, kind):
        def make():
            optimizer = self.one()
            if kind == "linear":
                return optim.LinearDecay(optimizer, total)
            if kind == "cosine":
                return optim.CosineDecay(optimizer, total)
            return optim.WarmUp(optimizer, total, after=optim.CosineDecay(optimizer, total))

        straight, resumed = make(), make()
        self.rates(straight, steps)
        resumed.load_state_dict(straight.state_dict())
        assert resumed.optimizer.lr == straight.optimizer.lr
        assert self.rates(resumed, 3) == self.rates(straight, 3)
        assert all(0.0 <= resumed.factor(t) <= 1.0 for t in range(100))

    def test_bad_arguments(self):
        with pytest.raises(ValueError, match="start=3 and total=3"):
            optim.LinearDecay(self.one(), 3, start=3)
        with pytest.raises(ValueError, match="same optimiser"):
            optim.WarmUp(self.one(), 3, after=optim.StepDecay(self.one(), 1))
        for make in (optim.CosineDecay, optim.StepDecay, optim.WarmUp):
            with pytest.raises(ValueError, match="is 0: need at least one step"):
                make(self.one(), 0)


class TestClipping:
    def params(self):
        made = [nn.Parameter(v) for v in start_values()]
        for param, g in zip(made, gradients()[0], strict=True):
            param.grad = mg.tensor(g)
        return [*made, nn.Parameter([1.0])]  # the last one has no gradient

    @pytest.mark.parametrize("max_norm", [0.5, np.float64(0.5), 100.0])
    def test_norm(self, max_norm):
        params, given_ = self.params(), gradients()[0]
        norm = optim.clip_grad_norm_(params, max_norm)
        true = math.sqrt(sum((g.astype(np.float64) ** 2).sum() for g in given_))
        assert norm.dtype == np.float32
        assert norm.item() == pytest.approx(true, rel=1e-6)
        for param, g in zip(params, given_, strict=False):
            assert param.grad.dtype == np.float32
            np.testing.assert_allclose(param.grad.numpy(), g * min(1, max_norm / true), rtol=1e-5)
        assert params[-1].grad is None

    def test_norm_of_nothing_and_of_zero(self):
        assert optim.clip_grad_norm_([nn.Parameter([1.0])], 1.0).item() == 0.0
        param = nn.Parameter([1.0])
        param.grad = mg.zeros(1)
        assert optim.clip_grad_norm_([param], 1.0).item() == 0.0
        assert param.grad.item() == 0.0

    def test_value(self):
        params = self.params()
        optim.clip_grad_value_(params, 0.3)
        for param, g in zip(params, gradients()[0], strict=False):
            np.testing.assert_array_equal(param.grad.numpy(), np.clip(g, -0.3, 0.3).astype("f4"))

    def test_one_tensor_is_one_parameter(self):
        for clip, expected in (
            (lambda w: optim.clip_grad_norm_(w, 1.0), [[0.6, 0.0], [0.0, 0.8]]),
            (lambda w: optim.clip_grad_value_(w, 3.5), [[3.0, 0.0], [0.0, 3.5]]),
        ):
            w = nn.Parameter([[1.0, 2.0], [3.0, 4.0]])
            w.grad = mg.tensor([[3.0, 0.0], [0.0, 4.0]])
            norm = clip(w)
            assert norm is None or norm.item() == 5.0
            np.testing.assert_allclose(w.grad.numpy(), expected, rtol=1e-5)


class TestEMA:
    def net(self):
        return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))

    def test_average_and_buffers(self):
        net = self.net()
        ema = optim.EMA(net, decay=0.8)
        expected = net[0].weight.numpy().copy()
        rng = np.random.default_rng(0)
        for _ in range(5):
            net(mg.tensor(rng.standard_normal((6, 3)).astype("f4")))
            new = rng.standard_normal((4, 3)).astype("f4")
            net[0].weight.assign_(new)
            ema.update()
            expected = 0.8 * expected + 0.2 * new
        np.testing.assert_allclose(ema.module[0].weight.numpy(), expected, rtol=1e-5, atol=1e-6)
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            ours, theirs = getattr(ema.module[1], name), getattr(net[1], name)
            np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
            assert not np.shares_memory(ours.data, theirs.data)
        assert net[1].num_batches_tracked.item() == 5

    def test_module_is_a_frozen_copy(self):
        net = self.net()
        ema = optim.EMA(net)
        assert net.training
        assert not any(m.training for m in ema.module.modules())
        assert not any(p.requires_grad for p in ema.module.parameters())
        assert all(p.requires_grad for p in net.parameters())
        assert all(p.dtype == np.float32 for p in ema.module.parameters())

    def test_constant_weights_stay(self):
        net = self.net()
        ema = optim.EMA(net, decay=np.float64(0.7))
        for _ in range(20):
            ema.update()
        np.testing.assert_array_equal(ema.module[0].weight.numpy(), net[0].weight.numpy())

    def test_state_round_trip(self):
        ema, other = optim.EMA(self.net()), optim.EMA(self.net())
        other.load_state_dict(ema.state_dict())
        for name, value in ema.state_dict().items():
            np.testing.assert_array_equal(other.state_dict()[name], value)

    def test_bad_decay(self):
        with pytest.raises(ValueError, match=r"decay is 1.5"):
            optim.EMA(self.net(), decay=1.5)
