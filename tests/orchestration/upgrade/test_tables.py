"""Every row of the old warehouse is in the new one, under the new names."""

import json

import duckdb
import pytest
from cryptography.fernet import Fernet

from assets.delivery.ledger.sealing import checksum, opened
from assets.delivery.spec.loader import read_workflow
from orchestration.upgrade.errors import UpgradeError
from orchestration.upgrade.m0002_plain_names import names
from orchestration.upgrade.m0002_plain_names.tables import _checksum
from orchestration.upgrade.perform import upgrade_all
from resources.encryption import Cipher
from resources.warehouse.schema_version import SCHEMA_VERSION
from resources.warehouse.tables import quoted
from sql import statement
from tests.orchestration.upgrade.conftest import KEY, Installation

# columns whose values change, by new table; all others must be equal
CHANGED = {
    "sync_plans": {"kind", "undone_run", "state", "checksum", "note"},
    "sync_runs": {"note"},
    "sync_decisions": {"reason"},
    "sync_attempts": {"reason", "state", "image"},  # images are encrypted again, each bound to its send
    "netsuite_reads": {"mode"},
    "netsuite_capabilities": {"answer"},
    "lineage_columns": {"source_table", "expression"},
    # encrypted again, each bound to its row
    "plan_precoro__services": {"reason", "payload"},
    "plan_suiteprojects__customers": {"reason", "payload"},
}
BY_PREFIX = {"plan_": {"reason"}, "mart_": {"reason"}, "sync_": {"reason"}, "selection_": {"selected_by"},
             "candidates_": {"why_not"}}  # fmt: skip


def new_name(table: str) -> str:
    """The name of a table in 0.2."""
    if table.startswith(names.OLD_STATE):
        return names.NEW_STATE + table.removeprefix(names.OLD_STATE)
    return names.TABLES.get(table, table)


def tables(con: duckdb.DuckDBPyConnection, database: str) -> dict[str, list[str]]:
    """The tables of a database with their columns."""
    rows = con.execute(
        "select table_name, list(column_name order by column_index) from duckdb_columns() join duckdb_tables() using"
        " (database_name, schema_name, table_name) where database_name = ? group by all order by all",
        [database],
    ).fetchall()
    return dict(rows)


def changed_columns(table: str) -> set[str]:
    """The columns of a new table whose values may differ."""
    found = next((columns for prefix, columns in BY_PREFIX.items() if table.startswith(prefix)), set())
    return CHANGED.get(table, found) | {"workflow_version"}


# tables of the ledger that 0.1 did not have and that views read
ADDED = {"schema_version", "sync_readings", "sync_ignored"}


def renamed(table: str, column: str) -> str:
    """The name of a column in 0.2."""
    by_table = next(
        (
            each
            for name, each in names.COLUMNS.items()
            if table == name or (name.endswith("_") and table.startswith(name))
        ),
        {},
    )
    return by_table.get(column, column)


def test_every_table_keeps_all_its_rows(both: duckdb.DuckDBPyConnection) -> None:
    """Links, decisions, attempts, history, holds, selections, normalizations, plans: not one row is lost or altered."""
    before, after = tables(both, "before"), tables(both, "after")

    assert {new_name(table) for table in before} | ADDED == after.keys()
    for table, columns in before.items():
        new = new_name(table)
        kept = [column for column in columns if renamed(new, column) not in changed_columns(new)]
        old_rows = f"select {', '.join(map(quoted, kept))} from before.{quoted(table)}"
        new_rows = f"select {', '.join(quoted(renamed(new, column)) for column in kept)} from after.{quoted(new)}"
        lost = both.execute(f"select count(*) from ({old_rows} except all {new_rows})").fetchall()
        added = both.execute(f"select count(*) from ({new_rows} except all {old_rows})").fetchall()

        assert (lost, added) == ([(0,)], [(0,)]), table


@pytest.mark.parametrize("value", names.VALUES, ids=lambda value: f"{value.table}.{value.column} {value.old}")
def test_a_stored_value_is_renamed(both: duckdb.DuckDBPyConnection, value: names.Value) -> None:
    """As many rows have the new value as had the old one and the new one together."""
    for table in tables(both, "after"):
        if table != value.table and not (value.table.endswith("_") and table.startswith(value.table)):
            continue
        old_table = next(old for old in tables(both, "before") if new_name(old) == table)
        old_column = next(old for old in tables(both, "before")[old_table] if renamed(table, old) == value.column)
        count = "select count(*) from {} where {} in (?, ?)"
        before = both.execute(count.format(f"before.{quoted(old_table)}", quoted(old_column)), [value.old, value.new])
        rows = before.fetchall()
        after = both.execute(count.format(f"after.{quoted(table)}", quoted(value.column)), [value.new, value.new])

        assert after.fetchall() == rows
        gone = both.execute(count.format(f"after.{quoted(table)}", quoted(value.column)), [value.old, value.old])
        assert gone.fetchall() == [(0,)]


