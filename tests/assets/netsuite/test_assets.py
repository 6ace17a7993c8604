"""The raw layer as Dagster runs it."""

from collections.abc import Sequence

import dagster as dg
import pytest

from assets.failures import dagster_failure
from assets.netsuite.assets import raw_specs
from assets.netsuite.record_types import RECORD_TYPES, record_type_of
from resources.errors import ContractError, CredentialsError, RateLimitedError, TransientError
from tests.assets.netsuite.conftest import NetSuiteAccount
from tests.assets.warehouse.materialized import materialize


def materialize_types(account: NetSuiteAccount, record_types: Sequence[str]) -> dg.ExecuteInProcessResult:
    """Materialize the raw tables of record types, and nothing else."""
    tables = [table for each in record_types for table in record_type_of(each).raw_tables]
    return materialize(account.warehouse, account.client, tables, account.settings)


def test_each_table_is_one_asset_with_owner_group_and_description() -> None:
    """An operator sees them before the first run."""
    specs = {spec.key.to_user_string(): spec for spec in raw_specs(RECORD_TYPES)}

    assert set(specs) == {table for record_type in RECORD_TYPES.values() for table in record_type.raw_tables}
    for spec in specs.values():
        assert (spec.group_name, spec.owners) == ("netsuite", ["team:integrations"])
        assert spec.kinds == {"netsuite", "duckdb"}
        assert spec.description


def test_a_run_reports_counts_columns_and_warnings(account: NetSuiteAccount) -> None:
    """Operators read counts in the metadata."""
    account.customers(1, 2)
    account.customers(3, stage="Lead")
    account.switch(hidden_columns=["customer.fax"])

    result = materialize_types(account, ["customers"])

    reported = {
        event.asset_key.to_user_string(): event.materialization.metadata
        for event in result.get_asset_materialization_events()
        if event.asset_key
    }
    assert {name: metadata["dagster/row_count"].value for name, metadata in reported.items()} == {
        "raw_netsuite__customers": 2,
        "raw_netsuite__leads": 1,
        "raw_netsuite__prospects": 0,
    }
    metadata = reported["raw_netsuite__customers"]
    assert (metadata["inserted"].value, metadata["mode"].value) == (3, "full")
    assert metadata["warnings"].value == ["column customer.fax does not exist in NetSuite; skipped"]
    schema = metadata["dagster/column_schema"].value
    assert isinstance(schema, dg.TableSchema)
    columns = {column.name: column.description for column in schema.columns}
    assert columns["externalid"] == "external id, set by another system"
    assert columns["_deleted_at"]


@pytest.mark.parametrize(
    ("error", "is_retried"),
    [
        (TransientError("netsuite", "query", "HTTP 503"), True),
        (RateLimitedError("netsuite", "query", "HTTP 429"), True),
        (ContractError("netsuite", "query", "short"), False),
        (CredentialsError("netsuite", "sign in", "HTTP 401"), False),
    ],
)
def test_only_transient_errors_are_retried(error: Exception, *, is_retried: bool) -> None:
    """Three attempts with a wrong key lock the user."""
    with pytest.raises(dg.Failure) as raised, dagster_failure():
        raise error

    assert raised.value.allow_retries is is_retried
    assert raised.value.description == str(error)


def test_raw_columns_have_comments(account: NetSuiteAccount) -> None:
    """Analysts read them in the warehouse."""
    account.custom_columns("custentity_region")
    account.extract()

    comments = dict(
        account.warehouse.read(
            "select column_name, comment from duckdb_columns() where table_name = 'raw_netsuite__leads'"
        ).rows()
    )

    assert comments["searchstage"] == "Lead, Prospect or Customer"
    assert comments["custentity_region"] == "custom field as NetSuite sends it"
