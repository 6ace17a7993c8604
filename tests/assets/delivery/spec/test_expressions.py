"""Source records become target records, each with its disposition and reason."""

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

from assets.delivery.mart.hierarchy import CIRCLE
from assets.delivery.mart.transform import shape
from assets.delivery.spec.expressions import MappingError, key_column, source_columns
from tests.assets.delivery.builders import (
    CUSTOMER_SCHEMA,
    customer,
    customers,
    one_source,
    option_tree,
    project,
    projects,
    tables,
)

KEY_ROW = {"field": "externalId", "from": "customer_id"}


def shaped(row: dict[str, Any], *sources: dict[str, Any], **changes: Any) -> pl.DataFrame:
    """The mart of a workflow with the key and one more row."""
    spec = one_source(fields=[KEY_ROW, {"field": "x", **row}], **changes)
    return shape(spec, "flow", tables(customers=customers(*(sources or [customer()]))))


def told(mart: pl.DataFrame) -> list[tuple[str, str | None]]:
    """Disposition and reason code of each row."""
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
        ({"from": "stage", "values": {"lead": "L"}, "otherwise": "keep"}, {}, "customer"),
        ({"from": "stage", "values": {"lead": "L"}, "otherwise": "blank"}, {}, None),
        ({"from": "stage", "values": {"customer": ""}}, {}, None),
        ({"from": "email", "values": {"a": "b"}}, {"email": None}, None),
        ({"from": "email", "values": {"a": "b"}}, {"email": " "}, None),
        ({"from": "email"}, {"email": ""}, None),
        ({"from": "email"}, {"email": " \t"}, None),
        ({"from": "email"}, {"email": " a "}, " a "),
        ({"value": ""}, {}, None),
        ({"from": "is_person"}, {"is_person": True}, "1"),
        ({"from": "is_person"}, {"is_person": False}, "0"),
        ({"from": "is_person"}, {"is_person": None}, None),
        ({"sql": "is_inactive = false"}, {}, "1"),
        ({"from": "is_person", "values": {True: "person", False: "company"}}, {"is_person": True}, "person"),
        ({"from": "is_person", "values": {True: "yes"}, "otherwise": "keep"}, {"is_person": False}, "0"),
        ({"from": "company_name"}, {"company_name": "true"}, "true"),
        ({"sql": "1.5"}, {}, "1.5"),
        ({"sql": "cast(modified_at as date)"}, {}, "2026-11-01"),
    ],
)
def test_a_row_yields_canonical_text(row: dict[str, Any], source: dict[str, Any], expected: str | None) -> None:
    """Two states compare with `==` only when blanks, booleans and dates are always written the same way."""
    mart = shaped(row, customer(**source))

    assert mart["x"].to_list() == [expected]
    assert mart.schema["x"] == pl.String
    assert told(mart) == [("deliver", None)]


def test_a_value_that_the_list_does_not_name_is_quarantined() -> None:
    """`error` is the default: a guess would be a wrong value in the target."""
    mart = shaped({"from": "stage", "values": {"lead": "L"}})

    assert told(mart) == [("quarantine", "value_not_in_list")]
    assert mart["reason"][0] == "x: the value list does not name the source value"


def test_a_long_value_is_quarantined_and_counted_in_characters() -> None:
    """Limits are in characters; nothing is ever cut."""
    rows = [customer("1", company_name="é" * 5), customer("2", company_name="e" * 6)]

    mart = shaped({"from": "company_name", "max_length": 5}, *rows)

    assert told(mart) == [("deliver", None), ("quarantine", "too_long")]
    assert mart["x"].to_list() == ["ééééé", "eeeeee"]


@pytest.mark.parametrize("mark", ["required", "locked"])
def test_a_blank_required_value_is_quarantined(mark: str) -> None:
    """The identity is required without saying so."""
    mart = shaped({"from": "email", mark: True}, customer("1", email=" "), customer("2", email="a@b.c"))

    assert told(mart) == [("quarantine", "required_blank"), ("deliver", None)]


