"""The ledger is sealed at the end of runs, and a chain that was cut is not continued."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from assets.delivery.chain.checkpoints import checkpoint_of
from assets.delivery.chain.kept import FILE
from assets.delivery.ledger.events import Event, Happened, record_event
from assets.delivery.ledger.tables import ensure_ledger
from orchestration.alerts.conditions import Limits, warehouse_alerts
from orchestration.backup.create import make_backup
from orchestration.backup.restore import record_only, restore_home
from orchestration.configuration.settings import ROOT, MillpondSettings
from orchestration.ledger_check import check_ledger, verify_ledger
from orchestration.ledger_sealing import seal_ledger
from orchestration.maintenance.compact import compact_warehouse
from resources.clock import WallClock
from resources.failpoints import LEDGER
from tests.assets.delivery.chain.ledger_chain import KEY, OTHER_KEY, add_run, at
from tests.orchestration.conftest import Home, at_home


@pytest.fixture
def ledger(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home whose ledger has one sealed run."""
    monkeypatch.setenv("MILLPOND_LEDGER_KEY", KEY)
    with home.warehouse.writer() as con:
        ensure_ledger(con)
        add_run(con, 0, _1=("create", "11"), _2=("create", "12"))
    assert not seal_ledger(home.warehouse)
    return home


def run_again(home: Home, number: int) -> str:
    """Add a run and seal it; return what hindered it."""
    with home.warehouse.writer() as con:
        add_run(con, number, _1=("update", "11"), _2=("update", "12"))
    return seal_ledger(home.warehouse)


def test_a_chain_that_was_cut_is_not_continued(ledger: Home) -> None:
    """The checkpoint beside the file is kept, so that the finding stays."""
    run_again(ledger, 1)
    with ledger.warehouse.writer() as con:
        for table in ("sync_chain", "sync_checkpoints", "sync_attempts", "sync_decisions"):
            con.execute(f"delete from {table}")

    hindered = run_again(ledger, 2)

    assert "the chain was cut: checkpoint 2 was kept" in hindered
    assert [each.what for each in verify_ledger(ledger.warehouse).problems] == ["cut"]


def test_the_backup_of_yesterday_is_a_fork_and_no_alarm(ledger: Home) -> None:
    """A checkpoint that was kept elsewhere belongs to what was left behind, and that is said."""
    copy = ledger.warehouse.file.read_bytes()
    run_again(ledger, 1)
    run_again(ledger, 2)
    kept = json.loads((ledger.warehouse.folder / FILE).read_text())
    ledger.warehouse.file.write_bytes(copy)
    assert [each.what for each in verify_ledger(ledger.warehouse).problems] == ["cut"], "before it is recorded"
    record_only(MillpondSettings(), at(0), lambda _: None)

    found = verify_ledger(ledger.warehouse)
    assert found.is_whole, found.problems
    assert not found.notices
    assert not run_again(ledger, 3)
    assert (ledger.warehouse.folder / FILE).exists()
    elsewhere = verify_ledger(ledger.warehouse, kept=[checkpoint_of(kept)])
    assert elsewhere.is_whole, elsewhere.problems
    assert "belongs to what was left behind" in elsewhere.notices[0]


@pytest.mark.long
def test_a_restored_archive_continues_its_own_chain(ledger: Home, tmp_path: Path) -> None:
    """And so does the restore that undoes it, with what was sealed in between."""
    archive = tmp_path / "backup.tar.gz"
    make_backup(MillpondSettings(), archive)
    run_again(ledger, 1)
    kept = checkpoint_of(json.loads((ledger.warehouse.folder / FILE).read_text()))

    former = restore_home(MillpondSettings(), archive, print)
    restored = verify_ledger(ledger.warehouse, kept=[kept])
    assert restored.is_whole, restored.problems
    assert "belongs to what was left behind" in restored.notices[0]
    assert not run_again(ledger, 2)

    restore_home(MillpondSettings(), former, print)
    undone = verify_ledger(ledger.warehouse, kept=[kept])
    assert undone.is_whole, undone.problems
    assert not undone.notices


def test_a_restore_that_was_made_up_explains_no_cut(ledger: Home) -> None:
    """Whoever can write the warehouse can add such an event; the checkpoint beside the file says more."""
    copy = ledger.warehouse.file.read_bytes()
    run_again(ledger, 1)
    kept = checkpoint_of(json.loads((ledger.warehouse.folder / FILE).read_text()))
    ledger.warehouse.file.write_bytes(copy)
    with ledger.warehouse.writer() as con:
        record_event(con, Event(event=Happened.RESTORED, at=at(1), details={"kept": 1, "left": 99}))

    assert [each.what for each in verify_ledger(ledger.warehouse, kept=[kept]).problems] == ["cut", "cut"]
    assert "the chain was cut" in run_again(ledger, 2)


