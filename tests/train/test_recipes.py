import gzip

import numpy as np
import pytest
from PIL import Image

import minigan as mg
from minigan import losses
from minigan.cli import run
from minigan.data import DataError, Prefetch
from minigan.models import (
    DCGANDiscriminator,
    SNGANDiscriminator,
    SNGANGenerator,
    StyleDiscriminator,
    StyleGenerator,
)
from minigan.train import loop, quality
from minigan.train.config import (
    CONFIGS,
    AdversarialConfig,
    GANConfig,
    SNGANConfig,
    StyleConfig,
    WGANGPConfig,
)
from minigan.train.errors import ConfigError
from minigan.train.recipes import (
    build_generator,
    build_networks,
    build_optimizer,
    drawing_from,
    ema_decay,
    learning_rate,
    real_images,
    settled,
    training_images,
)
from minigan.train.sample import images_of, latents


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a.values(), b.values(), strict=True))


def test_the_seed_names_the_first_weights(config):
    g, d = (net.state_dict() for net in build_networks(config))
    again_g, again_d = (net.state_dict() for net in build_networks(config))
    other_g, other_d = (net.state_dict() for net in build_networks(config.replace(seed=1)))
    assert same(g, again_g)
    assert same(d, again_d)
    assert not same(g, other_g)
    assert not same(d, other_d)


def test_building_leaves_the_default_generator_alone(config):
    mg.manual_seed(5)
    before = mg.default_generator().get_state()
    build_networks(config)
    assert mg.default_generator().get_state() == before


def test_the_default_generator_comes_back_after_an_error():
    before = mg.default_generator().get_state()
    with pytest.raises(RuntimeError, match="inside"), drawing_from(0, "x"):  # noqa: PT012
        mg.default_generator().normal(3)
        raise RuntimeError("inside")
    assert mg.default_generator().get_state() == before


def test_spectral_norm_is_on_d_alone(config):
    g, d = build_networks(config.replace(spectral_norm=True))
    assert any(name.endswith("weight_orig") for name in d.state_dict())
    assert not any(name.endswith("weight_orig") for name in g.state_dict())


def test_adam_has_the_configs_numbers(config):
    g, _ = build_networks(config)
    adam = build_optimizer(config.replace(lr=0.25, beta1=0.5, beta2=0.75), g)
    assert (adam.lr, adam.betas) == (0.25, (0.5, 0.75))
    assert adam.params == list(g.parameters())


def test_the_learning_rate_falls_to_zero():
    config = GANConfig(steps=10, schedule_steps=10, lr=1.0, lr_decay_from=0.5)
    rates = [learning_rate(config, step) for step in range(11)]
    assert rates == pytest.approx([1, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2, 0])


def test_the_learning_rate_stays_if_asked_to():
    config = GANConfig(steps=10, schedule_steps=10, lr=0.5, lr_decay_from=1.0)
    assert {learning_rate(config, step) for step in range(11)} == {0.5}


def test_the_learning_rate_does_not_depend_on_how_far_the_run_goes():
    short, long = GANConfig(steps=10, schedule_steps=50), GANConfig(steps=40, schedule_steps=50)
    rates = [[learning_rate(config, step) for step in range(10)] for config in (short, long)]
    assert rates[0] == rates[1]


def test_layers_draw_from_a_stream_for_each_position():
    def drawn(*where):
        with drawing_from(*where):
            return mg.default_generator().normal(3).tolist()

    assert drawn(0, "a", 1) == drawn(0, "a", 1)
    places = [drawn(0, "a", 1), drawn(0, "a", 2), drawn(0, "b", 1), drawn(1, "a", 1), drawn(0, "a")]
    assert all(x != y for i, x in enumerate(places) for y in places[:i])


def test_averaging_starts_short_and_grows_to_the_configs():
    config = GANConfig(ema=0.9)
    assert ema_decay(config, 0) == 0.1
    assert ema_decay(config, 10) == 0.55
    assert ema_decay(config, 1000) == 0.9


def test_the_images_are_the_training_part(config):
    assert training_images(config).shape == (1442, 1, 8, 8)


# -- the networks of the recipes ------------------------------------------------------------------


def networks_of(cls, **options):
    return build_networks(cls(width=2, latent=3, batch_size=4, **options))


