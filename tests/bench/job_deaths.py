"""The whole job, killed at every failpoint and followed by one run each: `python -m tests.bench.job_deaths`.

With `--full-disk` the process is not killed: from that point on none of its files can grow.
"""

import sys
import tempfile
from pathlib import Path
from time import perf_counter

from resources import failpoints
from resources.sandbox.generator.seed import seed
from tests.orchestration.conftest import CUSTOMERS, at_home
from tests.orchestration.job_deaths import differences_after_death, fill_disk, prepare

# how often a failpoint is passed first: requests go to three systems, and two workflows send in batches
SKIPS = {"request_begins": (0, 25, 50, 60, 70), "request_served": (0, 25, 50, 60, 70), "intents_kept": (0, 1, 2)}


def main() -> None:
    """Kill, run, compare and count."""
    began, failed, total = perf_counter(), 0, 0
    strike = fill_disk if "--full-disk" in sys.argv[1:] else failpoints.die
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with at_home(folder / "synced") as home:
            seed(home.sandbox, customers=CUSTOMERS, seed=3)
            assert home.run().success
        prepare(folder / "synced", folder)
        for failpoint in failpoints.FAILPOINTS:
            for skip in SKIPS.get(failpoint, (0,)):
                try:
                    differences = differences_after_death(folder, failpoint, skip, strike)
                except AssertionError as error:
                    differences = [str(error)]
                total, failed = total + 1, failed + bool(differences)
                sys.stdout.write(f"{failpoint} after {skip}: {'; '.join(differences) or 'recovered'}\n")
                sys.stdout.flush()
    sys.stdout.write(f"{total - failed} of {total} ends recovered by the next run, {perf_counter() - began:.0f} s\n")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
