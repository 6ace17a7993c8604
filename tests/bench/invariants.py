"""Many random lives of the delivery engine: `python -m tests.bench.invariants --seeds 300 [--first 0]` counts them."""

import argparse
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from tests.assets.delivery.walk import BrokenError, Walk

MEMORY = Path("/dev/shm")  # noqa: S108 - a walk is all small commits; memory spares the disk


def lives(first: int, seeds: int) -> int:
    """Live them; how many kept every invariant."""
    kept = 0
    for seed in range(first, first + seeds):
        with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
            try:
                Walk(Path(folder), seed).live()
                kept += 1
            except BrokenError as error:
                sys.stdout.write(f"seed {seed}: {error}\n")
    return kept


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--first", type=int, default=0)
    asked = parser.parse_args()
    began = perf_counter()
    kept = lives(asked.first, asked.seeds)
    sys.stdout.write(f"{kept} of {asked.seeds} seeds kept every invariant, {perf_counter() - began:.0f} s\n")
    sys.exit(kept != asked.seeds)


if __name__ == "__main__":
    main()
