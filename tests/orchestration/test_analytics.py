"""The analysts' views and macros: documented, with unique keys, and every example of their page returns rows."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import duckdb
import polars as pl
import pytest

from assets.delivery.ledger.shadows import Shadow, begin_shadow
from orchestration.cli.tables import tables
from orchestration.configuration.settings import ROOT
from resources.clock import utc_now
from resources.sandbox.simulation.day import simulate_day
from sql import FOLDER, names, statement
from tests.orchestration.conftest import Home, at_home

PAGE = FOLDER / "analytics" / "README.md"
GUIDE = ROOT / "docs" / "analysts.md"


def examples_of(page: Path) -> list[str]:
    """Return the statements of a page."""
    blocks = re.findall(r"```sql\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    return [each.strip() for block in blocks for each in block.split(";\n") if each.strip()]


EMPLOYER = "Employer of an individual"
EXAMPLES = [*examples_of(PAGE), *examples_of(GUIDE)]
ANSWERED = re.findall(r"```sql\n([^`]*?);\n```\n\n\| (.*) \|\n", GUIDE.read_text(encoding="utf-8"))
MACROS = {
    name for name in names("analytics") if statement("analytics", name).text.startswith("create or replace macro")
}


def add_problems(home: Home) -> None:
    """Add what the views report: a name that is too long, duplicate customers, an edit in a target."""
    links = home.warehouse.read(
        "select workflow, source_id, target_id from sync_links where source = 'customers' order by all"
    )
    options, customers = (
        links.filter(pl.col("workflow") == name).rows() for name in ("precoro__options", "suiteprojects__customers")
    )
    netsuite = home.sandbox.netsuite
    customer = int(options[0][1])
    netsuite.insert("job", [{"entityid": "LONG", "companyname": "y" * 300, "customer": customer, "parent": customer}])
    for _, key, _ in options[1:3]:
        netsuite.update("customer", int(key), companyname="Duplicate AB", isperson=False)
    home.sandbox.suiteprojects.modify("Customer", int(customers[-1][2]), company="Edited")
    netsuite.update("customer", int(options[3][1]), isinactive=True)
    person = {"isperson": True, "firstname": "Ann", "lastname": "Berg", "companyname": EMPLOYER}
    netsuite.update("customer", int(options[4][1]), **person)


def compare_beside_a_connector(home: Home) -> None:
    """Compare one workflow in shadow mode, and publish."""
    with home.warehouse.writer() as con:
        moment = utc_now(home.sandbox.clock)
        begin_shadow(con, Shadow("suiteprojects__contacts", 0, "the connector", None, "ada", moment))
    assert home.run("suiteprojects__contacts__plan").success
    home.warehouse.publish()


@pytest.fixture(scope="module")
def analyst(synced_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The snapshot after several days, opened read-only."""
    folder = tmp_path_factory.mktemp("analyst") / "home"
    copytree(synced_home, folder)
    with at_home(folder) as home:
        for number in range(2):
            simulate_day(home.sandbox, seed=number)
            if number == 1:
                add_problems(home)
            assert home.run("all").success
        compare_beside_a_connector(home)
        with duckdb.connect(str(home.warehouse.snapshot), read_only=True) as con:
            yield con


def test_every_view_and_macro_is_published(analyst: duckdb.DuckDBPyConnection) -> None:
    """Publishing skips a definition that does not bind; none of ours may."""
    views = {row[0] for row in analyst.execute("select view_name from duckdb_views() where not internal").fetchall()}
    macros = analyst.execute(
        "select function_name from duckdb_functions() where function_type = 'table_macro' and not internal"
    ).fetchall()
    assert views | {row[0] for row in macros} == set(names("analytics"))


def test_every_view_column_has_a_comment(analyst: duckdb.DuckDBPyConnection) -> None:
    """The comments are in the file itself, where an analyst reads them."""
    views = sorted(set(names("analytics")) - MACROS)
    undocumented = analyst.execute(
        "select table_name, column_name from duckdb_columns() where list_contains(?, table_name) and comment is null",
        [views],
    ).fetchall()
    assert undocumented == []


@pytest.mark.parametrize("name", sorted(set(names("analytics")) - MACROS))
def test_the_key_in_the_header_is_unique(analyst: duckdb.DuckDBPyConnection, name: str) -> None:
    """A join that multiplies rows would break grain and key."""
    key = ", ".join(statement("analytics", name).key)
    rows = analyst.execute(f"select {key} from {name} group by all having count(*) > 1").fetchall()
    assert rows == []


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_every_example_returns_rows(analyst: duckdb.DuckDBPyConnection, example: str) -> None:
    """The examples run as written, on a read-only file."""
    assert analyst.execute(example).fetchall(), example


