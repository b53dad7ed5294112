import pytest

from minigan.train.config import CONFIGS, GANConfig, VAEConfig, options_by_recipe
from minigan.train.errors import ConfigError
from minigan.train.settings import build_config, given_options, parse_setting


def test_a_config_goes_through_a_file(tmp_path):
    file = tmp_path / "config.toml"
    for config in (GANConfig(steps=3, lr=0.25, spectral_norm=True), VAEConfig(kl_weight=2.0)):
        file.write_text(config.to_toml())
        assert build_config({}, file=file) == config


def test_a_file_comes_between_the_defaults_and_the_command_line(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("steps = 7\nwidth = 3\n")
    config = build_config({"width": 4, "latent": None}, file=file)
    assert (config.steps, config.width, config.latent) == (7, 4, GANConfig().latent)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"stepz = 7", "no option 'stepz'; did you mean 'steps'"),
        (b"steps = ", "is not valid TOML"),
        (b"\xff\xfe", "cannot read config .*: not a text file"),
        (b"recipe = 'faces'", "bad.toml: no recipe is called 'faces': use one of digits, dcgan"),
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


def test_a_file_that_names_no_recipe_is_of_the_given_one(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("kl_weight = 2.0")
    assert build_config({}, recipe="vae-digits", file=file) == VAEConfig(kl_weight=2.0)
    with pytest.raises(ConfigError, match="no option 'kl_weight'"):
        build_config({}, file=file)
    with pytest.raises(ConfigError, match="^no recipe is called 'vae-digit': .*mean 'vae-digits'"):
        build_config({}, recipe="vae-digit", file=file)


# -- --set ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", CONFIGS)
def test_every_option_can_be_set(recipe):
    cls = CONFIGS[recipe]
    texts = {n: str(f.default) for n, f in cls.options().items() if n != "recipe"}
    settings = [f"{name}={text}" for name, text in texts.items()]
    assert build_config({}, recipe=recipe, settings=settings) == cls()


def test_settings_are_typed_and_win_over_a_file(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("steps = 7\nwidth = 3\n")
    settings = ["width=4", "spectral-norm = on", "lr=1e-2"]
    config = build_config({"latent": 5}, settings=settings, file=file)
    assert config == GANConfig(steps=7, width=4, spectral_norm=True, lr=0.01, latent=5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stepz=7", "--set 'stepz=7': no option 'stepz'; did you mean 'steps'\\?$"),
        ("likelihood=x", "no option 'likelihood'; known: recipe, data, steps"),
        ("steps", "--set 'steps': write it as KEY=VALUE, like --set lr=0.001"),
        ("=3", "no option ''"),
        ("steps=many", "--steps is 'many': must be a whole number"),
        ("steps=", "--steps is '': must be a whole number"),
        ("steps=0", "--steps is 0: must be from 1 to"),
        ("lr=nan", "--lr is nan: must be above 0"),
        ("device=cdua", "--device is 'cdua': must be cpu or cuda; did you mean 'cuda'\\?$"),
        ("recipe=vae-digits", "a recipe is named alone, as in `minigan train digits`"),
    ],
)
def test_a_setting_that_cannot_be_gives_one_line(text, message):
    with pytest.raises(ConfigError, match=message) as caught:
        build_config({}, settings=[text])
    assert "\n" not in str(caught.value)


def test_an_option_is_given_once():
    for options, settings in (({"steps": 3}, ["steps=4"]), ({}, ["steps=3", "steps=3"])):
        with pytest.raises(ConfigError, match="^steps is given twice: leave one of them out$"):
            given_options(GANConfig, options, settings)


def test_a_value_may_hold_an_equals_sign():
    assert parse_setting(GANConfig, "data=a=b") == ("data", "a=b")
