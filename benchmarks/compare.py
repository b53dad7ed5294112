"""Whole training steps of minigan beside other frameworks, on one machine, in one run.

    python -m benchmarks.compare                              # all workloads, all peers installed
    python -m benchmarks.compare toy dcgan64 --rounds 9
    python -m benchmarks.compare --sides "minigan cpu" "minigan cuda"   # minigan's own devices
    python -m benchmarks.compare --smoke                      # does it run?

The work is the same, and that is checked: initial weights and batches are equal, and the losses of
the first three steps must agree to 1e-3 before any time is taken.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import machine, report
from benchmarks.sides import MINIGAN, WORKLOADS, Side, missing, peers_of
from benchmarks.turns import play
from benchmarks.workloads.sizes import FULL, SMOKE, STEPS

RESULTS = Path(__file__).parent / "results"


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.compare", description=__doc__.splitlines()[0])
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=", ".join(WORKLOADS))
    parser.add_argument("--sides", nargs="+", type=Side.parse, help='"minigan cpu" "pytorch" ...')
    parser.add_argument("--rounds", type=int, default=7, help="turns of each side (7)")
    parser.add_argument("--threads", type=int, default=machine.cores(), help="of each process")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--name", default="compare", help="of the files there (compare)")
    parser.add_argument("--smoke", action="store_true", help="tiny networks; writes nothing")
    options = parser.parse_args(arguments)
    options.workloads = options.workloads or list(WORKLOADS)
    if unknown := [name for name in options.workloads if name not in WORKLOADS]:
        parser.error(f"no workload is called {unknown[0]!r}: use some of {', '.join(WORKLOADS)}")
    for side in options.sides or ():
        if reason := missing(side, options.workloads[0]):
            parser.error(reason)
    if options.rounds < 1 or options.threads < 1:
        parser.error("--rounds and --threads must be at least 1")
    return options


def compare(workload: str, options: argparse.Namespace) -> dict[str, Any]:
    """Play one workload; return what was found."""
    size = (SMOKE if options.smoke else FULL)[workload]
    sides = options.sides or [MINIGAN, *peers_of(workload)]
    results = play(
        workload, size, sides, threads=options.threads,
        steps=1 if options.smoke else STEPS[workload],
        rounds=min(2, options.rounds) if options.smoke else options.rounds,
    )  # fmt: skip
    return report.summary(workload, size, results)


def main(arguments: list[str] | None = None) -> int:
    """Compare, print and store; return 1 where a side failed or disagreed."""
    options, console = parse(arguments), Console(width=110)
    facts, found = machine.facts(options.threads), []
    console.out(f"{facts['cpu']}, {facts['cores']} cores, {options.threads} threads a process")
    if machine.load() > facts["cores"]:
        console.out(f"load {machine.load()}: others are at work here; read ratios, not times")
    for workload in options.workloads:
        with console.status(f"{workload} ..."):
            found.append({**compare(workload, options), "load_after": machine.load()})
        if not options.smoke:  # after each, so that a run cut short leaves what it has
            store(options, {"machine": facts, "workloads": found})
    report.print_table(console, found)
    rows = [row for one in found for row in one["sides"].values()]
    return int(any("error" in row and not row["absent"] for row in rows))


def store(options: argparse.Namespace, whole: dict[str, Any]) -> None:
    """Write the figures and the picture."""
    path = report.write(options.out, options.name, whole)
    report.plot(path.with_suffix(".png"), whole["workloads"])


if __name__ == "__main__":
    raise SystemExit(main())
