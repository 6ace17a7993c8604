"""The client, the target and a company of the sandbox in its strictest mode."""

from collections.abc import Iterator

import pytest

from assets.precoro.target import OptionTarget
from resources.precoro.client import PrecoroClient
from resources.precoro.connect import open_precoro
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse
from tests.assets.precoro.company import Company


@pytest.fixture
def precoro(sandbox: Sandbox) -> Iterator[PrecoroClient]:
    """Return a client of the sandbox's first company."""
    with open_precoro(sandbox=sandbox.folder) as client:
        yield client


@pytest.fixture
def target(precoro: PrecoroClient) -> OptionTarget:
    """Return the target of the field for customers and projects."""
    return OptionTarget(precoro, 5144)


@pytest.fixture
def company(precoro: PrecoroClient, sandbox: Sandbox, warehouse: Warehouse) -> Company:
    """Return one company with the shipped workflow."""
    return Company(warehouse, sandbox, precoro)
