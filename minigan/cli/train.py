"""minigan train, sample, evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from minigan.backend import get_backend
from minigan.cli.options import with_config_options
from minigan.cli.tables import print_config, print_report
from minigan.train import loop
from minigan.train.config import Config, build_config, flag
from minigan.train.errors import ConfigError, RunError, Stopped
from minigan.train.files import write_atomic
from minigan.train.pictures import grid_png
from minigan.train.recipes import build_networks
from minigan.train.run_folder import RunFolder, next_path
from minigan.train.sample import images_of, latents, parse_seeds
from minigan.train.threads import blas_threads
from minigan.train.trainer import Trainer

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A folder made by minigan train.")]


@with_config_options
def train(
    context: typer.Context,
    *,
    out: Annotated[Path, typer.Option("--out", help="Where runs get their folder.")] = Path("runs"),
    config: Annotated[
        Path | None, typer.Option("--config", help="A TOML file of options; the command line wins.")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option("--resume", metavar="RUN", help="Go on with a stopped run.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show options and networks, and stop there.")
    ] = False,
    options: dict[str, Any],
) -> None:
    """Train a GAN; with no options on 8x8 handwritten digits, in about a minute."""
    console = Console()
    if resume is not None:
        chosen = _unchanged(RunFolder.open(resume), options, config)
    else:
        chosen = build_config(options, file=config)
    get_backend(chosen.device)  # a missing GPU is reported now, before anything is written
    if dry_run:
        _describe(console, chosen, resume or next_path(out, chosen.data))
        return
    command = ["minigan", *context.obj]
    with blas_threads(chosen.threads):
        if resume is not None:
            folder = RunFolder.open(resume)
            trainer = loop.resume(folder, chosen)
            folder.note_command(command)
        else:
            trainer = Trainer(chosen)
            folder = RunFolder.create(out, chosen, command)
            loop.begin(trainer, folder)
        _play(console, trainer, folder)


def _play(console: Console, trainer: Trainer, folder: RunFolder) -> None:
    """Train to the end and measure; `Stopped` where Ctrl-C came before."""
    config = trainer.config
    print(f"{folder.path}: steps {trainer.step_count} to {config.steps}")
    if not loop.run(trainer, folder, console):
        raise Stopped(
            f"stopped at step {trainer.step_count}, saved; `minigan sample {folder.path}` draws "
            f"from it, `minigan train --resume {folder.path}` goes on"
        )
    if config.eval_samples:
        try:
            report = loop.write_figures(folder, trainer.ema.module, config, trainer.step_count)
        except KeyboardInterrupt:
            raise Stopped(
                f"trained and saved, but not measured; `minigan evaluate {folder.path}` does that"
            ) from None
        print_report(console, report)
    print(f"done: {folder.path}; draw with `minigan sample {folder.path} --seeds 0-63`")


def sample(
    run: RunArgument,
    seeds: Annotated[str, typer.Option("--seeds", help="Like 0-63 or 3,7,10-12.")] = "0-63",
    out: Annotated[
        Path | None, typer.Option("--out", help="The PNG file [default: RUN/grid.png].")
    ] = None,
    columns: Annotated[
        int | None, typer.Option("--columns", min=1, help="Images a row [default: square].")
    ] = None,
    scale: Annotated[
        int | None,
        typer.Option("--scale", min=1, max=64, help="Side of a pixel [default: images 64 wide]."),
    ] = None,
) -> None:
    """Draw a grid of samples: a seed names an image, whatever else is drawn."""
    chosen = parse_seeds(seeds)
    folder = RunFolder.open(run)
    target = out or folder.path / "grid.png"
    if not target.parent.is_dir():
        raise RunError(f"cannot write {target}: {target.parent} is no folder; make it first")
    generator, config, step = loop.load_generator(folder)
    with blas_threads(config.threads):
        images = images_of(generator, latents(chosen, config.latent))
    write_atomic(target, grid_png(images, columns=columns, scale=scale))
    print(f"{target}: {len(chosen)} images of step {step}")


def evaluate(
    run: RunArgument,
    samples: Annotated[
        int | None, typer.Option("--samples", help="How many [default: the run's eval_samples].")
    ] = None,
) -> None:
    """Measure a run's generator again and write its quality.json."""
    folder = RunFolder.open(run)
    generator, config, step = loop.load_generator(folder)
    count = samples if samples is not None else config.eval_samples or 2000
    if count < 100:
        raise ConfigError(f"--samples is {count}: must be at least 100")
    with blas_threads(config.threads):
        report = loop.write_figures(folder, generator, config.replace(eval_samples=count), step)
    print_report(Console(), report)


def _unchanged(folder: RunFolder, options: dict[str, Any], file: Path | None) -> Config:
    """Return the config of a run to resume; refuse options that would make it another run."""
    config = folder.config()
    if file is not None:
        raise ConfigError("--config and --resume exclude each other: a run keeps its options")
    for name, value in options.items():
        if value is not None and value != getattr(config, name):
            raise ConfigError(
                f"{flag(name)} is {value!r} but {folder.path} was started with "
                f"{getattr(config, name)!r}: a resumed run keeps its options; leave it out"
            )
    return config


def _describe(console: Console, config: Config, path: Path) -> None:
    print_config(console, config)
    for network in build_networks(config):
        console.out(f"\n{network!r}", highlight=False)
    print(f"\ndry run: nothing was written; the run would be {path}")
