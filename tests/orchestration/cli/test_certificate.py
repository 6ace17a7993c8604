"""`millpond certificate`: what is proven, from the ledger; and the second opinion, which reads both sides again."""

import json
from datetime import datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from assets.delivery.ledger.certificates import Certificate, append
from assets.delivery.ledger.tables import ensure_ledger
from orchestration.configuration.settings import MillpondSettings
from orchestration.web.console.routes import console
from tests.orchestration.cli.test_main import run_command
from tests.orchestration.conftest import Home
from tests.orchestration.web.test_console_pages import no_dagster

CUSTOMERS, PROJECTS = "suiteprojects__customers", "suiteprojects__projects"
THROUGH, NOW = datetime(2026, 11, 17, 5, 45), datetime(2026, 11, 17, 8, 0)  # noqa: DTZ001 - as the warehouse's times
EXCEPTIONS = [
    {"what": "held", "why": "too_long", "source": "customers", "records": 9, "examples": ["1", "2"]},
    {"what": "field", "why": "is written on creation only", "source": "notes"},
]
EVIDENCE = {
    "netsuite": [
        {"record_type": "customers", "rows": 12, "oldest_at": "2026-11-17 06:00:00", "oldest_reading": 4,
         "listed_at": None, "listed_reading": None, "run_id": "run 1", "calls": 3}
    ],
    "target": {"read_at": "2026-11-17 07:59:00", "run_id": "run 1", "calls": 2},
}  # fmt: skip


@pytest.fixture
def certified(home: Home) -> Home:
    """One workflow that is verified, and one that was and is not any more."""
    with home.warehouse.writer() as con:
        ensure_ledger(con)
        for name, through in ((CUSTOMERS, THROUGH), (PROJECTS, THROUGH), (PROJECTS, None)):
            append(
                con,
                Certificate(
                    workflow=name,
                    certified_at=NOW,
                    run_id="0123456789",
                    verified_through=through,
                    reason="the reason <b>",
                    records=12,
                    verified=3,
                    held=9,
                    evidence=json.dumps(EVIDENCE),
                    exceptions=json.dumps(EXCEPTIONS),
                ),
            )
    return home


@pytest.mark.usefixtures("certified")
def test_certificates_are_printed_with_what_bounds_them(capsys: pytest.CaptureFixture[str]) -> None:
    """Code 1: one of them proves nothing."""
    output = run_command(capsys, "certificate")

    assert output.code == 1
    assert output.lines[:5] == [
        "✓ suiteprojects__customers: verified through 2026-11-17 05:45:00 UTC",
        "    limited by: the reason <b>",
        "    12 records: 3 verified, 9 held back, 0 pending, 0 wrong; computed 2026-11-17 08:00 UTC by run 01234567",
        "    held: 9 customers, too_long: 1, 2, …",
        "    not compared: field notes (is written on creation only)",
    ]
    assert output.lines[5:8] == [
        "✗ suiteprojects__projects: nothing is proven",
        "    because: the reason <b>",
        "    an earlier certificate reached 2026-11-17 05:45:00 UTC",
    ]