def test_sngan_is_residual_and_normalised():
    g, d = networks_of(SNGANConfig)
    assert (type(g), type(d)) == (SNGANGenerator, SNGANDiscriminator)
    assert any(name.endswith("weight_orig") for name in d.state_dict())


def test_style_takes_its_options():
    g, d = networks_of(StyleConfig, mapping_layers=3, minibatch_std=2, blur=True)
    assert (type(g), type(d)) == (StyleGenerator, StyleDiscriminator)
    assert len(list(g.mapping.parameters())) == 2 * 3
    assert d.group == 2
    assert "bilinear" in repr(g)


def test_the_critic_of_wgan_gp_has_no_norm():
    _, d = networks_of(WGANGPConfig)
    assert type(d) is DCGANDiscriminator
    assert "Norm" not in repr(d)


@pytest.mark.parametrize(
    "recipe", [r for r, c in CONFIGS.items() if issubclass(c, AdversarialConfig)]
)
def test_the_games_of_the_recipes(recipe):
    config = CONFIGS[recipe]()
    played = {
        "dcgan": ("non-saturating", 1, 0, 0),
        "wgan-gp": ("wasserstein", 5, 0, 10),
        "sngan": ("hinge", 1, 0, 0),
        "toy": ("non-saturating", 1, 0.02, 0),
    }
    game = config.loss, config.critic_steps, config.gamma, config.gp
    assert game == played.get(recipe, ("non-saturating", 1, 0.5, 0))


@pytest.mark.parametrize("name", losses.LOSSES)
def test_the_indifferent_losses_are_those_of_equal_scores(name):
    zeros, loss = mg.zeros(5), losses.get(name)
    levels = GANConfig(loss=name).indifference
    if levels:
        found = loss.discriminator(zeros, zeros).item(), loss.generator(zeros, zeros).item()
        assert found == pytest.approx(levels)
    else:
        assert name in ("wasserstein", "hinge", "least-squares")


# -- data of other sizes and colours --------------------------------------------------------------


def idx(array):
    head = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return head + array.astype(np.uint8).tobytes()


