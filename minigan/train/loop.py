"""The loop around the steps: records, previews, figures, checkpoints, interruption.

    begin or resume -> [ step -> record -> preview -> figures -> checkpoint ] ... -> figures

What is written never feeds back: the same seed gives the same run whatever is logged, drawn or
measured. And the checkpoint comes last: whoever finds one finds everything that belongs to its
step, so a run that is killed at any instant and resumed leaves what an undisturbed one leaves.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console

from minigan.backend import reuse_transforms
from minigan.data import drawing_from
from minigan.nn import Module
from minigan.train import checkpoint, pictures
from minigan.train.checkpoints import Found
from minigan.train.config import (
    Config,
    CycleGANConfig,
    DCGANConfig,
    GANConfig,
    Pix2PixConfig,
    SNGANConfig,
    StyleConfig,
    ToyConfig,
    VAEConfig,
    WGANGPConfig,
)
from minigan.train.cyclegan import CycleGANTrainer
from minigan.train.errors import CheckpointError, ConfigError
from minigan.train.events import Note, event_files
from minigan.train.files import to_disk, write_atomic, write_text
from minigan.train.gan import GANTrainer
from minigan.train.interrupt import listening
from minigan.train.pix2pix import Pix2PixTrainer
from minigan.train.progress import Throughput, showing
from minigan.train.quality import Report
from minigan.train.records import append_record, drop_after, figure, read_records
from minigan.train.run_folder import RunFolder
from minigan.train.style import StyleTrainer
from minigan.train.toy import ToyTrainer
from minigan.train.trainer import Trainer
from minigan.train.vae import VAETrainer

Hook = Callable[[Trainer, Mapping[str, float]], None]
Tell = Callable[[str], None]

_LOSSES_DRAWN = 10  # times a run

TRAINERS: dict[type[Config], type[Trainer]] = {
    **dict.fromkeys((GANConfig, DCGANConfig, WGANGPConfig, SNGANConfig), GANTrainer),
    StyleConfig: StyleTrainer,
    ToyConfig: ToyTrainer,
    VAEConfig: VAETrainer,
    CycleGANConfig: CycleGANTrainer,
    Pix2PixConfig: Pix2PixTrainer,
}


def make_trainer(config: Config) -> Trainer:
    """Return the trainer of a config's recipe, before its first step."""
    return TRAINERS[type(config)](config)


# -- beginning and going on -----------------------------------------------------------------------


def begin(trainer: Trainer, folder: RunFolder) -> None:
    """Draw what a new run starts from: real images, and the untrained generator's."""
    reals = trainer.reals(trainer.config.shown)
    write_atomic(folder.samples / "reals.png", trainer.draw(reals, trainer.config))
    if trainer.config.preview_every:
        draw_preview(trainer, folder)


def resume(
    folder: RunFolder, config: Config, *, force: bool = False, tell: Tell = lambda line: None
) -> Trainer:
    """Return the trainer of a run as its last good checkpoint left it; what came later is dropped.

    `config` becomes the run's; a `ConfigError` lists what has changed in it since the checkpoint,
    unless `force`. `tell` is called with a line about anything unexpected: a damaged checkpoint
    that is passed over, a run that was killed before its first one and begins anew.
    """
    folder.tidy()
    trainer = make_trainer(config)
    if not folder.checkpoints.steps():
        _begin_anew(trainer, folder, force=force, tell=tell)
        return trainer
    found = find_good(folder, tell)
    if found.step > config.steps:
        raise ConfigError(f"--steps is {config.steps}: {folder.path} is at step {found.step}")
    trainer.load_state(found.arrays, found.notes, source=found.path, force=force)
    _tell_of_schedule(config, found, tell)
    going_on = found.step < config.steps
    drop_after(folder.metrics_file, found.step, every=config.log_every if going_on else 1)
    if going_on:  # the figures are of a generator that will move on
        folder.quality_file.unlink(missing_ok=True)
    folder.write_config(config)
    if config.decisive() != found.notes["config"]:
        save(trainer, folder)  # from here on the run is one of the new options
    return trainer


def find_good(folder: RunFolder, tell: Tell = lambda line: None) -> Found:
    """Return the last good checkpoint of a run; `tell` is called where it is not the last one."""
    found = folder.checkpoints.newest()
    if found.passed_over:
        tell(found.complaint())
    return found


