"""The headers, names and texts of the SQL files are consistent."""

import re

import duckdb
import pytest

from assets.netsuite.record_types import RECORD_TYPES
from assets.warehouse.staging import column_comments
from sql import FOLDER, names, statement

CUSTOM_COLUMNS = re.compile(r"columns\('[^']*'\)")
# plural and singular in our names, and NetSuite's words where they differ
HIERARCHIES = (
    ("departments", "department"),
    ("classifications (classes)", "classification"),
    ("locations", "location"),
)


@pytest.mark.parametrize("name", names("staging"))
def test_a_staging_header_lists_the_tables_that_the_statement_reads(name: str) -> None:
    """Dependencies come from the header: a missing table would be read before it is written."""
    definition = statement("staging", name)

    read = duckdb.connect().get_table_names(CUSTOM_COLUMNS.sub("id", definition.text))

    assert read == set(definition.reads)


@pytest.mark.parametrize("name", names("staging"))
def test_a_staging_table_reads_only_raw_tables(name: str) -> None:
    """Renaming happens once, directly from the raw tables."""
    raw = {table for record_type in RECORD_TYPES.values() for table in record_type.raw_tables}

    assert set(statement("staging", name).reads) <= raw


def test_record_types_and_sql_files_match() -> None:
    """An unused file would look as if it had an effect."""
    staged = {f"stg_netsuite__{name}" for name in RECORD_TYPES} - {
        "stg_netsuite__customer_subsidiaries",
        "stg_netsuite__addresses",
        "stg_netsuite__contact_addresses",
    }

    assert set(names("extract")) == set(RECORD_TYPES)
    assert set(names("staging")) == staged


@pytest.mark.parametrize("layer", ["extract", "staging", "history"])
def test_the_files_of_departments_classes_and_locations_differ_only_in_names(layer: str) -> None:
    """A fix to one of these copies must reach the others."""
    prefix = {"extract": "", "staging": "stg_netsuite__", "history": "hist_netsuite__"}[layer]
    texts = set()
    for nouns, noun in HIERARCHIES:
        text = (FOLDER / layer / f"{prefix}{noun}s.sql").read_text()
        texts.add(text.replace(f"NetSuite {nouns}", "NetSuite names").replace(noun, "name_"))

    assert len(texts) == 1


@pytest.mark.parametrize("name", sorted(RECORD_TYPES))
def test_a_suiteql_file_uses_only_supported_syntax(name: str) -> None:
    """No ANSI joins beside Oracle's, no `*`, which reads every column, and an order, without which pages shift."""
    definition = statement("extract", name)
    record_type = RECORD_TYPES[name]

    assert "*" not in definition.text
    assert " join " not in definition.text
    assert definition.text.endswith("asc")
    assert record_type.table == definition.reads[0]
    assert {record_type.query.key, *record_type.required} <= set(record_type.query.names)
    assert not re.search(r"\bHH\b|HH:|HH12", definition.text), "HH is the 12-hour clock"


@pytest.mark.parametrize("name", sorted(RECORD_TYPES))
def test_dates_are_extracted_as_iso_text(name: str) -> None:
    """A bare date column arrives in the integration user's preferred format."""
    bare = [
        column.name
        for column in RECORD_TYPES[name].query.columns
        if re.search(r"date", column.name) and not column.expression.startswith("to_char(")
    ]

    assert bare == []


@pytest.mark.parametrize("name", ["stg_netsuite__customers", "stg_netsuite__projects", "stg_netsuite__contacts"])
def test_column_comments_are_read_from_the_sql(name: str) -> None:
    """Analysts read these texts in the warehouse and in the UI."""
    definition = statement("staging", name)

    comments = column_comments(definition, [*definition.key, "is_inactive", "custentity_region"])

    assert comments == {
        definition.key[0]: "NetSuite internal id; the key of this table",
        "is_inactive": "inactive in NetSuite; null if not shown",
        "custentity_region": "custom field, with NetSuite's type if known",
    }
