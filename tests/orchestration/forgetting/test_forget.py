"""`millpond forget`: no file of the home has a value of the record any more, and no later run brings one back."""

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from orchestration.authorization import USER_TAG
from orchestration.definitions import definitions
from orchestration.ledger_check import verify_ledger
from resources.failpoints import FORGET
from tests.archives import unpack
from tests.orchestration.backup.test_backup import millpond
from tests.orchestration.backup.test_interrupted import DYING, run
from tests.orchestration.conftest import QUIET
from tests.orchestration.forgetting.conftest import CONTACT, Planted

REASON = ("--reason", "asked by kanaryA@zqx.example")


def forget(*tokens: object) -> int:
    """Forget the contact."""
    return millpond("forget", "contacts", CONTACT, *tokens)


def proof(capsys: pytest.CaptureFixture[str], *tokens: object) -> dict[str, Any]:
    """Return the proof of an erasing."""
    capsys.readouterr()
    assert forget(*tokens, "--json") == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)["forgotten"]
    return document


def decision(planted: Planted) -> tuple[str, str]:
    """Return the current action and reason code of the contact."""
    row = planted.home.warehouse.read(
        "select action, reason_code from sync_decisions where source = 'contacts' and source_id = ? and to_run is null",
        [str(CONTACT)],
    )
    return row.row(0)


def in_target(planted: Planted) -> list[Any]:
    """Return what the target has of the contact."""
    rows = planted.home.sandbox.suiteprojects.rows("Contact")
    return [row for row in rows if "KanaryentityidB" in str(row)]


