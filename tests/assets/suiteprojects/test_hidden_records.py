"""A filter set may hide records from the integration's user: what is not shown need not be deleted."""

from collections import Counter

import polars as pl
import pytest

from assets.delivery.certificate.record_states import HELD as HELD_BACK
from assets.delivery.certificate.record_states import RECORDS, VERIFIED, make_record_states
from assets.delivery.imports.manual_links import ManualLink, save_manual_link
from assets.delivery.ledger.sequence import last_position
from assets.delivery.mart.build import make_mart
from assets.delivery.plan.planner import make_plan
from assets.delivery.plan.scope import SelectedRecords
from assets.delivery.realtime.sync_records import refresh_target_state
from assets.delivery.target import RecordQuery
from assets.suiteprojects.target import SuiteProjectsTarget
from resources.sandbox.sandbox import Sandbox
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from resources.suiteprojects.client import SuiteProjectsClient
from tests.assets.suiteprojects.staged import customer, stage
from tests.assets.suiteprojects.test_customers_import import Importer, importer

__all__ = ["importer"]
ROWS = [customer(str(number)) for number in range(1, 7)]
HELD, NEW, SAME = ("quarantined", "not_shown_in_target"), ("create", "new"), ("unchanged", "identical")


def hide(sandbox: Sandbox, *target_ids: str, finds: bool = True) -> None:
    """Hide these customers from every Read, and from `lookup` unless that finds them."""
    hidden = [f"Customer.{each}" for each in target_ids]
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, hidden_records=hidden, lookup_finds_hidden=finds)


def target_ids(importer: Importer) -> dict[str, str]:
    """Return the customers' ids by NetSuite id; a second record of a key fails."""
    assert max(Counter(row["externalid"] for row in importer.records()).values()) == 1
    return {row["externalid"]: row["id"] for row in importer.records()}


@pytest.mark.long
@pytest.mark.parametrize("finds", [False, True])
def test_a_hidden_record_is_held_and_a_deleted_one_is_created_again(importer: Importer, *, finds: bool) -> None:
    """Neither written nor made twice, whatever `lookup` finds; once it is shown, nothing is to be done."""
    importer.run(*ROWS)
    before = target_ids(importer)
    hide(importer.sandbox, before["1"], before["2"], before["3"], finds=finds)
    importer.spp.delete("Customer", int(before["6"]))
    rows = [customer("1", company_name="Renamed"), *ROWS[1:]]

    assert importer.run(*rows) == {"1": HELD, "2": HELD, "3": HELD, "4": SAME, "5": SAME, "6": NEW}
    assert importer.run(*rows) == {"1": HELD, "2": HELD, "3": HELD, "4": SAME, "5": SAME, "6": SAME}
    (reason,) = importer.warehouse.read(
        "select reason from sync_decisions where source_id = '1' and to_run is null"
    ).row(0)
    assert "the linked record" in reason
    assert "filter set" in reason

    hide(importer.sandbox)
    assert importer.run(*rows) == {"1": ("update", "source_changed"), **dict.fromkeys("23456", SAME)}
    assert {key: each for key, each in target_ids(importer).items() if key != "6"} == {
        key: each for key, each in before.items() if key != "6"
    }


def test_a_hidden_record_whose_values_were_sent_in_part_does_not_count_as_inactive(importer: Importer) -> None:
    """Its link has no fingerprint of the values, as after an undo or one approved field; it was active nevertheless."""
    importer.run(*ROWS[:2])
    hide(importer.sandbox, target_ids(importer)["1"])
    with importer.warehouse.writer() as con:
        con.execute("update sync_links set payload_hash = null where source_id = '1'")

    assert importer.run(customer("1", is_inactive=True), ROWS[1]) == {"1": HELD, "2": SAME}


@pytest.mark.long
def test_a_hidden_record_that_is_retired_in_netsuite_does_not_count_as_inactive(importer: Importer) -> None:
    """It was active when it was last seen; once it is shown, it is deactivated, and never looked up again."""
    importer.run(*ROWS[:3])
    before = target_ids(importer)
    hide(importer.sandbox, before["1"])
    importer.spp.delete("Customer", int(before["3"]))
    rows = [customer("1", is_inactive=True), ROWS[1], customer("3", is_inactive=True)]

    for _ in range(2):
        assert importer.run(*rows) == {"1": HELD, "2": SAME, "3": ("skipped", "inactive")}
    with importer.warehouse.writer() as con:
        make_record_states(con, importer.workflow, "externalid", last_position(con))
        kinds = dict(con.execute(f"select source_id, kind from {RECORDS}").fetchall())
    assert kinds == {"1": HELD_BACK, "2": VERIFIED, "3": VERIFIED}

    hide(importer.sandbox)
    assert importer.run(*rows)["1"] == ("deactivate", "inactive")
    hide(importer.sandbox, before["1"])
    assert importer.run(*rows)["1"] == ("skipped", "inactive")


@pytest.mark.long
def test_a_person_decides_that_a_hidden_record_is_gone(importer: Importer) -> None:
    """`millpond link customers 1 new`; no rule takes another record of the name for it before."""
    importer.run(*ROWS)
    hide(importer.sandbox, target_ids(importer)["1"], finds=False)
    importer.spp.add("Customer", name="C1", company="Typed manually")
    assert importer.run(*ROWS)["1"] == HELD

    with importer.warehouse.writer() as con:
        now = importer.context("x").now
        save_manual_link(con, ManualLink("imported", "customers", "1", None, "tester", now, ""))

    assert importer.run(*ROWS)["1"] == NEW


@pytest.mark.long
def test_real_time_holds_a_hidden_record_as_a_full_run_does(importer: Importer) -> None:
    """It was shown when all records were read, and is not any more; nothing is sent by what was shown then."""
    importer.run(*ROWS)
    hide(importer.sandbox, target_ids(importer)["1"])
    context = importer.context("now")
    stage(importer.warehouse, customers=[customer("1", company_name="Renamed"), *ROWS[1:]])
    make_mart(importer.warehouse, importer.workflow, clock=importer.clock)
    keys = pl.DataFrame({"source": ["customers"], "source_id": ["1"]})

    scope = refresh_target_state(context, SelectedRecords(keys))
    planned = make_plan(context, scope=scope).plan

    assert planned.select("source_id", "action", "reason_code").rows() == [("1", *HELD)]


def test_a_service_that_lists_no_deleted_records_proves_nothing(
    sandbox: Sandbox, customers: SuiteProjectsTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A known record in neither list is not read; the real-time run that asks by id is answered alike."""
    spp = sandbox.suiteprojects
    shown, hidden, gone = (str(spp.add("Customer", externalid=key, name=key)) for key in "123")
    spp.delete("Customer", int(gone))
    hide(sandbox, hidden)
    keys = {shown: "1", hidden: "2", gone: "3"}
    fields = ["externalid", "name"]

    for found, unread in (
        customers.read_unlisted(keys, fields),
        customers.read_records(RecordQuery(["1", "2", "3"], keys), fields),
    ):
        assert (found["target_id"].to_list(), set(unread)) == ([shown], {hidden})

    monkeypatch.setattr(SuiteProjectsClient, "deleted_ids", lambda *_: set())
    assert set(customers.read_unlisted(keys, fields)[1]) == {hidden, gone}
