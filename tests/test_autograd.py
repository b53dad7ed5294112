"""The walk: gradients of every order, what is visited, what is freed, and what is refused."""

import gc
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan.errors import GraphError, ShapeError, VersionError
from minigan.node import Node
from minigan.op import OPS, op


def leaf(*values, dtype="float64"):
    return mg.tensor(np.array(values, dtype=dtype), requires_grad=True)


# -- values ---------------------------------------------------------------------------------------


def test_fan_out_adds_up():
    """The smallest graph that needs a topological order: b = a + a, c = b + b."""
    a = leaf(3.0)
    b = a + a
    c = b + b
    c.sum().backward()
    assert a.grad.item() == 4.0


def test_derivatives_of_tanh_of_orders_1_to_4_match_the_closed_forms():
    x = leaf(0.3, -1.2, 2.0)
    t = np.tanh(x.numpy())
    s = 1 - t**2
    closed = [s, -2 * t * s, s * (6 * t**2 - 2), s * (16 * t - 24 * t**3)]
    y = mg.tanh(x)
    for expected in closed:
        (y,) = mg.grad(y.sum(), x, create_graph=True)
        np.testing.assert_allclose(y.numpy(), expected, rtol=1e-13, atol=1e-14)


@given(st.integers(0, 10_000), st.integers(2, 25))
def test_random_graphs_with_fan_out_match_the_complex_step(seed, size):
    """Build a random DAG of products, sums and sines; compare with an imaginary step."""
    rng = np.random.default_rng(seed)
    plan = [(rng.integers(4), *rng.integers(0, k + 1, 2)) for k in range(size)]

    def run(x, sin):
        values = [x]
        for kind, i, j in plan:
            a, b = values[i], values[j]
            values.append((0.5 * (a + b), a * b * 0.5, sin(a), a - 0.3 * b)[kind])
        return values[-1]

    point = rng.normal() * 0.5
    x = mg.tensor(np.array(point), requires_grad=True)
    out = run(x, mg.sin)
    expected = np.imag(run(point + 1e-30j, np.sin)) / 1e-30
    (g,) = mg.grad(out, x)
    np.testing.assert_allclose(g.item(), expected, rtol=1e-12, atol=1e-12)


def test_a_cotangent_weighs_the_outputs():
    x = leaf(1.0, 2.0)
    (g,) = mg.grad([x * x, 3.0 * x], x, [np.array([1.0, 0.0]), np.array([0.0, 1.0])])
    np.testing.assert_array_equal(g.numpy(), [2.0, 3.0])


def test_the_gradient_of_an_input_with_respect_to_itself_is_the_cotangent():
    x = leaf(2.0)
    assert mg.grad(x, x)[0].item() == 1.0


def test_intermediate_results_can_be_inputs():
    x = leaf(2.0)
    y = x * x
    z = y * y
    gy, gx = mg.grad(z, [y, x])
    assert (gy.item(), gx.item()) == (8.0, 32.0)


def test_gradients_accumulate_on_leaves_and_on_retained_results():
    x = leaf(2.0)
    y = (x * x).retain_grad()
    (3.0 * y).backward()
    assert (x.grad.item(), y.grad.item()) == (12.0, 3.0)
    (x * x).backward()
    assert x.grad.item() == 16.0


def test_grad_leaves_the_leaves_alone():
    x = leaf(2.0)
    mg.grad(x * x, x)
    assert x.grad is None


# -- what is visited ------------------------------------------------------------------------------


def counting_op(calls):
    @op(elementwise=True)
    def counted(a, b):
        return a * b

    counted.vjp(
        a=lambda g, b: (calls.append("a"), g * b)[1], b=lambda g, a: (calls.append("b"), g * a)[1]
    )
    return counted


def test_a_gradient_nobody_asked_for_is_never_computed():
    calls = []
    product = counting_op(calls)
    image, weight = leaf(2.0), leaf(5.0)
    mg.grad(product(image, weight), image)
    assert calls == ["a"]
    OPS.pop("counted")


def test_only_the_paths_to_the_inputs_are_walked():
    calls = []
    product = counting_op(calls)
    x, y = leaf(2.0), leaf(3.0)
    out = product(x, 2.0) + product(y, 2.0)
    mg.grad(out, y)
    assert calls == ["a"]
    OPS.pop("counted")


def test_a_graph_50_000_deep_is_nothing_special():
    x = leaf(1.0)
    y = x
    for _ in range(50_000):
        y = y + 0.0
    assert mg.grad(y.sum(), x)[0].item() == 1.0
    del y


