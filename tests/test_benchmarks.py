"""The benchmarks run, do the work they claim, and count it rightly; nothing here measures speed."""

import dataclasses
import importlib
import io
import json
import math
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import minigan as mg
from benchmarks import arrays, clock, growth, machine, micro, report, roofline, work
from benchmarks.compare import main as compare
from benchmarks.sides import MINIGAN, WORKLOADS, Side, missing, peers_of
from benchmarks.turns import Times, disagreement, play, ratios
from benchmarks.workloads.sizes import FULL, SMOKE, STEPS
from minigan.recording import Watcher, watching

ROOT = Path(__file__).parents[1]
NEEDS_TORCH = pytest.mark.skipif(
    missing(Side("pytorch"), "toy") is not None, reason=str(missing(Side("pytorch"), "toy"))
)


def workload(name, size=None):
    return importlib.import_module(f"benchmarks.workloads.{name}").Workload(size or SMOKE[name])


# -- the arrays that everybody starts from --------------------------------------------------------


def test_an_array_is_drawn_from_its_name():
    first, again = (arrays.normal("d.0.weight", (3, 4)) for _ in range(2))
    assert first.dtype == np.float32
    assert (first == again).all()
    assert (arrays.normal("d.2.weight", (3, 4)) != first).all()
    weights = arrays.uniform("weights.0", (1000,))
    assert 0 <= weights.min() < weights.max() < 1


def test_parameters_have_the_scale_their_kind_asks_for():
    kernel = arrays.parameter("d.0.weight", (64, 32, 3, 3))
    assert kernel.std() == pytest.approx(math.sqrt(2 / (32 * 9)), rel=0.05)
    assert arrays.parameter("d.0.weight", (64, 32), 0.02).std() == pytest.approx(0.02, rel=0.1)
    assert arrays.parameter("norm.weight", (100,)).mean() == pytest.approx(1.0, abs=0.02)
    assert arrays.parameter("norm.bias", (100,)).mean() == pytest.approx(0.0, abs=0.02)


# -- the workloads --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_workload_trains_and_can_be_repeated(name):
    first, again = workload(name), workload(name)
    losses = [first.step() for _ in range(2)]
    assert all(len(pair) == 2 and np.isfinite(pair).all() for pair in losses)
    assert losses[0] != losses[1]
    assert [again.step() for _ in range(2)] == losses


class Widened(Watcher):
    """Notes the kernels that return float64, before the engine has had a look at it."""

    def __init__(self):
        self.kernels, self.names = 0, set()

    def run(self, op, kernel, args, options):
        result = kernel(*args, **options)
        self.kernels += 1
        results = result if kernel is not op.kernel or op.definition is None else result[:1]
        for array in results if isinstance(results, tuple) else (results,):
            if getattr(array, "dtype", None) == np.float64:
                self.names.add(op.name)
        return result


@pytest.mark.parametrize("name", WORKLOADS)
def test_float32_training_never_makes_a_float64_array(name):
    """DCGAN, CycleGAN, style, penalties: forward, backward, double backward, Adam."""
    played, widened = workload(name), Widened()
    with watching(widened):
        played.step()
    assert widened.kernels > 50
    assert widened.names == set()


# Of each layer of the critic: the gradient of its weight, and of what came to it from behind (for
# the last linear one that is constant: no such product there).
_SECOND = {
    "toy": {"matmul": 4 + 3, "leaky_relu_gradient": 3},
    "wgangp32": {"conv2d": 3, "conv2d_weight": 3, "matmul": 1, "leaky_relu_gradient": 3},
    "style32": {"conv2d": 4, "conv2d_weight": 4, "matmul": 1, "leaky_relu_gradient": 4},
}


@pytest.mark.parametrize("name", _SECOND)
def test_the_penalised_workloads_differentiate_twice(name):
    played = workload(name)
    with mg.profile() as p:
        played.step()
    calls = {row.name: row.calls["double backward"] for row in p.rows}
    assert {op: calls.get(op) for op in _SECOND[name]} == _SECOND[name]


def test_the_sizes_are_the_published_ones():
    assert dataclasses.astuple(FULL["toy"]) == (256, 128, 1)
    assert dataclasses.astuple(FULL["dcgan64"]) == (64, 64, 64)
    assert dataclasses.astuple(FULL["cyclegan128"]) == (1, 64, 128)
    assert set(FULL) == set(SMOKE) == set(STEPS) == set(WORKLOADS)


