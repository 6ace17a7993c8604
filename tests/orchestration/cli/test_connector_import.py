"""`millpond import-mapping`: an export becomes workflow files; what cannot be converted is reported with its place."""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.delivery.component.workflow_file import load_workflow
from assets.delivery.spec.field_mapping import Lookup
from assets.delivery.spec.workflow import Workflow
from assets.suiteprojects.connector_import.conditions import Column, ConditionError, as_sql
from assets.suiteprojects.connector_import.export_file import ExportError
from assets.suiteprojects.connector_import.mapping_export import read_export
from assets.suiteprojects.connector_import.notation import NotationError, parse
from assets.warehouse.staging_schemas import staging_schemas
from orchestration.cli.connector_import import as_yaml
from tests.assets.delivery.builders import mart_of
from tests.orchestration.cli.test_main import run_command

EXPORT = Path(__file__).parent / "connector_export.json"
MODIFIED = {"stage": "customer", "is_inactive": False, "is_deleted": False, "is_person": False}


@pytest.fixture(autouse=True, scope="module")
def _a_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Set a home: the command needs settings, but no warehouse."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLPOND_HOME", str(tmp_path_factory.mktemp("home")))
        yield


def customers(*rows: dict[str, Any]) -> pl.DataFrame:
    """Return stg_netsuite__customers with custom fields."""
    custom = dict.fromkeys(("custentity_oa_export_to_openair", "custentity_region", "custentity_tier"), pl.String)
    schema = {**staging_schemas()["stg_netsuite__customers"].schema, **custom}
    full = [{**MODIFIED, "custentity_oa_export_to_openair": "T", "subsidiary_id": "1", **row} for row in rows]
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in full], schema=schema)


def imported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[Workflow, str]:
    """Return the workflow of the example export as a run would load it, and the output."""
    output = run_command(capsys, "import-mapping", str(EXPORT), "--into", str(tmp_path))
    assert output.code == 1  # not everything was converted
    return load_workflow(tmp_path / "suiteprojects__customers" / "defs.yaml"), output.out


def one_row(row: dict[str, Any], declared: str = "") -> tuple[list[dict[str, Any]], list[str]]:
    """Return the converted rows of one row of an export, without the key's, and the reasons for what is missing."""
    text = {**row, **({"advanced": f"{declared}\n{row['advanced']}"} if "advanced" in row and declared else {})}
    tab = {"filter": "", "label": "x", "value": "CUSTOMER_TO_CUSTOMER", "mapping": [text]}
    chapters = {"from_ns": [{"active": 1, "label": "x", "name": "customer", "tabs": [tab]}]}
    (found,), _ = read_export(json.dumps({"data": {"chapters": chapters}}))
    return found.attributes["fields"][1:], [each.reason for each in found.not_converted]


