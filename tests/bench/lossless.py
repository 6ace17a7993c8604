"""Random walks through a NetSuite account, in bulk: their number, and those that lost something.

Usage: python -m tests.bench.lossless [--seeds 500] [--first 0] [--processes 2] [--short] [--logs]
"""

import argparse
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from time import perf_counter

from rich.console import Console

from tests.assets.netsuite.extract.lossless_walk import WalkResult, walk

PROGRESS_WALKS = 50  # walks between two lines of progress


@contextmanager
def walks_of(seeds: range, processes: int, *, short: bool) -> Iterator[Iterator[WalkResult]]:
    """Run the walks of some seeds and iterate over their results, in order."""
    run = partial(walk, short=short)
    if processes == 1:
        yield map(run, seeds)
        return
    with ProcessPoolExecutor(processes) as pool:
        yield pool.map(run, seeds, chunksize=4)


def main() -> None:
    """Walk and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=500)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--short", action="store_true", help="short walks, as in `make test`")
    parser.add_argument("--logs", action="store_true", help="print the log of each walk that failed")
    options = parser.parse_args()
    console, began, runs = Console(width=160), perf_counter(), 0
    failed: list[WalkResult] = []
    seeds, processes = range(options.first, options.first + options.seeds), min(options.processes, os.cpu_count() or 1)
    with walks_of(seeds, processes, short=options.short) as results:
        for number, each in enumerate(results, start=1):
            runs += each.runs
            if each.problems:
                failed.append(each)
                line = f"seed {each.seed}: {each.problems[0]}; replay: {each.replay}"
                console.print(str(each) if options.logs else line, markup=False)
            if number % PROGRESS_WALKS == 0:
                console.print(f"{number} seeds, {runs:,} runs, {len(failed)} failed, {perf_counter() - began:.0f} s")
    summary = f"{options.seeds} walks lost nothing"
    if failed:
        summary = f"{len(failed)} of {options.seeds} walks FAILED, seeds {[each.seed for each in failed]}"
    figures = f"(seeds {seeds[0]} to {seeds[-1]}, {runs:,} runs, {perf_counter() - began:.0f} s)"
    console.print(f"lossless: {summary} {figures}", markup=False, soft_wrap=True)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