ALL = {
    "select": {
        "stages": {"customer": "include", "lead": "skip"},
        "subsidiary": 2,
        "require_flag": "custentity_export",
        "where": "email is null",
    },
}
EVERYTHING_WRONG: dict[str, Any] = {
    "is_deleted": True,
    "is_inactive": True,
    "stage": "lead",
    "subsidiary_id": "1",
    "subsidiary_ids": ["1"],
    "custentity_export": "F",
    "email": "x",
    "company_name": None,
}


@pytest.mark.parametrize(
    ("put_right", "expected"),
    [
        ([], ("retire", "deleted")),
        (["is_deleted"], ("retire", "inactive")),
        (["is_inactive"], ("skip", "stage_lead")),
        (["stage"], ("skip", "out_of_subsidiary")),
        (["subsidiary_id"], ("skip", "flag_not_set")),
        (["custentity_export"], ("skip", "filtered_out")),
        (["email"], ("quarantine", "required_blank")),
        (["company_name"], ("deliver", None)),
    ],
)
def test_the_first_reason_that_applies_decides(put_right: list[str], expected: tuple[str, str | None]) -> None:
    """Gone, then out of scope, then invalid: one reason each, always the same one."""
    order = ["is_deleted", "is_inactive", "stage", "subsidiary_id", "custentity_export", "email", "company_name"]
    right = order[: order.index(put_right[0]) + 1] if put_right else []
    wrong = {name: value for name, value in EVERYTHING_WRONG.items() if name not in right}

    mart = shaped({"from": "company_name", "required": True}, customer(**wrong), **ALL)

    assert told(mart) == [expected]


@pytest.mark.parametrize(
    ("lifecycle", "source", "expected"),
    [
        ({"deleted": "report"}, {"is_deleted": True}, "skip"),
        ({"deleted": "deactivate"}, {"is_deleted": True}, "retire"),
        ({"inactive": "report"}, {"is_inactive": True}, "skip"),
        ({"inactive": "deactivate"}, {"is_inactive": True}, "retire"),
        ({"out_of_scope": "report"}, {"email": "x"}, "skip"),
        ({"out_of_scope": "deactivate"}, {"email": "x"}, "retire"),
    ],
)
def test_the_lifecycle_says_what_becomes_of_those_who_left(
    lifecycle: dict[str, str], source: dict[str, Any], expected: str
) -> None:
    """Each of the three ways to leave has its own policy."""
    mart = shaped({"value": "x"}, customer(**source), select={"where": "email is null"}, lifecycle=lifecycle)

    assert mart["disposition"].to_list() == [expected]


@pytest.mark.parametrize(
    ("primary", "members", "expected"),
    [
        ("2", ["2"], "deliver"),
        ("1", ["1", "2"], "deliver"),
        ("2", None, "deliver"),
        (None, ["2"], "deliver"),
        ("1", ["1", "22"], "skip"),
        ("1", None, "skip"),
        (None, None, "skip"),
        ("22", [], "skip"),
    ],
)
def test_a_customer_belongs_to_every_subsidiary_of_its_list(
    primary: str | None, members: list[str] | None, expected: str
) -> None:
    """The primary subsidiary is one of several; null is not a member of any."""
    row = customer(subsidiary_id=primary, subsidiary_ids=members)

    mart = shaped({"value": "x"}, row, select={"subsidiary": 2})

    assert mart["disposition"].to_list() == [expected]


TYPED = [
    pytest.param(pl.Series([True, False, None]), ["1", "0", None], id="check box"),
    pytest.param(pl.Series([42, -7, None]), ["42", "-7", None], id="integer"),
    pytest.param(pl.Series([42.0, 1.5, None]), ["42", "1.5", None], id="number"),
    pytest.param(pl.Series([date(2027, 4, 3), None]), ["2027-04-03", None], id="date"),
    pytest.param(pl.Series([datetime(2027, 4, 3, 23, 30)]), ["2027-04-03 23:30:00"], id="time"),  # noqa: DTZ001
    pytest.param(pl.Series([["1", "3", "4"], ["2"], [], None]), ["1, 3, 4", "2", None, None], id="multi-select"),
]


