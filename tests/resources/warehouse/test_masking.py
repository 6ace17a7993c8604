"""A masked snapshot holds no personal value and still answers an analyst's questions."""

from pathlib import Path
from typing import Any

import duckdb
import pytest

from assets.warehouse.history import update_history
from assets.warehouse.staging import stage_table
from resources.warehouse.masking import Personal
from resources.warehouse.open import open_warehouse
from resources.warehouse.tables import ensure_table
from resources.warehouse.warehouse import Warehouse
from sql import names, statement
from tests.assets.warehouse.staged_account import StagedAccount

SECRETS = ("Greta", "Persson", "greta@home.example", "+46 70", "Lilla gatan", "Persson, Greta", "in confidence")


def build_warehouse(folder: Path) -> Path:
    """Create a warehouse with a person in every layer; return its folder."""
    account = StagedAccount(folder)
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
            stage_table(con, statement("staging", name))
        for name in names("history"):
            update_history(con, statement("history", name))
        for name in names("ledger"):
            ensure_table(con, statement("ledger", name))
        con.execute(
            "insert into lineage_columns (workflow, target_field, source_column)"
            " values ('w__x', 'company', 'last_name'), ('w__x', 'note', null), ('w__x', 'city', 'city')"
        )
        for table in ("mart_w__x", "target_w__x", "plan_w__x"):
            con.execute(f"create table {table} (source_id varchar, company varchar, city varchar, note varchar)")
            con.execute(f"insert into {table} values ('99', 'Persson', 'Lund', 'Greta')")
        con.execute(
            "insert into sync_attempts (source_id, image, reason, request_hash, payload_hash, replaced) values"
            " ('99', 'Persson', 'no Persson here', 'hash of Persson', 'hash of Persson', 'bits of Persson')"
        )
        con.execute(
            "insert into sync_decisions (workflow, source, source_id, action, reason_code, reason) values"
            " ('w__x', 'customers', '99', 'quarantined', 'rejected_9', 'no Persson'),"
            " ('w__x', 'customers', '1', 'skipped', 'stage', 'a lead')"
        )
        con.execute(
            "insert into sync_links (source_id, value_hashes, payload_hash) values"
            " ('99', 'fingerprint of Persson', 'hash of Persson')"
        )
        con.execute("create table candidates as select 'Persson' as name")
    return warehouse.folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a warehouse with a person in it."""
    return build_warehouse(tmp_path_factory.mktemp("masked"))


def published_snapshot(folder: Path, personal: Personal) -> duckdb.DuckDBPyConnection:
    """Publish the snapshot and open it as an analyst does."""
    open_warehouse(folder, personal=personal).publish()
    return duckdb.connect(str(folder / "analyst.duckdb"), read_only=True)


def everything(con: duckdb.DuckDBPyConnection) -> str:
    """Return every cell of every table and view as text."""
    tables = [row[0] for row in con.execute("select table_name from information_schema.tables").fetchall()]
    cells: list[Any] = [con.execute(f'select * from "{table}"').fetchall() for table in tables]
    return repr(cells)


@pytest.mark.long
def test_an_unmasked_snapshot_contains_the_personal_values(folder: Path) -> None:
    """Otherwise the next test would prove nothing."""
    with published_snapshot(folder, "show") as con:
        cells = everything(con)
    assert [each for each in SECRETS if each not in cells] == []


@pytest.mark.long
@pytest.mark.parametrize("personal", ["mask", "empty"])
def test_a_masked_snapshot_contains_no_personal_value(folder: Path, personal: Personal) -> None:
    """No table contains one, and neither does the file's free space."""
    with published_snapshot(folder, personal) as con:
        cells = everything(con)
        file_bytes = (folder / "analyst.duckdb").read_bytes()

    assert [each for each in SECRETS if each in cells.replace("Persson & Co", "")] == []
    with published_snapshot(folder, personal) as con:
        query = "select payload_hash from sync_links union all select payload_hash from sync_attempts"
        hashes = con.execute(query).fetchall()
    assert len(set(hashes)) == 1, "views ask whether there is one, and compare them"
    assert hashes[0][0].startswith("hidden ")
    assert [each for each in SECRETS if each not in {"Persson"} and each.encode() in file_bytes] == []


@pytest.mark.long
def test_a_masked_snapshot_still_answers_questions(folder: Path) -> None:
    """Companies, cities and reasons are readable, equal values have equal tokens, comments and views exist."""
    with published_snapshot(folder, "mask") as con:
        rows = con.execute(
            "select name, city from customer_360 where customer_id in ('1', '99') order by all"
        ).fetchall()
        one, other = con.execute(
            "select s.last_name, h.last_name from stg_netsuite__customers s"
            " join hist_netsuite__customers h using (customer_id) where customer_id = '99'"
        ).fetchall()[0]
        reasons = con.execute("select source_id, reason from not_in_target order by all").fetchall()
        comments = con.execute(
            "select comment from duckdb_tables() where table_name = 'stg_netsuite__customers'"
        ).fetchall()

    assert rows[0] == ("Persson & Co", "Lund")
    assert rows[1][0].startswith("hidden ")
    assert one == other
    assert one.startswith("hidden ")
    assert reasons == [("1", "a lead"), ("99", None)]
    assert comments[0][0]


@pytest.mark.long
def test_tokens_differ_between_snapshots(folder: Path) -> None:
    """A value cannot be looked up in a list of hashed names."""
    tokens = set()
    for _ in range(2):
        with published_snapshot(folder, "mask") as con:
            tokens |= set(
                con.execute("select last_name from stg_netsuite__customers where customer_id = '99'").fetchall()
            )
    assert len(tokens) == 2


def test_masking_leaves_the_warehouse_unchanged(folder: Path) -> None:
    """Only the copy is masked."""
    published_snapshot(folder, "empty").close()
    warehouse = Warehouse(folder)
    assert warehouse.read("select last_name from stg_netsuite__customers where customer_id = '99'").item() == "Persson"
    assert not list(folder.glob(".*.tmp"))
