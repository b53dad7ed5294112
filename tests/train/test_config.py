import dataclasses
import tomllib

import pytest

from minigan.train.config import (
    CONFIGS,
    GANConfig,
    VAEConfig,
    build_config,
    describe_range,
    flag,
    options_by_recipe,
)
from minigan.train.errors import ConfigError


@pytest.mark.parametrize(
    "config",
    [
        GANConfig(steps=3, lr=0.25, spectral_norm=True, seed=2**62),
        VAEConfig(steps=3, likelihood="binomial"),
    ],
)
def test_toml_goes_there_and_back(config, tmp_path):
    assert type(config)(**tomllib.loads(config.to_toml())) == config
    file = tmp_path / "config.toml"
    file.write_text(config.to_toml())
    assert build_config({}, file=file) == config


def test_changed_names_what_is_not_at_its_default():
    assert GANConfig().changed() == {}
    assert GANConfig(width=5, seed=0).changed() == {"width": 5}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "--steps is 0: must be from 1 to"),
        ({"batch_size": 1}, "--batch-size is 1: must be from 2 to 65536"),
        ({"lr": 0.0}, "--lr is 0.0: must be above 0 and at most 1"),
        ({"lr": float("nan")}, "--lr is nan"),
        ({"gamma": float("inf")}, "--gamma is inf"),
        ({"gamma": -1.0}, "--gamma is -1.0: must be from 0"),
        ({"beta1": 1.0}, "--beta1 is 1.0: must be at least 0 and below 1"),
        ({"device": "tpu"}, "--device is 'tpu': must be cpu or cuda"),
        ({"data": "faces"}, "--data is 'faces': must be digits"),
        ({"steps": 1.5}, "--steps is 1.5: must be of type int"),
        ({"steps": True}, "--steps is True: must be of type int"),
        ({"spectral_norm": 1}, "--spectral-norm is 1: must be of type bool"),
        ({"eval_samples": 99}, "--eval-samples is 99: use at least 100, or 0"),
        ({"steps": 10**400}, "--steps is a huge number: must be from 1 to"),
        ({"lr": 10**5000}, "--lr is a huge number: must be above 0 and at most 1"),
        ({"data": 10**5000}, "--data is a huge number: must be of type str"),
    ],
)
def test_a_value_out_of_range_is_named(options, message):
    with pytest.raises(ConfigError, match=message) as caught:
        GANConfig(**options)
    assert "\n" not in str(caught.value)


def test_an_integer_may_stand_for_a_float():
    gamma = GANConfig(gamma=2).gamma
    assert gamma == 2.0
    assert isinstance(gamma, float)


@pytest.mark.parametrize("cls", CONFIGS.values())
def test_every_default_is_allowed_and_its_range_described(cls):
    for field in cls.options().values():
        assert getattr(cls(**{field.name: field.default}), field.name) == field.default
        assert field.metadata["help"]
        if type(field.default) is not bool:
            assert describe_range(field)


def test_replace_checks_again():
    assert GANConfig().replace(steps=7).steps == 7
    with pytest.raises(ConfigError, match="--steps is 0"):
        GANConfig().replace(steps=0)


def test_a_file_comes_between_the_defaults_and_the_command_line(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("steps = 7\nwidth = 3\n")
    config = build_config({"width": 4, "latent": None}, file=file)
    assert (config.steps, config.width, config.latent) == (7, 4, GANConfig().latent)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"stepz = 7", "no option 'stepz'; known: recipe, data, steps"),
        (b"steps = ", "is not valid TOML"),
        (b"\xff\xfe", "cannot read config .*: not a text file"),
        (b"recipe = 'faces'", "bad.toml: no recipe is called 'faces': use one of digits, vae"),
        (b"recipe = ['digits']", "bad.toml: no recipe is called"),
        (b"recipe = 'vae-digits'\ngamma = 1", "no option 'gamma'; known: recipe, data"),
        (b"steps = 'many'", "config .*bad.toml: --steps is 'many': must be of type int"),
        (b"steps = " + b"9" * 5000, "config .*bad.toml is not valid TOML"),
        (b"steps = 0x" + b"f" * 5000, "config .*bad.toml: --steps is a huge number"),
        (b"steps = " + b"[" * 50_000, "config .*bad.toml is not valid TOML"),
    ],
)
def test_a_bad_file_gives_one_line(tmp_path, content, message):
    file = tmp_path / "bad.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        build_config({}, file=file)


def test_a_missing_file_gives_one_line(tmp_path):
    with pytest.raises(ConfigError, match="cannot read config .*: No such file"):
        build_config({}, file=tmp_path / "absent.toml")


def test_flags_are_spelt_with_dashes():
    assert flag("batch_size") == "--batch-size"
    assert list(GANConfig.options()) == [f.name for f in dataclasses.fields(GANConfig)]


def test_a_recipe_has_its_own_defaults_and_options():
    gan, vae = build_config({}), build_config({"steps": 7}, recipe="vae-digits")
    assert (type(gan), type(vae), vae.steps) == (GANConfig, VAEConfig, 7)
    assert (gan.beta1, vae.beta1) == (0.0, 0.9)
    assert vae.changed() == {"steps": 7}
    assert options_by_recipe()["likelihood"].keys() == {"vae-digits"}
    assert options_by_recipe()["steps"].keys() == CONFIGS.keys()


def test_an_option_of_another_recipe_is_refused():
    with pytest.raises(ConfigError, match="--gamma is no option of vae-digits: leave it out"):
        build_config({"gamma": 1.0}, recipe="vae-digits")
    with pytest.raises(ConfigError, match="--likelihood is no option of digits"):
        build_config({"likelihood": "gaussian"})


def test_a_file_and_the_command_line_must_name_one_recipe(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('recipe = "vae-digits"')
    assert type(build_config({}, recipe="vae-digits", file=file)) is VAEConfig
    with pytest.raises(ConfigError, match="is one of vae-digits, not of digits"):
        build_config({}, recipe="digits", file=file)


def test_the_networks_of_a_config_without_a_recipe_are_the_gans(tmp_path):
    file = tmp_path / "old.toml"
    file.write_text("steps = 7")
    assert build_config({}, file=file) == GANConfig(steps=7)


def test_a_range_of_open_and_closed_ends_loses_none():
    limits = {"low": 0, "high": 9, "above": -1, "below": 10, "choices": ()}
    field = dataclasses.field(default=1, metadata=limits)
    assert describe_range(field) == "at least 0 and above -1 and at most 9 and below 10"


def test_what_decides_a_run_is_all_but_where_and_what_is_written():
    decisive = GANConfig(seed=7).decisive()
    assert decisive["seed"] == 7
    assert set(GANConfig.options()) - set(decisive) == {
        "device",
        "threads",
        "log_every",
        "preview_every",
        "save_every",
        "eval_samples",
    }