@pytest.mark.long
def test_no_file_has_a_value_and_no_run_brings_one_back(
    planted: Planted, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Raw, staging, versions, marts, plans, attempts, target state, reports, queues, logs, snapshot, later backups."""
    home = planted.home
    assert millpond("backup", home.folder / "before.tar.gz") == 0
    before = planted.with_values()
    assert {"warehouse/millpond.duckdb", "warehouse/analyst.duckdb", "notifications.sqlite"} <= {*before}
    assert [each for each in before if each.endswith(".html")]
    counts = home.warehouse.read("select count(*) as n from sync_attempts").item()

    dry = proof(capsys, "--dry-run")
    assert planted.with_values() == before, "a dry run changes nothing"
    done = proof(capsys, *REASON)

    assert planted.with_values() == []
    assert done["erased"] == dry["erased"]
    assert done["files"] == dry["files"]
    erased = {each["table"] for each in done["erased"]}
    assert {
        "raw_netsuite__contacts", "raw_netsuite__contact_addresses", "stg_netsuite__contacts",
        "hist_netsuite__contacts", "mart_suiteprojects__contacts", "hist_mart__suiteprojects__contacts",
        "target_suiteprojects__contacts", "hist_target__suiteprojects__contacts", "plan_suiteprojects__contacts",
        "sync_attempts", "sync_links", "sync_events",
    } <= erased  # fmt: skip
    assert [each["file"] for each in done["left"]] == ["before.tar.gz"]
    assert [each["workflow"] for each in done["in_targets"]] == ["suiteprojects__contacts"]
    assert not any(each in json.dumps(done) for each in planted.values), "a proof has no values"
    assert home.warehouse.read("select count(*) as n from sync_attempts").item() == counts, "attempts stay"
    found = verify_ledger(home.warehouse)
    assert found.is_whole, found.problems
    assert found.erased > 0

    target = in_target(planted)
    assert home.run().success
    assert decision(planted) == ("quarantined", "forgotten")
    assert in_target(planted) == target, "no blanks are sent"
    assert planted.with_values() == []
    assert millpond("backup", tmp_path / "after.tar.gz") == 0
    unpack(tmp_path / "after.tar.gz", tmp_path / "after")
    assert planted.with_values(tmp_path / "after") == []


@pytest.mark.long
def test_a_complete_reading_brings_nothing_back_and_a_change_in_netsuite_does(
    planted: Planted, capsys: pytest.CaptureFixture[str]
) -> None:
    """NetSuite still has the record: its date of change says that someone works with it again."""
    home = planted.home
    assert forget(*REASON) == 0
    with home.warehouse.writer() as con:
        con.execute("delete from sync_watermarks")
        con.execute("delete from stg_builds")
    assert home.run().success
    assert planted.with_values() == []
    assert decision(planted) == ("quarantined", "forgotten")

    planted.save("C")
    assert home.run().success

    assert decision(planted)[0] == "update"
    warnings = home.warehouse.read(
        "select unnest(warnings) as text from netsuite_reads where record_type = 'contacts' order by reading desc"
    )
    assert f"their values are stored again: {CONTACT};" in warnings["text"][0]
    assert "KanaryentityidC" in str(home.sandbox.suiteprojects.rows("Contact"))
    again = proof(capsys, "--reason", "asked by kanaryC@zqx.example")
    assert again["erased"]
    assert planted.with_values() == []


@pytest.mark.long
def test_a_lifted_mark_lets_the_next_reading_store_the_values(
    planted: Planted, capsys: pytest.CaptureFixture[str]
) -> None:
    """Until then nothing is sent: the staged row is blank."""
    assert forget(*REASON) == 0
    target = in_target(planted)
    assert forget("--lift", *REASON) == 0
    assert millpond("resend", CONTACT) in {0, 4}
    assert in_target(planted) == target, "sent with its values, which are the same"
    assert planted.home.warehouse.read("select email from stg_netsuite__contacts where contact_id = '1025'").item()
    assert forget("--lift", *REASON) == 2
    assert "is not forgotten" in capsys.readouterr().out


@pytest.mark.long
@pytest.mark.parametrize("failpoint", [*FORGET])
def test_killed_at_any_step_the_same_command_finishes(planted: Planted, failpoint: str) -> None:
    """The rest is erased; there is one mark and one event."""
    died = run(planted.home, DYING, failpoint, 0, "forget", "contacts", CONTACT, *REASON)
    assert died.returncode == -signal.SIGKILL, died.stderr

    assert forget(*REASON) == 0

    assert planted.with_values() == []
    assert planted.home.warehouse.table("sync_forgotten").height == 1
    events = planted.home.warehouse.read("select count(*) as n from sync_events where event = 'forgotten'")
    assert events.item() == 1
    assert verify_ledger(planted.home.warehouse).is_whole


@pytest.mark.long
def test_what_cannot_be_done_is_refused_and_changes_nothing(
    planted: Planted, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run in progress, a user who may not decide, an unknown record, no reason."""
    before = planted.with_values()
    with planted.home.warehouse.lock("suiteprojects", 1):
        assert forget(*REASON) == 2
    assert "a run is reading, planning or sending" in capsys.readouterr().out
    assert forget() == 2
    assert "--reason TEXT" in capsys.readouterr().out
    assert millpond("forget", "contacts", "KanaryentityidB", *REASON) == 2
    assert "perhaps this one; use its NetSuite id" in capsys.readouterr().out
    assert millpond("forget", "contact", CONTACT, *REASON) == 2
    assert "did you mean contacts?" in capsys.readouterr().out
    monkeypatch.setenv("MILLPOND_APPROVERS", "ada")
    assert forget(*REASON) == 2
    assert "may not decide this" in capsys.readouterr().out
    assert planted.with_values() == before


@pytest.mark.long
def test_copies_of_the_home_are_named_and_left(planted: Planted, capsys: pytest.CaptureFixture[str]) -> None:
    """An earlier restore's folder holds former files: the proof names them."""
    former = planted.home.folder / "before-restore-20260101-000000"
    former.mkdir()
    shutil.copyfile(planted.home.warehouse.file, former / "millpond.duckdb")

    left = proof(capsys, *REASON)["left"]

    assert [each["file"] for each in left] == [f"{former.name}/millpond.duckdb"]
    with duckdb.connect(str(former / "millpond.duckdb"), read_only=True) as con:
        assert con.execute("select count(*) from stg_netsuite__contacts where email like 'kanary%'").fetchall()[0][0]


@pytest.mark.long
def test_the_job_of_the_console_does_the_same(planted: Planted) -> None:
    """By the name of the web server's user; its metadata have counts."""
    job = definitions().resolve_job_def("forget_record")
    config = {"source": "contacts", "source_id": str(CONTACT), "reason": "asked"}
    with dg.DagsterInstance.ephemeral() as instance:
        done = job.execute_in_process(
            instance=instance,
            run_config={"ops": {"forget": {"config": config}}, **QUIET},
            tags={USER_TAG: "ada"},
            raise_on_error=False,
        )
        logged = str([each.dagster_event for each in instance.all_logs(done.run_id)])
    assert done.success
    assert planted.with_values() == []
    assert planted.home.warehouse.read("select decided_by from sync_forgotten").item() == "ada"
    assert "raw_netsuite__contacts" in logged
    assert not any(each in logged for each in planted.values)