def test_an_imported_mapping_gives_the_connectors_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every construct of the notation, from the export through the file to the mart."""
    workflow, _ = imported(tmp_path, capsys)
    users = Lookup.model_validate({"table": "suiteprojects.User", "by": "netsuite_user_id__c", "return": "id"})
    assert workflow.spec.lookups == [users]
    row = {
        "customer_id": "7", "entity_number": "C7000", "company_name": "Acme", "alt_name": "Acme AB", "email": "a@b.c",
        "phone": "123", "currency_code": "SEK", "address_line1": "Ring 5", "custentity_region": "North",
        "stage": "lead", "sales_rep_id": "12", "custentity_tier": "4",
    }  # fmt: skip

    mart = mart_of(
        workflow.spec,
        customers=customers(row),
        lookups={users: pl.DataFrame({"by": ["12"], "return": ["1012"]})},
        today=date(2026, 11, 22),
    ).to_dicts()[0]

    assert (mart["externalid"], mart["netsuite_customer_id__c"]) == ("7", "7")
    assert (mart["name"], mart["company"], mart["addr_email"], mart["currency"]) == ("C7000", "Acme AB", "a@b.c", "SEK")
    assert (mart["addr_addr1"], mart["territory__c"], mart["type"]) == ("Ring 5", "North", "P")
    assert (mart["notes"], mart["synced__c"], mart["userid"]) == ("C7000\nit's Acme", "2026-11-22", "1012")
    assert (mart["customer_location_id"], mart["active"]) == ("8", "1")
    assert "addr_phone" not in mart
    rows = {each.field: each for each in workflow.spec.records[0].fields}
    assert {name for name, each in rows.items() if each.on == "create"} == {"active", "customer_location_id"}
    assert rows["netsuite_customer_id__c"].locked
    assert not rows["addr_phone"].active


def test_an_imported_filter_selects_the_same_records(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A list of references, a negation that keeps blanks, a boolean, a number and the export box."""
    workflow, _ = imported(tmp_path, capsys)
    good = {"entity_number": "2000", "stage": "customer"}
    rows = [
        good, {**good, "subsidiary_id": "2", "custentity_region": "South"}, {**good, "subsidiary_id": "3"},
        {**good, "custentity_region": "Nord's"}, {**good, "entity_number": "999"}, {**good, "entity_number": "abc"},
        {**good, "custentity_oa_export_to_openair": "F"},
    ]  # fmt: skip
    table = customers(*({"customer_id": str(number), "sales_rep_id": None, **row} for number, row in enumerate(rows)))
    empty = dict.fromkeys(workflow.spec.lookups, pl.DataFrame(schema={"by": pl.String, "return": pl.String}))

    mart = mart_of(workflow.spec, customers=table, lookups=empty)

    assert mart.filter(pl.col("disposition") == "deliver")["source_id"].to_list() == ["0", "1"]
    assert mart["reason_code"].to_list()[2:] == [*["filtered_out"] * 4, "flag_not_set"]


