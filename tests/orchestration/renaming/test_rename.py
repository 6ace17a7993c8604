"""`millpond rename`: a workflow with another name is the same one; killed at any step, it is completed or undone."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from shutil import copytree

import duckdb
import polars as pl
import pytest
from cryptography.fernet import Fernet

import sql
from assets.delivery.ledger import plans
from assets.delivery.ledger.plans import PlanState
from assets.delivery.ledger.sealing import opened, seal, signature
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.schemas import MART_COLUMNS, PLAN_COLUMNS
from assets.delivery.spec.loader import read_workflow
from assets.delivery.spec.switches import Switches
from orchestration.alerts.store import AlertStore
from orchestration.backup.home_use import RENAME_JOURNAL
from orchestration.configuration.settings import ROOT, MillpondSettings
from orchestration.ledger_check import verify_ledger
from orchestration.ledger_sealing import seal_ledger
from orchestration.realtime.queue import NotificationQueue
from orchestration.renaming.references import LAYERS, mentions, renamed_text
from orchestration.workflow_files import load_user_files
from resources.encryption import Cipher, EncryptionError
from resources.failpoints import RENAME
from resources.warehouse.bindings import bind
from resources.warehouse.tables import columns_of, quoted, read_frame, replace_table, tables_of
from tests.assets.delivery.chain.ledger_chain import KEY
from tests.orchestration.backup.test_backup import millpond
from tests.orchestration.backup.test_interrupted import COMMAND, DYING
from tests.orchestration.conftest import Home, at_home, edited_workflows

OLD, NEW = "suiteprojects__customers", "clients"
BESIDE = "suiteprojects__customers_uk"  # another workflow, whose name begins with the old one
BELOW = "suiteprojects__contacts"  # needs the renamed one
GROUPS = f"groups:\n  nightly:\n    workflows: [{OLD}, {BELOW}]\n"
MOMENT = datetime(2026, 11, 1, 6)  # noqa: DTZ001 - UTC without a zone, as the ledger has it


@pytest.fixture
def named(tmp_path: Path) -> Iterator[Home]:
    """A home in which everything that can name a workflow names OLD, BESIDE and BELOW."""
    with at_home(tmp_path / "home") as home, pytest.MonkeyPatch.context() as patch:
        patch.delenv("DAGSTER_HOME", raising=False)
        patch.setenv("MILLPOND_WORKFLOWS", str(tmp_path / "workflows"))
        patch.chdir(tmp_path)
        for name in (OLD, BELOW, "suiteprojects__customer_department"):
            copytree(ROOT / "orchestration" / "workflows" / name, tmp_path / "workflows" / name)
        (tmp_path / "workflows" / "groups.yaml").write_text(GROUPS)
        home.sandbox.netsuite.insert("customer", [])
        with home.warehouse.writer() as con:
            ensure_ledger(con)
            for name in (OLD, BESIDE, BELOW):
                bind(con, name, {"company": "acme"}, home.sandbox.clock.now(), "run")
                _fill(con, name)
        for name in (OLD, BESIDE):
            Switches(home.warehouse.folder).override(name, active=True, reason="test")
        with alerts() as store, store.transaction():
            for name in (OLD, BESIDE):
                store.set_failed(f"plan_{name}", "run", f"plan_{name} guard", f"{name}: failed", [name])
        NotificationQueue(home.folder).add("customers", "7", is_deleted=False, nonce="n", now=1.0, remember_s=10.0)
        yield home


@contextmanager
def alerts() -> Iterator[AlertStore]:
    """The open store of alerts."""
    with closing(AlertStore(MillpondSettings().alerts)) as store:
        yield store


def version_of(name: str) -> str:
    """Return the fingerprint of a workflow's file."""
    path = MillpondSettings().workflows / name / "defs.yaml"
    return read_workflow(path).version if path.exists() else "none"


def _fill(con: duckdb.DuckDBPyConnection, name: str) -> None:
    """Give every table of the ledger a row of the workflow, and the workflow its tables and an open plan."""
    values = {
        "workflow": name, "table_name": f"mart_{name}", "source_table": f"target_{name}",
        "reason": f"{name} has not run", "expression": f"from: x, looked up: mart_{name}.id by name",
        "workflow_version": version_of(name), "source": "customers", "source_id": "7",
    }  # fmt: skip
    for table in sorted(tables_of(con)):
        columns = columns_of(con, table)
        given = {column: value for column, value in values.items() if columns.get(column) == "VARCHAR"}
        if "workflow" in given and table != "sync_plans":
            names = ", ".join(given)
            con.execute(f"insert into {table} ({names}) values ({', '.join('?' * len(given))})", [*given.values()])
    con.execute("update sync_import_selection set selected_at = ?", [MOMENT])
    for table in ("sync_manual_links", "sync_ignored"):
        con.execute(f"update {table} set decided_at = ?", [MOMENT])
    for layer in LAYERS:
        if layer != "plan":
            replace_table(con, f"{layer}_{name}", pl.DataFrame({"source_id": ["7"]}))
    save_plan(con, name, Cipher())


