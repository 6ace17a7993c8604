"""The whole job in its own process, killed at a failpoint, and the state after the next run.

prepare(folder)  ->  a home on its second day, and the same home after an undisturbed run
differences_after_death(folder, failpoint, skip)  ->  differences from that after a kill and one more run
"""

import os
import resource
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from shutil import copytree
from typing import Any

from orchestration.configuration.settings import ROOT
from resources.failpoints import die
from resources.sandbox.simulation.day import simulate_day
from tests.orchestration.conftest import Home, at_home
from tests.orchestration.expected_targets import target_customers, target_options

JOB = (
    "import sys; from orchestration.cli.run import run_job\n"
    "from resources import failpoints; from tests.orchestration import job_deaths\n"
    "strike = getattr(job_deaths, sys.argv[3])\n"
    "failpoints.arm(sys.argv[1], skip=int(sys.argv[2]), strike=strike)\n"
    "sys.exit(run_job('all'))"
)
# the systems' own ids and times, which differ between homes
OWN_FIELDS = {"id", "created", "updated", "option_id", "parent_id", "updated_at", "created_at"}
Records = dict[str, dict[str, Any]]


def records_by_key(home: Home) -> dict[str, Records]:
    """Return our records in both targets by key.

    Raises:
        AssertionError: A target has a key twice.
    """
    records = {
        "suiteprojects": [(row["externalid"], row) for row in target_customers(home.sandbox)],
        "precoro": [(row["external_id"], row) for row in target_options(home.sandbox)],
    }
    for system, rows in records.items():
        duplicates = [key for key, count in Counter(key for key, _ in rows).items() if count > 1]
        assert not duplicates, f"{system}: duplicate keys {duplicates}"
    return {
        system: {key: {name: row[name] for name in row if name not in OWN_FIELDS} for key, row in rows}
        for system, rows in records.items()
    }


def prepare(synced: Path, folder: Path) -> None:
    """Simulate a day in `folder/base`, and run the job undisturbed in `folder/reference`."""
    copytree(synced, folder / "base")
    with at_home(folder / "base") as home:
        simulate_day(home.sandbox, seed=5)
    copytree(folder / "base", folder / "reference")
    with at_home(folder / "reference") as home:
        assert home.run().success


def fill_disk() -> None:
    """Let no file of this process grow beyond what the smallest ones have, as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))


def differences_after_death(folder: Path, failpoint: str, skip: int, strike: Any = die) -> list[str]:
    """End the job at a failpoint, run it again, and compare; return an empty list if nothing differs.

    Args:
        folder: As `prepare` left it.
        failpoint: The failpoint.
        skip: How many times the job passes it before.
        strike: What happens there: `die`, or `fill_disk`, after which the job fails by itself.

    Raises:
        AssertionError: The job did not reach the failpoint.
    """
    mine = folder / f"{failpoint}-{skip}-{strike.__name__}"
    copytree(folder / "base", mine)
    with at_home(folder / "reference") as home:
        expected = records_by_key(home)
    with at_home(mine) as home:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        child = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", JOB, failpoint, str(skip), strike.__name__],
            env=environment, capture_output=True, check=False,
        )  # fmt: skip
        expected_code = -signal.SIGKILL if strike is die else 1
        output = child.stdout[-2000:] + child.stderr[-2000:]
        assert child.returncode == expected_code, f"{failpoint} after {skip}: {child.returncode}: {output.decode()}"
        records_by_key(home)
        succeeded = home.run().success
        return [*([] if succeeded else ["the next run failed"]), *_differences(home, expected)]


def _differences(home: Home, expected: dict[str, Records]) -> list[str]:
    found = records_by_key(home)
    differences = [f"{system} differs" for system in expected if found[system] != expected[system]]
    unfinished = home.warehouse.read(
        "select 1 from sync_attempts group by attempt_id having bool_and(state in ('intent', 'unknown'))"
    )
    sending = home.warehouse.read(
        "select state from (select state from sync_runs union all select state from sync_plans) where state = 'sending'"
    )
    differences += ["attempts without an outcome"] * bool(unfinished.height)
    differences += ["a run or plan is still sending"] * bool(sending.height)
    before = home.sandbox.suiteprojects.write_calls() + home.sandbox.precoro.write_calls()
    home.run()
    after = home.sandbox.suiteprojects.write_calls() + home.sandbox.precoro.write_calls()
    return [*differences, *(["one more run wrote records"] if after != before else [])]
