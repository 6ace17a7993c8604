"""An initial load that takes days: `python -m tests.assets.precoro.load_days FOLDER CUSTOMERS KILLS`.

One run per day, each in a separate process, until nothing is left; the runs named in KILLS (`1:request_served:700`) are
killed there and followed by another run. FOLDER/runs.json contains how each run ended.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from assets.precoro.target import OptionTarget
from resources import failpoints
from resources.precoro.connect import open_precoro
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.builders import customer, project
from tests.assets.delivery.killed_runs import forked
from tests.assets.delivery.run_workflow import WorkflowRunner

DAY_S = 86_400
MAX_RUNS = 12


def records(customers: int) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Return customers, and projects on two levels of every second one: 2.5 options per customer."""
    tops: list[Mapping[str, Any]] = [customer(str(number)) for number in range(1, customers + 1)]
    with_projects = range(2, customers + 1, 2)
    below: list[Mapping[str, Any]] = [
        project(str(100_000 + 2 * number), customer_id=str(number)) for number in with_projects
    ]
    below += [project(str(100_001 + 2 * number), customer_id=str(number)) for number in with_projects]
    phases = [
        project(str(200_000 + number), customer_id=str(number), parent_project_id=str(100_000 + 2 * number))
        for number in with_projects
    ]
    return tops, [*below, *phases]


def one_run(folder: Path, run_id: str, kill: Sequence[str]) -> None:
    """Plan and send; with `kill`, die at this failpoint after so many passes."""
    sandbox = Sandbox(folder / "sandbox")
    with open_precoro(sandbox=sandbox.folder) as client:
        runner = WorkflowRunner(Warehouse(folder / "warehouse"), OptionTarget(client, 5144), sandbox.clock)
        runner.plan(run_id)
        if kill:
            failpoints.arm(kill[0], skip=int(kill[1]))
        runner.send(run_id)


def stage(folder: Path, customers: int) -> None:
    """Stage the NetSuite records."""
    sandbox = Sandbox(folder / "sandbox")
    with open_precoro(sandbox=sandbox.folder) as client:
        tops, below = records(customers)
        runner = WorkflowRunner(Warehouse(folder / "warehouse"), OptionTarget(client, 5144), sandbox.clock)
        runner.stage(*tops, below=tuple(below))


def write_state(folder: Path, run_id: str) -> None:
    """Write the ledger's state of a run to a file; in a separate process, because the main one forks."""
    query = "select state from sync_runs where run_id = ?"
    (folder / "state").write_text(str(Warehouse(folder / "warehouse").read(query, [run_id])["state"][0]))


def main(folder: Path, customers: int, kills: Sequence[str]) -> None:
    """Run once a day until the load is finished."""
    forked(partial(stage, folder, customers))
    killed = {int(number): rest for number, *rest in (each.split(":") for each in kills)}
    clock, runs = Sandbox(folder / "sandbox").clock, []
    for number in range(MAX_RUNS):
        began = clock.now()
        code = forked(partial(one_run, folder, f"run {number}", killed.get(number, ())))
        forked(partial(write_state, folder, f"run {number}"))
        state = (folder / "state").read_text()
        runs.append({"began": began.timestamp(), "code": code, "state": state})
        if state == "finished":
            break
        if code == 0:  # the daily quota is exhausted: the schedule starts the next run a day later
            clock.sleep(DAY_S - (clock.now() - began).total_seconds())
    (folder / "runs.json").write_text(json.dumps(runs))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
