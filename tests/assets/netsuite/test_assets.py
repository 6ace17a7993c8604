"""The raw layer as Dagster runs it."""

from collections.abc import Sequence

import dagster as dg
import pytest

from assets.failures import dagster_failure
from assets.netsuite.assets import RAW_ASSETS
from assets.netsuite.record_types import RECORD_TYPES
from resources.errors import ContractError, CredentialsError, RateLimitedError, TransientError
from tests.assets.netsuite.conftest import NetSuiteAccount


def materialize(
    account: NetSuiteAccount, record_types: Sequence[str], *, raise_on_error: bool = True
) -> dg.ExecuteInProcessResult:
    """Materialize raw assets with plain objects as resources."""
    resources = {"warehouse": account.warehouse, "netsuite": account.client, "extraction": account.settings}
    return dg.materialize(
        [RAW_ASSETS[each] for each in record_types], resources=resources, raise_on_error=raise_on_error
    )


def test_each_table_is_one_asset_with_owner_group_and_description() -> None:
    """An operator sees them before the first run."""
    specs = {spec.key.to_user_string(): spec for asset in RAW_ASSETS.values() for spec in asset.specs}

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

    result = materialize(account, ["customers"])

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


def test_a_missing_table_does_not_stop_the_others(account: NetSuiteAccount) -> None:
    """The run fails, so that an operator notices; the other tables are loaded."""
    account.switch(hidden_tables=["subsidiary"])
    account.customers(1)

    result = materialize(account, ["subsidiaries", "customers", "currencies"], raise_on_error=False)

    assert not result.success
    assert result.get_step_success_events()
    assert account.live("customers") == {"1"}
    failure = result.failure_data_for_node("raw_netsuite__subsidiaries")
    assert failure is not None
    assert failure.error is not None
    assert "give the role the permission 'Subsidiaries'" in failure.error.to_string()


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