@pytest.fixture
def mnist(tmp_path):
    """A folder with forty random images of 28 x 28 in MNIST's format, two classes."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (40, 28, 28)), np.arange(40) % 2
    for name, array in (("images-idx3", images), ("labels-idx1", labels)):
        (tmp_path / f"t10k-{name}-ubyte.gz").write_bytes(gzip.compress(idx(array)))
    return tmp_path


def test_images_are_rounded_up_to_a_size_that_networks_double(mnist):
    config = GANConfig(data=str(mnist))
    assert training_images(config).shape == (32, 1, 32, 32)
    assert real_images(config, "test").images.shape == (8, 1, 32, 32)
    assert training_images(config.replace(size=16)).shape == (32, 1, 16, 16)


def test_networks_have_the_channels_and_the_size_of_the_data():
    for recipe in ("digits", "sngan", "style", "vae-digits"):
        cls = CONFIGS[recipe]
        config = cls(data="stacked-digits", width=2, latent=3, batch_size=4, size=16)
        assert images_of(build_generator(config), latents([0], 3)).shape == (1, 3, 16, 16)


@pytest.mark.parametrize("recipe", ["wgan-gp", "style"])
def test_a_run_on_idx_files_is_measured_against_their_classes(mnist, recipe):
    cls = CONFIGS[recipe]
    config = cls(data=str(mnist), width=2, latent=3, batch_size=4, size=8, eval_samples=100)
    trainer = loop.make_trainer(config)
    assert all(np.isfinite(list(trainer.step().values())))
    report = trainer.measure(trainer.sampler(), config)
    assert len(report.floor.shares) == 2
    assert report.compared == 32


def test_data_is_found_from_everywhere(mnist, monkeypatch, tmp_path_factory):
    monkeypatch.chdir(mnist.parent)
    config = settled(GANConfig(data=mnist.name))
    assert config.data == str(mnist)
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert training_images(config).shape == (32, 1, 32, 32)


def test_a_run_is_sampled_where_its_data_is_gone(mnist, tmp_path_factory, capsys):
    out = tmp_path_factory.mktemp("runs")
    tiny = ("--width=2", "--latent=3", "--batch-size=4", "--steps=1", "--eval-samples=0")
    assert run(["train", "--data", str(mnist), "--out", str(out), *tiny]) == 0
    for file in mnist.iterdir():
        file.unlink()
    assert run(["sample", str(out / "00000-digits"), "--seeds=0-3"]) == 0
    capsys.readouterr()
    assert run(["evaluate", str(out / "00000-digits")]) == 1
    assert str(mnist) in capsys.readouterr().err


def test_a_name_stays_a_name(monkeypatch, tmp_path):
    (tmp_path / "digits").mkdir()
    monkeypatch.chdir(tmp_path)
    assert settled(GANConfig()).data == "digits"
    assert settled(GANConfig(data="./digits")).data == str(tmp_path / "digits")
    assert settled(GANConfig(data="absent")).data == "absent"


def test_images_that_are_not_square_are_refused(tmp_path):
    file = tmp_path / "flat-images-idx3-ubyte"
    file.write_bytes(idx(np.zeros((10, 4, 9))))
    with pytest.raises(DataError, match="images of 4 x 9 are not square: give --size"):
        training_images(GANConfig(data=str(file)))
    assert training_images(GANConfig(data=str(file), size=8)).shape[1:] == (1, 8, 8)


def test_images_that_are_too_large_are_refused(tmp_path):
    file = tmp_path / "large-images-idx3-ubyte"
    file.write_bytes(idx(np.zeros((10, 300, 300))))
    with pytest.raises(DataError, match="images of 300 x 300 are too large: give --size"):
        training_images(GANConfig(data=str(file)))


def pictures_in(folder, count):
    rng = np.random.default_rng(0)
    for i in range(count):
        pixels = rng.integers(0, 256, (16, 16, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    return str(folder)


@pytest.mark.parametrize("recipe", ["digits", "vae-digits", "style"])
def test_too_few_images_for_the_figures_are_refused_before_the_training(tmp_path, recipe):
    config = CONFIGS[recipe](data=pictures_in(tmp_path, 9), width=2, batch_size=4)
    with pytest.raises(DataError, match="1 images are held out, the figures need 4: give more"):
        loop.make_trainer(config)
    trainer = loop.make_trainer(config.replace(eval_samples=0))
    assert np.isfinite(list(trainer.step().values())).all()


def test_images_without_classes_are_measured_and_that_is_said(tmp_path, capsys, monkeypatch):
    data, out = pictures_in(tmp_path, 20), str(tmp_path / "runs")
    tiny = ("--width=2", "--batch-size=4", "--steps=1", "--eval-samples=100")
    assert run(["train", "--data", data, "--out", out, *tiny]) == 0
    said = capsys.readouterr().out
    assert "judged by an untrained network, as the data has no classes" in said
    assert "share of class" not in said


def test_a_thousand_classes_are_not_listed(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(quality, "_JUDGE_STEPS", 1)
    tiny = ("--width=2", "--batch-size=4", "--steps=1", "--eval-samples=100")
    assert run(["train", "--data=stacked-digits", "--out", str(tmp_path), *tiny]) == 0
    said = capsys.readouterr().out
    assert "classes covered (share >= 0.03%)" in said
    assert "share of class" not in said


def test_groups_of_the_minibatch_deviation_divide_the_batch():
    with pytest.raises(ConfigError, match="--minibatch-std is 3: --batch-size 8 is no multiple"):
        StyleConfig(batch_size=8, minibatch_std=3)
    assert StyleConfig(batch_size=8, minibatch_std=64).minibatch_std == 64  # one group


# -- prefetching ----------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", CONFIGS)
def test_prefetched_steps_are_the_same(recipe, small):
    settings = dict(text.removeprefix("--set=").split("=") for text in small(CONFIGS[recipe]))
    config = CONFIGS[recipe](**{name: int(value) for name, value in settings.items()})
    plain, ahead = (loop.make_trainer(config) for _ in range(2))
    expected = [plain.step() for _ in range(3)]
    with ahead.prefetching():
        assert isinstance(ahead.batches, Prefetch)
        assert [ahead.step() for _ in range(3)] == expected
    assert not isinstance(ahead.batches, Prefetch)
