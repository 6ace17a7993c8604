"""Source records become target records: canonical values, value checks, and fingerprints."""

import os
import subprocess
import sys
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.delivery.errors import MappingError
from tests.assets.delivery.builders import (
    CUSTOMER_SCHEMA,
    customer,
    customers,
    mart_of,
    one_source,
    option_tree,
    project,
    projects,
)

KEY_ROW = {"field": "externalId", "from": "customer_id"}


def customer_mart(row: dict[str, Any], *sources: dict[str, Any], **changes: Any) -> pl.DataFrame:
    """Return the mart of a workflow with the key and one more row, `x`."""
    spec = one_source(fields=[KEY_ROW, {"field": "x", **row}], **changes)
    return mart_of(spec, customers=customers(*(sources or [customer()])))


def outcomes(mart: pl.DataFrame) -> list[tuple[str, str | None]]:
    """Return the disposition and reason code of each row."""
    return list(zip(mart["disposition"], mart["reason_code"], strict=True))


@pytest.mark.parametrize(
    ("row", "source", "expected"),
    [
        ({"from": "company_name"}, {"company_name": "Acme"}, "Acme"),
        ({"sql": "company_name || ' (' || customer_id || ')'"}, {"company_name": "Acme"}, "Acme (1)"),
        ({"sql": "coalesce(email, company_name)"}, {"company_name": "Acme"}, "Acme"),
        ({"value": "From NetSuite"}, {}, "From NetSuite"),
        ({"from": "stage", "values": {"customer": "C", "lead": "L"}}, {}, "C"),
        ({"sql": "upper(stage)", "values": {"CUSTOMER": "C"}}, {}, "C"),
        ({"from": "stage", "values": {"lead": "L"}, "on_unmapped": "keep"}, {}, "customer"),
        ({"from": "stage", "values": {"lead": "L"}, "on_unmapped": "blank"}, {}, None),
        ({"from": "stage", "values": {"customer": ""}}, {}, None),
        ({"from": "email", "values": {"a": "b"}}, {"email": None}, None),
        ({"from": "email", "values": {"a": "b"}}, {"email": " "}, None),
        ({"from": "email"}, {"email": ""}, None),
        ({"from": "email"}, {"email": " \t"}, None),
        ({"from": "email"}, {"email": " a "}, " a "),
        ({"value": ""}, {}, None),
        ({"from": "is_person"}, {"is_person": True}, "1"),
        ({"from": "is_person"}, {"is_person": False}, "0"),
        ({"sql": "is_inactive = false"}, {}, "1"),
        ({"from": "is_person", "values": {True: "person", False: "company"}}, {"is_person": True}, "person"),
        ({"from": "is_person", "values": {True: "yes"}, "on_unmapped": "keep"}, {"is_person": False}, "0"),
        ({"from": "company_name"}, {"company_name": "true"}, "true"),
        ({"sql": "1.5"}, {}, "1.5"),
        ({"sql": "cast(modified_at as date)"}, {}, "2026-11-01"),
    ],
)
def test_a_row_yields_canonical_text(row: dict[str, Any], source: dict[str, Any], expected: str | None) -> None:
    """Two states compare with `==` only if blanks, booleans and dates are always written the same way."""
    mart = customer_mart(row, customer(**source))

    assert mart["x"].to_list() == [expected]
    assert mart.schema["x"] == pl.String
    assert outcomes(mart) == [("deliver", None)]


def test_a_value_missing_from_the_value_list_is_quarantined() -> None:
    """`error` is the default: a guess would be a wrong value in the target."""
    mart = customer_mart({"from": "stage", "values": {"lead": "L"}})

    assert outcomes(mart) == [("quarantine", "value_not_in_list")]
    assert mart["reason"][0] == "x: 'customer' is not in the value list"


def test_a_value_that_is_too_long_is_quarantined() -> None:
    """Limits count characters, not bytes; nothing is ever truncated."""
    rows = [customer("1", company_name="é" * 5), customer("2", company_name="e" * 6)]

    mart = customer_mart({"from": "company_name", "max_length": 5}, *rows)

    assert outcomes(mart) == [("deliver", None), ("quarantine", "too_long")]
    assert mart["x"].to_list() == ["ééééé", "eeeeee"]