# -- what is kept, and for how long ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("add", ["a: keeps nothing", "b: keeps nothing"]),
        ("exp", ["x: keeps out"]),
        ("multiply", ["a: keeps b", "b: keeps a"]),
        ("sum", ["x: keeps x's shape"]),
        ("relu", ["x: keeps out"]),
    ],
)
def test_explain_prints_what_the_rules_keep(name, kept):
    assert [line.strip() for line in mg.explain(OPS[name]).splitlines()[1:]] == kept


def test_arrays_that_no_rule_asks_for_die_at_once():
    x = leaf(*range(5))
    y = mg.exp(x)
    inner = weakref.ref(y.node)
    z = mg.exp(y)  # keeps its own result, not y
    assert z.node.kept is None
    del y
    assert inner() is not None  # the node lives on in the graph, its Tensor does not
    del z
    assert inner() is None


def test_frozen_arguments_are_not_kept():
    weight, image = leaf(1.0), mg.tensor(np.array([2.0]))
    node = (weight * image).node
    assert node.kept[0] is None
    assert node.kept[1] is image.data


def live_nodes():
    return sum(isinstance(o, Node) for o in gc.get_objects())


def test_live_nodes_stay_flat_over_30_gradient_penalty_steps_without_the_collector():
    weights = [mg.randn(6, 6, generator=mg.Generator(i), requires_grad=True) for i in range(2)]

    def step():
        x = mg.randn(4, 6, generator=mg.Generator(9), requires_grad=True)
        out = (mg.leaky_relu(x @ weights[0]) @ weights[1]).sum()
        (g,) = mg.grad(out, x, create_graph=True)
        penalty = mg.square(mg.norm(g, axis=1) - 1.0).mean()
        for w, gw in zip(weights, mg.grad(penalty, weights, allow_unused=True), strict=True):
            w.assign_(w.detach() - 0.01 * gw)

    gc.collect()
    gc.disable()
    try:
        counts = []
        for _ in range(30):
            step()
            counts.append(live_nodes())
    finally:
        gc.enable()
    assert len(set(counts)) == 1, counts


def test_a_second_pass_over_a_freed_graph_says_what_to_do():
    x = leaf(2.0)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(GraphError, match="retain_graph=True"):
        y.backward()


def test_retain_graph_allows_a_second_pass():
    x = leaf(2.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 8.0


def test_gradients_alias_neither_one_another_nor_the_cotangent():
    a, b = leaf(1.0, 2.0), leaf(3.0, 4.0)
    u = mg.tensor(np.array([1.0, 1.0]))
    ga, gb = mg.grad(a + b, [a, b], u)
    assert not np.shares_memory(ga.data, gb.data)
    assert not np.shares_memory(ga.data, u.data)
    a.sum().backward()
    a.grad.assign_(np.zeros(2))  # a broadcast gradient is its own, writeable memory


# -- what is refused ------------------------------------------------------------------------------


def test_an_unused_input_is_an_error_unless_allowed():
    x, y = leaf(1.0), leaf(2.0)
    with pytest.raises(GraphError, match="input 1"):
        mg.grad(x * x, [x, y])
    assert mg.grad(x * x, [x, y], allow_unused=True)[1] is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: mg.grad(x * x, x.detach()), "requires no gradient"),
        (lambda x: mg.grad(x.detach() * 2.0, x), "the output has no graph"),
        (lambda x: mg.grad(x * x, x), "needs a cotangent"),
        (lambda x: mg.grad([], x), "outputs is empty"),
        (lambda x: mg.grad([x * x], x, [None, None]), "2 cotangents for 1 outputs"),
    ],
)
def test_impossible_requests_are_refused_in_one_line(call, message):
    with pytest.raises(GraphError, match=message) as caught:
        call(leaf(1.0, 2.0))
    assert "\n" not in str(caught.value)


def test_a_cotangent_of_another_shape_is_refused():
    x = leaf(1.0, 2.0)
    with pytest.raises(ShapeError, match=r"\(3,\)"):
        mg.grad(x * x, x, np.ones(3))


def test_a_missing_rule_is_named_and_never_zero():
    @op
    def half_known(a, b):
        return a * b

    half_known.vjp(a=lambda g, b: g * b)
    a, b = leaf(1.0), leaf(2.0)
    assert mg.grad(half_known(a, b).sum(), a)[0].item() == 2.0
    with pytest.raises(GraphError, match="half_known has no derivative with respect to 'b'"):
        mg.grad(half_known(a, b).sum(), b)
    OPS.pop("half_known")


@pytest.mark.parametrize(
    ("rule", "error", "message"),
    [
        (lambda g: g.sum(), ShapeError, r"returned a gradient of shape \(\)"),
        (lambda g: g.astype("float32"), TypeError, "dtype float32"),
        (lambda g: None, GraphError, "NoneType, not a Tensor"),
        (lambda g: g.data, GraphError, "ndarray, not a Tensor"),
    ],
)
def test_a_rule_must_return_the_arguments_shape_and_dtype(rule, error, message):
    @op
    def strict(x):
        return x * 2

    strict.vjp(x=rule)
    x = leaf(1.0, 2.0)
    with pytest.raises(error, match=message):
        mg.grad(strict(x).sum(), x)
    OPS.pop("strict")