@pytest.mark.parametrize(("values", "expected"), TYPED)
def test_typed_fields_are_sent_as_text_that_means_one_thing(values: pl.Series, expected: list[str | None]) -> None:
    """Custom fields have types where NetSuite tells them; what is compared with a target is text all the same."""
    table = customers(*(customer(str(number)) for number in range(len(values)))).with_columns(custentity_export=values)
    spec = one_source(fields=[KEY_ROW, {"field": "x", "from": "custentity_export"}])

    mart = shape(spec, "flow", tables(customers=table))

    assert mart["x"].to_list() == expected
    assert mart["source_hash"].n_unique() >= len(values.unique())


@pytest.mark.parametrize("ticked", [pl.Series(["T", "F", None]), pl.Series([True, False, None])], ids=["text", "typed"])
def test_a_check_box_means_the_same_as_text_and_as_a_boolean(ticked: pl.Series) -> None:
    """Whether it is typed depends on what NetSuite's role may see; the workflow file does not."""
    table = customers(customer("1"), customer("2"), customer("3")).with_columns(custentity_export=ticked)
    row = {"field": "x", "from": "custentity_export", "values": {"T": "yes", "F": "no"}, "otherwise": "error"}

    listed = shape(one_source(fields=[KEY_ROW, row]), "flow", tables(customers=table))
    chosen = shape(one_source(select={"require_flag": "custentity_export"}), "flow", tables(customers=table))

    assert listed["x"].to_list() == ["yes", "no", None]
    assert listed["disposition"].to_list() == ["deliver"] * 3
    assert chosen["disposition"].to_list() == ["deliver", "skip", "skip"]


@pytest.mark.parametrize(("flag", "expected"), [("T", "deliver"), ("F", "skip"), (None, "skip"), ("", "skip")])
def test_only_a_ticked_box_exports(flag: str | None, expected: str) -> None:
    """A box that was never touched is null in NetSuite."""
    mart = shaped({"value": "x"}, customer(custentity_export=flag), select={"require_flag": "custentity_export"})

    assert mart["disposition"].to_list() == [expected]


def test_a_condition_that_is_null_is_not_met() -> None:
    """SQL's own rule for `where`."""
    mart = shaped({"value": "x"}, customer(email=None), select={"where": "email = 'a'"})

    assert told(mart) == [("skip", "filtered_out")]


def test_the_first_parent_that_is_there_counts() -> None:
    """A sub-project hangs below its project, a project below its customer."""
    rows = [project("100"), project("101", parent_project_id="100")]

    mart = shape(option_tree(), "flow", tables(customers=customers(customer()), projects=projects(*rows)))

    places = mart.select("source_id", "parent_source", "parent_source_id", "level").rows()
    assert places == [("1", None, None, 1), ("100", "customers", "1", 2), ("101", "projects", "100", 3)]


def test_an_orphan_is_quarantined_where_a_parent_is_required() -> None:
    """It would land on the first level, among the customers."""
    rows = tables(customers=customers(), projects=projects(project(customer_id=None)))

    mart = shape(option_tree(), "flow", rows)

    assert told(mart) == [("quarantine", "no_parent")]


def chain(length: int, **first: Any) -> pl.DataFrame:
    """Projects 1 … length, each below the one before."""
    rows = [project(str(i), customer_id=None, parent_project_id=str(i - 1)) for i in range(2, length + 1)]
    return projects(project("1", customer_id=None, **first), *rows)


def test_a_deep_chain_is_counted_to_its_end() -> None:
    """Parents are sent level by level, so a level that is capped would never be sent."""
    mart = shape(option_tree(parent_required=None), "flow", tables(customers=customers(), projects=chain(100)))

    assert mart["level"].to_list() == list(range(1, 101))


def test_what_is_deeper_than_the_target_takes_is_quarantined() -> None:
    """The target would refuse it, or worse, move it up."""
    rows = tables(customers=customers(), projects=chain(4, parent_project_id="0"))

    mart = shape(option_tree(max_level=3), "flow", rows)

    assert told(mart)[-2:] == [("quarantine", "too_deep")] * 2
    assert mart["reason"][-1] == "level 5 is deeper than the 3 that the target takes"


