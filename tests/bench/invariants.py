"""Count random walks that keep the invariants: `python -m tests.bench.invariants --target precoro --seeds 300`.

`--target suiteprojects` walks through customers and projects; `--first 17 --seeds 1` reproduces one walk.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from tests.assets.delivery.walk import Walk
from tests.assets.delivery.walk_events import BrokenError
from tests.assets.delivery.walk_targets import WALK_TARGETS

MEMORY = Path("/dev/shm")  # noqa: S108 - a walk makes many small commits, which are faster in memory


def walks(system: str, first: int, seeds: int) -> int:
    """Run the walks, and return how many kept every invariant."""
    kept = 0
    for seed in range(first, first + seeds):
        with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
            try:
                Walk(Path(folder), seed, system).go()
                kept += 1
            except BrokenError as error:
                sys.stdout.write(f"seed {seed}: {error}\n")
    return kept


def main() -> None:
    """Count the walks and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", choices=list(WALK_TARGETS), action="append", help="default: all")
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args()
    failed = 0
    for system in arguments.target or WALK_TARGETS:
        began = perf_counter()
        kept = walks(system, arguments.first, arguments.seeds)
        failed += arguments.seeds - kept
        took = f"{perf_counter() - began:.0f} s"
        sys.stdout.write(f"{system}: {kept} of {arguments.seeds} seeds kept every invariant, {took}\n")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
