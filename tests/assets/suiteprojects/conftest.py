"""Targets with the real client and the sandbox."""

from collections.abc import Iterator

import pytest

from assets.suiteprojects.target import SuiteProjectsTarget
from resources.sandbox.sandbox import Sandbox
from resources.suiteprojects.connect import open_suiteprojects
from resources.warehouse.warehouse import Warehouse
from tests.assets.suiteprojects.account import Account, shipped


@pytest.fixture
def customers(sandbox: Sandbox) -> Iterator[SuiteProjectsTarget]:
    """Return the customers of the sandbox's account."""
    with open_suiteprojects(sandbox=str(sandbox.folder)) as client:
        yield SuiteProjectsTarget(client, "Customer")


@pytest.fixture
def projects(sandbox: Sandbox) -> Iterator[SuiteProjectsTarget]:
    """Return the projects of the sandbox's account."""
    with open_suiteprojects(sandbox=str(sandbox.folder)) as client:
        yield SuiteProjectsTarget(client, "Project")


@pytest.fixture
def account(sandbox: Sandbox, warehouse: Warehouse) -> Iterator[Account]:
    """Return an account with the workflows that are shipped as active, and an empty NetSuite."""
    active = ("customer_department", "customers", "projects", "contacts")
    workflows = {each.name: each for each in (shipped(f"suiteprojects__{name}") for name in active)}
    with Account(sandbox, warehouse, workflows) as account:
        yield account
