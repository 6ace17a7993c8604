"""The generator: repeatable, with the documented proportions, and with the defects of real data."""

import gzip
import sqlite3
from pathlib import Path
from random import Random

import pytest

from resources.sandbox.filled import was_filled
from resources.sandbox.generator.companies import companies, read_companies
from resources.sandbox.generator.records import NAME_LIMIT
from resources.sandbox.generator.reference_data import CURRENCIES
from resources.sandbox.generator.seed import SeedReport, seed
from resources.sandbox.sandbox import Sandbox
from tests.real_companies import REAL_COMPANIES

HEADER = "name,country,state,city,zipcode,website,currency,sector,industry\n"
SMALL = HEADER + (
    " CHINA EVERBRIGHT GREENT.,Hong Kong,,,,,EUR,,\n"
    "Östrand Massa AB,Sweden,,Stockholm,111 22,http://www.ostrand.example,SEK,Materials,Paper\n"
    '"Longest, Inc. ' + "x" * 100 + '",United States,CA,Pleasanton,94588,,MXN,Health Care,\n'
    "Haifa Optics,Israel,,,,https://haifa.example,ILA,Industrials,Tools\n"
    "No Country Co,,,,,,,,\n"
    "Strange Money SA,France,,Paris,75009,,XTS,Financials,Banks\n"
)


@pytest.fixture
def csv_file(tmp_path: Path) -> Path:
    """A small CSV with the defects of real ones."""
    path = tmp_path / "companies.csv"
    path.write_text(SMALL, encoding="utf-8")
    return path


@pytest.fixture
def companies_file(csv_file: Path) -> Path:
    """The real companies if the file exists beside the project, otherwise the small file."""
    return REAL_COMPANIES if REAL_COMPANIES.exists() else csv_file


def all_rows(sandbox: Sandbox, report: SeedReport) -> dict[str, list[dict[str, object]]]:
    """Every row of every table."""
    return {table: sandbox.netsuite.rows(table) for table in report.rows}


def test_the_same_seed_gives_the_same_rows(tmp_path: Path, companies_file: Path) -> None:
    """A benchmark or a bug report that names a seed must be reproducible."""
    first, second = Sandbox(tmp_path / "first"), Sandbox(tmp_path / "second")

    reports = [seed(each, customers=300, companies=companies_file, seed=7) for each in (first, second)]

    assert reports[0] == reports[1]
    assert all_rows(first, reports[0]) == all_rows(second, reports[1])


def test_different_seeds_give_different_rows(tmp_path: Path) -> None:
    """The previous test would pass for constant data."""
    first, second = Sandbox(tmp_path / "first"), Sandbox(tmp_path / "second")

    seed(first, customers=50, seed=1)
    seed(second, customers=50, seed=2)

    assert first.netsuite.rows("customer") != second.netsuite.rows("customer")


def test_generated_proportions_match_the_documentation(sandbox: Sandbox, companies_file: Path) -> None:
    """Workflow rules can be tested only if every kind of record occurs."""
    count = 4000
    report = seed(sandbox, customers=count, companies=companies_file, seed=3)
    customers = sandbox.netsuite.rows("customer")
    jobs = sandbox.netsuite.rows("job")

    def share(rows: list[dict[str, object]]) -> float:
        return len(rows) / count

    assert len(customers) == count
    assert report.stages["Customer"] / count == pytest.approx(0.55, abs=0.03)
    assert report.stages["Lead"] / count == pytest.approx(0.20, abs=0.03)
    assert report.stages["Prospect"] / count == pytest.approx(0.25, abs=0.03)
    assert share([row for row in customers if row["isperson"]]) == pytest.approx(0.08, abs=0.02)
    assert share([row for row in customers if row["isinactive"]]) == pytest.approx(0.03, abs=0.01)
    assert share(sandbox.netsuite.rows("contact")) == pytest.approx(0.3, abs=0.04)
    assert len(jobs) / report.stages["Customer"] == pytest.approx(0.33, abs=0.06)
    assert 0.08 < len(sub_projects(jobs)) / len(jobs) < 0.16
    seconds = [row for row in sandbox.netsuite.rows("customersubsidiaryrelationship") if not row["isprimarysub"]]
    assert share(seconds) == pytest.approx(0.1, abs=0.02)
    for stage, expected in (("Customer", 0.8), ("Lead", 0.5), ("Prospect", 0.5)):
        ticked = [row["custentity_oa_export_to_openair"] for row in customers if row["searchstage"] == stage]
        assert sum(ticked) / len(ticked) == pytest.approx(expected, abs=0.06)