def test_undo_plans_name_their_run(both: duckdb.DuckDBPyConnection) -> None:
    """`undo <run>` is split into a kind and a run."""
    before = dict(both.execute("select plan_id, kind from before.sync_plans where kind like 'undo %'").fetchall())
    after = both.execute(
        "select plan_id, kind, undone_run from after.sync_plans where undone_run is not null"
    ).fetchall()

    assert len(before) == 5
    assert {plan_id: f"{kind} {run}" for plan_id, kind, run in after} == before


def test_tables_have_the_columns_of_this_version(both: duckdb.DuckDBPyConnection) -> None:
    """An upgraded table and a new one differ in the order of their columns at most."""
    for table, columns in tables(both, "after").items():
        if table in names.TABLES.values() or (table in CHANGED and not table.startswith("plan_")):
            assert set(columns) == statement("ledger", table).column_comments.keys(), table


def test_the_order_of_the_ledger_is_kept(both: duckdb.DuckDBPyConnection) -> None:
    """Rows without a place in the sequence get one by their times, below every later one."""
    for table, columns in names.ADDED_COLUMNS.items():
        for column, (_, value) in columns.items():
            if value.startswith("epoch_us"):
                query = f"select count(*) from after.{table} where {column} is distinct from {value}"
                assert both.execute(query).fetchall() == [(0,)], f"{table}.{column}"


def test_comments_are_those_of_this_version(both: duckdb.DuckDBPyConnection) -> None:
    """Comments name tables and columns; analysts would not find the old ones."""
    texts = both.execute(
        "select comment from duckdb_tables() where database_name = 'after' union all select comment from"
        " duckdb_columns() where database_name = 'after' and not starts_with(table_name, 'mart_')"
        " and not starts_with(table_name, 'target_') and not starts_with(table_name, 'stg_')"
    ).fetchall()

    for table in ("sync_links", "sync_plans", "netsuite_reads", "raw_netsuite__leads", "hist_netsuite__customers"):
        assert (
            both.execute(
                "select comment from duckdb_tables() where database_name = 'after' and table_name = ?", [table]
            ).fetchall()
            != both.execute(
                "select comment from duckdb_tables() where database_name = 'before' and table_name = ?", [table]
            ).fetchall()
        )
    assert not [text for (text,) in texts if text and ("the pond" in text or "hand" in text.split())]


def test_a_warehouse_of_early_0_1_gets_its_missing_columns(old: Installation) -> None:
    """Version 0.1 itself added some columns later; existing rows are kept."""
    early = {"sync_plans": ["calls_left", "decided_by"], "sync_runs": ["account", "calls_left"]}
    with duckdb.connect(str(old.home / "pond" / "stage.duckdb")) as con:
        rows = con.execute("select count(*) from sync_runs").fetchall()
        for table, columns in early.items():
            for column in columns:
                con.execute(f"alter table {table} drop column {column}")
    upgrade_all(lambda _: None)
    with old.warehouse.writer(transaction=False) as con:
        described = "select table_name, column_name from duckdb_columns() where comment is not null"
        commented = set(con.execute(described).fetchall())
        assert {(table, name) for table, columns in early.items() for name in columns} <= commented
        assert con.execute("select count(*) from sync_runs where account is null").fetchall() == rows


def test_fingerprints_follow_the_files(both: duckdb.DuckDBPyConnection, upgraded_once: Installation) -> None:
    """An unedited workflow does not count as edited: every row with its old fingerprint has the new one."""
    for file in sorted(upgraded_once.workflows.glob("*/defs.yaml")):
        workflow, version = file.parent.name, read_workflow(file).version
        count = "select workflow_version, count(*) from {}.{} where workflow = ? group by all order by 2 desc limit 1"
        for old, new in {"sync_runs": "sync_runs", "sync_links": "sync_links", "sync_holds": "sync_undo_holds"}.items():
            before = both.execute(count.format("before", old), [workflow]).fetchall()
            after = both.execute(count.format("after", new), [workflow]).fetchall()

            assert [rows for _, rows in after] == [rows for _, rows in before]
            assert not after or after[0][0] == version
        planned = both.execute(f"select distinct workflow_version from after.{quoted(f'plan_{workflow}')}").fetchall()
        assert planned == [(version,)]


def test_capabilities_are_known_under_the_new_keys(both: duckdb.DuckDBPyConnection) -> None:
    """Otherwise the next run would ask NetSuite for every column again."""
    query = "select answer from after.netsuite_capabilities where starts_with(capability, 'columns ')"
    found = [json.loads(answer) for (answer,) in both.execute(query).fetchall()]

    assert len(found) == 14
    assert all(each.keys() == {"requested", "missing", "expressions", "local_time", "types_known"} for each in found)


