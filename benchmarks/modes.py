"""Which GAN finds all modes? The catalogue on the ring of 8 and the grid of 25 Gaussians.

Every method is trained on both targets from several seeds and measured as in VEEGAN
(arXiv:1705.07761) and PacGAN (arXiv:1712.04086), with PacGAN's parameters: ring of radius 1, sigma
0.01; grid from -4 to 4 in steps of 2, sigma 0.05; 2,500 samples, 3 sigma. The tables stand beside
the papers' own; what differs is said there. Two processes, one thread each.

    python benchmarks/modes.py                                  # everything, about 20 minutes
    python benchmarks/modes.py --methods r1,wgan-gp --seeds 0-1
    python benchmarks/modes.py --smoke                          # does it run?

A finished run is kept as one file in `--runs`, and not run again: after an interruption the same
command goes on. The report covers all runs found there that have the same settings.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import modes_report as report
from modes_training import METHODS, TARGETS, Job, Settings, run

from minigan.train.files import write_text

ROOT = Path(__file__).parents[1]
SMOKE = Settings(ring_steps=10, grid_steps=10, width=8, batch=16)

TUNING = """\
Steps are those of the discriminator, 3,000 on the ring and 8,000 on the grid, with fresh samples at
every one; where several of them are taken for one of the generator, it gets fewer: a half with the
gradient penalties, a fifth with clipping and spectral norm. All networks see the target divided by
the standard deviation of its centres (ring 0.71, grid 2.83), and are measured in its own units.
Latents are 2-D normal. The generator that is measured is a running average of the trained one.

