"""The real job killed at every failpoint, each time followed by one run: `python -m tests.bench.job_deaths`."""

import sys
import tempfile
from pathlib import Path
from time import perf_counter

from resources import failpoints
from resources.sandbox.generator.seed import seed
from tests.orchestration.conftest import CUSTOMERS, at_home
from tests.orchestration.job_deaths import outlived, prepare

# how often a place is passed before: requests go to three systems, and two workflows send in batches
SKIPS = {"request_begins": (0, 25, 50, 60, 70), "request_served": (0, 25, 50, 60, 70), "intents_kept": (0, 1, 2)}


def main() -> None:
    """Die, mend, count."""
    began, wrong, lived = perf_counter(), 0, 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with at_home(folder / "settled") as home:
            seed(home.sandbox, customers=CUSTOMERS, seed=3)
            assert home.run().success
        prepare(folder / "settled", folder)
        for failpoint in failpoints.FAILPOINTS:
            for skip in SKIPS.get(failpoint, (0,)):
                try:
                    found = outlived(folder, failpoint, skip)
                except AssertionError as error:
                    found = [str(error)]
                lived, wrong = lived + 1, wrong + bool(found)
                sys.stdout.write(f"{failpoint} after {skip}: {'; '.join(found) or 'mended'}\n")
                sys.stdout.flush()
    sys.stdout.write(f"{lived - wrong} of {lived} deaths mended by the next run, {perf_counter() - began:.0f} s\n")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
