"""The loop around the steps: records, previews, checkpoints, interruption, and the figures.

    begin or resume -> [ step -> record -> preview -> checkpoint ] ... -> figures

What is written never feeds back: the same seed gives the same run whatever is logged or drawn.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from rich.console import Console

from minigan.models import DCGANGenerator
from minigan.train import checkpoint, pictures
from minigan.train.config import Config, GANConfig, VAEConfig
from minigan.train.errors import CheckpointError
from minigan.train.files import write_atomic, write_text
from minigan.train.gan import GANTrainer
from minigan.train.interrupt import listening
from minigan.train.progress import Throughput, showing
from minigan.train.quality import Report, evaluate
from minigan.train.recipes import build_generator, training_images
from minigan.train.records import append_record, drop_after, read_records
from minigan.train.run_folder import RunFolder
from minigan.train.sample import images_of, latents
from minigan.train.trainer import Trainer
from minigan.train.vae import VAETrainer

Hook = Callable[[Trainer, Mapping[str, float]], None]

PREVIEW_SEEDS = range(64)  # the pictures of a run show what `minigan sample --seeds 0-63` draws

_LOSSES_DRAWN = 10  # times a run

TRAINERS: dict[type[Config], Callable[[Config], Trainer]] = {
    GANConfig: GANTrainer,
    VAEConfig: VAETrainer,
}


def make_trainer(config: Config) -> Trainer:
    """Return the trainer of a config's recipe, before its first step."""
    return TRAINERS[type(config)](config)


def begin(trainer: Trainer, folder: RunFolder) -> None:
    """Draw what a new run starts from: real images, and the untrained generator's."""
    real = training_images(trainer.config)[: len(PREVIEW_SEEDS)]
    write_atomic(folder.samples / "reals.png", pictures.grid_png(real))
    draw_preview(trainer, folder)


def resume(folder: RunFolder, config: Config) -> Trainer:
    """Return the trainer of a run as its last checkpoint left it; what came later is dropped."""
    arrays, notes = checkpoint.load_checkpoint(folder.checkpoint_file)
    trainer = make_trainer(config)
    trainer.load_state(arrays, notes, source=folder.checkpoint_file)
    drop_after(folder.metrics_file, trainer.step_count)
    if trainer.step_count < config.steps:  # the figures are of a generator that will move on
        folder.quality_file.unlink(missing_ok=True)
    return trainer


def run(trainer: Trainer, folder: RunFolder, console: Console, *, hook: Hook | None = None) -> bool:
    """Train up to `config.steps`; return False if Ctrl-C asked to stop, even in the last step.

    Either way the last state is in the folder's checkpoint. `hook(trainer, losses)` is called
    after every step; a `KeyboardInterrupt` from it counts as Ctrl-C. A second Ctrl-C raises it at
    once. `Diverged` leaves the last good checkpoint as it is.
    """
    config = trainer.config
    clock = Throughput(trainer.step_count, config.batch_size, before=_seconds_so_far(folder))
    with listening() as stop, showing(console, clock, config.steps) as show:
        while trainer.step_count < config.steps and not stop:
            losses = trainer.step()
            show(trainer.step_count, losses)
            _record(trainer, folder, losses, clock)
            try:
                if hook is not None:
                    hook(trainer, losses)
            except KeyboardInterrupt:
                stop.asked = True
            if trainer.step_count < config.steps and not stop:
                _keep(trainer, folder)
        save(trainer, folder)
        draw_preview(trainer, folder)
        draw_losses(folder)
    return not stop


def save(trainer: Trainer, folder: RunFolder) -> None:
    """Write the checkpoint."""
    checkpoint.save_checkpoint(folder.checkpoint_file, *trainer.state())


def saved_step(folder: RunFolder) -> int | None:
    """Return the step of a run's checkpoint, None where there is no good one."""
    try:
        return checkpoint.load_checkpoint(folder.checkpoint_file)[1].get("step")
    except CheckpointError:
        return None


def draw_losses(folder: RunFolder) -> None:
    """Draw the losses so far; all records are read again, so this is not for every checkpoint."""
    records = read_records(folder.metrics_file, "step")
    write_atomic(folder.losses_picture, pictures.losses_png(records))


def draw_preview(trainer: Trainer, folder: RunFolder) -> None:
    """Draw the averaged generator's images of the fixed seeds into `samples/`."""
    z = latents(PREVIEW_SEEDS, trainer.config.latent)
    images = images_of(trainer.ema.module, z, device=trainer.config.device)
    folder.write_samples(trainer.step_count, pictures.grid_png(images))


def load_generator(folder: RunFolder) -> tuple[DCGANGenerator, Config, int]:
    """Return a run's averaged generator, its config, and the step of its checkpoint.

    Always on the CPU, where a run that was trained on a GPU can be looked at on any machine.
    """
    config = folder.config().replace(device="cpu")
    arrays, notes = checkpoint.load_checkpoint(folder.checkpoint_file)
    generator = build_generator(config)
    with checkpoint.fitting(folder.checkpoint_file):
        step = checkpoint.step_of(notes, steps=config.steps)
        checkpoint.load_part(generator, checkpoint.group(arrays, "ema"))
    generator.eval()
    return generator, config, step


def write_figures(
    folder: RunFolder, generator: DCGANGenerator, config: Config, step: int
) -> Report:
    """Evaluate a generator; write `quality.json` and a line of `metrics.jsonl`."""
    report = evaluate(generator, config)
    record = {"kind": "quality", "step": step, **report.as_dict()}
    write_text(folder.quality_file, json.dumps(record, indent=2, allow_nan=False) + "\n")
    append_record(folder.metrics_file, record)
    return report


def _seconds_so_far(folder: RunFolder) -> float:
    """Return how long a run has trained, in all the processes before this one."""
    records = read_records(folder.metrics_file, "step")
    return max((r.get("seconds", 0.0) for r in records), default=0.0)


def _record(
    trainer: Trainer, folder: RunFolder, losses: Mapping[str, float], clock: Throughput
) -> None:
    """Write the line of a step if one is due."""
    config, step = trainer.config, trainer.step_count
    if step % config.log_every == 0 or step == config.steps:
        timing = {
            "images_per_second": round(clock.rate(step), 1),
            "seconds": round(clock.total_seconds(), 3),
        }
        append_record(folder.metrics_file, {"kind": "step", "step": step, **losses, **timing})


def _keep(trainer: Trainer, folder: RunFolder) -> None:
    """Write what is due between the first and the last step: checkpoint and pictures."""
    config, step = trainer.config, trainer.step_count
    if step % config.save_every == 0:
        save(trainer, folder)
    if step % config.preview_every == 0:
        draw_preview(trainer, folder)
    if step % max(1, config.steps // _LOSSES_DRAWN) == 0:
        draw_losses(folder)