def test_a_rule_that_asks_for_something_unknown_is_refused_when_declared():
    with pytest.raises(TypeError, match="'wieght' is none of"):
        mg.multiply.vjp(a=lambda g, wieght: g)


# -- hooks ----------------------------------------------------------------------------------------


def test_hooks_see_and_replace_gradients_and_can_be_removed():
    x = leaf(2.0)
    y = x * x
    seen = []
    remove = y.register_hook(lambda g: seen.append(g.item()))
    y.register_hook(lambda g: g * 10.0)
    assert mg.grad(y * 3.0, x, retain_graph=True)[0].item() == 120.0
    remove()
    mg.grad(y * 3.0, x)
    assert seen == [3.0]
    y = x * x
    y.register_hook(lambda g: g.reshape(1, 1))
    with pytest.raises(ShapeError, match="hook"):
        mg.grad(y, x)


# -- what a failure leaves behind ------------------------------------------------------------------


def test_recording_is_restored_when_a_rule_fails():
    @op
    def broken(x):
        return x + 1

    def rule(g):
        raise KeyError("inside a rule")

    broken.vjp(x=rule)
    x = leaf(1.0)
    with pytest.raises(KeyError):
        mg.grad(broken(x).sum(), x)
    assert mg.is_grad_enabled()
    OPS.pop("broken")


# -- in-place changes and the life of the graph ---------------------------------------------------


def test_double_backward_sees_an_in_place_change_too():
    x = leaf(2.0)
    (g,) = mg.grad(x**3, x, create_graph=True)
    x.assign_(np.array([5.0]))
    with pytest.raises(VersionError):
        mg.grad(g, x)


def test_a_fused_op_sees_an_in_place_change():
    x, w = mg.randn(2, 3, requires_grad=True), mg.ones(3, requires_grad=True)
    y = mg.layer_norm(x, (3,), w)
    w.assign_(np.zeros(3))
    with pytest.raises(VersionError):
        y.sum().backward()


def test_two_stages_meet_at_an_intermediate_result():
    x = leaf(3.0)
    h = x * x
    (g,) = mg.grad((h * 3.0).sum(), h)
    h.backward(g)
    assert x.grad.item() == 18.0


def test_what_lies_beyond_the_inputs_does_not_count():
    x = leaf(3.0)
    h = x * x
    h.sum().backward(retain_graph=False)
    assert mg.grad((h * 3.0).sum(), h)[0].item() == 3.0
    h = x * x
    x.assign_(np.array([0.0]))
    assert mg.grad((h * 3.0).sum(), h)[0].item() == 3.0


def test_a_refusal_leaves_the_graph_as_it_was():
    x, z, w = leaf(2.0), leaf(1.0), leaf(3.0)
    y = (x * x).sum()
    with pytest.raises(GraphError, match="allow_unused"):
        mg.grad(y, [x, z])
    assert mg.grad(y, [x, z], allow_unused=True)[0].item() == 4.0
    y = mg.exp(x * w) * 2.0
    w.assign_(np.array([4.0]))
    for _ in range(2):
        with pytest.raises(VersionError):
            mg.grad(y, x)


def test_grad_frees_the_graph_by_default():
    x = leaf(2.0)
    y = x * x
    mg.grad(y, x)
    with pytest.raises(GraphError, match="freed"):
        mg.grad(y, x)


def test_hooks_run_on_leaves_and_under_create_graph():
    x = leaf(2.0)
    x.register_hook(lambda g: g * 2.0)
    assert mg.grad(x * x, x)[0].item() == 8.0
    (g,) = mg.grad(x * x, x, create_graph=True)
    assert g.item() == 8.0
    assert mg.grad(g, x)[0].item() == 8.0


def test_one_hook_registered_twice_is_removed_once():
    x, seen = leaf(1.0), []

    def hook(g):
        seen.append(1)

    remove = x.register_hook(hook)
    x.register_hook(hook)
    remove()
    mg.grad(x * x, x)
    assert seen == [1]


def test_an_elementwise_rule_of_a_wrong_shape_is_named():
    @op(elementwise=True)
    def shrunk(x):
        return x * 2

    shrunk.vjp(x=lambda g: g.sum())
    x = leaf(1.0, 2.0, 3.0)
    with pytest.raises(ShapeError, match=r"the rule of shrunk for 'x' .* shape \(\)"):
        mg.grad(shrunk(x).sum(), x)
    OPS.pop("shrunk")
