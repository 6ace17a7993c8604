"""The real client against the sandbox in its strictest mode: every rate limit on."""

from collections.abc import Iterator

import pytest

from resources.precoro.client import PrecoroClient
from resources.precoro.connect import open_precoro
from resources.sandbox.sandbox import Sandbox


@pytest.fixture
def precoro(sandbox: Sandbox) -> Iterator[PrecoroClient]:
    """Return a client of the sandbox's first company."""
    with open_precoro(sandbox=sandbox.folder) as client:
        yield client
