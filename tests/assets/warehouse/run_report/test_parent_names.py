"""A record that moves is shown with the names of both parents."""

import duckdb
import pytest

from assets.warehouse.run_report.parent_names import PARENT, with_parent_names
from resources.warehouse.tables import replace_table
from tests.assets.delivery.builders import customer, customers


@pytest.mark.parametrize(
    ("before", "after", "above", "expected"),
    [
        ("901", "902", "2", ("EMEA (901)", "Nordics (902)")),
        ("950", "902", "2", ("Made there (950)", "Nordics (902)")),  # no record of ours
        ("901", None, "3", ("EMEA (901)", "Baltics")),  # created by the same run
        ("901", None, None, ("EMEA (901)", None)),  # to the top
        ("999", "902", "2", ("999", "Nordics (902)")),  # unknown by now
    ],
)
def test_both_parents_are_named(
    before: str, after: str | None, above: str | None, expected: tuple[str, str | None]
) -> None:
    """By NetSuite's names, else by the target's; other fields stay as they are."""
    other = {"field": "name", "before": "901", "after": "902"}
    row = {
        "id": "7", "parent_source": "customers" if above else None, "parent_source_id": above,
        "changes": [{"field": PARENT, "before": before, "after": after}, other],
    }  # fmt: skip
    named = [customer(key, company_name=name) for key, name in (("1", "EMEA"), ("2", "Nordics"), ("3", "Baltics"))]
    with duckdb.connect() as con:
        replace_table(con, "stg_netsuite__customers", customers(*named))
        con.execute("create table sync_links (workflow varchar, source varchar, source_id varchar, target_id varchar)")
        con.execute(
            "insert into sync_links values ('flow', 'customers', '1', '901'), ('flow', 'customers', '2', '902')"
        )
        con.execute("create table target_flow (target_id varchar, name varchar)")
        con.execute("insert into target_flow values ('950', 'Made there'), ('901', 'Old name there')")

        (found,) = with_parent_names(con, "flow", [row])

    moved, kept = found["changes"]
    assert (moved["before"], moved["after"]) == expected
    assert kept == other
    assert found.keys() == {"id", "changes"}