def test_what_cannot_be_converted_is_reported_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Printed, and kept as a comment in the file."""
    _, printed = imported(tmp_path, capsys)

    expected = {
        "from_ns[0].tabs[0]": "no workflow for EMPLOYEE_TO_USER",
        "mapping[14]": "`code` is not declared under OA_FIELDS",
        "mapping[15]": "`NetSuite account currency` is not a field",
        "mapping[16]": "the target is blank",
        "mapping[17]": "the target is a constant",
        "mapping[18]": "no column for NetSuite's `balance`",
        "mapping[19]": "`undeclared` is not declared under NS_FIELDS",
        "mapping[20]": "line 2: the value list is not closed",
    }
    for place, why in expected.items():
        assert any(place in line and why in line for line in printed.splitlines()), place
    file = (tmp_path / "suiteprojects__customers" / "defs.yaml").read_text()
    assert all(why in file for place, why in expected.items() if place.startswith("mapping"))


def test_existing_files_are_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Someone may have edited them."""
    imported(tmp_path, capsys)
    file = tmp_path / "suiteprojects__customers" / "defs.yaml"
    file.write_text("mine")

    existing = run_command(capsys, "import-mapping", str(EXPORT), "--into", str(tmp_path))

    assert (existing.code, file.read_text()) == (2, "mine")
    assert run_command(capsys, "import-mapping", str(EXPORT), "--into", str(tmp_path), "--replace").code == 1
    assert file.read_text() != "mine"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1, column 1: not JSON"),
        (b'{"data": {', "not JSON"),
        (b"\xff\xfe", "must be UTF-8"),
        (b"[]", "the file: an object is expected"),
        (b"{}", "no data.chapters.from_ns"),
        (b'{"data": {"chapters": {}}}', "data.chapters.from_ns: a list is expected"),
        (b'{"data": {"chapters": {"from_ns": [7]}}}', "data.chapters.from_ns[0]: an object is expected"),
        (b'{"data": {"chapters": {"from_ns": [{"tabs": {}}]}}}', "from_ns[0].tabs: a list is expected"),
        (b"[" * 200_000, "nested too deep"),
    ],
)
def test_an_invalid_export_is_reported_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, message: str
) -> None:
    """Nothing is written, and there is no traceback."""
    file = tmp_path / "export.json"
    file.write_bytes(content)

    output = run_command(capsys, "import-mapping", str(file), "--into", str(tmp_path / "out"))

    assert output.code == 2
    assert message in output.out
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"value": ["CUSTOMER_TO_CUSTOMER"]}, "tabs[0].value: a text is expected"),
        ({"filter": {}}, "tabs[0].filter: a text is expected"),
        ({"mapping": None}, "tabs[0].mapping: a list is expected"),
        ({"mapping": [{"active": "maybe"}]}, "mapping[0].active: true or false is expected"),
        ({"mapping": [{"oa_value": []}]}, "mapping[0].oa_value: a text is expected"),
    ],
)
def test_an_unexpected_structure_is_reported_with_its_place(changes: dict[str, Any], message: str) -> None:
    """The path names the group, the row and the key."""
    tab = {"filter": "", "value": "CUSTOMER_TO_CUSTOMER", "mapping": [], **changes}
    text = json.dumps({"data": {"chapters": {"from_ns": [{"active": 1, "tabs": [tab]}]}}})

    with pytest.raises(ExportError) as raised:
        read_export(text)

    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"oa_value": "Customer.name", "advanced": "OA_FIELDS name\nname _NOW"}, "the macro _NOW is not supported"),
        ({"oa_value": "Customer.name", "advanced": "name 'x'"}, "`name` is not declared under OA_FIELDS"),
        ({"oa_value": "Customer.name", "advanced": "OA_FIELDS Name\nName 'x'"}, "no field for `Name`"),
        ({"oa_value": "Customer.name", "advanced": "NS_FIELDS custentity_x\nOA_FIELDS name\nname custentity_x"},
         "`custentity_x` is not declared under NS_CUSTOM_FIELDS"),
        ({"oa_value": "Customer.company", "advanced": "OA_FIELDS name\nname 'x'"}, "its notation sets `name`"),
        ({"oa_value": "Project.name", "ns_value": "Customer.entityId"}, "of table `Project`"),
        ({"oa_value": "Customer.name", "ns_value": "Customer.EntityId"}, "no column for NetSuite's `EntityId`"),
        ({"oa_value": "", "advanced": "OA_FIELDS name\nIF <<END\nELSE name 'x'\nEND"}, "ELSE without IF"),
        ({"oa_value": "", "advanced": "OA_FIELDS name\nIF <<END\nIF (project.x = '1') THEN name 'x'\nEND"},
         "`project.x` is not declared"),
    ],
)  # fmt: skip
def test_a_row_without_an_equivalent_is_omitted_with_its_reason(row: dict[str, Any], why: str) -> None:
    """Names are case-sensitive and must be declared; nothing is guessed."""
    fields, left = one_row(row)

    assert fields == []
    assert [why in each for each in left] == [True]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("IF <<END\nIF (a='1') THEN b 'x'", "line 1: IF <<END is not closed"),
        ("FILTER <<END\n(a='1')\n  end", "line 1: FILTER <<END is not closed"),
        ("FILTER <<END\nEND", "is empty"),
        ("IF <<END\nif (a='1') THEN b 'x'\nEND", "line 2"),
        ("OA_FIELDS a,,b", "line 1: OA_FIELDS: `` is not a field name"),
        ("OA_FIELDS a, a", "twice"),
        ("<a b> 'x' </a>", "pairs"),
        ("<a b> 'x' 'y' 'x' 'z' </a>", "twice"),
        ("<a b> x y </a>", "pairs"),
        ("a b,", "comma"),
        ("a lookup=b:lookup_table=c", "a lookup needs"),
        ("lonely", "neither a declaration nor"),
        ("a 'open", "character 1"),
    ],
)
def test_invalid_notation_is_reported_with_its_line(text: str, message: str) -> None:
    """Tags and blocks must be closed, keywords are upper case."""
    with pytest.raises(NotationError, match=r"^line \d+: ") as raised:
        parse(text)

    assert message in str(raised.value)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="abIF <>=()'\",\\\n_ENDTHLSO1#", max_size=60))
def test_no_text_crashes_the_parser(text: str) -> None:
    """Any text is parsed, or rejected with an error text."""
    for read in (parse, lambda given: as_sql(given, Column)):
        with suppress(NotationError, ConditionError):
            read(text)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=30), st.text(max_size=30))
