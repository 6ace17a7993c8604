"""A sealed ledger, made once; a test that changes it does so in a transaction."""

from collections.abc import Iterator

import duckdb
import pytest

from tests.assets.delivery.chain.ledger_chain import sealed_ledger


@pytest.fixture(scope="session")
def sealed() -> Iterator[duckdb.DuckDBPyConnection]:
    """The ledger."""
    with duckdb.connect() as opened:
        sealed_ledger(opened)
        yield opened


@pytest.fixture
def con(sealed: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """The ledger, as it was made for every test."""
    sealed.execute("begin")
    yield sealed
    sealed.execute("rollback")
