from dataclasses import asdict

import numpy as np
import pytest

import minigan as mg
from minigan import metrics
from minigan.data import Dataset, load_digits
from minigan.testing.cupy_double import cupy_double
from minigan.train import quality
from minigan.train.quality import Judge, evaluate, untrained
from minigan.train.recipes import build_networks
from minigan.train.sample import images_of


@pytest.fixture(scope="module")
def judge():
    return Judge(load_digits("train"), load_digits("test"), steps=150)


def test_the_judge_knows_the_digits(judge):
    assert judge.accuracy > 0.93
    features, labels = judge.look(load_digits("test").images)
    assert features.shape == (355, 64)
    assert np.mean(labels == load_digits("test").labels) == judge.accuracy


def test_the_judge_is_the_same_each_time():
    train, test = load_digits("train"), load_digits("test")
    a, b = Judge(train, test, steps=3), Judge(train, test, steps=3)
    np.testing.assert_array_equal(a.features, b.features)


def test_real_images_are_near_and_noise_is_far(judge):
    real = judge.measure(load_digits("train").images)
    noise = judge.measure(
        np.random.default_rng(0).uniform(-1, 1, (500, 1, 8, 8)).astype(np.float32)
    )
    assert real.covered == 10
    assert real.reverse_kl < 0.01
    assert noise.frechet > 20 * real.frechet
    assert noise.sliced > 10 * real.sliced
    assert noise.kid > 10 * max(noise.kid_error, abs(real.kid))
    assert real.precision > 0.85
    assert real.recall > 0.85
    assert noise.precision < 0.05
    assert noise.recall < 0.05
    assert 0.5 < real.diversity < noise.diversity  # of this the more is not the better


def test_a_missing_class_is_seen(judge):
    train = load_digits("train")
    some = judge.measure(train.images[train.labels != 3])
    assert some.shares[3] < 0.03
    assert some.covered == 9
    assert some.smallest_share == some.shares[3]
    # ten equal classes less one: KL = log(10 / 9)
    assert some.reverse_kl == pytest.approx(np.log(10 / 9), abs=0.03)


def test_the_held_out_images_are_at_distance_zero_from_themselves(judge):
    own = judge.measure(load_digits("test").images)
    assert own.frechet < 1e-3 * judge.measure(load_digits("train").images[:100]).frechet


def test_a_report_has_floor_generator_and_untrained(config, monkeypatch):
    monkeypatch.setattr(quality, "_JUDGE_STEPS", 3)
    config = config.replace(eval_samples=150)
    report = evaluate(untrained(config), config)
    assert report.samples == 150
    assert report.generator == report.untrained  # it *is* the untrained one
    judge = Judge(load_digits("train"), load_digits("test"), steps=3)
    train = load_digits("train")
    assert report.floor == judge.measure(train.images, labels=train.labels, compared=150)
    assert report.floor != report.generator
    assert sum(report.floor.shares) == pytest.approx(1)
    rounded = report.as_dict()
    assert rounded["floor"]["covered"] == report.floor.covered
    assert rounded["floor"]["frechet"] == float(f"{report.floor.frechet:.6g}")
    assert len(rounded["generator"]["shares"]) == 10


def test_a_small_dataset_will_do():
    data = Dataset(np.zeros((6, 1, 8, 8), np.float32), np.arange(6) % 3)
    assert Judge(data, data, steps=1).classes == 3


def test_the_distances_are_of_equally_many_images(judge):
    images = load_digits("train").images
    some, few = judge.measure(images, compared=200), judge.measure(images[:200])
    assert some.shares == judge.measure(images).shares
    of_classes = {"shares", "covered", "reverse_kl"}
    some, few = asdict(some), asdict(few)
    assert [name for name in some if some[name] != few[name] and name not in of_classes] == []


def test_an_untrained_generator_has_the_statistics_of_its_own_layers(config):
    """So that its images have the same spread in evaluation as in training mode."""
    generator = untrained(config.replace(width=8))
    z = np.random.default_rng(0).normal(size=(500, config.latent)).astype(np.float32)
    in_evaluation = images_of(generator, z, chunk=500)
    with mg.no_grad():
        in_training = generator.train()(mg.tensor(z)).numpy()
    assert in_evaluation.std() == pytest.approx(in_training.std(), rel=0.05)
    fresh, _ = build_networks(config.replace(width=8))
    assert images_of(fresh, z, chunk=500).std() < 0.8 * in_training.std()


def test_the_judge_stays_on_the_cpu_whatever_the_default_device():
    train, test = load_digits("train"), load_digits("test")
    with cupy_double(), mg.device("cuda"):
        judge = Judge(train, test, steps=2)
        assert judge.network.head.weight.device == "cpu"
        shares = judge.measure(test.images).shares
    assert shares == Judge(train, test, steps=2).measure(test.images).shares


def test_one_image_again_and_again_has_neither_recall_nor_diversity(judge):
    train = load_digits("train")
    one = judge.measure(np.repeat(train.images[:1], 300, axis=0))
    assert one.precision == 1
    assert one.recall == 0
    assert one.diversity == 0
    assert one.kid > 10 * one.kid_error


def test_real_images_chosen_by_class_are_no_nearer_than_nothing(judge):
    """The split has equal shares in both parts: without the labels the floor would be below 0."""
    train = load_digits("train")
    blind = judge.measure(train.images)
    floor = judge.measure(train.images, labels=train.labels)
    assert blind.kid < floor.kid
    assert abs(floor.kid) < 2 * floor.kid_error
    bare = metrics.squared_mmd(
        judge.features / judge.unit, judge.look(train.images)[0] / judge.unit
    )
    assert bare < -3 * floor.kid_error


def test_what_json_cannot_hold_is_none(config):
    figures = quality.Figures(float("inf"), 1.23456789, 3, (0.5, 0.5), *[0.25] * 6)
    report = quality.Report(0.5, 100, 100, figures, figures, figures).as_dict()
    others = ("kid", "kid_error", "precision", "recall", "sliced", "diversity")
    assert report["floor"] == {
        "frechet": None,
        "reverse_kl": 1.23457,
        "covered": 3,
        "shares": [0.5, 0.5],
        **dict.fromkeys(others, 0.25),
    }