@pytest.mark.parametrize("mark", ["required", "locked"])
def test_a_blank_required_value_is_quarantined(mark: str) -> None:
    """A locked row is always required."""
    mart = customer_mart({"from": "email", mark: True}, customer("1", email=" "), customer("2", email="a@b.c"))

    assert outcomes(mart) == [("quarantine", "required_blank"), ("deliver", None)]


TYPED = [
    pytest.param(pl.Series([True, False, None]), ["1", "0", None], id="check box"),
    pytest.param(pl.Series([42, -7, None]), ["42", "-7", None], id="integer"),
    pytest.param(pl.Series([42.0, 1.5, None]), ["42", "1.5", None], id="number"),
    pytest.param(pl.Series([date(2027, 4, 3), None]), ["2027-04-03", None], id="date"),
    pytest.param(pl.Series([datetime(2027, 4, 3, 23, 30)]), ["2027-04-03 23:30:00"], id="time"),  # noqa: DTZ001 - naive UTC
    pytest.param(pl.Series([["1", "3", "4"], ["2"], [], None]), ["1, 3, 4", "2", None, None], id="multi-select"),
]


@pytest.mark.parametrize(("values", "expected"), TYPED)
def test_typed_custom_fields_become_canonical_text(values: pl.Series, expected: list[str | None]) -> None:
    """Custom fields are typed where NetSuite describes them; the comparison with the target is by text anyway."""
    table = customers(*(customer(str(number)) for number in range(len(values)))).with_columns(custentity_export=values)
    spec = one_source(fields=[KEY_ROW, {"field": "x", "from": "custentity_export"}])

    mart = mart_of(spec, customers=table)

    assert mart["x"].to_list() == expected
    assert mart["source_hash"].n_unique() >= len(values.unique())


@pytest.mark.parametrize(
    "checked", [pl.Series(["T", "F", None]), pl.Series([True, False, None])], ids=["text", "typed"]
)
def test_a_check_box_means_the_same_as_text_and_as_a_boolean(checked: pl.Series) -> None:
    """NetSuite's role decides whether it is typed; the workflow file is the same."""
    table = customers(customer("1"), customer("2"), customer("3")).with_columns(custentity_export=checked)
    row = {"field": "x", "from": "custentity_export", "values": {"T": "yes", "F": "no"}, "on_unmapped": "error"}

    listed = mart_of(one_source(fields=[KEY_ROW, row]), customers=table)
    selected = mart_of(one_source(select={"require_flag": "custentity_export"}), customers=table)

    assert listed["x"].to_list() == ["yes", "no", None]
    assert listed["disposition"].to_list() == ["deliver"] * 3
    assert selected["disposition"].to_list() == ["deliver", "skip", "skip"]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"from": "compny_name"}, "has no column compny_name"),
        ({"sql": "upper(compny_name)"}, "has no column compny_name"),
        ({"from": "custentity_new"}, "has no column custentity_new yet; `millpond plan flow` reads from NetSuite"),
        ({"from": "cseg_new"}, "has no column cseg_new yet; `millpond plan flow` reads from NetSuite"),
        ({"sql": "company_name +"}, r"flow.customers.x: `company_name \+`"),
        ({"sql": "no_such_function(email)"}, "flow.customers.x: .*no function `no_such_function`"),
        ({"sql": "(select 1)"}, "flow.customers.x: .*subqueries are not supported"),
        ({"sql": "email in (select email from stg_netsuite__customers)"}, "flow.customers.x: "),
        ({"sql": "exists (select 1)"}, "flow.customers.x: .*subqueries are not supported"),
        ({"sql": "company_name - 1"}, "flow.customers: the mapping does not fit stg_netsuite__customers"),
        ({"sql": "unnest(subsidiary_ids)"}, "flow.customers.x: .*each record must have one value"),
    ],
)
def test_a_mapping_error_names_the_workflow_and_the_field(row: dict[str, Any], expected: str) -> None:
    """The text is all that the author of the file sees."""
    with pytest.raises(MappingError, match=expected):
        customer_mart(row, customer(subsidiary_ids=["1", "2"]))


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        ({"where": "compny_name = 'x'"}, "has no column compny_name"),
        ({"where": "email ="}, "flow.customers.where: `email =`"),
        ({"where": "email"}, "flow.customers: the mapping does not fit"),
        ({"require_flag": "custentity_nowhere"}, "no column custentity_nowhere yet; .* and the role sees"),
    ],
)
def test_a_selection_error_names_the_workflow_and_the_column(select: dict[str, Any], expected: str) -> None:
    """The same holds for the filter."""
    with pytest.raises(MappingError, match=expected):
        customer_mart({"value": "x"}, select=select)


