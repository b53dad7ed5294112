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
from minigan.train.config import Config
from minigan.train.errors import CheckpointError
from minigan.train.files import write_atomic, write_text
from minigan.train.interrupt import listening
from minigan.train.progress import Throughput, showing
from minigan.train.quality import Report, evaluate
from minigan.train.recipes import build_networks, training_images
from minigan.train.records import append_record, drop_after, read_records
from minigan.train.run_folder import RunFolder
from minigan.train.sample import images_of, latents
from minigan.train.trainer import Trainer

Hook = Callable[[Trainer, Mapping[str, float]], None]

PREVIEW_SEEDS = range(64)  # the pictures of a run show what `minigan sample --seeds 0-63` draws


def begin(trainer: Trainer, folder: RunFolder) -> None:
    """Draw what a new run starts from: real images, and the untrained generator's."""
    real = training_images(trainer.config)[: len(PREVIEW_SEEDS)]
    write_atomic(folder.samples / "reals.png", pictures.grid_png(real))
    draw_preview(trainer, folder)


def resume(folder: RunFolder, config: Config) -> Trainer:
    """Return the trainer of a run as its last checkpoint left it; later records are dropped."""
    arrays, notes = checkpoint.load_checkpoint(folder.checkpoint_file)
    trainer = Trainer(config)
    trainer.load_state(arrays, notes)
    drop_after(folder.metrics_file, trainer.step_count)
    return trainer


def run(trainer: Trainer, folder: RunFolder, console: Console, *, hook: Hook | None = None) -> bool:
    """Train up to `config.steps`; return False if Ctrl-C ended it before.

    Either way the last state is in the folder's checkpoint. `hook(trainer, losses)` is called
    after every step; a `KeyboardInterrupt` from it counts as Ctrl-C. `Diverged` leaves the last
    good checkpoint as it is.
    """
    config = trainer.config
    clock = Throughput(trainer.step_count, config.batch_size)
    with listening() as stop, showing(console, clock, config.steps) as show:
        while trainer.step_count < config.steps and not stop:
            losses = trainer.step()
            show(trainer.step_count, losses)
            _write(trainer, folder, losses, clock)
            try:
                if hook is not None:
                    hook(trainer, losses)
            except KeyboardInterrupt:
                stop.asked = True
        save(trainer, folder)
        draw_preview(trainer, folder)
    return trainer.step_count >= config.steps


def save(trainer: Trainer, folder: RunFolder) -> None:
    """Write the checkpoint, and the picture of the losses so far."""
    checkpoint.save_checkpoint(folder.checkpoint_file, *trainer.state())
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
    generator, _ = build_networks(config)
    try:
        generator.load_state_dict(checkpoint.group(arrays, "ema"))
        step = int(notes["step"])
    except (KeyError, ValueError) as error:
        raise CheckpointError(
            f"{folder.checkpoint_file} does not fit its config.toml: {error}"
        ) from None
    generator.eval()
    return generator, config, step


def write_figures(
    folder: RunFolder, generator: DCGANGenerator, config: Config, step: int
) -> Report:
    """Evaluate a generator; write `quality.json` and a line of `metrics.jsonl`."""
    report = evaluate(generator, config)
    record = {"kind": "quality", "step": step, **report.as_dict()}
    write_text(folder.quality_file, json.dumps(record, indent=2) + "\n")
    append_record(folder.metrics_file, record)
    return report


def _write(
    trainer: Trainer, folder: RunFolder, losses: Mapping[str, float], clock: Throughput
) -> None:
    """Write what is due after a step: a record, a preview, a checkpoint."""
    config, step = trainer.config, trainer.step_count
    if step % config.log_every == 0 or step == config.steps:
        timing = {
            "images_per_second": round(clock.rate(step), 1),
            "seconds": round(clock.seconds(), 3),
        }
        append_record(folder.metrics_file, {"kind": "step", "step": step, **losses, **timing})
    if step % config.preview_every == 0:
        draw_preview(trainer, folder)
    if step % config.save_every == 0:
        save(trainer, folder)
