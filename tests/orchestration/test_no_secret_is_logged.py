"""No secret, name or e-mail address in Dagster's storage or in printed output, whatever fails."""

import json
import re
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from orchestration.cli.doctor import doctor
from orchestration.cli.plan_list import plans
from orchestration.cli.plans import apply, reject, undo
from orchestration.cli.run import plan, run
from resources import failpoints
from resources.http import PARSE_ATTEMPTS
from resources.sandbox.faults import Fault, FaultKind
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from tests.orchestration.conftest import Home, edited_workflows
from tests.orchestration.home_state import CUSTOMERS, OPTIONS, credentials, environment

NAME, MAIL = "Qanarybird", "qanary-mail"
NOT_SECRET = {
    "account",
    "company",
    "user",
    "namespace",
    "email",
    "item_custom_field_id",
    "public_key",
    "private_key_file",
}


def plant(home: Home) -> list[str]:
    """Give every record a unique name and e-mail address; return these and the secrets."""
    netsuite = home.sandbox.netsuite
    for number, row in enumerate(netsuite.rows("customer")):
        odd = {0: "\x07", 1: "é" * 300}.get(number % 5, "")
        changes = {"companyname": f"{NAME} {number} {odd}", "email": f"{MAIL}{number}@example.com"}
        netsuite.update("customer", row["id"], **changes, lastname=f"{NAME}{number}", currency=90)
    for row in netsuite.rows("job"):
        netsuite.update("job", row["id"], companyname=f"{NAME} {row['id']}")
    netsuite.insert("currency", [{"id": 90, "name": "Doubloon", "symbol": "XDB"}])
    return [NAME, MAIL, *secrets_of(json.loads((home.folder / "sandbox" / "credentials.json").read_text()))]


def secrets_of(credentials: dict[str, dict[str, Any]]) -> list[str]:
    """Return every key, token and password of the sandbox."""
    return [str(value) for keys in credentials.values() for name, value in keys.items() if name not in NOT_SECRET]


def leaks(folder: Path, printed: str, planted: list[str]) -> set[tuple[str, str]]:
    """Return where planted texts occur: in any of Dagster's files, or in the output."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".db" and path.stat().st_size > 50_000 for path in files)
    found = {(path.name, text) for path in files for text in planted if text.encode() in path.read_bytes()}
    return found | {("printed", text) for text in planted if text in printed}


@pytest.mark.long
def test_a_failing_run_leaks_no_secret_and_no_personal_data(
    seeded: Home, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Rejected records, unusable responses, error pages that quote requests, a bad cast: only ids and reasons."""
    planted, storage = plant(seeded), seeded.folder / "dagster"
    storage.mkdir()
    board, faults = seeded.sandbox.switches, seeded.sandbox.faults
    board.set("suiteprojects", SuiteProjectsSwitches, strict_lengths={"Customer.addr_city": 3})
    board.set("precoro", PrecoroSwitches, name_limit=8)
    faults.plan("suiteprojects", Fault(FaultKind.TRUNCATED, pattern='<Add type="Customer"'))
    faults.plan("precoro", Fault(FaultKind.HTML, method="POST"))
    faults.plan("precoro", Fault(FaultKind.NOT_APPLIED_500, method="PUT"))
    faults.plan("precoro", Fault(FaultKind.APPLIED_500, method="POST", skip=2))
    faults.plan("suiteprojects", Fault(FaultKind.NOT_APPLIED_500, pattern='<Add type="Project"', times=20))
    faults.plan("netsuite", Fault(FaultKind.NOT_APPLIED_500, pattern="from subsidiary", times=40))
    faults.plan("netsuite", Fault(FaultKind.TRUNCATED, pattern="from contact", times=9 * PARSE_ATTEMPTS))

    with edited_workflows(tmp_path / "own") as folder, environment(DAGSTER_HOME=str(storage)):
        copytree(folder / CUSTOMERS, folder / "casting")
        file = folder / "casting" / "defs.yaml"
        file.write_text(
            file.read_text().replace("from: phone", 'sql: "cast(coalesce(company_name, entity_number) as int)"')
        )
        code = run("all")
    streams = capfd.readouterr()
    printed = streams.out + streams.err

    assert code == 1
    assert "unusable_value" in set(seeded.warehouse.table("mart_casting")["reason_code"])
    assert "the response is not JSON" in printed
    assert "HTTP 500" in printed
    assert {"not_in_list", "illegal_character", "rejected_400"} <= set(reasons(seeded))
    assert leaks(storage, printed, planted) == set()
    assert leaks(storage, printed, [OPTIONS]) != set()


@pytest.mark.parametrize("system", ["precoro", "netsuite"])
def test_a_rejected_key_is_not_leaked(synced: Home, system: str) -> None:
    """Neither the right one nor the wrong one."""
    original = json.loads((synced.folder / "sandbox" / "credentials.json").read_text())
    changed = {"precoro": {"token": f"{NAME}-token"}, "netsuite": {"client_id": f"{NAME}-client"}}
    asset = {"precoro": f"target_{OPTIONS}", "netsuite": "raw_netsuite__currencies"}[system]

    with credentials(synced, system, **changed[system]):
        if system == "netsuite":  # the sandbox knows the changed id as well, so something else must fail
            synced.sandbox.switches.set("netsuite", NetSuiteSwitches, token_lifetime_s=-1)
        result = synced.materialize(asset)

    events = "\n".join(str(event) for event in result.all_events)
    assert not result.success
    assert [text for text in [NAME, *secrets_of(original)] if text in events] == []


def reasons(home: Home) -> list[str]:
    """Return the reason codes of quarantined records."""
    found = home.warehouse.read("select distinct reason_code from sync_decisions where action = 'quarantined'")
    return [str(code) for code in found["reason_code"]]


@pytest.mark.long
def test_no_command_prints_values_if_personal_data_is_masked(seeded: Home, capfd: pytest.CaptureFixture[str]) -> None:
    """Plans, an undo, a crash in our own code: only field names, ids and counts."""
    planted, storage = plant(seeded), seeded.folder / "dagster"
    storage.mkdir()

    def crash() -> None:
        raise RuntimeError("a bug of ours")

    with environment(DAGSTER_HOME=str(storage), MILLPOND_PERSONAL_DATA="mask"):
        assert plan("all") == 4  # records that are held back for the first time
        assert plans(show_all=True) == 0
        failpoints.arm("answers_read", skip=1, strike=crash)
        assert run("all") == 1
        failpoints.disarm()
        assert run("all") == 4  # the run that died decided nothing
        (run_id,) = seeded.warehouse.read("select run_id from sync_runs order by started_at desc limit 1")["run_id"]
        assert undo(run_id) == 0
        waiting = seeded.warehouse.read("select plan_id from sync_plans where state = 'waiting' order by workflow")
        assert apply(waiting["plan_id"][0]) == 0
        assert reject(waiting["plan_id"][0], reason="too late") == 2
        doctor()
    streams = capfd.readouterr()
    printed = streams.out + streams.err

    assert "a bug of ours" in printed
    assert re.search(r"^ +(active|enable)$", printed, re.MULTILINE)
    assert leaks(storage, printed, planted) == set()
    assert leaks(storage, printed, ["company"]) != set()