def test_any_text_survives_the_round_trip_through_the_file(constant: str, key: str) -> None:
    """Quotes, braces, line breaks and YAML keywords stay data."""
    import tempfile

    from assets.delivery.spec.loader import read_workflow

    attributes = {
        "target": "suiteprojects.Customer",
        "source": "customers",
        "fields": [{"field": "notes", "value": constant}, {"field": "x", "from": "stage", "values": {key: constant}}],
        "match": ["external_id"],
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "defs.yaml"
        file.write_text(as_yaml(attributes, []), encoding="utf-8", newline="")
        first, second = read_workflow(file).records[0].fields

    assert first.value == constant
    assert second.values == {key: constant}


def export_of(point: str, *rows: dict[str, Any], **more: Any) -> str:
    """Return an export with one mapping group."""
    tab = {"filter": "", "label": "x", "value": point, "mapping": [*rows]}
    chapters = {"from_ns": [{"active": 1, "label": "x", "name": "x", "tabs": [tab]}]}
    return json.dumps({"data": {"chapters": chapters, **more}})


def converted(point: str, *rows: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the attributes of the only workflow of an export, and the reasons for what is missing."""
    (found,), _ = read_export(export_of(point, *rows))
    return found.attributes, [each.reason for each in found.not_converted]


@pytest.mark.parametrize(
    ("point", "row"),
    [
        ("JOB_TO_PROJECT", {"ns_value": "Job.customer", "oa_value": "Project.customerid"}),
        ("JOB_TO_PROJECT", {"ns_default": "Job.parent", "oa_value": "Project.customer_id"}),
        ("JOB_TO_PROJECT", {"oa_value": "", "advanced": "NS_FIELDS customer\nOA_FIELDS customerid\n"
          "customerid customer"}),
        ("JOB_TO_PROJECT", {"oa_value": "Project.customerid", "advanced": "NS_FIELDS customer\nOA_FIELDS customerid\n"
          "customerid lookup=customer:lookup_table=customer:lookup_by=netsuite_customer_id:lookup_return=id"}),
        ("CONTACT_TO_CONTACT", {"ns_value": "Contact.company", "oa_value": "Contact.customerid"}),
        ("CONTACT_TO_CONTACT", {"ns_value": "Contact.email", "oa_value": "Contact.email"}),
    ],
)  # fmt: skip
def test_a_records_customer_is_a_parent_that_its_workflow_needs(point: str, row: dict[str, Any]) -> None:
    """NetSuite's id of the customer as SuiteProjects Pro's puts the record under another company."""
    attributes, problems = converted(point, row)

    assert attributes["parent"] == {"customers": "customer_id"}
    assert attributes["parent_required"] is True
    assert attributes["needs"] == ["suiteprojects__customers"]
    assert "customerid" not in [each["field"] for each in attributes["fields"]]
    assert problems == []


def test_a_customer_that_the_export_itself_decides_stays_a_row() -> None:
    """A constant is SuiteProjects Pro's own id; a row that is switched off has no effect."""
    attributes, _ = converted("JOB_TO_PROJECT", {"ns_value": '="12"', "oa_value": "Project.customerid"})

    assert {"field": "customerid", "value": "12"} in attributes["fields"]
    assert "parent" not in attributes


def test_a_customer_that_is_set_only_once_is_reported() -> None:
    """A parent is followed; nothing says so in the file otherwise."""
    row = {"ns_value": "Job.customer", "oa_value": "Project.customerid", "initial_only": 1}

    attributes, problems = converted("JOB_TO_PROJECT", row)

    assert attributes["parent"] == {"customers": "customer_id"}
    assert ["moves" in each for each in problems] == [True]


@pytest.mark.parametrize(
    "row",
    [
        {"ns_value": "Customer.salesRep", "oa_value": "Customer.user_id"},
        {"ns_value": "Customer.subsidiary", "oa_value": "Customer.customer_location_id"},
        {"ns_value": "Customer.internalId", "oa_value": "Customer.cost_center_id"},
        {"oa_value": "", "advanced": "NS_FIELDS salesRep\nOA_FIELDS user_id\nuser_id salesRep"},
        {"oa_value": "", "advanced": "NS_FIELDS salesRep\nOA_FIELDS user_id\n"
         "IF <<END\nIF (salesRep='1') THEN user_id salesRep\nEND"},
    ],
)  # fmt: skip
def test_a_netsuite_id_is_never_sent_as_an_id_of_the_target(row: dict[str, Any]) -> None:
    """The two systems count on their own: it would be another record."""
    fields, problems = one_row(row)

    assert fields == []
    assert ["NetSuite's id" in each for each in problems] == [True]


@pytest.mark.parametrize(
    "row",
    [
        {"ns_value": "Customer.externalId", "oa_value": "Customer.external_id"},
        {"ns_value": "Customer.entityId", "oa_value": "Customer.externalid"},
        {"oa_value": "", "advanced": "NS_FIELDS entityId\nOA_FIELDS externalid\nexternalid entityId"},
        {"ns_value": '="1"', "oa_value": "Customer.external_id", "read_only": 1},
    ],
)
def test_no_imported_row_overrides_the_key(row: dict[str, Any]) -> None:
    """The last row for a field counts, so a second one would replace the key of every record."""
    fields, problems = one_row(row)

    assert fields == []
    assert ["key" in each for each in problems] == [True]


def test_no_later_row_overrides_the_connectors_id_row() -> None:
    """The required row cannot be changed in the connector either, and only the internal id can be locked."""
    identity = {"ns_default": "Customer.internalId", "oa_value": "Customer.netsuite_customer_id__c", "read_only": 1}
    other = {"ns_value": "Customer.entityId", "oa_value": "Customer.netsuite_customer_id__c"}
    name = {"ns_default": "Customer.entityId", "oa_value": "Customer.name", "read_only": 1}

    attributes, problems = converted("CUSTOMER_TO_CUSTOMER", identity, other, name)

    assert attributes["fields"][1:] == [
        {"field": "netsuite_customer_id__c", "from": "customer_id", "locked": True},
        {"field": "name", "from": "entity_number"},
    ]
    assert ["required row" in each for each in problems] == [True]


def test_unknown_keys_are_listed_wherever_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever replaces the connector learns what the conversion did not look at."""
    tree = json.loads(export_of("CUSTOMER_TO_CUSTOMER", {"oa_value": "Customer.name", "ns_value": "Customer.entityId"}))
    data = tree["data"]
    chapter = data["chapters"]["from_ns"][0]
    tree["version"] = data["settings"] = chapter["skip_merge"] = data["chapters"]["to_ns"] = 1
    chapter["tabs"][0]["lookups"] = chapter["tabs"][0]["mapping"][0]["transform"] = "upper"
    file = tmp_path / "export.json"
    file.write_text(json.dumps(tree))

    output = run_command(capsys, "import-mapping", str(file), "--into", str(tmp_path))

    places = [
        "version", "data.settings", "data.chapters.to_ns", "data.chapters.from_ns[0].skip_merge",
        "data.chapters.from_ns[0].tabs[0].lookups", "data.chapters.from_ns[0].tabs[0].mapping[0].transform",
    ]  # fmt: skip
    assert output.code == 1
    assert [place for place in places if f" {place}: not carried over" not in output.out] == []
    assert output.out.count("not carried over") == len(places)


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("accountNumber", "account_number"), ("accountnumber", "account_number"), ("creditLimit", "credit_limit"),
        ("title", "title"),
        ("mobilePhone", "mobile_phone"), ("billAddr1", "billing_address_line1"), ("billCity", "billing_city"),
        ("billCountryCode", "billing_country_code"), ("billingZip", "billing_zip"), ("shipCity", "shipping_city"),
        ("shipZip", "shipping_zip"),
    ],
)  # fmt: skip
def test_common_columns_of_the_customer_form_are_converted(name: str, column: str) -> None:
    """Names in any case of initials: the account number is also written `accountnumber`."""
    fields, problems = one_row({"ns_value": f"Customer.{name}", "oa_value": "Customer.notes"})

    assert (fields, problems) == ([{"field": "notes", "from": column}], [])
