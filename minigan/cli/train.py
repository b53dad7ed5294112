"""minigan train, sample, evaluate.

What takes long to import, matplotlib above all, is imported by the commands that need it, so that
`minigan --help` does not wait for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from minigan.backend import get_backend, keep_memory
from minigan.cli.options import with_config_options
from minigan.cli.tables import print_config, print_report
from minigan.train.config import CONFIGS, DEFAULT, Config, build_config, flag
from minigan.train.errors import ConfigError, RunError, Stopped
from minigan.train.files import write_atomic
from minigan.train.progress import say
from minigan.train.recipes import build_networks
from minigan.train.run_folder import RunFolder, next_path
from minigan.train.sample import images_of, latents, parse_seeds
from minigan.train.threads import blas_threads
from minigan.train.trainer import Trainer

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A folder made by minigan train.")]


@with_config_options
def train(
    context: typer.Context,
    recipe: Annotated[
        str | None,
        typer.Argument(
            metavar="[RECIPE]", help=f"{' or '.join(CONFIGS)}; {DEFAULT}.", show_default=False
        ),
    ] = None,
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
    """Train a GAN (digits) or a VAE (vae-digits) on 8x8 handwritten digits, in about a minute."""
    folder = RunFolder.open(resume) if resume is not None else None
    if folder:
        chosen = _unchanged(folder, {"recipe": recipe, **options}, config)
    else:
        chosen = build_config(options, recipe=recipe, file=config)
    get_backend(chosen.device)  # a missing GPU is reported now, before anything is written
    if dry_run:
        _describe(chosen, folder.path if folder else next_path(out, chosen.recipe))
        return
    command = ["minigan", *context.obj]
    keep_memory()  # a process that only trains
    with blas_threads(chosen.threads):
        if folder:
            _go_on(folder, chosen, command)
        else:
            _begin(out, chosen, command)


def _begin(out: Path, config: Config, command: list[str]) -> None:
    from minigan.train import loop

    trainer = loop.make_trainer(config)
    folder = RunFolder.create(out, config, command)
    with folder.locked():
        try:
            loop.begin(trainer, folder)
            _play(trainer, folder)
        except MemoryError:
            if not trainer.step_count:
                folder.discard()
            raise


def _go_on(folder: RunFolder, config: Config, command: list[str]) -> None:
    from minigan.train import loop

    with folder.locked():
        trainer = loop.resume(folder, config)
        folder.note_command(command)
        _play(trainer, folder)


def _play(trainer: Trainer, folder: RunFolder) -> None:
    """Train to the end and measure; `Stopped` where Ctrl-C came before."""
    from minigan.train import loop

    console, config = Console(), trainer.config
    unmeasured = f"trained and saved, but not measured; `minigan evaluate {folder.path}` does that"
    say(console, f"{folder.path}: steps {trainer.step_count} to {config.steps}")
    try:
        undisturbed = loop.run(trainer, folder, console)
    except KeyboardInterrupt:
        raise Stopped(_at_once(trainer.step_count, loop.saved_step(folder))) from None
    if trainer.step_count < config.steps:
        raise Stopped(
            f"stopped at step {trainer.step_count}, saved; `minigan sample {folder.path}` draws "
            f"from it, `minigan train --resume {folder.path}` goes on"
        )
    if config.eval_samples:
        if not undisturbed:
            raise Stopped(unmeasured)
        try:
            report = loop.write_figures(folder, trainer.ema.module, config, trainer.step_count)
        except KeyboardInterrupt:
            raise Stopped(unmeasured) from None
        print_report(console, report)
    print(f"done: {folder.path}; draw with `minigan sample {folder.path} --seeds 0-63`")


def _at_once(step: int, saved: int | None) -> str:
    last = "there is no checkpoint" if saved is None else f"the last checkpoint is of step {saved}"
    return f"stopped at once at step {step}; {last}"


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
    from minigan.train import loop
    from minigan.train.pictures import grid_png

    chosen = parse_seeds(seeds)
    folder = RunFolder.open(run)
    target = out or folder.path / "grid.png"
    _check_picture(target)
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
    from minigan.train import loop

    folder = RunFolder.open(run)
    with folder.locked():
        generator, config, step = loop.load_generator(folder)
        count = samples if samples is not None else config.eval_samples or 2000
        if count < 100:
            raise ConfigError(f"--samples is {count}: must be at least 100")
        with blas_threads(config.threads):
            report = loop.write_figures(folder, generator, config.replace(eval_samples=count), step)
    print_report(Console(), report)


def _check_picture(target: Path) -> None:
    """Refuse a place for a PNG file before anything is drawn."""
    if target.suffix.lower() != ".png" or target.is_dir():
        raise ConfigError(f"--out is {str(target)!r}: must be a file that ends in .png")
    if not target.parent.is_dir():
        raise RunError(f"cannot write {target}: {target.parent} is no folder; make it first")


def _unchanged(folder: RunFolder, options: dict[str, Any], file: Path | None) -> Config:
    """Return the config of a run to resume; refuse options that would make it another run."""
    config = folder.config()
    if file is not None:
        raise ConfigError("--config and --resume exclude each other: a run keeps its options")
    for name, value in options.items():
        started = getattr(config, name, None)
        if value is not None and value != started:
            spelt = name if name == "recipe" else flag(name)
            raise ConfigError(
                f"{spelt} is {value!r} but {folder.path} was started with {started!r}: "
                "a resumed run keeps its options; leave it out"
            )
    return config


def _describe(config: Config, path: Path) -> None:
    console = Console()
    print_config(console, config)
    for network in build_networks(config):
        console.out(f"\n{network!r}", highlight=False)
    print(f"\ndry run: nothing was written; the run would be {path}")
