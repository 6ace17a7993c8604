"""`millpond preview` and `millpond resend`: one record by the file as it is, and one record sent again."""

import json
from pathlib import Path

import pytest

from orchestration.cli.exit_codes import CLEAN, HELD_BACK, USAGE
from orchestration.cli.preview import preview
from orchestration.cli.resend import resend
from orchestration.configuration.settings import ROOT
from tests.orchestration.conftest import Home

CUSTOMERS, CONTACTS = "suiteprojects__customers", "suiteprojects__contacts"


def a_customer(home: Home) -> tuple[str, str]:
    """Return id and name of a customer that SuiteProjects Pro has."""
    found = home.warehouse.read(
        "select source_id, company_name from sync_links join stg_netsuite__customers on customer_id = source_id"
        f" where workflow = '{CUSTOMERS}' and company_name is not null order by source_id limit 1"
    )
    source_id, name = found.row(0)
    return str(source_id), str(name)


def contents(home: Home) -> dict[str, list[tuple[object, ...]]]:
    """Return the tables that a preview must not change."""
    tables = (
        f"mart_{CUSTOMERS}",
        f"target_{CUSTOMERS}",
        f"plan_{CUSTOMERS}",
        "sync_decisions",
        "sync_plans",
        "sync_runs",
    )
    return {name: home.warehouse.read(f"from {name} order by all").rows() for name in tables}


def edited(folder: Path, texts: dict[str, str]) -> Path:
    """Return a copy of the customers' workflow file in which these texts are replaced by others."""
    text = (ROOT / "orchestration" / "workflows" / CUSTOMERS / "defs.yaml").read_text()
    for old, new in texts.items():
        assert old in text, old
        text = text.replace(old, new)
    file = folder / CUSTOMERS / "defs.yaml"
    file.parent.mkdir()
    file.write_text(text)
    return file


@pytest.mark.long
def test_a_preview_shows_the_edited_file_beside_the_last_run_and_writes_nothing(
    synced: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither in the warehouse nor in the target; the decision is that of the next plan."""
    source_id, name = a_customer(synced)
    file = edited(tmp_path, {
        "value: From NetSuite, on: create": "value: From NetSuite",
        'sql: "case when is_person': "sql: \"'New ' || case when is_person",
        "from: url}": "from: url, active: false}",
    })  # fmt: skip
    before, writes = contents(synced), synced.sandbox.suiteprojects.write_calls()

    assert preview(source_id, workflow=CUSTOMERS, file=file) == CLEAN

    lines = [line.split("  ") for line in capsys.readouterr().out.splitlines()]
    printed = {tuple(filter(None, map(str.strip, line))) for line in lines}
    assert ("~", "company", name, name, f"New {name}") in printed
    assert any(
        line[0] == "now:" and line[1].startswith("update: ") and "company" in line[1] for line in printed if line
    )
    assert contents(synced) == before
    assert synced.sandbox.suiteprojects.write_calls() == writes


@pytest.mark.long
@pytest.mark.usefixtures("synced")
def test_a_node_of_a_hierarchy_can_be_previewed(capsys: pytest.CaptureFixture[str]) -> None:
    """Its number alone means another record, and the target has a field `depth`."""
    assert preview("departments:2") == CLEAN
    assert "suiteprojects__customer_department: departments 2" in capsys.readouterr().out


def test_a_preview_names_what_the_edited_file_would_hold_back(
    synced: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the plan would: a record that needs a correction is not just skipped."""
    source_id, _ = a_customer(synced)
    file = edited(tmp_path, {"{field: name, from: entity_number,": "{field: name, from: entity_number, max_length: 1,"})

    assert preview(source_id, workflow=CUSTOMERS, file=file) == CLEAN

    assert "  now:      quarantined: name is longer than 1 character" in capsys.readouterr().out


def test_a_preview_has_no_values_if_personal_data_is_hidden(
    synced: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in its JSON either."""
    source_id, name = a_customer(synced)
    monkeypatch.setenv("MILLPOND_PERSONAL_DATA", "empty")

    assert preview(source_id, workflow=CUSTOMERS, as_json=True) == CLEAN  # type: ignore[call-arg]

    printed = capsys.readouterr().out
    assert name not in printed
    assert {"field": "company"} in json.loads(printed)["preview"][0]["fields"]


@pytest.mark.long
def test_a_resent_record_is_read_again_and_sent(synced: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """Of all workflows that deliver such records, or of one."""
    source_id, _ = a_customer(synced)
    synced.sandbox.netsuite.update("customer", int(source_id), companyname="Renamed today")

    assert resend(source_id, workflow=CUSTOMERS) == CLEAN

    assert f"{CUSTOMERS}: 1 record sent" in capsys.readouterr().out
    sent = [row for row in synced.sandbox.suiteprojects.rows("Customer") if row.get("externalid") == source_id]
    assert [row["company"] for row in sent] == ["Renamed today"]
    assert resend(CUSTOMERS, all_records=True) == CLEAN
    assert f"{CUSTOMERS}: nothing was sent" in capsys.readouterr().out


@pytest.mark.long
def test_only_named_records_count_for_the_exit_code_of_a_resend(
    synced: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """A contact that is in the target is clean, although others are held back; one of these is not."""
    query = (
        f"select source_id from sync_decisions where workflow = '{CONTACTS}' and to_run is null"
        " and (action in ('blocked', 'quarantined')) = ? order by try_cast(source_id as bigint)"
    )
    (sent, *_), held = (synced.warehouse.read(query, [each])["source_id"].to_list() for each in (False, True))

    assert [resend(each, workflow=CONTACTS) for each in (sent, held[0])] == [CLEAN, HELD_BACK]

    first, second = capsys.readouterr().out.split("1 of 1 record held back")
    assert f"{CONTACTS}: {len(held)} other records are held back" in first
    assert f"contacts {held[0]}: " in second
    assert f"{CONTACTS}: {len(held) - 1} other record" in second
    assert not any(f"contacts {each}: " in first + second for each in held[1:])


@pytest.mark.usefixtures("synced")
def test_what_cannot_be_resent_is_answered_with_the_reason(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistyped workflow with what may have been meant, a part of a name with the candidates."""
    assert resend() == USAGE
    assert resend("suiteprojects__custmers", all_records=True) == USAGE
    assert f"did you mean {CUSTOMERS}" in capsys.readouterr().out
    assert resend("no such record") == USAGE
    monkeypatch.setenv("MILLPOND_APPROVERS", "no-such-user")
    assert resend(CUSTOMERS, all_records=True) == USAGE