@pytest.mark.parametrize(
    ("name", "part", "parameters"),
    [
        ("dcgan64", "g", 3_576_704),  # those of PyTorch's example
        ("dcgan64", "d", 2_765_568),
        # The authors' code prints 7.838 and 2.765 million.
        ("cyclegan128", "to_b", 7_837_699),
        ("cyclegan128", "d_a", 2_764_737),
    ],
)
def test_the_networks_are_the_published_ones(name, part, parameters):
    assert getattr(workload(name, FULL[name]), part).num_parameters() == parameters


@NEEDS_TORCH
@pytest.mark.parametrize("name", ["toy", "wgangp32", "style32"])
def test_pytorch_has_the_same_losses(name):
    sides = [MINIGAN, Side("pytorch", "channels-last")]
    found = play(name, SMOKE[name], sides, steps=1, rounds=1, threads=1)
    mine, theirs = found.values()
    assert theirs.error is None
    assert disagreement(mine.losses, theirs.losses) < 1e-4


# -- taking turns ---------------------------------------------------------------------------------


def test_sides_take_turns_in_processes_of_their_own():
    sides = [MINIGAN, Side("minigan")]
    found = play("toy", SMOKE["toy"], sides, steps=2, rounds=3, threads=1)
    for times in found.values():
        assert times.error is None
        assert len(times.losses) == 3
        assert len(times.seconds) == len(times.busy) == 3
        assert min(times.seconds) > 0
        assert times.peak_mib > 10
    first, second = found.values()
    assert first.losses == second.losses
    assert len(ratios(first, second)) == 3


def test_a_side_that_disagrees_is_not_timed(monkeypatch):
    monkeypatch.setattr("benchmarks.turns.TOLERANCE", -1.0)
    found = play("toy", SMOKE["toy"], [MINIGAN, Side("minigan")], steps=1, rounds=2, threads=1)
    first, second = found.values()
    assert first.error is None
    assert len(first.seconds) == 2
    assert second.error == "its losses differ from those of minigan cpu by 0.0e+00"
    assert second.seconds == []


def test_a_side_that_cannot_start_says_why():
    found = play("toy", SMOKE["toy"], [Side("minigan", "tpu")], steps=1, rounds=1, threads=1)
    (times,) = found.values()
    assert times.error == "unknown device 'tpu': use 'cpu' or 'cuda'"
    assert times.absent


def test_a_side_that_dies_is_an_error_and_not_an_absence():
    size = dataclasses.replace(SMOKE["toy"], batch=-1)
    found = play("toy", size, [MINIGAN], steps=1, rounds=1, threads=1)
    (times,) = found.values()
    assert times.error.startswith("the process ended: ")
    assert not times.absent


def test_disagreement_is_relative_to_large_losses_and_absolute_for_small_ones():
    assert disagreement([[0.5, 100.0]], [[0.25, 100.0]]) == 0.25
    assert disagreement([[0.5, 101.0]], [[0.5, 100.0]]) == pytest.approx(0.01)
    assert math.isnan(disagreement([[math.nan]], [[1.0]]))


def test_a_missing_framework_is_said_so():
    assert missing(MINIGAN, "toy") is None
    assert missing(MINIGAN, "maze") == "minigan has no workload 'maze'"
    assert missing(Side("abacus"), "toy").startswith("no framework is called 'abacus': use one of")
    assert Side.parse("pytorch channels-last") == Side("pytorch", "channels-last")
    assert all(missing(side, "toy") is None for side in peers_of("toy"))


# -- the report -----------------------------------------------------------------------------------


def printed(show, *arguments):
    console = Console(width=110, file=io.StringIO())
    show(console, *arguments)
    return console.file.getvalue()