def test_the_guide_shows_the_answers_of_ten_questions(analyst: duckdb.DuckDBPyConnection) -> None:
    """Each has the columns of its query."""
    assert len(ANSWERED) == len(examples_of(GUIDE)) - 6 == 10
    for query, columns in ANSWERED:
        assert analyst.sql(query).columns == columns.split(" | "), query


def test_the_duckdb_1_5_command_line_runs_every_example(analyst: duckdb.DuckDBPyConnection) -> None:
    """The file stores views and macros as DuckDB parsed them; version 1.5 lacks the function `if`, for example."""
    program = Path(sys.prefix) / "bin" / "duckdb"
    if not program.exists():
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail("no duckdb program: the examples were not run with it")
        pytest.skip("no duckdb program; `make setup` installs it")
    file = analyst.execute("select path from duckdb_databases() where database_name = current_database()").fetchall()
    examples = ";\n".join([*EXAMPLES, *(f"from {name}" for name in set(names("analytics")) - MACROS)])

    run = subprocess.run(
        [str(program), "-readonly", "-bail", "-list", str(file[0][0])],
        input=f"{examples};", capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (run.returncode, run.stderr) == (0, "")


def test_the_page_has_an_example_of_every_view() -> None:
    """A view without an example is not found."""
    assert [name for name in names("analytics") if not re.search(rf"\b{name}\b", PAGE.read_text())] == [
        "projects_as_of"
    ]


def test_why_follows_one_value_from_netsuite_to_the_target(analyst: duckdb.DuckDBPyConnection) -> None:
    """Each step has the same value, whether found by NetSuite id or by target id."""
    source_id, target_id, city = analyst.execute(
        "select source_id, target_id, city from sync_links join stg_netsuite__customers on customer_id = source_id"
        " where workflow = 'suiteprojects__customers' and city is not null order by all limit 1"
    ).fetchall()[0]
    for key, kind in ((source_id, "netsuite"), (target_id, "target")):
        steps = analyst.execute(
            "select step, value from why('suiteprojects__customers', ?, 'addr_city', id_of := ?)", [key, kind]
        ).fetchall()
        assert [value for step, value in steps if step in {"NetSuite", "mapped", "target"}] == [city] * 3
        assert ("rule", "from: city") in steps
        assert "answered" in {step for step, _ in steps}


def test_an_individual_has_its_own_name_in_every_view(analyst: duckdb.DuckDBPyConnection) -> None:
    """NetSuite's company name of an individual is the employer's."""
    ((key, name),) = analyst.execute(
        "select customer_id, name from customer_360 semi join"
        f" (from stg_netsuite__customers where company_name = '{EMPLOYER}') using (customer_id)"
    ).fetchall()
    assert name == "Ann Berg"
    seen = analyst.execute("from explain(?) where step = 'seen'", [key])
    assert EMPLOYER not in str(seen.fetchall())
    for each in names("analytics"):
        text = statement("analytics", each).text
        assert each == "data_quality" or "company_name" not in text or "is_person then" in text, each


def test_customer_360_has_the_counts_of_the_staging_tables(analyst: duckdb.DuckDBPyConnection) -> None:
    """The joins neither lose nor duplicate a record."""
    totals = analyst.execute("select count(*), sum(projects), sum(in_targets) from customer_360").fetchall()
    counted = analyst.execute(
        "select (select count(*) from stg_netsuite__customers where not is_deleted),"
        " (select count(*) from stg_netsuite__projects p where not p.is_deleted and exists"
        "   (from stg_netsuite__customers c where c.customer_id = p.customer_id and not c.is_deleted)),"
        " (select count(*) from sync_links where source = 'customers'"
        "   and coalesce(payload_hash, target_hash) is not null"
        "   and source_id in (select customer_id from stg_netsuite__customers where not is_deleted))"
    ).fetchall()
    assert totals == counted
    switched_off = "select count(*) from customer_360, unnest(targets) as each(t) where t.switched_off"
    ((off, shown),) = analyst.execute(
        f"select ({switched_off}), (select sum(switched_off) from workflow_status)"
    ).fetchall()
    assert 0 < off <= shown


def test_an_outdated_table_hides_only_its_own_views(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """The command still lists the other tables."""
    home.warehouse.replace("stg_netsuite__customers", pl.DataFrame({"customer_id": ["1"]}))
    home.warehouse.replace("sync_links", pl.DataFrame({"source_id": ["1"]}))

    assert tables() == 0
    assert "stg_netsuite__customers" in capsys.readouterr().out
