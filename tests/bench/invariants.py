"""Many random lives of the delivery engine, counted: `python -m tests.bench.invariants --target precoro --seeds 300`.

--target suiteprojects lives with customers and projects; --first 17 --seeds 1 tells one life once more.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from tests.assets.delivery.walk import Walk
from tests.assets.delivery.walk_events import BrokenError
from tests.assets.delivery.walk_targets import SIDES

MEMORY = Path("/dev/shm")  # noqa: S108 - a walk is all small commits; memory spares the disk


def lives(system: str, first: int, seeds: int) -> int:
    """Live them; how many kept every invariant."""
    kept = 0
    for seed in range(first, first + seeds):
        with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
            try:
                Walk(Path(folder), seed, system).live()
                kept += 1
            except BrokenError as error:
                sys.stdout.write(f"seed {seed}: {error}\n")
    return kept


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", choices=list(SIDES), action="append", help="each of them when left out")
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--first", type=int, default=0)
    asked = parser.parse_args()
    failed = 0
    for system in asked.target or SIDES:
        began = perf_counter()
        kept = lives(system, asked.first, asked.seeds)
        failed += asked.seeds - kept
        took = f"{perf_counter() - began:.0f} s"
        sys.stdout.write(f"{system}: {kept} of {asked.seeds} seeds kept every invariant, {took}\n")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
