"""A home of its own for each test, and the code location over it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

from orchestration.definitions import definitions
from resources.sandbox.world import Sandbox
from resources.warehouse import Warehouse

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Home:
    """One operator's machine: a sandbox, a pond, and jobs to run on them through the code location."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sandbox = Sandbox(folder / "sandbox")
        self.warehouse = Warehouse(folder / "pond")

    def run(self, job: str = "all") -> dg.ExecuteInProcessResult:
        """Run one job of the code location, as the daemon would."""
        found = {each.name: each for each in definitions().resolve_all_job_defs()}[job]
        with dg.DagsterInstance.ephemeral() as instance:
            return found.execute_in_process(instance=instance, raise_on_error=False, run_config=QUIET)


@contextmanager
def at_home(folder: Path) -> Iterator[Home]:
    """Point the settings at a folder for a while."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLPOND_HOME", str(folder))
        patch.setenv("MILLPOND_MODE", "sandbox")
        patch.delenv("MILLPOND_WORKFLOWS", raising=False)
        yield Home(folder)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """An empty home."""
    with at_home(tmp_path) as made:
        yield made