@pytest.mark.parametrize("plan_id", ["d744965e9654", "162189233133"])
def test_a_waiting_plan_keeps_its_values_and_gets_a_new_checksum(upgraded: Installation, plan_id: str) -> None:
    """Encrypted payloads stay encrypted with the same key; the checksum covers the renamed rows."""
    stored = upgraded.warehouse.read("from sync_plans where plan_id = ?", [plan_id]).row(0, named=True)
    table = quoted(f"plan_{stored['workflow']}")
    rows = upgraded.warehouse.read(f"select * from {table} where plan_id = ?", [plan_id])

    assert opened(rows, stored, Cipher(KEY)).drop_nulls("payload").height == 1


def test_a_plan_that_was_modified_stays_rejected(old: Installation) -> None:
    """The upgrade must not approve rows that no one reviewed."""
    with duckdb.connect(str(old.home / "pond" / "stage.duckdb")) as con:
        con.execute("update plan_precoro__services set target_id = '99' where action = 'update'")
    upgrade_all(lambda _: None)
    stored = old.warehouse.read("select checksum from sync_plans where plan_id = 'd744965e9654'").item()
    rows = old.warehouse.read("select * from plan_precoro__services where plan_id = 'd744965e9654'")

    assert checksum(rows) != stored


def test_without_the_key_nothing_is_converted_until_it_is_set(old: Installation) -> None:
    """A shell may lack the settings of the service; afterwards the plan could never be sent."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MILLPOND_ENCRYPTION_KEY")
        with pytest.raises(UpgradeError, match=r"duckdb: plan_precoro__services has encrypted values.*MILLPOND_SEAL"):
            upgrade_all(lambda _: None)
    lines: list[str] = []
    upgrade_all(lines.append)

    stored = old.warehouse.read("from sync_plans where plan_id = 'd744965e9654'").row(0, named=True)
    rows = old.warehouse.read("from plan_precoro__services where plan_id = 'd744965e9654'")
    assert opened(rows, stored, Cipher(KEY)).drop_nulls("payload").height == 1
    assert any(line.endswith("can still be sent as it was made") for line in lines)


def test_what_another_key_encrypted_is_named(old: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan that cannot be sent is not said to be sent, and a send that cannot be undone is counted."""
    with duckdb.connect(str(old.home / "pond" / "stage.duckdb")) as con:
        con.execute(
            "create table sync_attempts (attempt_id varchar, workflow varchar, source varchar, source_id varchar,"
            " action varchar, target_id varchar, state varchar, image varchar, seen_at timestamp)"
        )
        image = Cipher(KEY).encrypt("[]")
        con.execute("insert into sync_attempts (attempt_id, image) values ('a', ?)", [image])
    monkeypatch.setenv("MILLPOND_ENCRYPTION_KEY", Fernet.generate_key().decode())
    lines: list[str] = []
    upgrade_all(lines.append)

    (plan,) = [line for line in lines if "plan d744965e9654" in line]
    assert ": not encrypted with the key that MILLPOND_ENCRYPTION_KEY has: it cannot be sent" in plan
    assert any("1 before-image: not encrypted with the key" in line for line in lines)


def test_a_plan_from_before_the_first_key_is_not_said_to_be_of_another_key(old: Installation) -> None:
    """The key may be set together with the upgrade; whoever can write the file could have stored the plan."""
    with duckdb.connect(str(old.home / "pond" / "stage.duckdb")) as con:
        con.execute("update plan_precoro__services set payload = '{}' where payload is not null")
        seal = _checksum(con, "precoro__services", "d744965e9654")
        con.execute("update sync_plans set seal = ? where plan_id = 'd744965e9654'", [seal])
    lines: list[str] = []
    upgrade_all(lines.append)

    (plan,) = [line for line in lines if "plan d744965e9654" in line]
    assert ": not encrypted with the key that MILLPOND_ENCRYPTION_KEY has: it cannot be sent" in plan


def test_the_warehouse_has_the_version(upgraded: Installation) -> None:
    """The next start need not read the tables."""
    assert upgraded.warehouse.read("select max(version) from schema_version").item() == SCHEMA_VERSION
    assert json.loads((upgraded.home / "version.json").read_text()) == {"version": SCHEMA_VERSION}


def test_rows_of_the_old_version_get_positions_in_the_order_of_their_times(upgraded_once: Installation) -> None:
    """New rows come after them: positions are microseconds of their times, and a later position is one higher."""
    with duckdb.connect(str(upgraded_once.home / "warehouse" / "millpond.duckdb"), read_only=True) as con:
        rows = con.execute("select seen_at from sync_attempts order by position, seen_at").fetchall()
        unnumbered = con.execute("select count(*) from sync_attempts where position is null").fetchall()

    assert unnumbered == [(0,)]
    assert rows == sorted(rows)