def sub_projects(jobs: list[dict[str, object]]) -> list[dict[str, object]]:
    """Projects whose parent is a project."""
    ids = {row["id"] for row in jobs}
    return [row for row in jobs if row["parent"] in ids]


def test_references_resolve(sandbox: Sandbox, companies_file: Path) -> None:
    """A dangling id of the sandbox would look like an error of the pipeline."""
    seed(sandbox, customers=500, companies=companies_file)
    rows = {table: sandbox.netsuite.rows(table) for table in ("customer", "job", "contact", "employee")}
    ids = {table: {row["id"] for row in each} for table, each in rows.items()}
    customers = {row["id"]: row for row in rows["customer"]}
    statuses = {row["key"]: row["entitytype"] for row in sandbox.netsuite.rows("entitystatus")}
    addresses = {row["nkey"]: row["recordowner"] for row in sandbox.netsuite.rows("customeraddressbookentityaddress")}

    assert sum(map(len, ids.values())) == len(set().union(*ids.values())), "entities share one range of ids"
    assert min(ids["customer"]) == 1001
    assert all(row["customer"] in ids["customer"] for row in rows["job"])
    assert all(row["parent"] in ids["customer"] | ids["job"] for row in rows["job"])
    assert all(row["company"] in ids["customer"] for row in rows["contact"])
    for row in rows["customer"]:
        assert row["parent"] is None or customers[row["parent"]]["searchstage"] == "Customer"
        assert statuses[row["entitystatus"]] == row["searchstage"].upper()
        assert addresses[row["defaultbillingaddress"]] == row["id"]
        assert row["entityid"] == f"CUST-{row['id']}"


def test_every_customer_has_one_primary_subsidiary_and_one_default_address(sandbox: Sandbox) -> None:
    """NetSuite guarantees both, and staging relies on them."""
    seed(sandbox, customers=300)
    customers = {row["id"] for row in sandbox.netsuite.rows("customer")}
    primary = [row["entity"] for row in sandbox.netsuite.rows("customersubsidiaryrelationship") if row["isprimarysub"]]
    book = sandbox.netsuite.rows("customeraddressbook")

    assert sorted(primary) == sorted(customers)
    assert sorted(row["entity"] for row in book if row["defaultbilling"]) == sorted(customers)
    assert sorted(row["entity"] for row in book if row["defaultshipping"]) == sorted(customers)


def test_dates_are_ordered_and_in_the_past(sandbox: Sandbox) -> None:
    """A record dated tomorrow would never be seen with a watermark of today."""
    seed(sandbox, customers=300)
    customers = sandbox.netsuite.rows("customer")
    created = [row["datecreated"] for row in customers]

    assert created == sorted(created)
    assert all(row["datecreated"] <= row["lastmodifieddate"] <= sandbox.clock.now() for row in customers)
    assert len({moment.year for moment in created}) >= 5


def test_five_names_are_too_long_and_are_reported(sandbox: Sandbox, companies_file: Path) -> None:
    """Length checks of the targets need rejected names; all other names fit NetSuite."""
    report = seed(sandbox, customers=400, companies=companies_file)
    long = [row["id"] for row in sandbox.netsuite.rows("customer") if len(row["companyname"] or "") > NAME_LIMIT]

    assert long == report.long_names
    assert len(long) == 5


