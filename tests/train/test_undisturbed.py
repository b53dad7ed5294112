"""Previews and figures disturb nothing: a run with them equals one without, to the last bit."""

import io

import numpy as np
import pytest
from rich.console import Console

import minigan as mg
from minigan import nn
from minigan.train import loop
from minigan.train.config import CONFIGS
from minigan.train.gan import GANTrainer
from minigan.train.records import read_records
from minigan.train.run_folder import RunFolder
from minigan.train.settings import build_config

pytestmark = pytest.mark.usefixtures("quick_curves")

VARIANTS = [
    *[(recipe, {}) for recipe in CONFIGS],
    ("digits", {"spectral_norm": True}),
]


def play(trainer, folder):
    loop.begin(trainer, folder)
    loop.run(trainer, folder, Console(file=io.StringIO()))
    return folder


@pytest.mark.usefixtures("quick_figures")
@pytest.mark.parametrize(("recipe", "options"), VARIANTS, ids=str)
def test_a_run_that_is_watched_equals_one_that_is_not(tmp_path, small, recipe, options):
    quiet = [*small(CONFIGS[recipe], **options), "--set=steps=4", "--set=preview_every=0"]
    texts = [text.removeprefix("--set=") for text in quiet]
    unseen = build_config({}, recipe=recipe, settings=texts)
    often = dict.fromkeys(("preview_every", "eval_every", "norms_every", "save_every"), 1)
    seen = unseen.replace(**often, eval_samples=100)
    a, b = (
        play(loop.make_trainer(config), RunFolder.create(tmp_path, config))
        for config in (unseen, seen)
    )
    assert {p.name for p in a.samples.iterdir()} == {"reals.png"}
    assert len(list(b.samples.glob("step-*.png"))) == 5
    assert [r["step"] for r in read_records(b.metrics_file, "quality")] == [1, 2, 3]
    paths = [folder.checkpoints.path(4) for folder in (a, b)]
    assert paths[0].read_bytes() == paths[1].read_bytes()


class NoisyTrainer(GANTrainer):
    """A GAN whose layers draw random numbers in training, and whose previews do too."""

    def __init__(self, config):
        super().__init__(config)
        self.dropout = nn.Dropout(0.5)
        judge = self.d.head
        self.d.head = nn.Sequential(judge[0], self.dropout, judge[1])

    def preview(self):
        images = super().preview()
        noise = mg.default_generator().normal(images.shape)
        return np.clip(images + noise, -1, 1)


def test_layers_that_draw_are_undisturbed_too(tmp_path, config, monkeypatch):
    monkeypatch.setitem(loop.TRAINERS, type(config), NoisyTrainer)
    runs = []
    for every in (1, 0):
        mg.manual_seed(every)  # what the default generator has been through is of no account
        chosen = config.replace(preview_every=every)
        trainer = NoisyTrainer(chosen)
        runs.append(play(trainer, RunFolder.create(tmp_path, chosen)).checkpoints)
    assert runs[0].path(4).read_bytes() == runs[1].path(4).read_bytes()


def test_layers_that_draw_go_on_as_if_nothing_had_been(tmp_path, config, content, monkeypatch):
    monkeypatch.setitem(loop.TRAINERS, type(config), NoisyTrainer)
    folders = []
    for steps in (4, 2):
        chosen = config.replace(steps=steps)
        folders.append(play(NoisyTrainer(chosen), RunFolder.create(tmp_path, chosen)))
    mg.manual_seed(5)
    again = loop.resume(folders[1], config)
    loop.run(again, folders[1], Console(file=io.StringIO()))
    assert content(folders[1]) == content(folders[0])


def test_the_noise_of_a_preview_is_the_same_each_time(tmp_path, config):
    folder, trainer = RunFolder.create(tmp_path, config), NoisyTrainer(config)
    pictures = []
    for _ in range(2):
        mg.default_generator().normal(3)
        loop.draw_preview(trainer, folder)
        pictures.append((folder.samples / "latest.png").read_bytes())
    assert pictures[0] == pictures[1]