def found_by_hand():
    """Three rounds in which minigan needs 1, 2, 3 seconds and the peers 2 or 4."""
    mine = Times([[1.0, 2.0]], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0], peak_mib=100.0)
    slow = Times([[1.0, 2.0]], [4.0, 4.0, 4.0], [8.0, 8.0, 8.0], peak_mib=400.0)
    fast = Times([[1.0, 2.002]], [2.0, 2.0, 2.0], [2.0, 2.0, 2.0], peak_mib=200.0)
    gone = Times(error="no GPU: there is none", absent=True)
    sides = {"pytorch channels-first": slow, "pytorch channels-last": fast, "minigan cuda": gone}
    results = {MINIGAN: mine, **{Side.parse(name): times for name, times in sides.items()}}
    return report.summary("toy", SMOKE["toy"], results)


def test_ratios_are_the_first_sides_over_the_others():
    found = found_by_hand()
    row = found["sides"]["pytorch channels-last"]
    assert row["ratio"] == {"median": 1.0, "low": 0.75, "high": 1.25}
    assert row["memory_ratio"] == 0.5
    assert row["disagreement"] == pytest.approx(0.001, rel=0.01)
    assert found["sides"]["pytorch channels-first"]["busy_ratio"]["median"] == 0.25
    assert found["best"] == {"pytorch": "pytorch channels-last"}
    assert found["targets"] == (0.9, 0.6)


def test_the_table_marks_the_variant_that_counts_and_gives_reasons():
    said = printed(report.print_table, [found_by_hand()])
    assert "pytorch channels-last *" in said
    assert "pytorch channels-first *" not in said
    assert "1.00 (0.75-1.25)" in said
    assert "toy, minigan cuda: no GPU: there is none" in said


def test_a_report_is_written_and_drawn(tmp_path):
    found = found_by_hand()
    path = report.write(tmp_path / "new", "toy", {"workloads": [found]})
    assert json.loads(path.read_text())["workloads"][0]["best"] == found["best"]
    report.plot(path.with_suffix(".png"), [found])
    assert path.with_suffix(".png").stat().st_size > 5000


def test_facts_name_the_processor_but_not_the_machine():
    facts = machine.facts(threads=2)
    assert facts["threads"] == 2
    assert facts["cores"] >= 1
    assert facts["versions"]["numpy"] == np.__version__
    told = json.dumps(facts)
    assert platform.node() not in told
    assert str(Path.home()) not in told or str(Path.home()) == "/"
    assert str(ROOT) not in told


