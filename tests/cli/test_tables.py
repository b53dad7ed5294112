import io

import pytest
from rich.console import Console

from minigan.cli.tables import print_config, print_report
from minigan.train.config import GANConfig
from minigan.train.quality import Figures, Report


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=80)


def figures(frechet, smallest):
    rest = (1 - smallest) / 9
    return Figures(
        frechet,
        reverse_kl=0.5,
        covered=7,
        shares=(smallest, *[rest] * 9),
        kid=frechet / 100,
        kid_error=0.00123,
        precision=0.625,
        recall=0.25,
        sliced=0.05,
        diversity=1 - smallest,
    )


def test_changed_options_have_a_star(console):
    print_config(console, GANConfig(steps=5, spectral_norm=True))
    lines = console.file.getvalue().splitlines()
    assert [line for line in lines if line.startswith("*")] == [
        "* steps = 5",
        "* spectral_norm = true",
    ]
    assert "  batch_size = 64" in lines


def test_a_report_fits_into_eighty_columns(console):
    floor, generator, untrained = figures(2.5, 0.1), figures(12.25, 0.05), figures(2000, 0.0)
    print_report(console, Report(0.975, 2000, 1442, floor, generator, untrained))
    said = console.file.getvalue()
    rows = [line.split() for line in said.splitlines()]
    assert ["Frechet", "distance", "2.5", "12.2", "2000.0"] in rows
    assert ["kernel", "distance", "(KID)", "0.0250", "0.1225", "20.0000"] in rows
    assert ["its", "standard", "error", "0.0012", "0.0012", "0.0012"] in rows
    assert ["precision", "(k", "=", "3)", "62.5%", "62.5%", "62.5%"] in rows
    assert ["recall", "(k", "=", "3)", "25.0%", "25.0%", "25.0%"] in rows
    assert ["sliced", "Wasserstein,", "pixels", "0.0500", "0.0500", "0.0500"] in rows
    assert ["diversity,", "1", "-", "MS-SSIM", "0.900", "0.950", "1.000"] in rows
    assert ["smallest", "share", "10.0%", "5.0%", "0.0%"] in rows
    assert ["share", "of", "class", "9", "10.0%", "10.6%", "11.1%"] in rows
    assert "2000 samples, judged by a classifier with 97.5% accuracy" in said
    assert "of 1442 images in each column" in said
    assert max(map(len, said.splitlines())) <= 80


def test_a_report_is_whole_in_a_narrow_terminal():
    narrow, wide = (Console(file=io.StringIO(), width=width) for width in (10, 70))
    for console in (narrow, wide):
        print_report(console, Report(0.975, 2000, 1442, *[figures(2.5, 0.1)] * 3))
    assert narrow.file.getvalue() == wide.file.getvalue()


def test_a_terminal_gets_no_colours_within_numbers():
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system="standard")
    print_config(console, GANConfig())
    assert "\x1b" not in console.file.getvalue()
