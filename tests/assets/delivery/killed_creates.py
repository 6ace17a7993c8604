"""Kill runs whose creates need a second call: `python -m tests.assets.delivery.killed_creates FOLDER KILLS…`.

Each of KILLS, such as `request_served:5,request_begins:0`, is a number of runs in a row, each killed at a failpoint.

FOLDER/base (sandbox and staged records)  ->  FOLDER/<kills>: the same after the last kill
"""

import shutil
import sys
from functools import partial
from pathlib import Path

from resources import failpoints
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.sandbox import Sandbox
from tests.assets.delivery.builders import customer, project
from tests.assets.delivery.killed_runs import forked, opened

# three levels, and two phases of one customer that share a name
RECORDS = (customer("1"), customer("2"))
BELOW = (
    project("100", project_name="Phase"),
    project("101", project_name="Phase"),
    project("200", customer_id="2", project_name="Phase"),
    project("300", parent_project_id="100", project_name="Part"),
)
OURS = {
    "1": ("Company 1", None),
    "2": ("Company 2", None),
    "100": ("Phase", "1"),
    "101": ("Phase", "1"),
    "200": ("Phase", "2"),
    "300": ("Part", "100"),
}


def run_until(folder: Path, failpoint: str, skip: int) -> None:
    """Run, as an account that ignores the external id of a create, and die at a failpoint."""
    with opened(folder, "precoro") as runner:
        runner.stage(*RECORDS, below=BELOW)
        failpoints.arm(failpoint, skip=skip)
        runner.run()
    failpoints.disarm()


def main(folder: Path, several: list[str]) -> None:
    """Kill the runs of each of KILLS in a copy of the base."""
    base = Sandbox(folder / "base" / "sandbox")  # open to the end: a file that is closed meanwhile cannot be copied
    base.switches.set("precoro", PrecoroSwitches, post_external_id="ignore")
    for kills in several:
        home = Path(shutil.copytree(folder / "base", folder / kills))
        for number, kill in enumerate(kills.split(",")):
            failpoint, _, skip = kill.partition(":")
            code = forked(partial(run_until, home, failpoint, int(skip)))
            (home / f"exit_code_{number}").write_text(str(code))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