@pytest.mark.parametrize("key", ["", OTHER_KEY])
def test_a_missing_key_delays_no_run_and_is_an_alert(ledger: Home, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """Rows that were not sealed are sealed once the key is there."""
    monkeypatch.setenv("MILLPOND_LEDGER_KEY", key)
    assert "set MILLPOND_LEDGER_KEY" in run_again(ledger, 1)
    assert alerts_of(ledger) == []
    monkeypatch.setenv("MILLPOND_LEDGER_KEY", f"{key},{KEY}" if key else KEY)
    assert not run_again(ledger, 2)
    assert verify_ledger(ledger.warehouse).is_whole


def alerts_of(home: Home) -> list[str]:
    """Return the names of the warehouse's alerts."""
    found = warehouse_alerts(home.warehouse, ["flow"], Limits(10, {}), WallClock(), set())
    return [each.name for each in found if each.name.startswith("ledger")]


def test_the_nightly_check_raises_an_alert(ledger: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends with the next check that finds nothing."""
    assert check_ledger(ledger.warehouse).is_whole
    assert alerts_of(ledger) == []
    monkeypatch.setenv("MILLPOND_LEDGER_KEY", "")
    with ledger.warehouse.writer() as con:
        add_run(con, 1, _1=("update", "11"))
    check_ledger(ledger.warehouse)
    assert alerts_of(ledger) == ["ledger_not_sealed"]
    monkeypatch.setenv("MILLPOND_LEDGER_KEY", KEY)
    with ledger.warehouse.writer() as con:
        con.execute("update sync_attempts set action = 'other' where attempt_id = 'r0a0'")
    check_ledger(ledger.warehouse)
    assert alerts_of(ledger) == ["ledger_broken"]
    with ledger.warehouse.writer() as con:
        con.execute("update sync_attempts set action = 'create' where attempt_id = 'r0a0'")
    check_ledger(ledger.warehouse)
    assert alerts_of(ledger) == []


def test_compaction_leaves_the_ledger_whole(ledger: Home) -> None:
    """Deleted rows are marked, and the copy of the checkpoint follows."""
    for number in range(1, 4):
        run_again(ledger, number)

    done = compact_warehouse(ledger.warehouse, keep_days=1, clock=WallClock())

    found = verify_ledger(ledger.warehouse)
    assert found.is_whole, found.problems
    assert found.pruned >= done.deleted["sync_attempts"] > 0


DYING = """
import sys
from pathlib import Path
from orchestration.ledger_sealing import seal_ledger
from resources.failpoints import arm
from resources.warehouse.warehouse import Warehouse
arm(sys.argv[2])
seal_ledger(Warehouse(Path(sys.argv[1])))
"""


@pytest.mark.long
@pytest.mark.parametrize("failpoint", LEDGER)
def test_a_process_that_is_killed_while_it_seals_leaves_a_whole_ledger(ledger: Home, failpoint: str) -> None:
    """Either nothing is sealed, or all of it is; the next run goes on."""
    with ledger.warehouse.writer() as con:
        add_run(con, 1, _1=("update", "11"), _2=("update", "12"))
    command = [sys.executable, "-c", DYING, str(ledger.warehouse.folder), failpoint]
    died = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)
    assert died.returncode == -signal.SIGKILL

    found = verify_ledger(ledger.warehouse)
    assert found.is_whole, found.problems
    assert (found.unsealed == 0) == (failpoint == "ledger_sealed")
    assert not run_again(ledger, 2)
    again = verify_ledger(ledger.warehouse)
    assert again.is_whole, again.problems
    assert again.unsealed == 0


@pytest.mark.long
def test_a_run_seals_what_it_did(synced: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every attempt, decision and event of a real run; the maintenance job verifies them."""
    monkeypatch.setenv("MILLPOND_LEDGER_KEY", KEY)
    assert synced.run("suiteprojects__customers").success

    found = verify_ledger(synced.warehouse)
    attempts = synced.warehouse.read("select count(*) from sync_attempts").item()
    assert found.is_whole, found.problems
    assert (found.unsealed, found.rows["attempt"]) == (0, attempts)
    assert synced.run("maintenance").success
    events = synced.warehouse.read("select details from sync_events where event = 'verified'")["details"].to_list()
    assert [json.loads(each)["findings"] for each in events] == [0]


def test_accounts_have_chains_of_their_own(tmp_path: Path) -> None:
    """Each in its own warehouse."""
    with at_home(tmp_path / "one") as one, at_home(tmp_path / "two") as two:
        for home in (one, two):
            with home.warehouse.writer() as con:
                ensure_ledger(con)
                add_run(con, 0, _1=("create", "11"))
            assert not seal_ledger(home.warehouse)
            assert verify_ledger(home.warehouse).entries == 3
