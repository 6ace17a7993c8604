"""A first load that takes days: `python -m tests.assets.precoro.load_days FOLDER CUSTOMERS DEATHS`.

One run a day, each in a process of its own, until nothing is left; the runs named in DEATHS (`1:request_served:700`)
are killed there and started again. FOLDER/story.json tells how each run ended.
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
MOST_RUNS = 12


def records(customers: int) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Customers of whom every second has projects, and their projects: two levels, as many options as 2.5 customers."""
    tops: list[Mapping[str, Any]] = [customer(str(number)) for number in range(1, customers + 1)]
    having = range(2, customers + 1, 2)
    below: list[Mapping[str, Any]] = [project(str(100_000 + 2 * number), customer_id=str(number)) for number in having]
    below += [project(str(100_001 + 2 * number), customer_id=str(number)) for number in having]
    phases = [
        project(str(200_000 + number), customer_id=str(number), parent_project_id=str(100_000 + 2 * number))
        for number in having
    ]
    return tops, [*below, *phases]


def one_run(folder: Path, run_id: str, death: Sequence[str]) -> None:
    """Plan and send; die on the way when that is wanted."""
    world = Sandbox(folder / "sandbox")
    with open_precoro(sandbox=world.folder) as client:
        flow = WorkflowRunner(Warehouse(folder / "warehouse"), OptionTarget(client, 5144), world.clock)
        flow.plan(run_id)
        if death:
            failpoints.arm(death[0], skip=int(death[1]))
        flow.send(run_id)


def stage(folder: Path, customers: int) -> None:
    """What NetSuite has."""
    world = Sandbox(folder / "sandbox")
    with open_precoro(sandbox=world.folder) as client:
        tops, below = records(customers)
        flow = WorkflowRunner(Warehouse(folder / "warehouse"), OptionTarget(client, 5144), world.clock)
        flow.stage(*tops, below=tuple(below))


def tell_state(folder: Path, run_id: str) -> None:
    """How a run ended, as the ledger says it; asked in a process of its own, for this one forks."""
    query = "select state from sync_runs where run_id = ?"
    (folder / "state").write_text(str(Warehouse(folder / "warehouse").read(query, [run_id])["state"][0]))


def main(folder: Path, customers: int, deaths: Sequence[str]) -> None:
    """Run day after day."""
    forked(partial(stage, folder, customers))
    dying = {int(number): rest for number, *rest in (each.split(":") for each in deaths)}
    clock, story = Sandbox(folder / "sandbox").clock, []
    for number in range(MOST_RUNS):
        began = clock.now()
        code = forked(partial(one_run, folder, f"run {number}", dying.get(number, ())))
        forked(partial(tell_state, folder, f"run {number}"))
        state = (folder / "state").read_text()
        story.append({"began": began.timestamp(), "code": code, "state": state})
        if state == "finished":
            break
        if code == 0:  # the day's allowance is used up: the schedule starts the next run a day later
            clock.sleep(DAY_S - (clock.now() - began).total_seconds())
    (folder / "story.json").write_text(json.dumps(story))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
