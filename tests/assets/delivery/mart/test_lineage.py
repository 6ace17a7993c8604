"""The lineage is derived from the mapping."""

from assets.delivery.mart.lineage import column_lineage
from tests.assets.delivery.builders import one_source, option_tree


def test_every_column_of_an_expression_is_a_row() -> None:
    """The lineage is never maintained manually, so it cannot be out of date."""
    fields = [
        {"field": "name", "sql": "coalesce(company_name, upper(email), company_name)"},
        {"field": "externalId", "from": "customer_id"},
        {"field": "enable", "value": True},
        {"field": "type", "from": "stage", "values": {"customer": "C"}},
    ]
    spec = one_source(fields=fields)

    lineage = column_lineage(spec, "flow")

    assert lineage.select("target_field", "source_column", "expression").rows() == [
        ("name", "company_name", "sql: coalesce(company_name, upper(email), company_name)"),
        ("name", "email", "sql: coalesce(company_name, upper(email), company_name)"),
        ("externalId", "customer_id", "from: customer_id"),
        ("enable", None, "value: 1"),
        ("type", "stage", "from: stage"),
    ]
    assert set(lineage.select("workflow", "target", "source_table", "workflow_version").rows()) == {
        ("flow", "precoro.Option", "stg_netsuite__customers", spec.version)
    }


def test_each_source_has_its_own_rows() -> None:
    """Two tables may map to one field."""
    lineage = column_lineage(option_tree(), "flow").filter(target_field="name")

    assert lineage.select("source_table", "source_column").rows() == [
        ("stg_netsuite__customers", "company_name"),
        ("stg_netsuite__projects", "project_name"),
    ]


def test_a_row_that_is_switched_off_has_no_lineage() -> None:
    """It has no effect."""
    fields = [{"field": "a", "from": "email"}, {"field": "b", "from": "stage", "active": False}]

    assert column_lineage(one_source(fields=fields), "flow")["target_field"].to_list() == ["a"]
