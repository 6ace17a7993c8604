"""The SQL files say the truth about themselves."""

import re

import duckdb
import pytest

from assets.netsuite.record_types import RECORD_TYPES
from assets.warehouse.staging import STAGING_ASSETS, column_comments
from sql import names, statement

CUSTOM_COLUMNS = re.compile(r"columns\('[^']*'\)")


@pytest.mark.parametrize("name", names("staging"))
def test_a_staging_header_reads_what_the_statement_reads(name: str) -> None:
    """Dependencies come from the header: a forgotten table would be read before it was written."""
    of = statement("staging", name)

    read = duckdb.connect().get_table_names(CUSTOM_COLUMNS.sub("id", of.text))

    assert read == set(of.reads)


@pytest.mark.parametrize("name", names("staging"))
def test_a_staging_table_reads_only_raw_tables_that_exist(name: str) -> None:
    """Renaming happens once, straight from the copies."""
    raw = {table for record_type in RECORD_TYPES.values() for table in record_type.raw_tables}

    assert set(statement("staging", name).reads) <= raw


def test_every_thing_has_its_statements_and_every_statement_its_thing() -> None:
    """A file that nothing reads would only look as if it did something."""
    staged = {f"stg_netsuite__{name}" for name in RECORD_TYPES} - {
        "stg_netsuite__customer_subsidiaries",
        "stg_netsuite__addresses",
        "stg_netsuite__contact_addresses",
    }

    assert set(names("extract")) == set(RECORD_TYPES)
    assert set(STAGING_ASSETS) == staged


@pytest.mark.parametrize("name", sorted(RECORD_TYPES))
def test_a_suiteql_file_keeps_to_the_dialect(name: str) -> None:
    """NetSuite has no ANSI joins beside Oracle's, reads every column for `*`, and shifts pages without an order."""
    of = statement("extract", name)
    record_type = RECORD_TYPES[name]

    assert "*" not in of.text
    assert " join " not in of.text
    assert of.text.endswith("asc")
    assert record_type.table == of.reads[0]
    assert {record_type.query.key, *record_type.required} <= set(record_type.query.names)
    assert not re.search(r"\bHH\b|HH:|HH12", of.text), "HH is the 12-hour clock"


@pytest.mark.parametrize("name", sorted(RECORD_TYPES))
def test_dates_leave_netsuite_only_as_iso_text(name: str) -> None:
    """A bare date column comes in the format that the integration user likes."""
    bare = [
        column.name
        for column in RECORD_TYPES[name].query.columns
        if re.search(r"date", column.name) and not column.expression.startswith("to_char(")
    ]

    assert bare == []


@pytest.mark.parametrize("name", ["stg_netsuite__customers", "stg_netsuite__projects", "stg_netsuite__contacts"])
def test_comments_are_read_from_the_sql_beside_the_columns(name: str) -> None:
    """Analysts read these texts in the warehouse and in the UI."""
    of = statement("staging", name)

    comments = column_comments(of, [*of.key, "is_inactive", "custentity_region"])

    assert comments == {
        of.key[0]: "NetSuite internal id; the key of this table",
        "is_inactive": "switched off in NetSuite",
        "custentity_region": "custom field; its type is NetSuite's, where that is told",
    }
