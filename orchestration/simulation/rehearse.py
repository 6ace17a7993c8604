"""Run simulations in folders of their own, which are deleted afterwards.

rehearse(options)  ->  Result
"""

import tempfile
from pathlib import Path

from orchestration.simulation.options import Options
from orchestration.simulation.result import Result
from orchestration.simulation.simulation import Simulation

MEMORY = Path("/dev/shm")  # noqa: S108 - many small commits, which are faster in memory


def rehearse(options: Options) -> Result:
    """Run one simulation in a temporary folder.

    Raises:
        WorkflowsError: The workflow files cannot be used.
        ValueError: The file of companies cannot be used.
    """
    with tempfile.TemporaryDirectory(prefix="millpond-simulation-", dir=MEMORY if MEMORY.is_dir() else None) as folder:
        return Simulation(options, Path(folder)).run()
