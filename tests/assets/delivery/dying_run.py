"""A run that dies while it sends: `python -m tests.assets.delivery.dying_run FOLDER BEFORE|AFTER`.

BEFORE: the intents are written, nothing is sent. AFTER: the target did the first record, nobody heard of it.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from assets.delivery.target import Sent, Write
from assets.precoro.target import OptionTarget
from resources.precoro.connect import open_precoro
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.run_workflow import Flow


class Dying(OptionTarget):
    """Takes the process with it."""

    records = 0

    def send(self, batch: Sequence[Write]) -> Sent:
        """Send as many as told, then end without a word."""
        super().send(batch[: self.records])
        os._exit(9)


def main(folder: Path, moment: str) -> None:
    """Run the workflow that the test staged."""
    Dying.records = {"BEFORE": 0, "AFTER": 1}[moment]
    world = Sandbox(folder / "sandbox")
    with open_precoro(sandbox=world.folder) as client:
        flow = Flow(Warehouse(folder / "warehouse"), Dying(client, 5144), world.clock)
        flow.plan("killed")
        flow.send("killed")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
