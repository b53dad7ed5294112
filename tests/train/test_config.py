import dataclasses
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigan.train.config import OPTIONS, Config, build_config, describe_range, flag
from minigan.train.errors import ConfigError


def test_toml_goes_there_and_back():
    config = Config(steps=3, lr=0.25, spectral_norm=True, seed=2**62)
    assert Config(**tomllib.loads(config.to_toml())) == config


def test_changed_names_what_is_not_at_its_default():
    assert Config().changed() == {}
    assert Config(width=5, seed=0).changed() == {"width": 5}


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
        Config(**options)
    assert "\n" not in str(caught.value)


def test_an_integer_may_stand_for_a_float():
    gamma = Config(gamma=2).gamma
    assert gamma == 2.0
    assert isinstance(gamma, float)


@given(st.sampled_from([f for f in OPTIONS.values() if "low" in f.metadata and f.default]))
def test_every_default_is_allowed_and_its_range_described(field):
    assert getattr(Config(**{field.name: field.default}), field.name) == field.default
    if type(field.default) is not bool:
        assert describe_range(field)
        assert field.metadata["help"]


def test_replace_checks_again():
    assert Config().replace(steps=7).steps == 7
    with pytest.raises(ConfigError, match="--steps is 0"):
        Config().replace(steps=0)


def test_a_file_comes_between_the_defaults_and_the_command_line(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("steps = 7\nwidth = 3\n")
    config = build_config({"width": 4, "latent": None}, file=file)
    assert (config.steps, config.width, config.latent) == (7, 4, Config().latent)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"stepz = 7", "no option 'stepz'; known: data, steps"),
        (b"steps = ", "is not valid TOML"),
        (b"\xff\xfe", "cannot read config .*: not a text file"),
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
    assert list(OPTIONS) == [f.name for f in dataclasses.fields(Config)]


def test_a_range_of_open_and_closed_ends_loses_none():
    limits = {"low": 0, "high": 9, "above": -1, "below": 10, "choices": ()}
    field = dataclasses.field(default=1, metadata=limits)
    assert describe_range(field) == "at least 0 and above -1 and at most 9 and below 10"


def test_what_decides_a_run_is_all_but_where_and_what_is_written():
    decisive = Config(seed=7).decisive()
    assert decisive["seed"] == 7
    assert set(OPTIONS) - set(decisive) == {
        "device",
        "threads",
        "log_every",
        "preview_every",
        "save_every",
        "eval_samples",
    }