def save_plan(con: duckdb.DuckDBPyConnection, name: str, cipher: Cipher, plan_id: str = "") -> str:
    """Store a plan of one create that waits for approval."""
    plan_id = plan_id or f"plan{name[-9:]}"
    empty = pl.lit([], dtype=pl.List(pl.Struct({"field": pl.String, "before": pl.String, "after": pl.String})))
    plan = pl.DataFrame(
        {"source": ["customers"], "source_id": ["7"], "action": ["create"], "payload": ['{"name":"A"}']}
    )
    missing = [each for each in PLAN_COLUMNS if each not in plan.columns]
    plan = plan.with_columns(
        empty.alias(each) if each == "changes" else pl.lit(None, dtype=MART_COLUMNS.get(each, pl.String)).alias(each)
        for each in missing
    ).select(PLAN_COLUMNS)
    stamps = {"plan_id": plan_id, "workflow_version": version_of(name), "run_id": "run", "decided_at": MOMENT}
    sealed = seal(plan.with_columns(pl.lit(value).alias(each) for each, value in stamps.items()), cipher)
    row: dict[str, object] = {
        "plan_id": plan_id, "workflow": name, "workflow_version": version_of(name), "data_version": "d", "kind": "sync",
        "undone_run": None, "requested_by": None, "made_by": "run", "made_at": MOMENT,
        "expires_at": MOMENT + timedelta(days=365 * 90), "clock_origin": "o", "clock_s": 1.0,
        "state": PlanState.WAITING, "state_at": MOMENT, "writes": 1,
    }  # fmt: skip
    row["checksum"] = signature(sealed, row, cipher)
    plans.save(con, sealed, row, dict.fromkeys(sealed.columns, ""))
    return plan_id


def texts_with(home: Home, name: str) -> dict[str, set[str]]:
    """Return the tables that have a text with a name, or are named so, whatever their columns mean."""
    found: dict[str, set[str]] = {}
    with home.warehouse.writer(transaction=False) as con:
        for table in sorted(each for each in tables_of(con) if each not in sql.names("analytics")):
            columns = [column for column, kind in columns_of(con, table).items() if kind == "VARCHAR"]
            values = ", ".join(map(quoted, columns))
            texts = {each for row in con.execute(f"select {values} from {quoted(table)}").fetchall() for each in row}
            named = {each for each in texts if each and mentions(each, name)}
            if named or table.endswith(f"_{name}"):
                found[table] = named
    return found