def test_a_chain_of_three_projects_always_exists(sandbox: Sandbox) -> None:
    """Precoro supports two levels of projects; the third level must be tested in the smallest sandbox."""
    seed(sandbox, customers=30)
    jobs = {row["id"]: row for row in sandbox.netsuite.rows("job")}

    deep = [row for row in jobs.values() if row["parent"] in jobs and jobs[row["parent"]]["parent"] in jobs]

    assert deep
    assert deep[0]["customer"] == jobs[deep[0]["parent"]]["customer"]


def test_a_csv_is_not_cleaned_and_is_extended(sandbox: Sandbox, csv_file: Path) -> None:
    """Leading blanks, gaps and unusual currencies are typical of real imports."""
    report = seed(sandbox, customers=200, companies=csv_file)
    customers = sandbox.netsuite.rows("customer")
    names = {row["companyname"]: row for row in customers if row["companyname"]}
    symbols = {row["id"]: row["symbol"] for row in sandbox.netsuite.rows("currency")}

    assert report.rows["customer"] == 200
    assert len(names) > 150
    assert "XTS" in symbols.values()
    assert report.rows["currency"] == len(CURRENCIES) + 1
    assert {symbols[row["currency"]] for row in customers} >= {"ILS", "SEK", "XTS"}


def test_a_csv_is_read_without_changes(csv_file: Path, tmp_path: Path) -> None:
    """Cleaning is the pipeline's work; a gzip file gives the same rows, whatever its name."""
    packed = tmp_path / "companies.csv.gz"
    packed.write_bytes(gzip.compress(csv_file.read_bytes()))

    rows = read_companies(csv_file)

    assert rows[0].name == " CHINA EVERBRIGHT GREENT."
    assert rows[1].name == "Östrand Massa AB"
    assert rows[4].country == ""
    assert read_companies(packed) == rows


def test_a_csv_without_names_is_rejected(sandbox: Sandbox, tmp_path: Path) -> None:
    """The message lists the expected columns."""
    path = tmp_path / "other.csv"
    path.write_text("title,land\nA,B\n")

    with pytest.raises(ValueError, match="has no column 'name'; companies have name, country"):
        seed(sandbox, customers=5, companies=path)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("name\nMüller\n".encode("latin-1"), "c.csv is no CSV in UTF-8: "),
        (gzip.compress(b"name\nAcme\n")[:-9], "c.csv is no CSV in UTF-8: "),
        (b"name\n" + b"x" * 200_000, "c.csv is no CSV in UTF-8: "),
        (b"name,country\n,SE\n", "c.csv has no company: "),
        (b"name\n", "c.csv has no company: "),
    ],
    ids=["another encoding", "cut", "a long field", "blank names", "no rows"],
)
def test_a_file_that_has_no_companies_is_named(tmp_path: Path, content: bytes, text: str) -> None:
    """Invented companies would stand for those that someone wanted to see."""
    (tmp_path / "c.csv").write_bytes(content)

    with pytest.raises(ValueError, match=text):
        read_companies(tmp_path / "c.csv")


def test_a_filled_sandbox_cannot_be_seeded_again(sandbox: Sandbox) -> None:
    """Two runs of the generator in one account would produce duplicate entity numbers."""
    seed(sandbox, customers=5)

    with pytest.raises(ValueError, match="already has customers"):
        seed(sandbox, customers=5)


def test_invented_names_are_unique() -> None:
    """A duplicate name would make matching by name ambiguous."""
    names = [each.name.strip() for each in companies(Random(1), None, 20_000)]

    assert len(set(names)) == len(names)
    assert any(not name.isascii() for name in names)


def test_an_interrupted_seed_leaves_the_sandbox_empty(tmp_path: Path) -> None:
    """A part of the records would pass for all of them: the next demo continues with what is there."""
    sandbox = Sandbox(tmp_path)
    with sandbox.netsuite.store.write() as connection:
        connection.execute("create trigger stop before insert on job begin select raise(abort, 'stopped'); end")

    with pytest.raises(sqlite3.Error):
        seed(sandbox, customers=60, seed=3)

    assert sandbox.netsuite.rows("customer") == []
    assert not was_filled(sandbox.folder)
