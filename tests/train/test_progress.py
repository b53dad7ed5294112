import io

import pytest
from rich.console import Console

from minigan.train import progress
from minigan.train.progress import Throughput, showing

LOSSES = {"loss_d": 1.25, "loss_g": 0.5, "r1": 0.125}


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands at 4 s after a start at step 10 with 8 images a step."""
    times = iter([100.0])
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(times, 104.0))
    return Throughput(10, 8)


def terminal(out, width, kind="xterm"):
    return Console(
        file=out, width=width, force_terminal=True, color_system=None, _environ={"TERM": kind}
    )


def test_rate_and_time_left(clock):
    assert clock.rate(30) == 20 * 8 / 4
    assert clock.left(30, 50) == 4.0
    assert clock.left(10, 50) == 160.0  # no step yet: as if one were done


def test_plain_lines_where_there_is_no_terminal(clock):
    out = io.StringIO()
    with showing(Console(file=out, width=200), clock, 40) as show:
        for step in range(11, 41):
            show(step, LOSSES)
    lines = out.getvalue().splitlines()
    assert len(lines) == 8  # every fourth: 12, 16, ... 40
    assert lines[-1] == "step 40/40  D 1.250  G 0.500  R1 0.125  60 images/s  0 s left"


def test_the_last_step_has_a_line_even_off_the_beat(clock):
    out = io.StringIO()
    with showing(Console(file=out, width=200), clock, 25) as show:
        show(25, LOSSES)
    assert out.getvalue().startswith("step 25/25")


def test_a_bar_in_a_terminal(clock):
    out = io.StringIO()
    console = terminal(out, 120)
    with showing(console, clock, 40) as show:
        show(40, LOSSES)
    text = out.getvalue()
    assert "40/40" in text
    assert "D 1.250  G 0.500  R1 0.125  60 images/s" in text


@pytest.mark.parametrize(("width", "kind"), [(40, "xterm"), (120, "dumb")])
def test_plain_lines_where_a_bar_has_no_room_or_no_cursor(clock, width, kind):
    out = io.StringIO()
    with showing(terminal(out, width, kind), clock, 40) as show:
        show(40, LOSSES)
    assert out.getvalue() == "step 40/40  D 1.250  G 0.500  R1 0.125  60 images/s  0 s left\n"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), SystemExit(1)])
def test_a_display_that_is_gone_does_not_end_the_training(clock, monkeypatch, error):
    def gone(*_, **__):
        raise error

    console = Console(file=io.StringIO())
    monkeypatch.setattr(console, "out", gone)
    with showing(console, clock, 40) as show:
        show(40, LOSSES)


def test_seconds_go_on_where_the_part_before_ended(clock, monkeypatch):
    assert Throughput(10, 8, before=30.0).total_seconds() == 30.0
    assert clock.total_seconds() == 4.0