def test_nothing_of_the_old_name_is_left_and_nothing_of_another_workflow_changes(
    named: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """In no table, whatever its columns mean, and in no file; a name that begins alike is another name."""
    before, beside = texts_with(named, OLD), texts_with(named, BESIDE)
    assert {"sync_links", "sync_undo_holds", "sync_plans", "sync_accounts", f"plan_{OLD}"} <= before.keys()
    own = version_of(OLD)

    assert millpond("rename", OLD, NEW) == 0

    assert not {*texts_with(named, OLD)} - {"sync_attempts"}  # its reasons are the target's, of their time
    renamed = {table.replace(OLD, NEW) if table.endswith(OLD) else table for table in before}
    assert renamed == texts_with(named, NEW).keys()
    assert texts_with(named, BESIDE) == beside
    assert {*Switches(named.warehouse.folder).overrides()} == {NEW, BESIDE}
    with alerts() as store:
        assert {step for step, *_ in store.failed_steps()} == {f"plan_{NEW}", f"plan_{BESIDE}"}
        assert [name for *_, names in store.failed_steps() for name in names if name == OLD] == []
    assert NotificationQueue(named.folder).pending() == 1
    files = load_user_files(MillpondSettings().workflows)
    assert NEW in {each.name for each in files.workflows}
    assert OLD not in {each.name for each in files.workflows}
    assert not files.problems
    assert not (named.folder / RENAME_JOURNAL).exists()
    assert version_of(NEW) == own
    assert "Dagster shows its assets" in capsys.readouterr().out


@pytest.mark.long
def test_a_workflow_that_refers_to_it_is_not_taken_for_edited(named: Home) -> None:
    """Its fingerprint changes with the name in its file: no canary, no undo hold that ends, nothing sent again."""
    before = version_of(BELOW)

    assert millpond("rename", OLD, NEW) == 0

    after = version_of(BELOW)
    assert after != before
    for table in ("sync_links", "sync_undo_holds", "sync_attempts", "sync_decisions", "sync_plans", f"plan_{BELOW}"):
        where = "" if table.startswith("plan_") else f" where workflow = '{BELOW}'"
        assert set(named.warehouse.read(f"select workflow_version from {table}{where}")["workflow_version"]) == {after}


@pytest.mark.parametrize("keys", ["", Fernet.generate_key().decode()], ids=["plain", "signed"])
def test_a_waiting_plan_can_still_be_sent_but_not_one_that_was_modified(
    named: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], keys: str
) -> None:
    """Its signature covers the workflow's name."""
    monkeypatch.setenv("MILLPOND_ENCRYPTION_KEY", keys)
    with named.warehouse.writer() as con:
        good, bad = (save_plan(con, OLD, Cipher(keys), plan_id) for plan_id in ("good", "bad"))
        con.execute(f"update plan_{OLD} set source_id = '8' where plan_id = 'bad'")

    assert millpond("rename", OLD, NEW) == 0

    assert "plan bad cannot be verified" in capsys.readouterr().out
    with named.warehouse.writer(transaction=False) as con:
        for plan_id, intact in ((good, True), (bad, False)):
            stored = read_frame(con, "select * from sync_plans where plan_id = ?", [plan_id]).row(0, named=True)
            rows = read_frame(con, f"select * from plan_{NEW} where plan_id = ?", [plan_id])
            assert stored["workflow"] == NEW
            if intact:
                assert opened(rows, stored, Cipher(keys)).height == 1
            else:
                with pytest.raises(EncryptionError):
                    opened(rows, stored, Cipher(keys))


