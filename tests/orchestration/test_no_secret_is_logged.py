"""No secret, name or e-mail in what Dagster keeps or the command line prints, on the worst of days."""

import json
import re
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from rich.console import Console

from orchestration.cli.doctor import run_doctor
from orchestration.cli.plans import print_applied, print_plans, print_rejected, print_undo
from orchestration.cli.run import plan_group, run_group
from resources import failpoints
from resources.http import READABLE
from resources.sandbox.faults import Fault, FaultKind
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from tests.orchestration.bad_day import OF_PRECORO, OF_SUITEPROJECTS, credentials, environment
from tests.orchestration.conftest import Home, edited_workflows

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
    """Give every record a name and an e-mail that stand nowhere else; the secrets are unique as they are."""
    netsuite = home.sandbox.netsuite
    for number, row in enumerate(netsuite.rows("customer")):
        odd = {0: "\x07", 1: "é" * 300}.get(number % 5, "")
        changes = {"companyname": f"{NAME} {number} {odd}", "email": f"{MAIL}{number}@example.com"}
        netsuite.update("customer", row["id"], **changes, lastname=f"{NAME}{number}", currency=90)
    for row in netsuite.rows("job"):
        netsuite.update("job", row["id"], companyname=f"{NAME} {row['id']}")
    netsuite.insert("currency", [{"id": 90, "name": "Doubloon", "symbol": "XDB"}])
    return [NAME, MAIL, *secrets_of(json.loads((home.folder / "sandbox" / "credentials.json").read_text()))]


def secrets_of(kept: dict[str, dict[str, Any]]) -> list[str]:
    """Every key, token and password of the sandbox."""
    return [str(value) for keys in kept.values() for name, value in keys.items() if name not in NOT_SECRET]


def spill(folder: Path, printed: str, planted: list[str]) -> set[tuple[str, str]]:
    """Where a planted text turned up: in Dagster's files, whatever they are, or in what was printed."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".db" and path.stat().st_size > 50_000 for path in files)
    found = {(path.name, text) for path in files for text in planted if text.encode() in path.read_bytes()}
    return found | {("printed", text) for text in planted if text in printed}


def test_nothing_secret_and_nobodys_data_is_told(
    seeded: Home, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Refused records, lost and unusable answers, error pages that quote us, a bad cast: ids and reasons only."""
    planted, kept = plant(seeded), seeded.folder / "dagster"
    kept.mkdir()
    board, faults = seeded.sandbox.switches, seeded.sandbox.faults
    board.set("suiteprojects", SuiteProjectsSwitches, strict_lengths={"Customer.addr_city": 3})
    board.set("precoro", PrecoroSwitches, name_limit=8)
    faults.plan("suiteprojects", Fault(FaultKind.TRUNCATED, pattern='<Add type="Customer"'))
    faults.plan("precoro", Fault(FaultKind.HTML, method="POST"))
    faults.plan("precoro", Fault(FaultKind.REFUSED_500, method="PUT"))
    faults.plan("precoro", Fault(FaultKind.DONE_500, method="POST", skip=2))
    faults.plan("suiteprojects", Fault(FaultKind.REFUSED_500, pattern='<Add type="Project"', times=20))
    faults.plan("netsuite", Fault(FaultKind.REFUSED_500, pattern="from subsidiary", times=40))
    faults.plan("netsuite", Fault(FaultKind.TRUNCATED, pattern="from contact", times=9 * READABLE))

    with edited_workflows(tmp_path / "own") as folder, environment(DAGSTER_HOME=str(kept)):
        copytree(folder / OF_SUITEPROJECTS, folder / "casting")
        file = folder / "casting" / "defs.yaml"
        file.write_text(file.read_text().replace("from: phone", "sql: cast(company_name as int)"))
        code = run_group("all", Console())
    streams = capfd.readouterr()
    printed = streams.out + streams.err

    assert code == 1
    assert "the mapping does not fit" in printed
    assert "the answer is not JSON" in printed
    assert "HTTP 500" in printed
    assert {"rejected_837", "rejected_illegal_character", "rejected_400"} <= set(reasons(seeded))
    assert spill(kept, printed, planted) == set()
    assert spill(kept, printed, [OF_PRECORO]) != set()


@pytest.mark.parametrize("system", ["precoro", "netsuite"])
def test_a_refused_key_is_not_told(settled: Home, system: str) -> None:
    """Neither the right one nor the wrong one."""
    keys = json.loads((settled.folder / "sandbox" / "credentials.json").read_text())
    changed = {"precoro": {"token": f"{NAME}-token"}, "netsuite": {"client_id": f"{NAME}-client"}}
    asset = {"precoro": f"target_{OF_PRECORO}", "netsuite": "raw_netsuite__currencies"}[system]

    with credentials(settled, system, **changed[system]):
        if system == "netsuite":  # both sides know the changed id, so another one must be wrong as well
            settled.sandbox.switches.set("netsuite", NetSuiteSwitches, token_lifetime_s=-1)
        told = settled.materialize(asset)

    events = "\n".join(str(event) for event in told.all_events)
    assert not told.success
    assert [text for text in [NAME, *secrets_of(keys)] if text in events] == []


def reasons(home: Home) -> list[str]:
    """What the ledger says of the records that were held back."""
    found = home.warehouse.read("select distinct reason_code from sync_decisions where action = 'quarantined'")
    return [str(code) for code in found["reason_code"]]


@pytest.mark.long
def test_no_command_tells_anything_where_personal_values_are_not_to_be_shown(
    seeded: Home, capfd: pytest.CaptureFixture[str]
) -> None:
    """Plans, an undo, a crash in our own code: field names, ids and counts, in pipes and in Dagster's files alike."""
    planted, kept, console = plant(seeded), seeded.folder / "dagster", Console()
    kept.mkdir()

    def crash() -> None:
        raise RuntimeError("a mistake of ours")

    with environment(DAGSTER_HOME=str(kept), MILLPOND_PERSONAL="mask"):
        assert plan_group("all", console) == 0
        assert print_plans(console, every=True) == 0
        failpoints.arm("answers_read", skip=1, strike=crash)
        assert run_group("all", console) == 1
        failpoints.disarm()
        assert run_group("all", console) == 0
        (run_id,) = seeded.warehouse.read("select run_id from sync_runs order by started_at desc limit 1")["run_id"]
        assert print_undo(run_id, (), console) == 0
        waiting = seeded.warehouse.read("select plan_id from sync_plans where state = 'waiting' order by workflow")
        assert print_applied(waiting["plan_id"][0], (), console) == 0
        assert print_rejected(waiting["plan_id"][0], "too late", console) == 2
        run_doctor(console)
    streams = capfd.readouterr()
    printed = streams.out + streams.err

    assert "a mistake of ours" in printed
    assert re.search(r"^    (active|enable)$", printed, re.MULTILINE)
    assert spill(kept, printed, planted) == set()
    assert spill(kept, printed, ["company"]) != set()
