"""A warehouse with a history to search and explain."""

from collections.abc import Iterator

import pytest

from assets.precoro.target import OptionTarget
from resources.precoro.connect import open_precoro
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.builders import customer, project
from tests.assets.delivery.run_workflow import WorkflowRunner


@pytest.fixture(scope="package")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkflowRunner]:
    """Deliver a renamed customer, its project, and another customer whose name is a number."""
    folder = tmp_path_factory.mktemp("delivered")
    sandbox, other = Sandbox(folder / "sandbox"), customer("7", company_name="100")
    with open_precoro(sandbox=sandbox.folder) as client:
        runner = WorkflowRunner(Warehouse(folder / "warehouse"), OptionTarget(client, 5144), sandbox.clock)
        runner.stage(customer("1", company_name="Acme"), other, below=(project("100"),)).run()
        runner.stage(customer("1", company_name="Acme 2"), other, below=(project("100"),)).run()
        yield runner


def target_id(runner: WorkflowRunner, source_id: str) -> str:
    """Return the target's id of a source record."""
    return str(
        runner.warehouse.read("select target_id from sync_links where source_id = ?", [source_id])["target_id"][0]
    )
