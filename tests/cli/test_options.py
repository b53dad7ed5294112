import inspect
import re

import pytest
import typer

from minigan.cli.options import OPTIONS, with_config_options


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


def help_of(name):
    @with_config_options
    def command(*, options: dict) -> None: ...

    return inspect.signature(command).parameters[name].annotation.__metadata__[0].help


@pytest.mark.parametrize("name", OPTIONS)
def test_the_help_states_range_and_defaults(name):
    words, _, defaults = help_of(name).partition("[default: ")
    for field in OPTIONS[name].values():
        if isinstance(field.default, bool):
            assert ("on" if field.default else "off") in defaults
        else:
            assert str(field.default) in defaults
            assert re.search(r": .+", words)


def test_the_help_says_where_recipes_differ():
    assert "[default: digits 0.0, dcgan 0.5, wgan-gp 0.0, " in help_of("beta1")
    assert ", vae-digits 0.9, cyclegan 0.5, pix2pix 0.5" in help_of("beta1")
    assert help_of("save_every").endswith("[default: 250]")
    assert "[default: digits 1000, dcgan 2000, " in help_of("steps")
    assert "cyclegan" not in help_of("latent")
    assert "pix2pix" not in help_of("latent")
    assert help_of("cycle").endswith("[default: cyclegan 10.0]")
    assert help_of("l1").endswith("[default: pix2pix 100.0]")
    assert help_of("layers").endswith("[default: cyclegan 2, pix2pix 2]")
    assert help_of("kl_weight").endswith("[default: vae-digits 1.0]")
    assert help_of("spectral_norm").endswith("[default: digits off, dcgan off, wgan-gp off]")