def test_what_was_confirmed_since_the_certificate_is_counted(
    certified: Home, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A record that was resent is pending, or wrong, until the next run reads it back: every form of it says so."""
    with certified.warehouse.writer() as con:
        con.executemany(
            "insert into sync_unverified (workflow, source, source_id, kind) values (?, 'customers', ?, ?)",
            [
                (CUSTOMERS, "1", "pending"),
                (CUSTOMERS, "2", "wrong"),
                (CUSTOMERS, "3", "held"),
                (PROJECTS, "1", "wrong"),
            ],
        )
        con.executemany(
            "insert into sync_attempts (attempt_id, workflow, source, source_id, state, position)"
            " values (?, ?, 'customers', ?, ?, ?)",
            [
                ("before", CUSTOMERS, "2", "confirmed", 0),
                ("now", CUSTOMERS, "1", "confirmed", 999),
                ("held", CUSTOMERS, "3", "confirmed", 999),
                ("rejected", PROJECTS, "1", "rejected", 999),
            ],
        )

    output = run_command(capsys, "certificate", "--json")

    documents = json.loads(output.out)["certificates"]
    assert {each["workflow"]: each["confirmed_since"] for each in documents} == {CUSTOMERS: 1, PROJECTS: 0}
    text = "ent and confirmed since: 1 pending or wrong record; the next run reads back what was sent"
    page = tmp_path / "certificate.html"
    assert text in run_command(capsys, "certificate", CUSTOMERS, "--html", str(page)).out
    assert page.read_text().count(text) == 1
    with TestClient(console(MillpondSettings(), no_dagster)) as client:
        shown = client.get("/console/certificates").text
        overview = client.get("/console/").text
    assert "1 confirmed since" in overview
    assert shown.count(text) == 1
    assert shown.count("An earlier one reached") == 1  # only where nothing is proven now


def test_a_certificate_of_an_earlier_workflow_file_says_so(
    certified: Home, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A new column or filter was not compared yet: every form of it says so, and the second opinion."""
    with certified.warehouse.writer() as con:
        con.execute("update sync_certificates set workflow_version = 'earlier' where workflow = ?", [CUSTOMERS])
    text, page = "he workflow file has changed since: what it requires now is not verified", tmp_path / "page.html"

    output = run_command(capsys, "certificate", CUSTOMERS, "--html", str(page))

    assert (output.code, output.lines[0][0]) == (1, "✗")
    assert text in " ".join(output.out.split())
    assert page.read_text().count(text) == 1
    with TestClient(console(MillpondSettings(), no_dagster)) as client:
        assert client.get("/console/certificates").text.count(text) == 1
        assert client.get("/console/").text.count("by an earlier workflow file") == 1
    checked = run_command(capsys, "certificate", "verify", CUSTOMERS, "--read-outs", str(tmp_path))
    assert (checked.code, text in " ".join(checked.out.split())) == (1, True)


def test_a_certificate_is_a_document_and_a_page(
    certified: Home, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """With evidence and exceptions; the page is escaped."""
    page = tmp_path / "certificate.html"
    output = run_command(capsys, "certificate", CUSTOMERS, "--json", "--html", str(page))

    found = json.loads("\n".join(output.lines))["certificates"]
    assert output.code == 0
    assert [each["workflow"] for each in found] == [CUSTOMERS]
    assert found[0]["verified_through"] == "2026-11-17T05:45:00"
    assert found[0]["exceptions"] == EXCEPTIONS
    text = page.read_text()
    assert "the reason &lt;b&gt;" in text
    assert "2026-11-17 06:00:00 (no. 4)" in text
    assert certified.warehouse.exists()


def test_an_unknown_workflow_is_answered_with_what_may_be_meant(
    certified: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is printed of the others."""
    output = run_command(capsys, "certificate", "suiteprojects__customer")

    assert output.code == 2
    assert CUSTOMERS in output.out
    assert certified.warehouse.exists()


@pytest.mark.long
def test_the_second_opinion_confirms_a_certificate_and_sees_an_edit(
    synced: Home, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Both sides are read now; kept read-outs are compared again without a call."""
    synced.sandbox.clock.sleep(7200)
    assert synced.run("all").success
    kept = tmp_path / "kept"
    output = run_command(capsys, "certificate", "verify", CUSTOMERS, "--keep", str(kept))

    assert output.code == 0, output.out
    assert "is confirmed" in output.out

    calls = synced.sandbox.suiteprojects.calls_made()
    assert run_command(capsys, "certificate", "verify", CUSTOMERS, "--read-outs", str(kept)).code == 0
    assert synced.sandbox.suiteprojects.calls_made() == calls

    row = next(row for row in synced.sandbox.suiteprojects.rows("Customer") if row.get("externalid"))
    synced.sandbox.suiteprojects.modify("Customer", int(row["id"]), company="Edited")
    output = run_command(capsys, "certificate", "verify", CUSTOMERS)
    assert output.code == 1
    assert "1 changed_in_target, the target had the values when the certificate was made" in output.out
