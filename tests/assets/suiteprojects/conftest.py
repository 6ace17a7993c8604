"""The adapter over the real client over the stand-in."""

from collections.abc import Iterator

import pytest

from assets.suiteprojects.target import SuiteProjectsTarget
from resources.sandbox.world import Sandbox
from resources.suiteprojects.connect import open_suiteprojects


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
