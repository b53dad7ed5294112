import re
import threading

import numpy as np
import pytest

import minigan as mg
from minigan import nn
from minigan.profiler import PHASES
from minigan.recording import watched
from minigan.testing.cupy_double import cupy_double


def phases(row):
    return tuple(row.calls[phase] for phase in PHASES)


def penalised(x, weight):
    """A gradient penalty: one product forward, its derivatives backward and backward again."""
    (g,) = mg.grad(mg.tanh(x @ weight).sum(), x, create_graph=True)
    return mg.grad((g * g).sum(), weight)


@pytest.fixture
def operands(rng):
    x, weight = (rng.normal(size=(4, 4)).astype(np.float32) for _ in range(2))
    return mg.tensor(x, requires_grad=True), mg.tensor(weight, requires_grad=True)


# -- phases ---------------------------------------------------------------------------------------


def test_forward_alone_is_forward():
    with mg.profile() as p:
        mg.ones(3, 3) @ mg.ones(3, 3)
    assert phases(p["matmul"]) == (1, 0, 0)


def test_a_backward_pass_is_backward(operands):
    x, weight = operands
    with mg.profile() as p:
        mg.grad((x @ weight).sum(), [x, weight])
    assert phases(p["matmul"]) == (1, 2, 0)  # g w^T and x^T g


def test_the_derivative_of_a_derivative_is_double_backward(operands):
    x, weight = operands
    with mg.profile() as p:
        penalised(x, weight)
    # Recorded backward: g w^T. Its derivative by w and by g (= 1 - tanh^2, which depends on w):
    # double backward. Then x^T (...), through the product of the forward pass: backward.
    assert phases(p["matmul"]) == (1, 2, 2)
    assert phases(p["tanh"]) == (1, 0, 0)


def test_what_the_program_computes_of_gradients_is_forward(operands):
    x, _ = operands
    with mg.profile() as p:
        (g,) = mg.grad((x * x).sum(), x, create_graph=True)
        mg.exp(g)
    assert phases(p["exp"]) == (1, 0, 0)


def test_a_fused_op_runs_its_kernels_or_its_definition(rng):
    norm = nn.InstanceNorm2d(2)
    x = mg.tensor(rng.normal(size=(2, 2, 4, 4)), requires_grad=True)
    with mg.profile() as once:
        mg.grad((norm(x) ** 3).sum(), x)
    assert phases(once["normalize"]) == (1, 1, 0)
    with mg.profile() as twice:
        (g,) = mg.grad((norm(x) ** 3).sum(), x, create_graph=True)
    assert phases(twice["normalize"]) == (1, 0, 0)
    assert twice["mean"].calls["backward"] >= 2  # the definition, computed in order to derive it
    assert all(row.calls["double backward"] == 0 for row in twice.rows)
    assert g.shape == x.shape


def test_a_freed_graph_leaves_the_phase_forward(operands):
    x, _ = operands
    with mg.profile() as p:
        y = mg.exp(x).sum()
        mg.grad(y, x)
        with pytest.raises(mg.GraphError):
            mg.grad(y, x)
        mg.tanh(x)
    assert phases(p["tanh"]) == (1, 0, 0)


def test_a_visit_that_fails_leaves_the_phase_forward(operands):
    x, weight = operands
    with mg.profile() as p:
        y = (x @ weight).sum()
        weight.assign_(0.0)
        with pytest.raises(mg.VersionError):
            mg.grad(y, x)
        mg.tanh(x)
    assert phases(p["tanh"]) == (1, 0, 0)


# -- what is counted ------------------------------------------------------------------------------


def test_every_op_is_counted_once(operands):
    seen = []
    with mg.trace(lambda name, out: seen.append(name)):
        penalised(*operands)
    with mg.profile() as p:
        penalised(*operands)
    assert {row.name: row.total_calls for row in p.rows} == {n: seen.count(n) for n in seen}


def test_a_profile_changes_no_result(operands):
    (plain,) = penalised(*operands)
    with mg.profile():
        (watched_one,) = penalised(*operands)
    assert (plain.numpy() == watched_one.numpy()).all()


def test_seconds_are_those_of_the_kernels():
    large = mg.ones(400, 400)
    with mg.profile() as p:
        for _ in range(3):
            large @ large
        mg.ones(2) + 1.0
    assert p.rows[0].name == "matmul"
    assert 0 < p["add"].total_seconds < p["matmul"].total_seconds
    assert p.kernel_seconds == pytest.approx(sum(row.total_seconds for row in p.rows))
    assert p.kernel_seconds < p.seconds


def test_bytes_are_those_of_new_arrays():
    x = mg.ones(10, 20)
    with mg.profile() as p:
        x + x
        x.reshape(20, 10)  # a view
        x.T.reshape(200)  # not one: its elements are in another order, so they are copied
        mg.broadcast_to(x, (5, 10, 20))
    assert p["add"].allocated == 800
    assert p["reshape"].allocated == 800
    assert p["broadcast_to"].allocated == 0


def test_names_and_work_are_the_callers(operands):
    x, weight = operands
    with mg.profile(
        name=lambda op, args, options: f"{op.name} of {len(args)}",
        work=lambda op, args, result: float(result.size),
    ) as p:
        x @ weight
        x @ weight
        mg.tanh(x)
    assert p["matmul of 2"].work == 32.0
    assert p["tanh of 1"].work == 16.0


def test_the_table_has_a_line_for_each_row_and_one_for_python(operands):
    with mg.profile() as p:
        penalised(*operands)
    lines = str(p).splitlines()
    head = ["op", "calls", "forward", "backward", "double backward", "total ms", "share", "MB made"]
    assert re.split("  +", lines[0]) == head
    assert len(lines) == 2 + len(p.rows)
    assert re.fullmatch(r"\(Python\) +\d+\.\d\d +\d+\.\d%", lines[-1])
    shares = [float(share) for share in re.findall(r"(\d+\.\d)%", str(p))]
    assert sum(shares) == pytest.approx(100.0, abs=1.0)
    assert len(p.table(most=2).splitlines()) == 4


# -- where it watches -----------------------------------------------------------------------------


def test_nobody_watches_outside_the_block():
    def visit():
        pass

    assert watched(visit) is visit
    with mg.profile():
        assert watched(visit) is not visit
    assert watched(visit) is visit


def test_an_exception_ends_the_profile_and_keeps_what_it_has():
    ones = mg.ones(2)
    with pytest.raises(mg.ShapeError), mg.profile() as p:
        (ones + 1.0) @ mg.ones(3)
    assert p["add"].total_calls == 1
    assert p.seconds > 0
    ones + 1.0
    assert p["add"].total_calls == 1


def test_the_inner_of_two_profiles_sees_the_ops():
    with mg.profile() as outer:
        mg.ones(2) + 1.0
        with mg.profile() as inner:
            mg.ones(2) * 2.0
        mg.ones(2) + 1.0
    assert [row.name for row in inner.rows] == ["multiply"]
    assert [row.name for row in outer.rows] == ["add"]
    assert outer["add"].total_calls == 2


def test_another_thread_is_not_seen():
    with mg.profile() as p:
        thread = threading.Thread(target=lambda: mg.ones(2) + 1.0)
        thread.start()
        thread.join()
    assert p.rows == []


def test_a_device_is_waited_for():
    with cupy_double() as double:
        x = mg.ones(3, device="cuda", requires_grad=True)
        double.reset()
        (x + x) * x
        assert double.synchronisations == 0
        with mg.profile() as p:
            (x + x) * x
        assert double.synchronisations >= p["add"].total_calls + p["multiply"].total_calls == 2
