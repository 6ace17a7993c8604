"""PostgreSQL, Redis and an object store for the tests of this folder; `make test-scale` brings what they need."""

from collections.abc import Iterator

import pytest

from tests.scale.services import Services, services


@pytest.fixture(scope="session")
def stores() -> Iterator[Services]:
    """All three, for all tests."""
    with services() as made:
        yield made