def _begin_anew(trainer: Trainer, folder: RunFolder, *, force: bool, tell: Tell) -> None:
    if not force:
        former = folder.config().decisive()
        trainer.config.refuse_changes(former, source=folder.path)
    tell(f"{folder.path} has no checkpoint yet: it begins anew")
    drop_after(folder.metrics_file, 0)
    folder.write_config(trainer.config)
    begin(trainer, folder)


def _tell_of_schedule(config: Config, found: Found, tell: Tell) -> None:
    """Say so where a longer run would have had other learning rates in steps already taken."""
    former = found.notes["config"]
    constant = former["lr_decay_from"] * former["schedule_steps"]
    if config.stretches(former) and found.step - 1 > constant:
        tell(
            f"the learning rate has been falling since step {constant:.0f}, to be 0 at "
            f"{former['schedule_steps']}; it now follows the schedule of {config.steps} steps"
        )


# -- the loop -------------------------------------------------------------------------------------


def run(trainer: Trainer, folder: RunFolder, console: Console, *, hook: Hook | None = None) -> bool:
    """Train up to `config.steps`; return False if Ctrl-C asked to stop, even in the last step.

    Either way the last state is in the folder's checkpoints. `hook(trainer, losses)` is called
    after every step; a `KeyboardInterrupt` from it counts as Ctrl-C. A second Ctrl-C raises it at
    once. `Diverged` leaves the last good checkpoint as it is.
    """
    config = trainer.config
    clock = Throughput(
        trainer.step_count, config.batch_size, before=_seconds_so_far(folder), makes=config.makes
    )
    with (
        listening() as stop,
        showing(console, clock, config.steps) as show,
        event_files(folder.events, config, trainer.step_count) as note,
        trainer.prefetching(),
        reuse_transforms(),
    ):
        _catch_up(trainer, folder, note)
        while trainer.step_count < config.steps and not stop:
            losses = trainer.step()
            show(trainer.step_count, losses)
            _record(trainer, folder, losses, clock, note)
            try:
                if hook is not None:
                    hook(trainer, losses)
            except KeyboardInterrupt:
                stop.asked = True
            if trainer.step_count < config.steps and not stop:
                _keep(trainer, folder, note)
        _finish(trainer, folder)
    return not stop


def _record(
    trainer: Trainer, folder: RunFolder, losses: Mapping[str, float], clock: Throughput, note: Note
) -> None:
    """Write the lines of a step that are due."""
    config, step = trainer.config, trainer.step_count
    if _due(step, config.log_every) or step == config.steps:
        timing = {
            "images_per_second": round(clock.rate(step), 1),
            "seconds": round(clock.total_seconds(), 3),
        }
        _write(folder, {"kind": "step", "step": step, **losses, **timing}, note)
    norms = trainer.norms() if _due(step, config.norms_every) else {}
    if norms:
        _write(folder, {"kind": "norms", "step": step, **norms}, note)


def _write(folder: RunFolder, record: dict[str, Any], note: Note) -> None:
    append_record(folder.metrics_file, record)
    note(record)