def test_a_ring_of_parents_ends_in_quarantine() -> None:
    """Those who go round in a circle, and whoever hangs below them, have no level; others do."""
    rows = [
        project("1", parent_project_id="2"),
        project("2", parent_project_id="1"),
        project("3", parent_project_id="2"),
        project("4", parent_project_id="4"),
        project("5"),
    ]

    mart = shape(option_tree(), "flow", tables(customers=customers(customer()), projects=projects(*rows)))

    assert mart["level"].to_list() == [1, CIRCLE, CIRCLE, CIRCLE, CIRCLE, 2]
    assert told(mart) == [("deliver", None), *[("quarantine", "parent_ring")] * 4, ("deliver", None)]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"from": "compny_name"}, "has no column compny_name"),
        ({"sql": "upper(compny_name)"}, "has no column compny_name"),
        ({"sql": "company_name +"}, r"flow.customers.x: `company_name \+`"),
        ({"sql": "no_such_function(email)"}, "flow.customers.x: .*unsupported function 'no_such_function'"),
        ({"sql": "(select 1)"}, "flow.customers.x: .*a sub-query is not an expression"),
        ({"sql": "email in (select email from stg_netsuite__customers)"}, "flow.customers.x: "),
        ({"sql": "exists (select 1)"}, "flow.customers.x: .*a sub-query is not an expression"),
        ({"sql": "company_name - 1"}, "flow.customers: the mapping does not fit stg_netsuite__customers"),
        ({"sql": "unnest(subsidiary_ids)"}, "flow.customers: the mapping does not fit stg_netsuite__customers"),
    ],
)
def test_a_mapping_that_cannot_be_applied_names_workflow_and_place(row: dict[str, Any], expected: str) -> None:
    """The text is all that the author of the file sees."""
    with pytest.raises(MappingError, match=expected):
        shaped(row, customer(subsidiary_ids=["1", "2"]))


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        ({"where": "compny_name = 'x'"}, "has no column compny_name"),
        ({"where": "email ="}, "flow.customers.where: `email =`"),
        ({"where": "email"}, "flow.customers: the mapping does not fit"),
        ({"require_flag": "custentity_nowhere"}, "no column custentity_nowhere; .* add the custom field"),
    ],
)
def test_a_selection_that_cannot_be_applied_is_told(select: dict[str, Any], expected: str) -> None:
    """The same for the filter."""
    with pytest.raises(MappingError, match=expected):
        shaped({"value": "x"}, select=select)


def test_a_column_may_be_called_like_a_sub_query() -> None:
    """The refusal of sub-queries looks at the parsed expression, not at the names in it."""
    table = customers(customer()).with_columns(subplan_id=pl.lit("x"))
    spec = one_source(fields=[KEY_ROW, {"field": "x", "sql": "subplan_id"}])

    assert shape(spec, "flow", tables(customers=table))["x"].to_list() == ["x"]


def test_an_unknown_source_is_told_with_those_there_are() -> None:
    """A typo in `source:`."""
    with pytest.raises(MappingError, match="no source `custmers`; there are customers, projects"):
        key_column("custmers")


def test_the_source_hash_moves_with_the_mapped_columns_only() -> None:
    """A change that the workflow does not read is no change for it."""
    rows = [customer(), customer(email="a@b.c"), customer(company_name="Acme")]
    row = {"from": "company_name"}

    plain, elsewhere, mapped = (shaped(row, each)["source_hash"][0] for each in rows)

    assert plain == elsewhere
    assert plain != mapped


def test_every_column_that_is_read_counts_as_a_source_column() -> None:
    """Selection and parents included; the lineage and the extraction's custom fields rely on it."""
    record = one_source(
        select={"where": "email is null", "require_flag": "custentity_export", "stages": {"lead": "skip"}},
        parent={"customers": "parent_customer_id"},
    ).records[0]

    assert source_columns(record, "flow") == [
        "company_name", "custentity_export", "customer_id", "email", "parent_customer_id", "stage",
    ]  # fmt: skip