def test_a_column_may_be_named_like_a_subquery() -> None:
    """Subqueries are recognized in the parsed expression, not by the names in it."""
    table = customers(customer()).with_columns(subplan_id=pl.lit("x"))
    spec = one_source(fields=[KEY_ROW, {"field": "x", "sql": "subplan_id"}])

    assert mart_of(spec, customers=table)["x"].to_list() == ["x"]


def test_the_source_hash_covers_the_mapped_columns_only() -> None:
    """A change of a column that the workflow does not read is no change for it."""
    rows = [customer(), customer(email="a@b.c"), customer(company_name="Acme")]
    row = {"from": "company_name"}

    plain, elsewhere, mapped = (customer_mart(row, each)["source_hash"][0] for each in rows)

    assert plain == elsewhere
    assert plain != mapped


def test_the_payload_hash_follows_the_values() -> None:
    """A link records it as the fingerprint of the last confirmed values."""
    one, same, other = (
        customer_mart({"from": "company_name"}, customer("1", company_name=name))["payload_hash"][0]
        for name in ("Acme", "Acme", "Acme2")
    )

    assert one == same
    assert one != other


def test_the_payload_hash_follows_the_parent() -> None:
    """A project that moved in NetSuite was not edited in the target."""
    marts = [
        mart_of(option_tree(), customers=customers(), projects=projects(project(customer_id=parent)))
        for parent in ("1", "2")
    ]

    assert marts[0]["payload_hash"][0] != marts[1]["payload_hash"][0]


def test_hashes_are_the_same_in_every_process() -> None:
    """A hash that depends on the process or on Python's hash seed would look like a changed record."""
    script = (
        "from tests.assets.delivery.mart.test_transform import customer_mart\n"
        "m = customer_mart({'from': 'company_name'}); print(m['source_hash'][0], m['payload_hash'][0])"
    )
    root = Path(__file__).parents[4]
    env = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(root)}

    printed = subprocess.run([sys.executable, "-c", script], env=env, cwd=root, capture_output=True, check=True)

    mart = customer_mart({"from": "company_name"})
    assert printed.stdout.decode().split() == [mart["source_hash"][0], mart["payload_hash"][0]]
    assert mart["source_hash"][0].startswith("2:")


def test_dates_are_hashed_like_any_other_value() -> None:
    """The fingerprint covers every type that a staging table has."""
    spec = option_tree(records=[{"source": "projects", "fields": [{"field": "start", "from": "start_date"}]}])

    mart = mart_of(spec, projects=projects(project("1"), project("2", start_date=date(2027, 1, 1))))

    assert mart["start"].to_list() == ["2026-11-02", "2027-01-01"]
    assert mart["source_hash"].n_unique() == 2


def test_a_workflow_of_constants_has_a_row_for_every_record() -> None:
    """It reads no source column at all."""
    spec = one_source(fields=[{"field": "x", "value": "same"}])

    mart = mart_of(spec, customers=customers(customer("1"), customer("2")))

    assert mart["source_id"].to_list() == ["1", "2"]


def test_a_field_that_a_source_does_not_map_is_null() -> None:
    """One mart has the columns of all of its sources."""
    rows = [{"field": "externalId", "from": "project_id"}, {"field": "code", "from": "entity_number"}]
    spec = option_tree(records=[{"source": "customers", "fields": [KEY_ROW]}, {"source": "projects", "fields": rows}])

    mart = mart_of(spec, customers=customers(customer()), projects=projects(project()))

    assert mart["code"].to_list() == [None, "P100"]