def _keep(trainer: Trainer, folder: RunFolder, note: Note) -> None:
    """Write what is due between the first and the last step, the checkpoint last."""
    config, step = trainer.config, trainer.step_count
    measured = _to_be_measured(config, step)
    if _due(step, config.preview_every):
        draw_preview(trainer, folder)
    if _due(step, max(1, config.steps // _LOSSES_DRAWN)):
        draw_losses(folder, config)
    if measured:
        write_figures(folder, trainer.sampler(), config, step, note=note)
    if measured or _due(step, config.save_every):
        save(trainer, folder)


def _catch_up(trainer: Trainer, folder: RunFolder, note: Note) -> None:
    """Measure what Ctrl-C kept from being measured, before the training goes on."""
    config, step = trainer.config, trainer.step_count
    if 0 < step < config.steps and _to_be_measured(config, step):
        measured = {r["step"] for r in read_records(folder.metrics_file, "quality")}
        if step not in measured:
            write_figures(folder, trainer.sampler(), config, step, note=note)


def _to_be_measured(config: Config, step: int) -> bool:
    return config.eval_samples > 0 and _due(step, config.eval_every)


def _finish(trainer: Trainer, folder: RunFolder) -> None:
    """Save first, for nothing may come between the end of a training and its checkpoint."""
    save(trainer, folder)
    if trainer.config.preview_every:
        draw_preview(trainer, folder)
    draw_losses(folder, trainer.config)


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0


def _seconds_so_far(folder: RunFolder) -> float:
    """Return how long a run has trained, in all the processes before this one."""
    records = read_records(folder.metrics_file, "step")
    return max((r.get("seconds", 0.0) for r in records), default=0.0)


# -- what is written ------------------------------------------------------------------------------


def save(trainer: Trainer, folder: RunFolder) -> None:
    """Write the checkpoint of this step, then remove those that are not to be kept."""
    arrays, notes = trainer.state()
    if folder.metrics_file.exists():
        to_disk(folder.metrics_file)
    folder.checkpoints.save(arrays, notes)
    _prune(trainer, folder)


def _prune(trainer: Trainer, folder: RunFolder) -> None:
    best, last = best_step(folder, type(trainer)), trainer.config.keep_last
    folder.checkpoints.prune(trainer.step_count, last=last, best=best)


def best_step(folder: RunFolder, trainer: type[Trainer]) -> int | None:
    """Return the step with the best key figure among those with a checkpoint; None for no figures.

    Of equally good ones the last.
    """
    quality = read_records(folder.metrics_file, "quality")
    figures = {r["step"]: figure(r, trainer.key_figure) for r in quality}
    known = [step for step in folder.checkpoints.steps() if figures.get(step) is not None]
    return min(known, key=lambda step: (figures[step], -step), default=None)


def draw_losses(folder: RunFolder, config: Config) -> None:
    """Draw the losses so far; all records are read again, so this is not for every checkpoint."""
    records = read_records(folder.metrics_file, "step")
    png = pictures.losses_png(records, config.indifference)
    write_atomic(folder.losses_picture, png)


def draw_preview(trainer: Trainer, folder: RunFolder) -> None:
    """Draw the trainer's pictures into `samples/`; its layers draw from a stream of their own."""
    with drawing_from(trainer.config.seed, "layers in a preview"):
        drawn = trainer.pictures()
    for film, png in drawn.items():
        folder.write_sample(film, trainer.step_count, png)
    folder.write_latest(next(iter(drawn.values())))


def write_figures(
    folder: RunFolder, sampler: Module, config: Config, step: int, *, note: Note | None = None
) -> Report:
    """Measure a sampler; write `quality.json` and a line of `metrics.jsonl`."""
    with drawing_from(config.seed, "layers in the figures"):
        report = TRAINERS[type(config)].measure(sampler, config)
    record = {"kind": "quality", "step": step, **report.as_dict()}
    write_text(folder.quality_file, json.dumps(record, indent=2, allow_nan=False) + "\n")
    append_record(folder.metrics_file, record)
    if note is not None:
        note(record)
    return report


def measure_end(trainer: Trainer, folder: RunFolder) -> Report:
    """Measure a finished training; what is the best checkpoint may change by that."""
    config, step = trainer.config, trainer.step_count
    with event_files(folder.events, config, step) as note:
        report = write_figures(folder, trainer.sampler(), config, step, note=note)
    _prune(trainer, folder)
    return report


# -- reading a run --------------------------------------------------------------------------------


def saved_step(folder: RunFolder) -> int | None:
    """Return the step of a run's last good checkpoint, None where there is none."""
    try:
        return folder.checkpoints.newest().step
    except CheckpointError:
        return None


def load_generator(
    folder: RunFolder, *, at: str = "last", tell: Tell = lambda line: None
) -> tuple[Module, Config, int]:
    """Return a run's sampler, its config, and the step of its checkpoint.

    `at`: "last" (the last good one), "best" (the one with the best figures) or a step. Always on
    the CPU, where a run that was trained on a GPU can be looked at on any machine.
    """
    config = folder.config().replace(device="cpu")
    trainer = TRAINERS[type(config)]
    found = find_good(folder, tell) if at == "last" else _find(folder, trainer, at)
    with checkpoint.fitting(found.path):
        sampler = trainer.build_sampler(config, checkpoint.shape_of(found.notes))
        checkpoint.load_part(sampler, checkpoint.group(found.arrays, "ema"))
    return sampler.eval(), config, found.step


def _find(folder: RunFolder, trainer: type[Trainer], at: str) -> Found:
    """Return the checkpoint of a step, or the best one."""
    if at != "best" and not at.isdecimal():
        raise ConfigError(f"--at is {at!r}: must be last, best or a step")
    step = best_step(folder, trainer) if at == "best" else int(at)
    if step is None:
        raise ConfigError(
            f"{folder.path} has no figures of a checkpoint, so none is best: `minigan evaluate` "
            "measures the last one, --eval-every all along"
        )
    return folder.checkpoints.load(step)
