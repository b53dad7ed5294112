import dataclasses
import tomllib

import pytest

from minigan.train.config import CONFIGS, GANConfig, VAEConfig
from minigan.train.errors import ConfigError
from minigan.train.options import describe_range, flag


@pytest.mark.parametrize(
    "config",
    [
        GANConfig(steps=3, lr=0.25, spectral_norm=True, seed=2**62),
        VAEConfig(steps=3, likelihood="binomial"),
    ],
)
def test_toml_goes_there_and_back(config):
    assert type(config)(**tomllib.loads(config.to_toml())) == config


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
        ({"size": 12}, "--size is 12: must be 0 or 8 or 16 or 32 or 64 or 128 or 256"),
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


def test_flags_are_spelt_with_dashes():
    assert flag("batch_size") == "--batch-size"
    assert list(GANConfig.options()) == [f.name for f in dataclasses.fields(GANConfig)]


def test_what_decides_a_step_is_all_but_how_far_where_and_what_is_written():
    decisive = GANConfig(seed=7).decisive()
    assert decisive["seed"] == 7
    assert set(GANConfig.options()) - set(decisive) == {
        "steps",
        "device",
        "threads",
        "log_every",
        "norms_every",
        "preview_every",
        "save_every",
        "keep_last",
        "eval_every",
        "eval_samples",
        "tensorboard",
    }


def test_every_recipe_says_what_it_is():
    for cls in CONFIGS.values():
        assert cls.about
        assert cls.takes
        assert "\n" not in cls.about + cls.takes


@pytest.mark.parametrize("cls", CONFIGS.values())
def test_the_schedule_of_a_recipe_is_as_long_as_its_run(cls):
    """So that --steps alone never shortens it, and 10 steps and 10 more are 20."""
    default = cls()
    assert default.schedule_steps == default.steps
    assert cls(steps=7).schedule_steps == default.steps
    assert cls(steps=7).decisive() == default.decisive()
    longer = cls(steps=default.steps + 7)
    assert longer.schedule_steps == longer.steps


def test_changes_are_those_that_a_step_depends_on():
    was = GANConfig(lr=0.5, width=3).decisive()
    now = GANConfig(lr=0.25, width=3, gamma=2.0, save_every=7, steps=5)
    assert now.changes(was) == {"lr": (0.5, 0.25), "gamma": (0.5, 2.0)}
    message = (
        "^a run was trained with other options: lr was 0.5 and is 0.25, gamma was 0.5 and is 2.0"
    )
    with pytest.raises(ConfigError, match=message) as caught:
        now.refuse_changes(was, source="a run")
    assert str(caught.value).endswith("put that back, or go on all the same with --force")
    now.refuse_changes(now.decisive(), source="a run")


def test_an_option_that_was_not_there_is_a_change():
    was = GANConfig().decisive()
    del was["gamma"]
    assert GANConfig().changes(was) == {"gamma": (None, 0.5)}


def test_a_schedule_stretched_by_more_steps_is_no_change_but_another_schedule_is():
    was = GANConfig(steps=10, schedule_steps=10).decisive()
    assert GANConfig(steps=20, schedule_steps=10).changes(was) == {}
    assert GANConfig(steps=20, schedule_steps=30).changes(was) == {"schedule_steps": (10, 30)}
    shorter = GANConfig(steps=5, schedule_steps=5)
    assert shorter.changes(was) == {"schedule_steps": (10, 5)}
