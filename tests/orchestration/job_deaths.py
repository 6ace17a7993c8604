"""The whole job in a process of its own, which dies at a failpoint; what the next run makes of what it left behind.

prepare(folder)  ->  a home on its second day, and the same home after an undisturbed run
outlived(folder, place, failpoint, skip)  ->  what differs from that after a death and one more run
"""

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from shutil import copytree
from typing import Any

from orchestration.settings import ROOT
from resources.sandbox.simulation.day import day
from tests.orchestration.conftest import Home, at_home
from tests.orchestration.expected_targets import held_customers, held_options

JOB = (
    "import sys; from rich.console import Console; from orchestration.cli.run import run_group\n"
    "from resources import failpoints; failpoints.arm(sys.argv[1], skip=int(sys.argv[2]))\n"
    "sys.exit(run_group('all', Console()))"
)
# what differs from home to home: the systems' own ids and times
OWN = {"id", "created", "updated", "option_id", "parent_id", "updated_at", "created_at"}
Held = dict[str, dict[str, Any]]


def held(home: Home) -> dict[str, Held]:
    """Everything of ours in both targets, by key.

    Raises:
        AssertionError: A key is there twice.
    """
    records = {
        "suiteprojects": [(row["externalid"], row) for row in held_customers(home.sandbox)],
        "precoro": [(row["external_id"], row) for row in held_options(home.sandbox)],
    }
    for system, rows in records.items():
        twice = [key for key, count in Counter(key for key, _ in rows).items() if count > 1]
        assert not twice, f"{system}: twice there: {twice}"
    return {
        system: {key: {name: row[name] for name in row if name not in OWN} for key, row in rows}
        for system, rows in records.items()
    }


def prepare(settled: Path, folder: Path) -> None:
    """Let a day go by in `folder/base`, and live through it undisturbed in `folder/reference`."""
    copytree(settled, folder / "base")
    with at_home(folder / "base") as home:
        day(home.sandbox, seed=5)
    copytree(folder / "base", folder / "reference")
    with at_home(folder / "reference") as home:
        assert home.run().success


def outlived(folder: Path, failpoint: str, skip: int) -> list[str]:
    """Die, run once more, and compare; an empty list when nothing is wrong.

    Raises:
        AssertionError: The job did not reach the place.
    """
    mine = folder / f"{failpoint}-{skip}"
    copytree(folder / "base", mine)
    with at_home(folder / "reference") as home:
        wanted = held(home)
    with at_home(mine) as home:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        child = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", JOB, failpoint, str(skip)],
            env=environment, capture_output=True, check=False,
        )  # fmt: skip
        assert child.returncode == -signal.SIGKILL, f"{failpoint} after {skip}: the job ended with {child.returncode}"
        held(home)
        succeeded = home.run().success
        return [*([] if succeeded else ["the next run failed"]), *_wrong(home, wanted)]


def _wrong(home: Home, wanted: dict[str, Held]) -> list[str]:
    found = held(home)
    wrong = [f"{system} differs" for system in wanted if found[system] != wanted[system]]
    ends = home.warehouse.read(
        "select 1 from sync_attempts group by attempt_id having bool_and(state in ('intent', 'unknown'))"
    )
    claims = home.warehouse.read(
        "select state from (select state from sync_runs union all select state from sync_plans) where state = 'sending'"
    )
    wrong += ["attempts without an end"] * bool(ends.height) + ["somebody claims to be sending"] * bool(claims.height)
    before = home.sandbox.suiteprojects.write_calls() + home.sandbox.precoro.write_calls()
    home.run()
    after = home.sandbox.suiteprojects.write_calls() + home.sandbox.precoro.write_calls()
    return [*wrong, *(["one more run wrote"] if after != before else [])]
