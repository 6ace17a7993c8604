"""The columns that a workflow's expressions read."""

from assets.delivery.spec.expressions import source_columns
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
