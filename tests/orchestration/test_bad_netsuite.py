"""What NetSuite no longer shows, and records that a target cannot take: told, nothing lost, mended by itself."""

from pathlib import Path
from typing import Any

import pytest

from resources.sandbox.netsuite.switches import NetSuiteSwitches
from tests.orchestration.bad_day import (
    OF_PRECORO,
    OF_SUITEPROJECTS,
    decisions,
    environment,
    failures,
    held,
    rows,
    writes,
)
from tests.orchestration.conftest import Home, edited_workflows

pytestmark = pytest.mark.long

FLAG = "custentity_oa_export_to_openair"
ONE_WORLD = ("subsidiary", "customersubsidiaryrelationship")


def hide(home: Home, *, tables: tuple[str, ...] = (), columns: tuple[str, ...] = ()) -> None:
    """What the role may not see from now on."""
    home.sandbox.switches.set("netsuite", NetSuiteSwitches, hidden_tables=tables, hidden_columns=columns)


def test_a_missing_table_stops_only_what_reads_it(seeded: Home) -> None:
    """Contacts cannot be seen: customers go on, and the text names the permission."""
    hide(seeded, tables=("contact",))
    told = failures(seeded.run())

    assert told == {
        "raw_netsuite__contacts": "netsuite: query contact: table contact was not found: give the role the permission"
        " 'Contacts'"
    }
    found = held(seeded)
    assert min(len(found[OF_SUITEPROJECTS]), len(found[OF_PRECORO])) > 3

    hide(seeded)
    assert seeded.run().success
    assert rows(seeded)["stg_netsuite__contacts"] > 0
    assert held(seeded) == found


def test_an_account_without_subsidiaries_names_them_as_optional(seeded: Home) -> None:
    """The error says which setting; with it customers go on, and what selects by subsidiary finds nobody."""
    hide(seeded, tables=ONE_WORLD)
    told = failures(seeded.run(OF_SUITEPROJECTS))

    assert (
        "an account without it names the table in MILLPOND_OPTIONAL_TABLES"
        in (told["raw_netsuite__customer_subsidiaries"])
    )
    assert held(seeded)[OF_SUITEPROJECTS] == []

    with environment(MILLPOND_OPTIONAL_TABLES=", ".join(ONE_WORLD)):
        assert failures(seeded.run()) == {}
    found = held(seeded)
    assert len(found[OF_SUITEPROJECTS]) > 3
    assert found[OF_PRECORO] == []


@pytest.mark.parametrize(
    ("tables", "columns", "told"),
    [
        (
            ("job", "subsidiary"),
            ("customer.entityid", "customersubsidiaryrelationship.subsidiary"),
            ["permission 'Projects (Jobs)'", "permission 'Subsidiaries'", "entityid, which is needed"],
        ),
        ((), (f"customer.{FLAG}", "customer.email", "customer.companyname", "currency.symbol", "job.parent"), []),
    ],
    ids=["required", "optional"],
)
def test_a_permission_that_was_lost_changes_nothing_in_the_targets(
    settled: Home, tables: tuple[str, ...], columns: tuple[str, ...], told: list[str]
) -> None:
    """Nothing is deleted, switched off or blanked for what can no longer be seen, optional tables or not."""
    before = (rows(settled), held(settled), writes(settled))

    hide(settled, tables=tables, columns=columns)
    with environment(MILLPOND_OPTIONAL_TABLES="job,subsidiary"):
        result = settled.run()

    assert (rows(settled), held(settled), writes(settled)) == before
    assert result.success == (not told)
    said = "\n".join(failures(result).values())
    assert [text for text in told if text not in said] == []


def test_a_flag_that_nobody_can_see_is_not_taken_for_unticked(seeded: Home) -> None:
    """Else every record would silently leave the workflow; the other workflow does not read the flag."""
    hide(seeded, columns=(f"customer.{FLAG}",))
    told = failures(seeded.run())

    assert told.keys() == {f"mart_{OF_SUITEPROJECTS}"}
    assert f"no record at all has a value in {FLAG}" in told[f"mart_{OF_SUITEPROJECTS}"]
    assert len(held(seeded)[OF_PRECORO]) > 3

    hide(seeded)
    seeded.sandbox.clock.advance(86_400)  # which columns an account has is asked anew after some hours
    assert failures(seeded.run(OF_SUITEPROJECTS)) == {}
    assert len(held(seeded)[OF_SUITEPROJECTS]) > 3


def customers(home: Home, subsidiary: str) -> list[dict[str, Any]]:
    """Exported customers of one subsidiary, companies, live."""
    relations = home.sandbox.netsuite.rows("customersubsidiaryrelationship")
    members = {row["entity"] for row in relations if str(row["subsidiary"]) == subsidiary}
    return [
        row
        for row in home.sandbox.netsuite.rows("customer")
        if row["id"] in members and row[FLAG] and not row["isinactive"] and row["searchstage"] == "Customer"
    ]


def test_a_record_that_cannot_be_taken_is_held_back_alone_and_let_go_when_corrected(
    seeded: Home, tmp_path: Path
) -> None:
    """Each has its reason; all others go; the correction in NetSuite is all that it takes."""
    netsuite = seeded.sandbox.netsuite
    control, doubloons = customers(seeded, "1")[:2]
    lengthy = customers(seeded, "2")[0]
    lead = next(row for row in netsuite.rows("customer") if row["searchstage"] == "Lead" and row[FLAG])
    netsuite.insert("currency", [{"id": 90, "name": "Doubloon", "symbol": "XDB"}])
    netsuite.update("customer", control["id"], companyname="Bell\x07 & Sons")
    netsuite.update("customer", doubloons["id"], currency=90)
    netsuite.update("customer", lengthy["id"], companyname="A" * 84)
    bad = {str(row["id"]) for row in (control, doubloons, lead)}

    with edited_workflows(
        tmp_path / "own", **{OF_SUITEPROJECTS: lambda text: text.replace("lead: skip", "lead: include", 1)}
    ):
        assert seeded.run().success
        reasons, options = decisions(seeded, OF_SUITEPROJECTS), decisions(seeded, OF_PRECORO)
        found = held(seeded)

        assert reasons[str(control["id"])][:2] == ("quarantined", "rejected_illegal_character")
        assert "field company: U+0007" in reasons[str(control["id"])][2]
        assert reasons[str(doubloons["id"])][:2] == ("quarantined", "rejected_837")
        assert reasons[str(lead["id"])][:2] == ("quarantined", "value_not_in_list")
        assert options[str(lengthy["id"])] == ("quarantined", "too_long", "name is longer than 83 characters")
        delivered = {row["externalid"] for row in found[OF_SUITEPROJECTS]}
        assert delivered == {key for key, (action, _, _) in reasons.items() if action == "create"}
        assert not bad & delivered

        netsuite.update("customer", control["id"], companyname="Bell & Sons")
        netsuite.update("customer", doubloons["id"], currency=1)
        netsuite.update("customer", lengthy["id"], companyname="A" * 83)
        netsuite.update("customer", lead["id"], searchstage="Customer")
        assert seeded.run().success

    after = held(seeded)
    assert {row["externalid"] for row in after[OF_SUITEPROJECTS]} >= delivered | bad
    assert str(lengthy["id"]) in {row["external_id"] for row in after[OF_PRECORO]}
    assert {action for action, _, _ in decisions(seeded, OF_SUITEPROJECTS).values()} & {"quarantined"} <= {
        "quarantined"
    }
    assert all(decisions(seeded, OF_SUITEPROJECTS)[key][0] == "create" for key in bad)