TEXTS = st.none() | st.text(max_size=8)
ROWS = st.fixed_dictionaries(
    {
        "company_name": TEXTS,
        "email": TEXTS,
        "stage": st.none() | st.sampled_from(["customer", "lead", "prospect", "Unknown"]),
        "subsidiary_id": st.none() | st.sampled_from(["1", "2"]),
        "subsidiary_ids": st.none() | st.lists(st.sampled_from(["1", "2"]), max_size=2),
        "parent_customer_id": st.none() | st.integers(0, 12).map(str),
        "custentity_export": st.none() | st.sampled_from(["T", "F", ""]),
        "is_person": st.none() | st.booleans(),
        "is_inactive": st.none() | st.booleans(),
        "is_deleted": st.none() | st.booleans(),
    }
)


@settings(max_examples=30, deadline=None)
@given(st.lists(ROWS, max_size=9))
def test_every_source_record_is_in_the_mart_once(rows: list[dict[str, Any]]) -> None:
    """No values lose or duplicate a record, and each that is not delivered has a reason."""
    table = pl.DataFrame([customer(str(i), **row) for i, row in enumerate(rows)], schema=CUSTOMER_SCHEMA)
    fields = [
        {"field": "externalId", "from": "customer_id", "locked": True},
        {"field": "name", "sql": "coalesce(company_name, email)", "required": True, "max_length": 5},
        {"field": "type", "from": "stage", "values": {"customer": "C"}},
        {"field": "person", "from": "is_person", "values": {True: "P"}, "on_unmapped": "blank"},
    ]
    select = {
        "stages": {"customer": "include", "lead": "skip"},
        "subsidiary": 2,
        "require_flag": "custentity_export",
        "where": "email is null",
    }
    spec = one_source(fields=fields, parent={"customers": "parent_customer_id"}, max_level=3, select=select)

    mart = mart_of(spec, customers=table)

    assert mart["source_id"].to_list() == table["customer_id"].to_list()
    assert set(mart["disposition"]) <= {"deliver", "retire", "skip", "quarantine", "block"}
    assert mart["reason"].is_null().to_list() == [each == "deliver" for each in mart["disposition"]]
    assert mart["level"].null_count() == 0
    assert mart.equals(mart_of(spec, customers=table))


@pytest.mark.parametrize(
    ("stored", "decoded"),
    [
        ("Smith &amp; Co", "Smith & Co"),
        ("a &lt;b&gt; &quot;c&quot; &#39;d&#39; &#x41;", "a <b> \"c\" 'd' A"),
        ("&amp;lt;", "&lt;"),  # once: whoever wrote it meant the entity
        ("M&notes, AT&copy and R&D", "M&notes, AT&copy and R&D"),  # without a semicolon it is plain text
        ("&unknown; &", "&unknown; &"),
        (None, None),
    ],
)
def test_html_entities_are_sent_as_stored_unless_the_workflow_decodes_them(
    stored: str | None, decoded: str | None
) -> None:
    """Before anything reads the text: expressions, value lists, and lengths see the decoded one."""
    row = {"sql": "upper(company_name)" if stored is None else "company_name", "max_length": 40}

    kept = customer_mart(row, customer(company_name=stored))
    read = customer_mart(row, customer(company_name=stored), html_entities="decode")

    assert (kept["x"].to_list(), read["x"].to_list()) == ([stored], [decoded])


def test_a_decoded_text_is_what_conditions_and_value_lists_compare() -> None:
    """A mapping is written for what people read."""
    row = {"from": "company_name", "values": {"A & B": "yes"}, "on_unmapped": "error"}

    mart = customer_mart(
        row, customer(company_name="A &amp; B"), select={"where": "company_name = 'A & B'"}, html_entities="decode"
    )

    assert (outcomes(mart), mart["x"].to_list()) == ([("deliver", None)], ["yes"])
