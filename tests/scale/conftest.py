"""PostgreSQL, Redis and an object store for this folder's tests; `make test-scale` installs their programs."""

from collections.abc import Iterator

import pytest

from tests.scale.services import Services, services


@pytest.fixture(scope="session")
def stores() -> Iterator[Services]:
    """Run all three for the whole session."""
    with services() as made:
        yield made
