"""Let a run die while it sends: `python -m tests.assets.delivery.dying_run FOLDER BEFORE|AFTER`.

BEFORE: the intents are committed, nothing is sent. AFTER: the target applied the first write, no response was read.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from assets.delivery.target import SendResult, Write
from assets.precoro.target import OptionTarget
from resources.precoro.connect import open_precoro
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.run_workflow import WorkflowRunner


class DyingTarget(OptionTarget):
    """Ends the process while it sends."""

    applied = 0

    def send(self, batch: Sequence[Write]) -> SendResult:
        """Send some of the writes, then exit without cleanup."""
        super().send(batch[: self.applied])
        os._exit(9)


def main(folder: Path, moment: str) -> None:
    """Run the workflow that the test staged."""
    DyingTarget.applied = {"BEFORE": 0, "AFTER": 1}[moment]
    sandbox = Sandbox(folder / "sandbox")
    with open_precoro(sandbox=sandbox.folder) as client:
        runner = WorkflowRunner(Warehouse(folder / "warehouse"), DyingTarget(client, 5144), sandbox.clock)
        runner.plan("killed")
        runner.send("killed")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