@pytest.mark.parametrize("key", ["", Fernet.generate_key().decode()], ids=["none", "another"])
def test_a_plan_of_another_key_stops_a_rename_before_it_begins(
    named: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    """It could not be signed under the new name, so that it would be lost though its key is not."""
    with named.warehouse.writer() as con:
        save_plan(con, OLD, Cipher(Fernet.generate_key().decode()), "sealed")
    monkeypatch.setenv("MILLPOND_ENCRYPTION_KEY", key)

    assert millpond("rename", OLD, NEW) == 2

    printed = " ".join(capsys.readouterr().out.split())
    assert "plan sealed: customers 7: encrypted" in printed
    assert "to the key that encrypted it" in printed or "set the key that encrypted it" in printed
    assert "`millpond reject sealed`" in printed
    assert (MillpondSettings().workflows / OLD).exists()


@pytest.mark.long
def test_a_name_that_cannot_be_used_changes_nothing(named: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """Each is one line with the reason."""
    with named.warehouse.writer() as con:
        con.execute("insert into sync_links (workflow, source_id) values ('former', '1')")
    before = texts_with(named, OLD)

    for old, new, reason in (
        ("suiteprojects__custmers", NEW, "no workflow suiteprojects__custmers"),
        (OLD, BELOW, "exists already"),
        (OLD, BELOW.upper(), "exists already"),
        (OLD, OLD.upper(), "upper and lower case"),
        (OLD, "nightly", "group or a job"),
        (OLD, "maintenance", "group or a job"),
        (OLD, "../x", "letters, digits"),
        (OLD, "a" * 300, "at most 100 characters"),
        (OLD, "former", "there was a workflow former already"),
        (OLD, "runs", "sync_runs"),
    ):
        assert millpond("rename", old, new) == 2
        assert reason in " ".join(capsys.readouterr().out.split())
    assert texts_with(named, OLD) == before
    assert (MillpondSettings().workflows / OLD).exists()
    assert not (named.folder / RENAME_JOURNAL).exists()


def test_a_run_in_progress_prevents_a_rename(named: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """It is seen by its lock on the home; on another machine, by the locks of what it builds and writes."""
    with (named.folder / "home.lock").open("a") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert millpond("rename", OLD, NEW) == 2
    assert "is in use by process" in " ".join(capsys.readouterr().out.split())
    with named.warehouse.lock(f"plan_{OLD}", 0):
        assert millpond("rename", OLD, NEW) == 2
    assert f"a run of {OLD} is open" in " ".join(capsys.readouterr().out.split())
    assert texts_with(named, OLD)
    assert millpond("rename", OLD, NEW) == 0


@pytest.mark.long
def test_a_folder_that_was_renamed_already_keeps_its_links(named: Home) -> None:
    """As after a change that came with version control; unless a run has begun under the new name."""
    folder = MillpondSettings().workflows
    (folder / OLD).rename(folder / NEW)

    assert millpond("rename", OLD, NEW) == 0

    assert not {*texts_with(named, OLD)} - {"sync_attempts"}
    assert not load_user_files(folder).problems
    assert millpond("rename", NEW, OLD) == 0
    assert (folder / OLD).exists()


def test_comments_layout_and_other_values_of_a_file_stay() -> None:
    """Only names of workflows and of their tables are replaced, and quotes stay."""
    lines = [
        "attributes:  # of {0}\r\n  needs: ['{1}', b, a_b]\n  description: {0}\n  fields:",
        '    - {{field: {0}, from: {0}, reference: "{1}"}}',
        "    - {{field: x, value: {0}, lookup: {{table: target_{1}, by: {0}, then: {{table: mart_a_b, by: {0}}}}}}}",
    ]
    before, after = ("\n".join(lines).format("a", name) for name in ("a", "c"))
    assert renamed_text(before, "a", "c") == after


KILLED = [pytest.param(name, marks=() if name == "rename_tables" else pytest.mark.long) for name in RENAME]


@pytest.mark.parametrize("failpoint", KILLED)
def test_a_killed_rename_is_completed_or_was_never_begun(named: Home, failpoint: str) -> None:
    """By the next command, which says so."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def run(*tokens: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-W", "ignore", "-c", *tokens]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    died = run(DYING, failpoint, "0", "rename", OLD, NEW)
    assert died.returncode == -signal.SIGKILL, died.stderr + died.stdout
    decided = failpoint != "rename_checked"
    assert (named.folder / RENAME_JOURNAL).exists() == decided

    after = run(COMMAND, "links")

    assert after.returncode == 0, after.stderr + after.stdout
    assert (f"an interrupted rename was completed: {OLD} is {NEW}" in after.stderr) == decided
    left, gone = (NEW, OLD) if decided else (OLD, NEW)
    assert not {*texts_with(named, gone)} - {"sync_attempts"}
    assert {"sync_links", f"plan_{left}"} <= texts_with(named, left).keys()
    assert not load_user_files(MillpondSettings().workflows).problems
    assert (MillpondSettings().workflows / left).exists()
    assert not (MillpondSettings().workflows / gone).exists()
    assert left in Switches(named.warehouse.folder).overrides()
    assert not (named.folder / RENAME_JOURNAL).exists()


@pytest.mark.long
def test_after_a_rename_nothing_is_sent_and_an_undo_works(synced: Home, tmp_path: Path) -> None:
    """Links and history moved along: the next run changes nothing, and a run under the old name can be undone."""
    with edited_workflows(tmp_path / "files"):
        assert synced.run("all").success
        runs = synced.warehouse.read(f"select run_id from sync_runs where workflow = '{OLD}' order by position")
        before, links = synced.sandbox.suiteprojects.write_calls(), synced.warehouse.table("sync_links").height

        assert millpond("rename", OLD, NEW) == 0
        assert synced.run("all").success

        assert synced.sandbox.suiteprojects.write_calls() == before
        assert synced.warehouse.table("sync_links").height == links
        assert millpond("undo", runs["run_id"][0]) in {0, 3}
        waiting = synced.warehouse.read(f"select writes from sync_plans where kind = 'undo' and workflow = '{NEW}'")
        assert waiting.height == 1
        assert waiting.item() > 0


@pytest.mark.long
def test_the_hash_chain_follows_a_rename(named: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names, fingerprints and reasons of sealed rows change; the chain says why, and what else changes is found."""
    monkeypatch.setenv("MILLPOND_LEDGER_KEY", KEY)
    with named.warehouse.writer() as con:
        for table in ("sync_chain", "sync_checkpoints", "sync_events"):
            con.execute(f"delete from {table}")
    assert not seal_ledger(named.warehouse)

    assert millpond("rename", OLD, NEW) == 0
    assert millpond("rename", NEW, "again") == 0

    found = verify_ledger(named.warehouse)
    assert found.is_whole, found.problems
    assert found.erased == 1, "the reason of a decision has the workflow's name"
    with named.warehouse.writer() as con:
        con.execute(f"update sync_decisions set workflow = '{BESIDE}' where workflow = 'again'")
    assert not verify_ledger(named.warehouse).is_whole