def test_the_payload_hash_follows_the_values() -> None:
    """It is what a link remembers of the record."""
    one, same, other = (
        shaped({"from": "company_name"}, customer("1", company_name=name))["payload_hash"][0]
        for name in ("Acme", "Acme", "Acme2")
    )

    assert one == same
    assert one != other


def test_the_payload_hash_follows_the_place() -> None:
    """A project that NetSuite moved was not edited in the target."""
    marts = [
        shape(option_tree(), "flow", tables(customers=customers(), projects=projects(project(customer_id=parent))))
        for parent in ("1", "2")
    ]

    assert marts[0]["payload_hash"][0] != marts[1]["payload_hash"][0]


def test_hashes_are_the_same_in_every_process() -> None:
    """Another seed of Python's own hashing, another process: a changed hash would look like a changed record."""
    script = (
        "from tests.assets.delivery.spec.test_expressions import shaped\n"
        "m = shaped({'from': 'company_name'}); print(m['source_hash'][0], m['payload_hash'][0])"
    )
    root = Path(__file__).parents[4]
    env = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(root)}

    told_elsewhere = subprocess.run([sys.executable, "-c", script], env=env, cwd=root, capture_output=True, check=True)

    mart = shaped({"from": "company_name"})
    assert told_elsewhere.stdout.decode().split() == [mart["source_hash"][0], mart["payload_hash"][0]]
    assert mart["source_hash"][0].startswith("2:")


def test_a_workflow_of_constants_alone_can_be_shaped() -> None:
    """No source column is read; every record still has its row."""
    spec = one_source(fields=[{"field": "x", "value": "same"}])

    mart = shape(spec, "flow", tables(customers=customers(customer("1"), customer("2"))))

    assert mart["source_id"].to_list() == ["1", "2"]


def test_a_field_that_a_source_does_not_map_is_null_there() -> None:
    """One mart has the columns of all its sources."""
    rows = [{"field": "externalId", "from": "project_id"}, {"field": "code", "from": "entity_number"}]
    spec = option_tree(records=[{"source": "customers", "fields": [KEY_ROW]}, {"source": "projects", "fields": rows}])

    mart = shape(spec, "flow", tables(customers=customers(customer()), projects=projects(project())))

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
def test_every_source_row_is_in_the_mart_once(rows: list[dict[str, Any]]) -> None:
    """Nothing is lost and nothing multiplied, whatever the values; every row has a disposition, and a reason if due."""
    table = pl.DataFrame([customer(str(i), **row) for i, row in enumerate(rows)], schema=CUSTOMER_SCHEMA)
    fields = [
        {"field": "externalId", "from": "customer_id", "locked": True},
        {"field": "name", "sql": "coalesce(company_name, email)", "required": True, "max_length": 5},
        {"field": "type", "from": "stage", "values": {"customer": "C"}},
        {"field": "person", "from": "is_person", "values": {True: "P"}, "otherwise": "blank"},
    ]
    spec = one_source(fields=fields, parent={"customers": "parent_customer_id"}, max_level=3, **ALL)

    mart = shape(spec, "flow", tables(customers=table))

    assert mart["source_id"].to_list() == table["customer_id"].to_list()
    assert set(mart["disposition"]) <= {"deliver", "retire", "skip", "quarantine"}
    assert mart["reason"].is_null().to_list() == [each == "deliver" for each in mart["disposition"]]
    assert mart["level"].null_count() == 0
    assert mart.equals(shape(spec, "flow", tables(customers=table)))


def test_dates_are_hashed_like_any_other_value() -> None:
    """The fingerprint takes every type that a staging table has."""
    spec = option_tree(
        records=[{"source": "projects", "fields": [{"field": "start", "from": "start_date"}]}],
    )
    rows = [project("1"), project("2", start_date=date(2027, 1, 1))]

    mart = shape(spec, "flow", tables(projects=projects(*rows)))

    assert mart["start"].to_list() == ["2026-11-02", "2027-01-01"]
    assert mart["source_hash"].n_unique() == 2