Tuned, on relativistic-r1-r2 alone, with some twenty short runs (2,000 to 5,000 steps; seed 0, then
2): width (64, 96, 128), learning rate (1e-3 to 4e-3) and where its decay starts, Adam's betas,
gamma (0.005 to 0.1), how often the penalty is applied, the average's decay, and the biases at the
start; Fourier features of the discriminator's input were tried and left out. Then it was run with
6,000 steps on the grid from all five seeds; seed 2 missed the bounds by a little (77.6% of high
quality). On that seed 8,000 steps, width 128 and gamma 0.05 each helped (86, 86, 83%), and 8,000
steps were taken. The result serves all methods. Hardly anything was tuned for the others. R1 has
the same gamma. The gradient penalties have lambda and betas of WGAN-GP's toys, at ten times the
learning rate for so short a run, and 2 critic steps for one of the generator: with the paper's 5
they captured all modes too, but hit them badly (seed 0: 4 to 6% of high quality on the ring, 26% on
the grid). Spectral norm has SNGAN's 5 critic steps and betas, at five times its learning rate: with
the shared pace it collapsed (seed 0: at most one mode). Both changes were tried out on one run
each, seed 5 of the ring. The clipping bound 0.1 and RMSprop's 5e-4 are ten times the WGAN paper's,
for networks this small. So the table says what about one recipe does for each method, not what each
can do."""

Record = dict[str, Any]


# -- what there is to do --------------------------------------------------------------------------


def jobs(methods: Sequence[str], seeds: Sequence[int], settings: Settings) -> list[Job]:
    """List all runs: one seed of every method before the next seed."""
    return [
        Job(method, target, seed, settings)
        for seed in seeds
        for method in methods
        for target in TARGETS
    ]


def place(job: Job, folder: Path) -> Path:
    """Return the file of a run."""
    return folder / f"{job.method}-{job.target}-{job.seed}.json"


def finished(job: Job, folder: Path) -> Record | None:
    """Return the record of a run, if it was made with these very settings."""
    path = place(job, folder)
    if not path.exists():
        return None
    record = json.loads(path.read_text(encoding="utf-8"))
    return record if all(record.get(k) == v for k, v in job.describe().items()) else None


def found(settings: Settings, folder: Path) -> list[Record]:
    """Return all records in a folder that were made with these settings, in the catalogue's order.

    Of every method there may be other seeds, or none, than were asked for now.
    """
    seeds = sorted({int(path.stem.rpartition("-")[2]) for path in folder.glob("*-*-*.json")})
    everything = [Job(m, t, s, settings) for m in METHODS for t in TARGETS for s in seeds]
    return [record for job in everything if (record := finished(job, folder))]


# -- doing it -------------------------------------------------------------------------------------


def run_all(todo: Sequence[Job], processes: int) -> Iterator[Record]:
    """Yield records as the runs finish, in any order."""
    context = multiprocessing.get_context("spawn")  # no copies of a process with BLAS threads
    with context.Pool(min(processes, len(todo))) as pool:
        yield from pool.imap_unordered(run, todo)


def train(todo: Sequence[Job], folder: Path, processes: int) -> None:
    """Run what is left, write each record at once, and say how long the rest will take."""
    folder.mkdir(parents=True, exist_ok=True)
    start, done, total = time.perf_counter(), 0, sum(weight(job) for job in todo)
    for count, record in enumerate(run_all(todo, processes) if todo else (), start=1):
        job = Job(record["method"], record["target"], record["seed"], todo[0].settings)
        write_text(place(job, folder), json.dumps(record, allow_nan=False) + "\n")
        done += weight(job)
        left = (time.perf_counter() - start) * (total - done) / done
        print(f"[{count}/{len(todo)}] {summary(record)}; {left / 60:.1f} min left", flush=True)


def weight(job: Job) -> int:
    """Return the work of a run, in steps."""
    return job.settings.steps(job.target)


def summary(record: Record) -> str:
    """Return one run as a line."""
    name = f"{record['method']} {record['target']} seed {record['seed']}"
    kl = "inf" if record["reverse_kl"] is None else f"{record['reverse_kl']:.3f}"
    return (
        f"{name}: {record['modes']} modes, {record['high_quality']:.1%} high quality, "
        f"reverse KL {kl}, {record['seconds']:.0f} s"
    )


# -- the command ----------------------------------------------------------------------------------


def numbers(text: str) -> list[int]:
    """Read "0-4" or "0,2,7" as seeds."""
    first, dash, last = text.partition("-")
    return list(range(int(first), int(last) + 1)) if dash else [int(n) for n in text.split(",")]


def names(text: str) -> list[str]:
    """Read "r1,wgan-gp" as methods."""
    chosen = text.split(",")
    if unknown := set(chosen) - set(METHODS):
        raise argparse.ArgumentTypeError(f"{unknown.pop()!r}: use some of {', '.join(METHODS)}")
    return chosen


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=numbers, help="0-4, or 0,2,7 (0-4)")
    parser.add_argument("--methods", type=names, default=list(METHODS), help="r1,wgan-gp (all)")
    parser.add_argument("--steps", type=int, help="of the discriminator, on both targets")
    parser.add_argument("--out", type=Path, help="folder of the report (benchmarks/results)")
    parser.add_argument("--runs", type=Path, help="folder of the finished runs (out/modes)")
    parser.add_argument("--processes", type=int, default=2, help="runs at the same time (2)")
    parser.add_argument("--smoke", action="store_true", help="a few steps, under out/modes-smoke")
    options = parser.parse_args()
    base = ROOT / "out" / ("modes-smoke" if options.smoke else "modes")
    options.runs = options.runs or base
    options.out = options.out or (base if options.smoke else ROOT / "benchmarks" / "results")
    options.seeds = options.seeds or ([0] if options.smoke else list(range(5)))
    return options


def main() -> None:
    options = parse()
    settings = SMOKE if options.smoke else Settings()
    if options.steps:
        settings = replace(settings, ring_steps=options.steps, grid_steps=options.steps)
    asked = jobs(options.methods, options.seeds, settings)
    todo = [job for job in asked if finished(job, options.runs) is None]
    print(f"{len(asked)} runs, {len(asked) - len(todo)} of them finished before", flush=True)
    train(todo, options.runs, options.processes)
    records = found(settings, options.runs)
    for target in TARGETS:
        print(f"\n{target}\n{report.text_table(report.rows(records, target))}")
    print(f"\n{report.CAVEAT}\n\n{report.verdict(records)}")
    report.write(records, options.out, TUNING)
    print(f"written: modes.json, modes.md and modes.png in {options.out}")


if __name__ == "__main__":
    main()
