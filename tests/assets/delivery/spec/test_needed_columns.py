"""The NetSuite columns that a workflow needs, derived from the SQL of the staging tables."""

from collections.abc import Mapping

import pytest

from assets.delivery.spec.needed_columns import needed_columns
from assets.delivery.spec.workflow import Workflow
from assets.delivery.spec.workflow_spec import WorkflowSpec


def needed(source: str, *rows: Mapping[str, object]) -> dict[str, set[str]]:
    """Return the columns that a workflow with these rows needs."""
    key = {"customers": "customer_id", "contacts": "contact_id", "projects": "project_id"}[source]
    fields = [{"field": "externalId", "from": key, "locked": True}, *({"field": "name"} | row for row in rows)]
    spec = WorkflowSpec.model_validate({"target": "precoro.Option", "source": source, "fields": fields})
    return needed_columns(Workflow("flow", spec))


@pytest.mark.parametrize(
    ("source", "column", "expected"),
    [
        ("customers", "email", {"customers": {"email"}}),
        ("customers", "company_name", {"customers": {"companyname"}}),
        ("customers", "cseg_brand", {"customers": {"cseg_brand"}}),
        ("customers", "custentity_region", {"customers": {"custentity_region"}}),
        ("customers", "address_line1", {"addresses": {"addr1"}}),
        ("customers", "shipping_city", {"addresses": {"city"}}),
        ("customers", "currency_code", {"currencies": {"symbol"}}),
        ("customers", "is_inactive", {"customers": {"isinactive"}}),
        ("contacts", "customer_id", {"contacts": {"company"}}),
        ("contacts", "email", {"contacts": {"email"}}),
        ("projects", "customer_id", {"projects": {"customer"}}),
        ("customers", "stage", {}),  # of two columns either is enough
        ("customers", "is_deleted", {}),  # not from a column of NetSuite
        ("customers", "customer_id", {}),  # the key
    ],
)
def test_a_staging_column_needs_the_only_column_that_it_comes_from(
    source: str, column: str, expected: dict[str, set[str]]
) -> None:
    """Renamed, cast, joined from another table, or a custom field of the same name."""
    assert needed(source, {"from": column}) == expected


def test_expressions_and_lookups_need_their_columns() -> None:
    """By the record type whose columns they are."""
    found = needed(
        "customers",
        {"sql": "coalesce(company_name, first_name)"},
        {
            "field": "code",
            "from": "cseg_brand",
            "lookup": {"table": "stg_netsuite__customlist_brand", "by": "record_id", "return": "record_name"},
        },
    )

    assert found["customers"] == {"companyname", "firstname", "cseg_brand"}
    assert found["customlist_brand"] == {"name"}


def test_rows_that_are_not_active_need_nothing() -> None:
    """They are not sent."""
    assert needed("customers", {"from": "email", "active": False}) == {}
