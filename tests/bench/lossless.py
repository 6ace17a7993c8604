"""Random walks through a NetSuite account, many of them: how many, and which ones lost something.

Usage: python -m tests.bench.lossless [--seeds 500] [--first 0] [--processes 2] [--short] [--stories]
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

from tests.assets.netsuite.extract.lossless_walk import Walked, walk

EVERY = 50  # walks between two lines


@contextmanager
def walked(seeds: range, processes: int, *, short: bool) -> Iterator[Iterator[Walked]]:
    """The walks of some seeds, in order."""
    go = partial(walk, short=short)
    if processes == 1:
        yield map(go, seeds)
        return
    with ProcessPoolExecutor(processes) as pool:
        yield pool.map(go, seeds, chunksize=4)


def main() -> None:
    """Walk and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=500)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--short", action="store_true", help="walks as `make test` has them")
    parser.add_argument("--stories", action="store_true", help="tell what happened in each walk that failed")
    asked = parser.parse_args()
    console, began, runs = Console(width=160), perf_counter(), 0
    failed: list[Walked] = []
    seeds, processes = range(asked.first, asked.first + asked.seeds), min(asked.processes, os.cpu_count() or 1)
    with walked(seeds, processes, short=asked.short) as walks:
        for number, each in enumerate(walks, start=1):
            runs += each.runs
            if each.problems:
                failed.append(each)
                told = str(each) if asked.stories else f"seed {each.seed}: {each.problems[0]}; again: {each.again}"
                console.print(told, markup=False)
            if number % EVERY == 0:
                console.print(f"{number} seeds, {runs:,} runs, {len(failed)} failed, {perf_counter() - began:.0f} s")
    wrong = [each.seed for each in failed]
    told = (
        f"{len(wrong)} of {asked.seeds} walks FAILED, seeds {wrong}" if failed else f"{asked.seeds} walks lost nothing"
    )
    where = f"(seeds {seeds[0]} to {seeds[-1]}, {runs:,} runs, {perf_counter() - began:.0f} s)"
    console.print(f"lossless: {told} {where}", markup=False, soft_wrap=True)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
