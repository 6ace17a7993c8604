"""Files of a home: the queue, alerts, switches, tokens, budgets, the sandbox, and what stays as it is."""

import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from assets.delivery.spec.switches import Switches
from orchestration.alerts.store import AlertStore
from orchestration.realtime.queue import NotificationQueue
from orchestration.upgrade.ensure import ensure_current
from orchestration.upgrade.m0002_plain_names.files import convert_files
from orchestration.upgrade.m0002_plain_names.names import FAULTS, REMOVED_SWITCHES, SANDBOX_SWITCHES
from orchestration.upgrade.perform import upgrade_all
from resources.sandbox.faults import FaultKind
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.sandbox import Sandbox
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from resources.suiteprojects.tokens import TokenFile
from tests.orchestration.upgrade.conftest import KEY, Installation

DECLARED = {"netsuite": NetSuiteSwitches, "suiteprojects": SuiteProjectsSwitches, "precoro": PrecoroSwitches}


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    """The rows of a SQLite file."""
    with closing(sqlite3.connect(path)) as con:
        return con.execute(query).fetchall()


def contents(folder: Path) -> dict[str, str]:
    """The hash of every file below a folder, without logs and locks."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".lock" and not path.name.endswith(("-wal", "-shm"))
    }


def test_a_second_upgrade_changes_nothing(upgraded: Installation) -> None:
    """Not a byte, whether a command or the code location starts it."""
    before, lines = contents(upgraded.folder), list[str]()
    ensure_current(lines.append)
    upgrade_all(lines.append)

    assert contents(upgraded.folder) == before
    assert lines == []


def test_every_changed_file_has_a_copy(unpacked: Installation, upgraded_once: Installation) -> None:
    """Files that an upgrade changes or moves can be restored."""
    before, after, copies = (contents(each) for each in (unpacked.home, upgraded_once.home, upgraded_once.copies))
    changed = {name for name, digest in before.items() if after.get(name) != digest}
    key_file = "sandbox/credentials.json"  # its path differs between the two folders

    assert {name: copies.get(name) for name in changed - {key_file} if not name.startswith("pond/reports/")} == {
        name: before[name] for name in changed - {key_file} if not name.startswith("pond/reports/")
    }
    for name, digest in contents(unpacked.workflows).items():
        assert copies[f"workflows/{name}"] == digest


def test_reports_tokens_and_budgets_are_untouched(unpacked: Installation, upgraded_once: Installation) -> None:
    """Files whose content does not change keep it."""
    before, after = contents(unpacked.home), contents(upgraded_once.home)
    same = [
        "ui_token", "suiteprojects_tokens.json", "sandbox/precoro_budget.sqlite", "sandbox/precoro_budget.fields.json",
        "sandbox/netsuite.sqlite", "sandbox/suiteprojects.sqlite", "sandbox/precoro.sqlite", "sandbox/clock.sqlite",
    ]  # fmt: skip

    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    for name in before:
        if name.startswith("pond/reports/"):
            assert after[name.replace("pond/", "warehouse/")] == before[name]


def test_permissions_of_secret_files_are_kept(old: Installation) -> None:
    """A copy of a file that only its owner may read is such a file as well."""
    queue = old.home / "hints.sqlite"
    queue.chmod(0o600)
    upgrade_all(lambda _: None)

    assert (old.home / "notifications.sqlite").stat().st_mode & 0o777 == 0o600
    assert (old.copies / "hints.sqlite").stat().st_mode & 0o777 == 0o600


def test_tokens_are_readable_with_the_renamed_key(upgraded: Installation) -> None:
    """The OAuth tokens were encrypted by version 0.1."""
    assert TokenFile(upgraded.home / "suiteprojects_tokens.json", KEY).read().refresh_token


def test_pending_notifications_stay_pending(unpacked: Installation, upgraded: Installation) -> None:
    """Records saved in NetSuite are still due, and new ones are numbered after them."""
    query = "select source, record_id, number, is_deleted, first_at from {}"
    expected = rows(unpacked.home / "hints.sqlite", query.format("hint"))
    path, queue = upgraded.home / "notifications.sqlite", NotificationQueue(upgraded.home)
    due = queue.due(["suiteprojects", "precoro"])
    nonces = "select nonce, seen_at from nonce order by 1"

    assert expected
    assert rows(path, query.format("notification")) == expected
    assert rows(path, nonces) == rows(unpacked.home / "hints.sqlite", nonces)
    assert [each.key for each in due["suiteprojects"]] == [(source, key) for source, key, *_ in expected]
    assert queue.add("customers", "1", is_deleted=False, nonce="new", now=0.0, remember_s=1e12)
    assert {each.number for each in queue.due(["precoro"])["precoro"]} == {3, 4}


def test_the_progress_of_each_connection_is_kept(old: Installation) -> None:
    """A record that a target already has is not sent to it again."""
    with closing(sqlite3.connect(old.home / "hints.sqlite")) as con:
        con.execute("insert into progress values ('customers', '1020', 'precoro', 3, 1, 2, 0, 'refused')")
        con.execute("update hint set number = 3")
        con.commit()
    upgrade_all(lambda _: None)
    due = NotificationQueue(old.home).due(["suiteprojects", "precoro"])

    assert [each.key for each in due["suiteprojects"]] == [("customers", "1020")]
    assert due["precoro"] == []
    stored = rows(old.home / "notifications.sqlite", "select connection, attempts, error from progress")
    assert stored == [("precoro", 2, "refused")]


def test_open_alerts_stay_open(unpacked: Installation, upgraded: Installation) -> None:
    """Under the keys by which the next check finds them, so that no notice reports their recovery."""
    opened = dict(rows(unpacked.home / "alerts.sqlite", "select name, since from problems"))
    with closing(AlertStore(upgraded.home / "alerts.sqlite")) as store:
        alerts = store.open_alerts()
        notices = store.pending_notices("webhook")

    assert alerts.keys() == {"failed:no error", "waiting:precoro__services"}
    assert {since for _, since in alerts.values()} == set(opened.values())
    assert [entry.key for _, notice in notices for entry in notice.entries] == list(alerts)
    assert rows(upgraded.home / "alerts.sqlite", "select run_id, ended_at from runs order by 1") == rows(
        unpacked.home / "alerts.sqlite", "select run_id, ended_at from runs order by 1"
    )


def test_failed_steps_have_the_names_of_assets(old: Installation) -> None:
    """A step that failed recovers when the asset of its new name succeeds."""
    with closing(sqlite3.connect(old.home / "alerts.sqlite")) as con:
        name = "twin_acme__leads"
        row = (name, "r1", f"{name} X", f"{name}: X", f'["{name}"]')
        con.execute("insert into steps values (?, ?, ?, ?, ?)", row)
        con.commit()
    upgrade_all(lambda _: None)
    with closing(AlertStore(old.home / "alerts.sqlite")) as store:
        found = {step: (key, cause, affected) for step, _, key, cause, affected in store.failed_steps()}

    name = "target_acme__leads"
    assert found[name] == (f"{name} X", f"{name}: X", [name])


def test_switched_workflows_stay_switched(unpacked: Installation, upgraded: Installation) -> None:
    """State, time and reason of every override."""
    before = json.loads((unpacked.home / "pond" / "switches.json").read_text())
    after = Switches(upgraded.home / "warehouse").overrides()

    assert {
        name: {"active": each.active, "realtime": each.realtime, "at": each.at, "why": each.reason}
        for name, each in after.items()
    } == before


def test_switches_of_the_sandbox_exist(upgraded: Installation) -> None:
    """An unknown name would stop the sandbox; every new name is one of this version."""
    for system, switches in SANDBOX_SWITCHES.items():
        declared = DECLARED[system].__dataclass_fields__
        assert {new for new, _ in switches.values()} <= declared.keys()
        assert not {old for old, (new, _) in switches.items() if old != new} & declared.keys()
        assert not set(REMOVED_SWITCHES.get(system, ())) & declared.keys()
    assert set(FAULTS.values()) <= {kind.value for kind in FaultKind}
    loaded = Sandbox(upgraded.home / "sandbox").switches.load("suiteprojects", SuiteProjectsSwitches)
    assert loaded.strict_lengths == {"Customer.code": 4}


def test_switches_of_the_sandbox_are_renamed(tmp_path: Path) -> None:
    """Names, values, and names that are gone."""
    folder = tmp_path / "sandbox"
    folder.mkdir()
    old = {
        "netsuite": {"emptied_tables": ["job"], "write_answer": "forbidden", "page_cap": 10},
        "precoro": {"depend_add_twice": "refuse", "odd_per_page": "nearest"},
    }
    (folder / "switches.json").write_text(json.dumps(old))
    with closing(sqlite3.connect(folder / "faults.sqlite")) as con:
        con.execute("create table faults (fault_id integer, kind text)")
        con.execute("insert into faults values (1, 'done_500'), (2, 'lost')")
        con.commit()

    assert len(list(convert_files(tmp_path))) == 2
    assert json.loads((folder / "switches.json").read_text()) == {
        "netsuite": {"empty_tables": ["job"], "page_cap": 10},
        "precoro": {"duplicate_dependency": "reject", "invalid_per_page": "nearest"},
    }
    assert rows(folder / "faults.sqlite", "select kind from faults order by 1") == [("applied_500",), ("lost",)]
    assert list(convert_files(tmp_path)) == []


def test_locks_of_old_names_are_gone(old: Installation) -> None:
    """No process uses them anymore; a look into the new folder before the upgrade left locks and nothing else."""
    (old.home / "warehouse" / ".spill").mkdir(parents=True)
    (old.home / "warehouse" / "millpond.duckdb.lock").touch()
    for name in ("stage.duckdb", "twin_acme__leads", "precoro"):
        (old.home / "pond" / f"{name}.lock").touch()
    upgrade_all(lambda _: None)
    left = {path.name for path in (old.home / "warehouse").glob("*.lock")}

    assert not left & {"stage.duckdb.lock", "twin_acme__leads.lock"}
    assert "precoro.lock" in left


def test_the_old_version_cannot_start_over(upgraded: Installation) -> None:
    """Version 0.1 would create an empty warehouse in its folder and match every record again."""
    with pytest.raises(FileExistsError):
        (upgraded.home / "pond").mkdir(parents=True, exist_ok=True)
