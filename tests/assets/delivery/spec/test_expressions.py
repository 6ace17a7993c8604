"""The columns that a workflow's expressions read."""

import pytest

from assets.delivery.errors import MappingError
from assets.delivery.spec.expressions import parse, source_columns
from tests.assets.delivery.builders import one_source


def test_source_columns_include_selection_and_parents() -> None:
    """The lineage and the custom fields of the extraction rely on it."""
    record = one_source(
        select={"where": "email is null", "require_flag": "custentity_export", "stages": {"lead": "skip"}},
        parent={"customers": "parent_customer_id"},
    ).records[0]

    assert source_columns(record, "flow") == [
        "company_name", "custentity_export", "customer_id", "email", "parent_customer_id", "stage",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "expression",
    [
        "max(email)",
        "count(*)",
        "coalesce(max(email), company_name)",
        "case when count(*) > 3 then company_name end",
        "row_number() over (order by customer_id)",
        "rank() over (order by customer_id)",
        "first(email)",
        "upper(first(email))",
        "array_length(array_agg(email))",
        "unnest(subsidiary_ids)",
    ],
)
def test_an_expression_over_several_records_is_an_error(expression: str) -> None:
    """It would have one value in a run of all records, and another one when only a few records are synced."""
    with pytest.raises(MappingError, match="one value, which depends on its own columns only"):
        parse(expression, "flow.customers.name")


@pytest.mark.parametrize("expression", ["current_date", "NOW()", "coalesce(modified_at, current_timestamp)"])
def test_an_expression_that_reads_the_clock_is_an_error(expression: str) -> None:
    """It would make every record differ in every run; `_today` is known to move."""
    with pytest.raises(MappingError, match="depends on the clock; use _today"):
        parse(expression)


@pytest.mark.parametrize(
    "expression",
    ["'now() and current_date'", "array_length(string_to_array(name, ' : '))", "null", "upper(name) || 'x'"],
)
def test_an_expression_over_one_record_is_accepted(expression: str) -> None:
    """Constants and quoted words are as well."""
    parse(expression)
