"""The analysts' views and macros: every one is explained, and every example of their page gives an answer."""

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
from rich.console import Console

from orchestration.cli.tables import print_tables
from resources.sandbox.simulation.day import day
from sql import FOLDER, names, statement
from tests.orchestration.conftest import Home, at_home

PAGE = FOLDER / "analytics" / "README.md"
EXAMPLES = [
    example.strip()
    for block in re.findall(r"```sql\n(.*?)```", PAGE.read_text(), re.DOTALL)
    for example in block.split(";\n")
    if example.strip()
]
MACROS = {
    name for name in names("analytics") if statement("analytics", name).text.startswith("create or replace macro")
}


def trouble(home: Home) -> None:
    """What the views shall tell of: an over-long name, a company that is there twice, an edit by hand in a target."""
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
        netsuite.update("customer", int(key), companyname="Twice AB")
    home.sandbox.suiteprojects.modify("Customer", int(customers[-1][2]), company="by hand")


@pytest.fixture(scope="module")
def analyst(settled_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The snapshot after a few days, opened as an analyst does."""
    folder = tmp_path_factory.mktemp("analyst") / "home"
    copytree(settled_home, folder)
    with at_home(folder) as home:
        for number in range(2):
            day(home.sandbox, seed=number)
            if number == 1:
                trouble(home)
            assert home.run("all").success
        with duckdb.connect(str(home.warehouse.snapshot), read_only=True) as con:
            yield con


def test_every_view_and_macro_is_there(analyst: duckdb.DuckDBPyConnection) -> None:
    """A definition that does not bind is left out in silence; here it is not."""
    views = {row[0] for row in analyst.execute("select view_name from duckdb_views() where not internal").fetchall()}
    macros = analyst.execute(
        "select function_name from duckdb_functions() where function_type = 'table_macro' and not internal"
    ).fetchall()
    assert views | {row[0] for row in macros} == set(names("analytics"))


def test_every_column_of_a_view_says_what_it_is(analyst: duckdb.DuckDBPyConnection) -> None:
    """In the file itself, where an analyst looks."""
    views = sorted(set(names("analytics")) - MACROS)
    silent = analyst.execute(
        "select table_name, column_name from duckdb_columns() where list_contains(?, table_name) and comment is null",
        [views],
    ).fetchall()
    assert silent == []


@pytest.mark.parametrize("name", sorted(set(names("analytics")) - MACROS))
def test_the_promised_key_is_one(analyst: duckdb.DuckDBPyConnection, name: str) -> None:
    """Grain and key stand in the header; a join that multiplies rows would break them."""
    key = ", ".join(statement("analytics", name).key)
    rows = analyst.execute(f"select {key} from {name} group by all having count(*) > 1").fetchall()
    assert rows == []


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_every_example_of_the_page_gives_an_answer(analyst: duckdb.DuckDBPyConnection, example: str) -> None:
    """Read-only, as it is written there."""
    assert analyst.execute(example).fetchall(), example


def test_the_command_line_of_another_version_answers_every_example(analyst: duckdb.DuckDBPyConnection) -> None:
    """Views and macros are kept in the file as DuckDB read them; the 1.5 line knows no function `if`, for one."""
    program = Path(sys.prefix) / "bin" / "duckdb"
    if not program.exists():
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail("there is no duckdb program: nobody looked whether it answers")
        pytest.skip("there is no duckdb program: `make setup` brings it")
    file = analyst.execute("select path from duckdb_databases() where database_name = current_database()").fetchall()
    questions = ";\n".join([*EXAMPLES, *(f"from {name}" for name in set(names("analytics")) - MACROS)])

    told = subprocess.run(
        [str(program), "-readonly", "-bail", "-list", str(file[0][0])],
        input=f"{questions};", capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (told.returncode, told.stderr) == (0, "")


def test_the_page_has_an_example_of_each() -> None:
    """A view that nobody shows is a view that nobody finds."""
    assert [name for name in names("analytics") if not re.search(rf"\b{name}\b", PAGE.read_text())] == [
        "projects_as_of"
    ]


def test_why_follows_one_value_from_netsuite_to_the_target(analyst: duckdb.DuckDBPyConnection) -> None:
    """The same value at each step, by a NetSuite id and by the target's."""
    source_id, target_id, city = analyst.execute(
        "select source_id, target_id, city from sync_links join stg_netsuite__customers on customer_id = source_id"
        " where workflow = 'suiteprojects__customers' and city is not null order by all limit 1"
    ).fetchall()[0]
    for key in (source_id, target_id):
        steps = analyst.execute(
            "select step, value from why('suiteprojects__customers', ?, 'addr_city')", [key]
        ).fetchall()
        assert [value for step, value in steps if step in {"NetSuite", "mapped", "the target has"}] == [city] * 3
        assert ("rule", "from: city") in steps
        assert "answered" in {step for step, _ in steps}


def test_customer_360_counts_as_the_staging_tables_do(analyst: duckdb.DuckDBPyConnection) -> None:
    """Joins neither lose nor double a record."""
    told = analyst.execute("select count(*), sum(projects), sum(in_targets) from customer_360").fetchall()
    counted = analyst.execute(
        "select (select count(*) from stg_netsuite__customers where not is_deleted),"
        " (select count(*) from stg_netsuite__projects p where not p.is_deleted and exists"
        "   (from stg_netsuite__customers c where c.customer_id = p.customer_id and not c.is_deleted)),"
        " (select count(*) from sync_links where source = 'customers'"
        "   and source_id in (select customer_id from stg_netsuite__customers where not is_deleted))"
    ).fetchall()
    assert told == counted


def test_a_table_of_an_older_version_leaves_out_its_views_alone(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """The other tables are listed all the same."""
    home.warehouse.replace("stg_netsuite__customers", pl.DataFrame({"customer_id": ["1"]}))
    home.warehouse.replace("sync_links", pl.DataFrame({"source_id": ["1"]}))

    assert print_tables("", None, Console()) == 0
    assert "stg_netsuite__customers" in capsys.readouterr().out
