"""The real client against the sandbox."""

from collections.abc import Iterator

import pytest

from resources.sandbox.sandbox import Sandbox
from resources.suiteprojects.client import SuiteProjectsClient
from resources.suiteprojects.connect import open_suiteprojects


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[SuiteProjectsClient]:
    """Return a client signed in by password."""
    with open_suiteprojects(sandbox=str(sandbox.folder)) as opened:
        yield opened
