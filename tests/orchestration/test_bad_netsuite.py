"""Lost permissions in NetSuite, and records that a target rejects: error texts, and automatic recovery."""

from pathlib import Path
from typing import Any

import pytest

from resources.sandbox.netsuite.switches import NetSuiteSwitches
from tests.orchestration.conftest import Home, edited_workflows
from tests.orchestration.home_state import (
    CUSTOMERS,
    OPTIONS,
    decisions,
    environment,
    failures,
    row_counts,
    target_records,
    writes,
)

pytestmark = pytest.mark.long

FLAG = "custentity_oa_export_to_openair"
SUBSIDIARY_TABLES = ("subsidiary", "customersubsidiaryrelationship")


def hide(home: Home, *, tables: tuple[str, ...] = (), columns: tuple[str, ...] = ()) -> None:
    """Hide tables and columns from the role."""
    home.sandbox.switches.set("netsuite", NetSuiteSwitches, hidden_tables=tables, hidden_columns=columns)


def test_a_missing_table_stops_only_what_reads_it(seeded: Home) -> None:
    """Without the permission for contacts, customers are still synced; the error names the permission."""
    hide(seeded, tables=("contact",))
    failed = failures(seeded.run())

    assert failed == {
        "raw_netsuite__contacts": "netsuite: query contact: table contact was not found: give the role the permission"
        " 'Contacts'"
    }
    found = target_records(seeded)
    assert min(len(found[CUSTOMERS]), len(found[OPTIONS])) > 3

    hide(seeded)
    assert seeded.run().success
    assert row_counts(seeded)["stg_netsuite__contacts"] > 0
    assert target_records(seeded) == found


def test_an_account_without_subsidiaries_lists_them_as_optional(seeded: Home) -> None:
    """The error names the setting; with it customers are synced, and a filter by subsidiary selects none."""
    hide(seeded, tables=SUBSIDIARY_TABLES)
    failed = failures(seeded.run(CUSTOMERS))

    assert (
        "for an account without it, list the table in MILLPOND_OPTIONAL_TABLES"
        in (failed["raw_netsuite__customer_subsidiaries"])
    )
    assert target_records(seeded)[CUSTOMERS] == []

    with environment(MILLPOND_OPTIONAL_TABLES=", ".join(SUBSIDIARY_TABLES)):
        assert failures(seeded.run()) == {}
    found = target_records(seeded)
    assert len(found[CUSTOMERS]) > 3
    assert found[OPTIONS] == []


@pytest.mark.parametrize(
    ("tables", "columns", "messages"),
    [
        (
            ("job", "subsidiary"),
            ("customer.entityid", "customersubsidiaryrelationship.subsidiary"),
            ["permission 'Projects (Jobs)'", "permission 'Subsidiaries'", "entityid, which is required"],
        ),
        (
            (),
            (f"customer.{FLAG}", "customer.email", "customer.companyname", "currency.symbol", "job.parent"),
            [f"NetSuite shows no companyname, {FLAG}, email of customers"],
        ),
    ],
    ids=["required", "optional"],
)
def test_a_permission_that_was_lost_changes_nothing_in_the_targets(
    synced: Home, tables: tuple[str, ...], columns: tuple[str, ...], messages: list[str]
) -> None:
    """Nothing is deleted, deactivated or cleared because of it, even for optional tables."""
    before = (row_counts(synced), target_records(synced), writes(synced))

    hide(synced, tables=tables, columns=columns)
    with environment(MILLPOND_OPTIONAL_TABLES="job,subsidiary"):
        result = synced.run()

    assert (row_counts(synced), target_records(synced), writes(synced)) == before
    assert result.success == (not messages)
    printed = "\n".join(failures(result).values())
    assert [text for text in messages if text not in printed] == []


def test_a_hidden_flag_does_not_count_as_unchecked(seeded: Home) -> None:
    """Otherwise every record would silently leave the selection; the other workflow does not read the flag."""
    hide(seeded, columns=(f"customer.{FLAG}",))
    failed = failures(seeded.run())

    assert failed.keys() == {f"mart_{CUSTOMERS}"}
    assert f"{FLAG} is blank in every record" in failed[f"mart_{CUSTOMERS}"]
    assert len(target_records(seeded)[OPTIONS]) > 3

    hide(seeded)
    seeded.sandbox.clock.advance(86_400)  # the account's columns are checked again after some hours
    assert failures(seeded.run(CUSTOMERS)) == {}
    assert len(target_records(seeded)[CUSTOMERS]) > 3


def customers(home: Home, subsidiary: str) -> list[dict[str, Any]]:
    """Return exported, active customers of one subsidiary."""
    relations = home.sandbox.netsuite.rows("customersubsidiaryrelationship")
    members = {row["entity"] for row in relations if str(row["subsidiary"]) == subsidiary}
    return [
        row
        for row in home.sandbox.netsuite.rows("customer")
        if row["id"] in members and row[FLAG] and not row["isinactive"] and row["searchstage"] == "Customer"
    ]


def test_a_rejected_record_is_quarantined_until_it_is_corrected(seeded: Home, tmp_path: Path) -> None:
    """Each with its reason; all others are delivered; the correction in NetSuite is enough."""
    netsuite = seeded.sandbox.netsuite
    control, doubloons = customers(seeded, "1")[:2]
    lengthy = customers(seeded, "2")[0]
    lead = next(row for row in netsuite.rows("customer") if row["searchstage"] == "Lead" and row[FLAG])
    netsuite.insert("currency", [{"id": 90, "name": "Doubloon", "symbol": "XDB"}])
    netsuite.update("customer", control["id"], companyname="Bell\x07 & Sons")
    netsuite.update("customer", doubloons["id"], currency=90)
    netsuite.update("customer", lengthy["id"], companyname="A" * 84)
    bad = {str(row["id"]) for row in (control, doubloons, lead)}

    with edited_workflows(tmp_path / "own", **{CUSTOMERS: lambda text: text.replace("lead: skip", "lead: include", 1)}):
        assert seeded.run().success
        reasons, options = decisions(seeded, CUSTOMERS), decisions(seeded, OPTIONS)
        found = target_records(seeded)

        assert reasons[str(control["id"])][:2] == ("quarantined", "illegal_character")
        assert "company contains a control character" in reasons[str(control["id"])][2]
        assert reasons[str(doubloons["id"])][:2] == ("quarantined", "not_in_list")
        assert reasons[str(lead["id"])][:2] == ("quarantined", "value_not_in_list")
        assert options[str(lengthy["id"])] == ("quarantined", "too_long", "name is longer than 83 characters")
        delivered = {row["externalid"] for row in found[CUSTOMERS]}
        assert delivered == {key for key, (action, _, _) in reasons.items() if action == "create"}
        assert not bad & delivered

        netsuite.update("customer", control["id"], companyname="Bell & Sons")
        netsuite.update("customer", doubloons["id"], currency=1)
        netsuite.update("customer", lengthy["id"], companyname="A" * 83)
        netsuite.update("customer", lead["id"], searchstage="Customer")
        assert seeded.run().success

    after = target_records(seeded)
    assert {row["externalid"] for row in after[CUSTOMERS]} >= delivered | bad
    assert str(lengthy["id"]) in {row["external_id"] for row in after[OPTIONS]}
    assert {action for action, _, _ in decisions(seeded, CUSTOMERS).values()} & {"quarantined"} <= {"quarantined"}
    assert all(decisions(seeded, CUSTOMERS)[key][0] == "create" for key in bad)
