"""The raw layer as Dagster runs it."""

from typing import Any

import dagster as dg
import pytest

from assets.failures import dagster_failure
from assets.netsuite.assets import RAW_ASSETS
from assets.netsuite.record_types import RECORD_TYPES
from resources.errors import ContractError, CredentialsError, RateLimitedError, TransientError


def materialize(play: Any, *record_types: str, raise_on_error: bool = True) -> dg.ExecuteInProcessResult:
    """Run some raw assets with plain objects as resources."""
    resources = {"warehouse": play.warehouse, "netsuite": play.client, "extraction": play.settings}
    return dg.materialize(
        [RAW_ASSETS[each] for each in record_types], resources=resources, raise_on_error=raise_on_error
    )


def test_every_table_is_one_asset_with_owner_group_and_description() -> None:
    """What an operator sees before anything has run."""
    specs = {spec.key.to_user_string(): spec for asset in RAW_ASSETS.values() for spec in asset.specs}

    assert set(specs) == {table for record_type in RECORD_TYPES.values() for table in record_type.raw_tables}
    for spec in specs.values():
        assert (spec.group_name, spec.owners) == ("netsuite", ["team:integrations"])
        assert spec.kinds == {"netsuite", "duckdb"}
        assert spec.description


def test_a_run_tells_counts_columns_and_calls(play: Any) -> None:
    """Counts go to metadata: that is where an operator looks."""
    play.customers(1, 2)
    play.customers(3, stage="Lead")
    play.switch(hidden_columns=["customer.fax"])

    result = materialize(play, "customers")

    told = {
        event.asset_key.to_user_string(): event.materialization.metadata
        for event in result.get_asset_materialization_events()
        if event.asset_key
    }
    assert {name: metadata["dagster/row_count"].value for name, metadata in told.items()} == {
        "raw_netsuite__customers": 2,
        "raw_netsuite__leads": 1,
        "raw_netsuite__prospects": 0,
    }
    metadata = told["raw_netsuite__customers"]
    assert (metadata["inserted"].value, metadata["mode"].value) == (3, "full")
    assert metadata["warnings"].value == ["column customer.fax is unknown to NetSuite and was left out"]
    columns = {column.name: column.description for column in metadata["dagster/column_schema"].value.columns}
    assert columns["externalid"] == "key given by another system"
    assert columns["_deleted_at"]


def test_a_table_that_is_missing_does_not_stop_the_others(play: Any) -> None:
    """The run fails, so that somebody looks; what could be read is there."""
    play.switch(hidden_tables=["subsidiary"])
    play.customers(1)

    result = materialize(play, "subsidiaries", "customers", "currencies", raise_on_error=False)

    assert not result.success
    assert result.get_step_success_events()
    assert play.live("customers") == {"1"}
    failure = result.failure_data_for_node("raw_netsuite__subsidiaries")
    assert failure is not None
    assert failure.error is not None
    assert "give the role the permission 'Subsidiaries'" in failure.error.to_string()


@pytest.mark.parametrize(
    ("error", "retried"),
    [
        (TransientError("netsuite", "query", "HTTP 503"), True),
        (RateLimitedError("netsuite", "query", "HTTP 429"), True),
        (ContractError("netsuite", "query", "short"), False),
        (CredentialsError("netsuite", "sign in", "HTTP 401"), False),
    ],
)
def test_only_what_may_pass_is_retried(error: Exception, retried: bool) -> None:  # noqa: FBT001
    """A wrong key tried again three times is a locked user."""
    with pytest.raises(dg.Failure) as raised, dagster_failure():
        raise error

    assert raised.value.allow_retries is retried
    assert raised.value.description == str(error)


def test_pond_comments_tell_what_a_column_is(play: Any) -> None:
    """Analysts read them where the data is."""
    play.settings = play.settings.with_columns("customers", ["custentity_region"])
    play.extract()

    comments = dict(
        play.warehouse.read(
            "select column_name, comment from duckdb_columns() where table_name = 'raw_netsuite__leads'"
        ).rows()
    )

    assert comments["searchstage"] == "Lead, Prospect or Customer"
    assert comments["custentity_region"] == "custom field as NetSuite sends it"
