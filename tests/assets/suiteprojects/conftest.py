"""The adapter over the real client over the stand-in."""

from collections.abc import Iterator

import pytest

from assets.suiteprojects.target import SuiteProjectsTarget
from resources.sandbox.sandbox import Sandbox
from resources.suiteprojects.connect import open_suiteprojects
from resources.warehouse.warehouse import Warehouse
from tests.assets.suiteprojects.account import Account, shipped


@pytest.fixture
def customers(sandbox: Sandbox) -> Iterator[SuiteProjectsTarget]:
    """Customers."""
    with open_suiteprojects(sandbox=str(sandbox.folder)) as client:
        yield SuiteProjectsTarget(client, "Customer")


@pytest.fixture
def projects(sandbox: Sandbox) -> Iterator[SuiteProjectsTarget]:
    """Projects."""
    with open_suiteprojects(sandbox=str(sandbox.folder)) as client:
        yield SuiteProjectsTarget(client, "Project")


@pytest.fixture
def account(sandbox: Sandbox, warehouse: Warehouse) -> Iterator[Account]:
    """The workflows that are shipped switched on, over an empty NetSuite."""
    on = ("customer_department", "customers", "projects", "contacts")
    workflows = {each.name: each for each in (shipped(f"suiteprojects__{name}") for name in on)}
    with Account(sandbox, warehouse, workflows) as opened:
        yield opened
