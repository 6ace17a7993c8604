"""A snapshot that is handed out holds no personal value, and still answers an analyst's questions."""

from pathlib import Path
from typing import Any

import duckdb
import pytest

from assets.warehouse.history import keep
from assets.warehouse.staging import build
from resources.warehouse.masking import Personal
from resources.warehouse.resource import open_warehouse
from resources.warehouse.tables import ensure_table
from resources.warehouse.warehouse import Warehouse
from sql import names, statement
from tests.assets.warehouse.test_staging_incremental import Account

SECRETS = ("Greta", "Persson", "greta@home.example", "+46 70", "Lilla gatan", "Persson, Greta", "in confidence")


def warehouse(folder: Path) -> Path:
    """A warehouse with a person in it, in every layer."""
    account = Account(folder)
    account.sandbox.netsuite.insert(
        "customer",
        [{"id": 99, "entityid": "Persson, Greta", "isperson": True, "firstname": "Greta", "lastname": "Persson",
          "altname": "Greta Persson", "email": "greta@home.example", "phone": "+46 70", "searchstage": "Customer",
          "comments": "in confidence", "custentity_region": "Persson"}],
    )  # fmt: skip
    account.sandbox.netsuite.insert(
        "customeraddressbookentityaddress", [{"nkey": 99, "recordowner": 99, "addr1": "Lilla gatan", "city": "Lund"}]
    )
    account.sandbox.netsuite.insert("customeraddressbook", [{"internalid": 99, "entity": 99, "addressbookaddress": 99}])
    account.sandbox.netsuite.update("customer", 1, companyname="Persson & Co")
    account.extract()
    warehouse = account.warehouse
    with warehouse.writer() as con:
        for name in names("staging"):
            build(con, statement("staging", name))
        for name in names("history"):
            keep(con, statement("history", name))
        for name in names("ledger"):
            ensure_table(con, statement("ledger", name))
        con.execute(
            "insert into lineage_columns (workflow, target_field, source_column)"
            " values ('w__x', 'company', 'last_name'), ('w__x', 'note', null), ('w__x', 'city', 'city')"
        )
        for table in ("mart_w__x", "target_w__x", "plan_w__x"):
            con.execute(f"create table {table} (source_id varchar, company varchar, city varchar, note varchar)")
            con.execute(f"insert into {table} values ('99', 'Persson', 'Lund', 'Greta')")
        con.execute("insert into sync_attempts (source_id, image, reason) values ('99', 'Persson', 'no Persson here')")
        con.execute(
            "insert into sync_decisions (workflow, source, source_id, action, reason_code, reason) values"
            " ('w__x', 'customers', '99', 'quarantined', 'rejected_9', 'no Persson'),"
            " ('w__x', 'customers', '1', 'skipped', 'stage', 'a lead')"
        )
        con.execute("create table candidates as select 'Persson' as name")
    return warehouse.folder


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a warehouse with a person in it."""
    return warehouse(tmp_path_factory.mktemp("masked"))


def published(folder: Path, personal: Personal) -> duckdb.DuckDBPyConnection:
    """The snapshot, as an analyst opens it."""
    open_warehouse(folder, personal=personal).publish()
    return duckdb.connect(str(folder / "analyst.duckdb"), read_only=True)


def everything(con: duckdb.DuckDBPyConnection) -> str:
    """Every cell of every table and view."""
    tables = [row[0] for row in con.execute("select table_name from information_schema.tables").fetchall()]
    cells: list[Any] = [con.execute(f'select * from "{table}"').fetchall() for table in tables]
    return repr(cells)


def test_a_plain_snapshot_shows_everything(filled: Path) -> None:
    """Otherwise the next test would prove nothing."""
    with published(filled, "show") as con:
        told = everything(con)
    assert [each for each in SECRETS if each not in told] == []


@pytest.mark.parametrize("personal", ["mask", "empty"])
def test_no_personal_value_is_handed_out(filled: Path, personal: Personal) -> None:
    """In no table, and not in the file's free space either."""
    with published(filled, personal) as con:
        told = everything(con)
        held = (filled / "analyst.duckdb").read_bytes()

    assert [each for each in SECRETS if each in told.replace("Persson & Co", "")] == []
    assert [each for each in SECRETS if each not in {"Persson"} and each.encode() in held] == []


def test_questions_are_answered_all_the_same(filled: Path) -> None:
    """Companies, places, states and reasons are there; equal values have equal tokens; comments and views too."""
    with published(filled, "mask") as con:
        rows = con.execute(
            "select name, city from customer_360 where customer_id in ('1', '99') order by all"
        ).fetchall()
        one, other = con.execute(
            "select s.last_name, h.last_name from stg_netsuite__customers s"
            " join hist_netsuite__customers h using (customer_id) where customer_id = '99'"
        ).fetchall()[0]
        reasons = con.execute("select source_id, reason from not_in_target order by all").fetchall()
        silent = con.execute(
            "select comment from duckdb_tables() where table_name = 'stg_netsuite__customers'"
        ).fetchall()

    assert rows[0] == ("Persson & Co", "Lund")
    assert rows[1][0].startswith("hidden ")
    assert one == other
    assert one.startswith("hidden ")
    assert reasons == [("1", "a lead"), ("99", None)]
    assert silent[0][0]


def test_tokens_of_two_snapshots_do_not_agree(filled: Path) -> None:
    """Nobody can look a value up in a list of hashed names."""
    tokens = set()
    for _ in range(2):
        with published(filled, "mask") as con:
            tokens |= set(
                con.execute("select last_name from stg_netsuite__customers where customer_id = '99'").fetchall()
            )
    assert len(tokens) == 2


def test_the_pond_itself_is_unchanged(filled: Path) -> None:
    """Only the copy is masked."""
    published(filled, "empty").close()
    warehouse = Warehouse(filled)
    assert warehouse.read("select last_name from stg_netsuite__customers where customer_id = '99'").item() == "Persson"
    assert not list(filled.glob(".*.tmp"))
