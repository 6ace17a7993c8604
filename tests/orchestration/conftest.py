"""A home of its own for each test, and the code location over it."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copytree

import dagster as dg
import pytest

from orchestration.definitions import definitions
from orchestration.settings import ROOT
from resources.sandbox.generator.seed import seed
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse

CUSTOMERS = 60
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Home:
    """One operator's machine: a sandbox, a warehouse, and jobs to run on them through the code location."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sandbox = Sandbox(folder / "sandbox")
        self.warehouse = Warehouse(folder / "warehouse")

    def run(self, job: str = "all") -> dg.ExecuteInProcessResult:
        """Run one job of the code location, as the daemon would."""
        found = definitions().resolve_job_def(job)
        with dg.DagsterInstance.ephemeral() as instance:
            return found.execute_in_process(instance=instance, raise_on_error=False, run_config=QUIET)

    def materialize(self, *assets: str) -> dg.ExecuteInProcessResult:
        """Materialize some assets alone, as by hand in the UI."""
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
    """Point the settings at a folder for a while."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLPOND_HOME", str(folder))
        patch.setenv("MILLPOND_MODE", "sandbox")
        patch.delenv("MILLPOND_WORKFLOWS", raising=False)
        yield Home(folder)


@contextmanager
def edited_workflows(folder: Path, groups: str | None = None, **edits: Callable[[str], str]) -> Iterator[Path]:
    """The shipped workflow files with some of them edited, as an operator's own folder."""
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
    """A home whose NetSuite is filled; tests copy it, for filling and running cost more than copying."""
    folder = tmp_path_factory.mktemp("seeded") / "home"
    with at_home(folder) as made:
        seed(made.sandbox, customers=CUSTOMERS, seed=3)
    return folder


@pytest.fixture(scope="session")
def settled_home(seeded_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home after its first run."""
    folder = tmp_path_factory.mktemp("settled") / "home"
    copytree(seeded_home, folder)
    with at_home(folder) as made:
        assert made.run("all").success
    return folder


@pytest.fixture
def seeded(seeded_home: Path, tmp_path: Path) -> Iterator[Home]:
    """NetSuite is filled, nothing has run yet."""
    copytree(seeded_home, tmp_path / "home")
    with at_home(tmp_path / "home") as made:
        yield made


@pytest.fixture
def settled(settled_home: Path, tmp_path: Path) -> Iterator[Home]:
    """One run went well."""
    copytree(settled_home, tmp_path / "home")
    with at_home(tmp_path / "home") as made:
        yield made


@pytest.fixture
def browser() -> None:
    """A browser; in the pipeline its absence is a failure, for a page that nobody looked at proves nothing."""
    if shutil.which("chromium") is None:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail("there is no chromium: the pages were not looked at")
        pytest.skip("there is no chromium: the pages were not looked at")
