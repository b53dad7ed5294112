"""minigan train, resume, sample, evaluate.

What takes long to import, matplotlib above all, is imported by the commands that need it, so that
`minigan --help` does not wait for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from minigan.backend import get_backend, keep_memory
from minigan.cli.options import with_config_options
from minigan.cli.tables import print_config, print_report
from minigan.train.config import (
    CONFIGS,
    DEFAULT,
    Config,
    SampledConfig,
    StyleConfig,
)
from minigan.train.errors import ConfigError, Diverged, RunError, Stopped
from minigan.train.events import check_writer
from minigan.train.files import write_atomic
from minigan.train.progress import say
from minigan.train.recipes import build_networks, settled
from minigan.train.run_folder import RunFolder, next_path
from minigan.train.sample import images_of, latents, parse_seeds
from minigan.train.settings import build_config, given_options
from minigan.train.threads import blas_threads

if TYPE_CHECKING:  # it imports what draws
    from minigan.train.trainer import Trainer

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A folder made by minigan train.")]
AtOption = Annotated[
    str, typer.Option("--at", metavar="STEP", help="Of which checkpoint: last, best or a step.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any option by its name; may be repeated."),
]


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
    settings: SetOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show options and networks, and stop there.")
    ] = False,
    options: dict[str, Any],
) -> None:
    """Train a recipe (`minigan recipes` lists them) in a new folder under --out."""
    chosen = settled(build_config(options, settings=settings or (), recipe=recipe, file=config))
    _check_means(chosen)
    if dry_run:
        _describe(chosen, next_path(out, chosen.recipe))
        return
    keep_memory()  # a process that only trains
    with blas_threads(chosen.threads):
        _begin(out, chosen, ["minigan", *context.obj])


def resume(
    context: typer.Context,
    run: RunArgument,
    steps: Annotated[
        int | None, typer.Option("--steps", help="How many in all [default: the run's].")
    ] = None,
    settings: SetOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Go on even with options that change the training.")
    ] = False,
) -> None:
    """Go on with a run from its last good checkpoint, as if it had never stopped.

    On the CPU the result is that of an undisturbed run to the last bit.
    """
    folder = RunFolder.open(run)
    config = folder.config()
    chosen = config.replace(**given_options(type(config), {"steps": steps}, settings or ()))
    _check_means(chosen)
    keep_memory()
    with blas_threads(chosen.threads):
        _go_on(folder, chosen, ["minigan", *context.obj], force=force)


def _check_means(config: Config) -> None:
    """Report now, before anything is written, what is missing: a GPU, a library."""
    get_backend(config.device)
    check_writer(config)


def _begin(out: Path, config: Config, command: list[str]) -> None:
    from minigan.train import loop

    trainer = loop.make_trainer(config)
    folder = RunFolder.create(out, config, command)
    with folder.locked():
        try:
            with _saying_what_is_left(folder):
                loop.begin(trainer, folder)
                _play(trainer, folder)
        except MemoryError:
            if not trainer.step_count:
                folder.discard()
            raise


def _go_on(folder: RunFolder, config: Config, command: list[str], *, force: bool) -> None:
    from minigan.train import loop

    console = Console()
    with folder.locked(), _saying_what_is_left(folder):
        trainer = loop.resume(folder, config, force=force, tell=lambda line: say(console, line))
        folder.note_command(command)
        _play(trainer, folder)


@contextmanager
def _saying_what_is_left(folder: RunFolder) -> Iterator[None]:
    """Let an error that stops a run say which checkpoint it leaves, and how to go on."""
    try:
        yield
    except Diverged as error:
        raise Diverged(f"{error}; {_left(folder)}") from None
    except OSError as error:
        if error.filename is None:  # the standard output
            raise
        way_on = f"`minigan resume {folder.path}` goes on once it can write again"
        said = f"cannot write {error.filename}: {error.strerror}; {_left(folder)}; {way_on}"
        raise RunError(said) from None


def _left(folder: RunFolder) -> str:
    from minigan.train import loop

    saved = loop.saved_step(folder)
    return "there is no checkpoint" if saved is None else f"the last checkpoint is of step {saved}"


def _play(trainer: Trainer, folder: RunFolder) -> None:
    """Train to the end and measure; `Stopped` where Ctrl-C came before."""
    from minigan.train import loop

    console, config = Console(), trainer.config
    unmeasured = f"trained and saved, but not measured; `minigan evaluate {folder.path}` does that"
    say(console, f"{folder.path}: steps {trainer.step_count} to {config.steps}")
    try:
        undisturbed = loop.run(trainer, folder, console)
    except KeyboardInterrupt:
        raise Stopped(f"stopped at once at step {trainer.step_count}; {_left(folder)}") from None
    if trainer.step_count < config.steps:
        raise Stopped(
            f"stopped at step {trainer.step_count}, saved; `minigan resume {folder.path}` goes on, "
            f"{_to_see(folder, config)}"
        )
    if config.eval_samples:
        if not undisturbed:
            raise Stopped(unmeasured)
        try:
            report = loop.measure_end(trainer, folder)
        except KeyboardInterrupt:
            raise Stopped(unmeasured) from None
        print_report(console, report)
    print(f"done: {folder.path}; {_to_see(folder, config)}")


def _to_see(folder: RunFolder, config: Config) -> str:
    """Say how to look at what a run has learned."""
    if isinstance(config, SampledConfig):
        return f"draw with `minigan sample {folder.path} --seeds 0-{config.shown - 1}`"
    return f"see {folder.samples / 'latest.png'}, or `minigan report {folder.path}`"


def sample(
    run: RunArgument,
    seeds: Annotated[
        str | None,
        typer.Option("--seeds", help="Like 0-63 or 3,7,10-12 [default: those of the previews]."),
    ] = None,
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
    psi: Annotated[
        float | None,
        typer.Option("--psi", help="Truncation of a style run: 1 is none, 0 the mean image [1]."),
    ] = None,
    at: AtOption = "last",
) -> None:
    """Draw a picture of samples: a seed names a sample, whatever else is drawn."""
    from minigan.train import loop

    given = None if seeds is None else parse_seeds(seeds)
    folder = RunFolder.open(run)
    if not isinstance(folder.config(), SampledConfig):
        raise ConfigError(
            f"{run} is of {folder.config().recipe}, whose images are not drawn from seeds: "
            f"{_to_see(folder, folder.config())}"
        )
    options = {} if psi is None else {"psi": _psi(psi, folder.config())}
    target = out or folder.path / "grid.png"
    _check_picture(target)
    generator, config, step = loop.load_generator(folder, at=at, tell=print)
    chosen = range(config.shown) if given is None else given
    with blas_threads(config.threads):
        images = images_of(generator, latents(chosen, config.latent), **options)
    draw = loop.TRAINERS[type(config)].draw
    write_atomic(target, draw(images, config, columns=columns, scale=scale))
    print(f"{target}: {len(chosen)} {config.makes} of step {step}")


def _psi(psi: float, config: Config) -> float:
    if not isinstance(config, StyleConfig):
        raise ConfigError(f"--psi is for runs of style, not of {config.recipe}: leave it out")
    if not -2.0 <= psi <= 2.0:
        raise ConfigError(f"--psi is {psi}: must be from -2 to 2; 1 is no truncation")
    return psi


def evaluate(
    run: RunArgument,
    samples: Annotated[
        int | None, typer.Option("--samples", help="How many [default: the run's eval_samples].")
    ] = None,
    at: AtOption = "last",
) -> None:
    """Measure a run's generator again and write its quality.json."""
    from minigan.train import loop

    folder = RunFolder.open(run)
    with folder.locked():
        generator, config, step = loop.load_generator(folder, at=at, tell=print)
        usual = config.eval_samples or config.options()["eval_samples"].default
        count = samples if samples is not None else usual
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


def _describe(config: Config, path: Path) -> None:
    console = Console()
    print_config(console, config)
    for network in build_networks(config):
        console.out(f"\n{network!r}", highlight=False)
    print(f"\ndry run: nothing was written; the run would be {path}")
