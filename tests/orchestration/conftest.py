"""A temporary home per test, and the code location on it."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copytree

import dagster as dg
import pytest
from filelock import FileLock

from orchestration.configuration.settings import ROOT
from orchestration.definitions import definitions
from resources.sandbox.generator.seed import seed
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse

CUSTOMERS = 60
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Home:
    """One installation: a sandbox, a warehouse, and the code location's jobs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sandbox = Sandbox(folder / "sandbox")
        self.warehouse = Warehouse(folder / "warehouse")

    def run(self, job: str = "all") -> dg.ExecuteInProcessResult:
        """Run one job as the daemon would."""
        found = definitions().resolve_job_def(job)
        with dg.DagsterInstance.ephemeral() as instance:
            return found.execute_in_process(instance=instance, raise_on_error=False, run_config=QUIET)

    def materialize(self, *assets: str) -> dg.ExecuteInProcessResult:
        """Materialize assets as an operator would in the UI."""
        job = definitions().resolve_implicit_global_asset_job_def()
        with dg.DagsterInstance.ephemeral() as instance:
            return job.execute_in_process(
                instance=instance,
                raise_on_error=False,
                run_config=QUIET,
                asset_selection=[dg.AssetKey(name) for name in assets],
            )


@contextmanager
def at_home(folder: Path) -> Iterator[Home]:
    """Use a folder as MILLPOND_HOME within the block."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLPOND_HOME", str(folder))
        patch.setenv("MILLPOND_MODE", "sandbox")
        patch.delenv("MILLPOND_WORKFLOWS", raising=False)
        yield Home(folder)


@contextmanager
def edited_workflows(folder: Path, groups: str | None = None, **edits: Callable[[str], str]) -> Iterator[Path]:
    """Use an edited copy of the shipped workflow files within the block."""
    copytree(ROOT / "orchestration" / "workflows", folder)
    if groups is not None:
        (folder / "groups.yaml").write_text(groups)
    for name, edit in edits.items():
        file = folder / name / "defs.yaml"
        before = file.read_text()
        file.write_text(edit(before))
        assert file.read_text() != before
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLPOND_WORKFLOWS", str(folder))
        yield folder


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """An empty home."""
    with at_home(tmp_path) as made:
        yield made


@pytest.fixture(scope="session")
def seeded_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with records in NetSuite; tests copy it, since copying is faster than filling."""
    folder = tmp_path_factory.mktemp("seeded") / "home"
    with at_home(folder) as made:
        seed(made.sandbox, customers=CUSTOMERS, seed=3)
    return folder


@pytest.fixture(scope="session")
def synced_home(seeded_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home after its first successful run, which all processes of the tests share."""
    common = tmp_path_factory.getbasetemp()
    common = common.parent if "PYTEST_XDIST_WORKER" in os.environ else common
    folder, made_by = common / "synced" / "home", common / "synced.done"
    with FileLock(common / "synced.lock"):
        if not made_by.exists():
            copytree(seeded_home, folder)
            with at_home(folder) as made:
                assert made.run("all").success
            made_by.touch()
    return folder


@pytest.fixture
def seeded(seeded_home: Path, tmp_path: Path) -> Iterator[Home]:
    """A copy of the home with records in NetSuite and no run."""
    copytree(seeded_home, tmp_path / "home")
    with at_home(tmp_path / "home") as made:
        yield made


@pytest.fixture
def synced(synced_home: Path, tmp_path: Path) -> Iterator[Home]:
    """A copy of the home after one successful run."""
    copytree(synced_home, tmp_path / "home")
    with at_home(tmp_path / "home") as made:
        yield made


@pytest.fixture
def browser() -> None:
    """Require Chromium; without it the test is skipped, and fails in CI."""
    if shutil.which("chromium") is None:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail("chromium is not installed")
        pytest.skip("chromium is not installed")
