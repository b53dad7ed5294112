import inspect
import re

import pytest
import typer

from minigan.cli.options import with_config_options
from minigan.train.config import OPTIONS, Config


def parse(*arguments):
    """Return what a command with the options of a run gets for a command line."""
    got = []
    app = typer.Typer()

    @app.command()
    @with_config_options
    def command(name: str, *, twice: bool = False, options: dict) -> None:
        got.append((name, twice, options))

    app(list(arguments), standalone_mode=False)
    return got[0]


def test_what_is_not_given_is_none():
    assert parse("x") == ("x", False, dict.fromkeys(OPTIONS))


def test_values_have_the_type_of_their_field():
    name, twice, options = parse("x", "--twice", "--batch-size", "8", "--lr=1", "--spectral-norm")
    assert (name, twice) == ("x", True)
    given = {key: value for key, value in options.items() if value is not None}
    assert given == {"batch_size": 8, "lr": 1.0, "spectral_norm": True}
    assert isinstance(given["lr"], float)


def test_a_switch_that_a_file_turned_on_can_be_turned_off():
    assert parse("x", "--no-spectral-norm")[2]["spectral_norm"] is False


def test_the_signature_has_every_field_once():
    @with_config_options
    def command(name: str, *, options: dict) -> None: ...

    assert list(inspect.signature(command).parameters) == ["name", *OPTIONS]


@pytest.mark.parametrize("name", OPTIONS)
def test_the_help_states_range_and_default(name):
    @with_config_options
    def command(*, options: dict) -> None: ...

    text = inspect.signature(command).parameters[name].annotation.__metadata__[0].help
    default = getattr(Config(), name)
    if isinstance(default, bool):
        assert text.endswith(f"[default: {'on' if default else 'off'}]")
    else:
        assert re.search(rf": .+ \[default: {re.escape(str(default))}\]$", text)