def test_peak_memory_sees_a_large_array():
    before = machine.peak_memory_mib()
    np.ones(int(before * 2**20) // 8 + 2_000_000)  # more than there ever was
    assert machine.peak_memory_mib() > before + 10


# -- counting work --------------------------------------------------------------------------------


def counted(run):
    with mg.profile(work=work.flops) as p:
        run()
    return {row.name: row.work for row in p.rows if row.work}


@pytest.mark.parametrize(("stride", "groups"), [(1, 1), (2, 1), (1, 2)])
def test_products_of_a_convolution_are_counted(stride, groups):
    """A convolution of ones sums a one for each product it takes."""
    x, weight = mg.ones(2, 4, 7, 8), mg.ones(6, 4 // groups, 3, 2)
    options = {"stride": stride, "groups": groups}
    y = mg.conv2d(x, weight, **options)
    products = y.sum().item()
    assert counted(lambda: mg.conv2d(x, weight, **options)) == {"conv2d": 2 * products}
    kernel = {"kernel_size": (3, 2), **options}
    ones = mg.ones_like(y)
    assert counted(lambda: mg.conv2d_weight(x, ones, **kernel)) == {"conv2d_weight": 2 * products}
    transposed = counted(lambda: mg.conv_transpose2d(ones, weight, **options))
    assert transposed == {"conv_transpose2d": 2 * products}


def test_products_of_matrices_are_counted():
    assert counted(lambda: mg.ones(2, 3, 4) @ mg.ones(4, 5)) == {"matmul": 2 * 2 * 3 * 4 * 5}


def test_traffic_is_what_is_read_and_written():
    x = mg.ones(10, 10)
    with mg.profile(work=work.traffic) as p:
        x + x
        x.reshape(100)
    assert p["add"].work == 1200.0
    assert p["reshape"].work == 0.0


def test_a_geometry_names_its_shapes():
    x, weight = mg.ones(1, 3, 8, 8), mg.ones(4, 3, 4, 4)
    with mg.profile(name=work.geometry) as p:
        mg.conv2d(x, weight, stride=2)
        mg.ones(2, 3) @ mg.ones(3, 4)
        mg.tanh(x)
    assert {row.name for row in p.rows} == {
        "conv2d 1x3x8x8, 4x3x4x4 /2",
        "matmul 2x3 @ 3x4",
        "tanh",
    }


def test_a_roofline_adds_up():
    whole, *rows = roofline.measure("toy", smoke=True, threads=1, shapes=False)
    assert whole["op"] == "whole step"
    assert sum(row["ms"] for row in rows) == pytest.approx(whole["ms"])
    assert sum(row["gflop"] for row in rows) == pytest.approx(whole["gflop"])
    assert {"matmul", "add"} < {row["op"] for row in rows}
    tops = roofline.ceilings(scale=16)
    assert min(tops.values()) > 0


# -- growth and single ops ------------------------------------------------------------------------


def test_a_power_law_is_found():
    values = [1, 2, 4, 8]
    assert growth.exponent(values, [3 * v**1.5 for v in values]) == pytest.approx(1.5)


def test_small_values_do_not_bend_the_fit():
    times = {1: 0.001, 2: 0.001, 4: 0.001, 8: 0.001}
    series = growth.Series("flat", tuple(times), 4, 0.0, lambda value: lambda: None)
    found = growth.measure(series, repeats=1)
    assert found["fit_from"] == 4
    assert len(found["seconds"]) == 4


def test_the_least_time_is_reported():
    naps = iter([0.0, 0.02, 0.0, 0.02])
    assert clock.seconds(lambda: clock.time.sleep(next(naps)), repeats=3) < 0.01


def test_every_timed_method_is_a_case():
    names = [name for name, _ in micro.cases("Norm")]
    assert names == [
        f"Norm.{what} {kind}"
        for kind in ("batch", "instance")
        for what in ("forward", "forward_backward")
    ]


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [(1.0, None, "new"), (1.0, 1.1, ""), (1.6, 1.0, "slower"), (1.0, 1.6, "faster")],
)
def test_a_change_is_judged_by_its_ratio(now, before, expected):
    assert micro.verdict(now, before) == expected


def test_a_baseline_is_stored_and_compared_with(tmp_path, capsys):
    path = tmp_path / "baseline.json"
    arguments = ["Optimiser", "--smoke", "--threads", "1", "--baseline", str(path)]
    assert micro.main([*arguments, "--save"]) == 0
    stored = json.loads(path.read_text())
    assert min(stored["multiples"].values()) > 0
    stored["multiples"] = {name: value / 100 for name, value in stored["multiples"].items()}
    path.write_text(json.dumps(stored))
    assert micro.main([arg for arg in arguments if arg != "--smoke"]) == 1
    assert "slower" in capsys.readouterr().out


# -- the scripts ----------------------------------------------------------------------------------


def test_a_comparison_prints_and_writes_nothing_in_a_smoke_run(capsys, tmp_path):
    arguments = ["toy", "--smoke", "--threads", "1", "--out", str(tmp_path)]
    assert compare([*arguments, "--sides", "minigan cpu", "minigan"]) == 0
    assert "minigan cpu" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_a_comparison_is_stored(tmp_path, monkeypatch):
    monkeypatch.setitem(FULL, "toy", SMOKE["toy"])
    arguments = ["toy", "--rounds", "2", "--threads", "1", "--out", str(tmp_path)]
    assert compare([*arguments, "--sides", "minigan cpu", "minigan"]) == 0
    stored = json.loads((tmp_path / "compare.json").read_text())
    assert stored["machine"]["threads"] == 1
    assert set(stored["workloads"][0]["sides"]) == {"minigan cpu", "minigan"}
    assert (tmp_path / "compare.png").exists()


@pytest.mark.parametrize(
    "arguments", [["maze"], ["toy", "--rounds", "0"], ["toy", "--sides", "abacus"]]
)
def test_wrong_arguments_are_refused(arguments, capsys):
    with pytest.raises(SystemExit):
        compare(arguments)
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["roofline", "toy", "--smoke"], ["growth", "--smoke"], ["layers", "--smoke"]],
    ids=lambda a: a[0],
)
def test_the_other_scripts_run(arguments, tmp_path):
    name, *rest = arguments
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", *rest, "--threads", "1", "--out", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") > 5
    assert list(tmp_path.iterdir()) == []
