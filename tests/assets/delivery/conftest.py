"""One workflow in front of each of the two real targets, over the sandbox."""

from collections.abc import Iterator

import pytest

from assets.precoro.target import OptionTarget
from assets.suiteprojects.target import SuiteProjectsTarget
from resources.precoro.connect import open_precoro
from resources.sandbox.sandbox import Sandbox
from resources.suiteprojects.connect import open_suiteprojects
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.run_workflow import WorkflowRunner


@pytest.fixture
def precoro(sandbox: Sandbox, warehouse: Warehouse) -> Iterator[WorkflowRunner]:
    """Customers and projects as options of the sandbox's custom field."""
    with open_precoro(sandbox=sandbox.folder) as client:
        yield WorkflowRunner(warehouse, OptionTarget(client, 5144), sandbox.clock)


@pytest.fixture
def suiteprojects(sandbox: Sandbox, warehouse: Warehouse) -> Iterator[WorkflowRunner]:
    """Customers as SuiteProjects Pro customers."""
    with open_suiteprojects(sandbox=str(sandbox.folder)) as client:
        yield WorkflowRunner(warehouse, SuiteProjectsTarget(client, "Customer"), sandbox.clock)
