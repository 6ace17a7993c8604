"""Kill a first run at a failpoint: `python -m tests.assets.delivery.killed_first_runs FOLDER SYSTEM END`.

END is the failpoint; with `-full_disk`, no file can grow from there on.
"""

import sys
from pathlib import Path

from resources import failpoints
from tests.assets.delivery.builders import customer, project
from tests.assets.delivery.killed_runs import fill_disk, forked, opened
from tests.assets.delivery.run_workflow import WorkflowRunner

DEAD = "the run that died"


def stage(runner: WorkflowRunner) -> None:
    """Stage records of both levels."""
    runner.stage(customer("1"), customer("2"), below=(project("100"),))


def run_until(folder: Path, system: str, end: str) -> None:
    """Run until the end."""
    failpoint, _, full = end.partition("-")
    with opened(folder, system) as runner:
        stage(runner)
        failpoints.arm(failpoint, strike=fill_disk if full else failpoints.die)
        runner.plan(DEAD)
        runner.send(DEAD)


def main(folder: Path, system: str, end: str) -> None:
    """Check that the run ended as meant."""
    code, expected = forked(lambda: run_until(folder, system, end)), 1 if "-" in end else -9
    if code != expected:
        sys.exit(f"exit code {code} instead of {expected}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
