"""A played day: what its report says is what the tables show, and nothing else moved."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from resources.clock import SharedClock
from resources.sandbox.generator.seed import seed
from resources.sandbox.sandbox import Sandbox
from resources.sandbox.simulation.day import DayReport, Event, day, hand_edits
from resources.sandbox.simulation.edits import Edits

Rows = dict[int, dict[str, Any]]

KEYS = {
    "customer": "id",
    "job": "id",
    "contact": "id",
    "customersubsidiaryrelationship": "id",
    "customeraddressbookentityaddress": "nkey",
}
STAMPS = {"lastmodifieddate"}


def snapshot(sandbox: Sandbox) -> dict[str, Rows]:
    """Every row that a day may change, by table and key."""
    return {table: {row[key]: row for row in sandbox.netsuite.rows(table)} for table, key in KEYS.items()}


@dataclass
class Played:
    """A sandbox before and after a day."""

    sandbox: Sandbox
    before: dict[str, Rows]
    after: dict[str, Rows]
    report: DayReport

    def of(self, kind: str) -> Event:
        """The first event of a kind."""
        return next(event for event in self.report.events if event.kind == kind)

    def changed(self, table: str, key: int) -> set[str]:
        """Columns of a row that differ."""
        old, new = self.before[table][key], self.after[table][key]
        return {name for name in new if old[name] != new[name]}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """600 customers, one day."""
    sandbox = Sandbox(tmp_path_factory.mktemp("day"))
    seed(sandbox, customers=600, seed=4)
    before = snapshot(sandbox)
    report = day(sandbox, seed=4)
    return Played(sandbox, before, snapshot(sandbox), report)


def test_every_kind_of_edit_happens(played: Played) -> None:
    """A day that leaves a kind out would leave its rule untested."""
    assert set(played.report.kinds) == {kind.__name__ for kind in Edits.KINDS}
    assert played.report.impossible == ()
    assert len(played.report.events) >= 12


def test_the_day_takes_24_hours_of_the_sandboxes_clock(played: Played) -> None:
    """Edits spread over the day, so that a watermark falls between them."""
    report = played.report
    moments = [event.at for event in report.events]

    assert timedelta(days=1) <= report.ended - report.began < timedelta(days=1, minutes=1)
    assert moments == sorted(moments)
    assert moments[-1] - moments[0] > timedelta(hours=12)
    assert all(report.began <= moment <= report.ended for moment in moments)


def test_nothing_moved_that_is_not_in_the_report(played: Played) -> None:
    """The report is what other tests compare a pipeline's plan with."""
    told = {table: played.report.ids(table) for table in KEYS}
    new_owners = played.after["customer"].keys() - played.before["customer"].keys()
    gone_owners = played.before["customer"].keys() - played.after["customer"].keys()

    for table, key in KEYS.items():
        old, new = played.before[table], played.after[table]
        moved = {number for number in old.keys() | new.keys() if old.get(number) != new.get(number)}
        for number in moved - told[table]:
            row = new.get(number) or old[number]
            owner = row.get("entity") or row.get("recordowner")
            assert owner in new_owners | gone_owners, f"{table} {row[key]} moved untold"


@pytest.mark.parametrize(
    ("kind", "table", "columns"),
    [
        ("renamed", "customer", {"companyname", "altname", "entitytitle"}),
        ("email_changed", "customer", {"email"}),
        ("phone_changed", "customer", {"phone"}),
        ("moved", "customeraddressbookentityaddress", {"addr1"}),
        ("department_changed", "customer", {"custentity_department"}),
        ("lead_to_prospect", "customer", {"searchstage", "entitystatus"}),
        ("prospect_to_customer", "customer", {"searchstage", "entitystatus"}),
        ("inactivated", "customer", {"isinactive"}),
        ("reactivated", "customer", {"isinactive"}),
        ("export_ticked", "customer", {"custentity_oa_export_to_openair"}),
        ("export_unticked", "customer", {"custentity_oa_export_to_openair"}),
        ("touched", "customer", set()),
        ("project_renamed", "job", {"companyname", "altname", "entitytitle"}),
        ("project_closed", "job", {"isinactive"}),
        ("contact_changed", "contact", {"phone"}),
    ],
)
def test_an_edit_changes_these_columns_and_the_date(played: Played, kind: str, table: str, columns: set[str]) -> None:
    """One event, one kind of change: that is how a plan's reason is checked."""
    event = played.of(kind)
    name, key = event.records[0]

    assert name == table
    assert played.changed(table, key) - {"entitystatus"} == (columns | STAMPS) - {"entitystatus"}
    moved = played.after[table][key]["lastmodifieddate"]
    assert abs(moved - event.at) < timedelta(seconds=2)


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("lead_to_prospect", {"searchstage": "Lead"}, {"searchstage": "Prospect"}),
        ("prospect_to_customer", {"searchstage": "Prospect"}, {"searchstage": "Customer"}),
        ("inactivated", {"isinactive": False}, {"isinactive": True}),
        ("reactivated", {"isinactive": True}, {"isinactive": False}),
        ("export_ticked", {"custentity_oa_export_to_openair": False}, {"custentity_oa_export_to_openair": True}),
        ("export_unticked", {"custentity_oa_export_to_openair": True}, {"custentity_oa_export_to_openair": False}),
    ],
)
def test_an_edit_has_the_right_direction(
    played: Played, kind: str, before: dict[str, Any], after: dict[str, Any]
) -> None:
    """Names of kinds are taken at their word."""
    _, key = played.of(kind).records[0]

    assert before.items() <= played.before["customer"][key].items()
    assert after.items() <= played.after["customer"][key].items()


def test_a_merge_leaves_the_survivor_with_the_losers_projects(played: Played) -> None:
    """What the targets hold under the loser must follow to the survivor."""
    records = played.of("merged").records
    loser, survivor = (key for table, key in records if table == "customer")
    jobs = [key for table, key in records if table == "job"]
    gone = {row["recordid"]: row["type"] for row in played.sandbox.netsuite.rows("deletedrecord")}

    assert jobs
    assert loser not in played.after["customer"]
    assert gone[loser] == "customer"
    assert all(played.before["job"][key]["customer"] == loser for key in jobs)
    assert all(played.after["job"][key]["customer"] == survivor for key in jobs)
    assert played.changed("customer", survivor) == {"comments", "lastmodifieddate"}


@pytest.mark.parametrize(
    ("kind", "table"), [("customer_deleted", "customer"), ("project_deleted", "job"), ("contact_deleted", "contact")]
)
def test_a_deletion_leaves_a_note(played: Played, kind: str, table: str) -> None:
    """Deletes reach the pipeline through deletedrecord only."""
    _, key = played.of(kind).records[0]
    noted = {row["recordid"] for row in played.sandbox.netsuite.rows("deletedrecord")}

    assert key in played.before[table]
    assert key not in played.after[table]
    assert key in noted


@pytest.mark.parametrize(
    ("kind", "table", "expected"),
    [
        ("customer_created", "customer", {"searchstage": "Customer"}),
        ("lead_created", "customer", {"searchstage": "Lead"}),
        ("project_created", "job", {}),
        ("contact_created", "contact", {}),
    ],
)
def test_a_new_record_has_a_new_id_and_todays_date(
    played: Played, kind: str, table: str, expected: dict[str, Any]
) -> None:
    """Ids of all entities come from one range and are never given twice."""
    event = played.of(kind)
    _, key = event.records[0]
    row = played.after[table][key]

    assert key > max(max(played.before[name]) for name in ("customer", "job", "contact"))
    assert expected.items() <= row.items()
    assert abs(row["datecreated"] - event.at) < timedelta(seconds=2)


def test_a_subsidiary_is_added_beside_the_primary_one(played: Played) -> None:
    """The customer's own row does not move: extraction has to poll the relationship."""
    (_, key), (_, owner) = played.of("subsidiary_added").records
    row = played.after["customersubsidiaryrelationship"][key]

    assert key not in played.before["customersubsidiaryrelationship"]
    assert (row["entity"], row["isprimarysub"]) == (owner, False)
    assert played.before["customer"][owner] == played.after["customer"][owner]


def test_a_bigger_account_has_more_events(tmp_path: Path) -> None:
    """About 1 % of the customers a day."""
    sandbox = Sandbox(tmp_path / "big")
    seed(sandbox, customers=5000, seed=1)

    assert len(day(sandbox, seed=1).events) == 50


def test_the_same_seeds_give_the_same_days(tmp_path: Path) -> None:
    """A failure is replayed by its seeds."""

    def play(folder: Path) -> list[list[tuple[str, tuple[tuple[str, int], ...]]]]:
        sandbox = Sandbox(folder)
        seed(sandbox, customers=200, seed=9)
        return [[(event.kind, event.records) for event in day(sandbox, number).events] for number in (1, 2, 3)]

    assert play(tmp_path / "first") == play(tmp_path / "second")


def test_a_tiny_sandbox_reports_what_was_impossible(sandbox: Sandbox) -> None:
    """Three customers cannot be merged, converted and deleted all at once; that is said, not hidden."""
    seed(sandbox, customers=3)

    report = day(sandbox)

    assert report.impossible
    assert set(report.kinds) | set(report.impossible) == {kind.__name__ for kind in Edits.KINDS}


def test_on_the_machines_own_time_everything_happens_now(sandbox: Sandbox) -> None:
    """A served sandbox must not date records in the future: clients sign with the machine's time."""
    seed(sandbox, customers=60)
    clock = sandbox.clock
    assert isinstance(clock, SharedClock)
    clock.follow_wall()

    report = day(sandbox)

    assert report.ended - report.began < timedelta(minutes=1)
    assert not clock.jumps


def test_people_edit_what_was_delivered(sandbox: Sandbox) -> None:
    """Drift in the targets: a name in SuiteProjects Pro, a name and a switch in Precoro."""
    customer = sandbox.suiteprojects.add("Customer", name="CUST-1", company="One", externalid="1001")
    options = [sandbox.precoro.add_option(f"Option {number}", external_id=str(number)) for number in (1001, 1002)]

    events = hand_edits(sandbox)

    assert [event.kind for event in events] == ["renamed", "renamed", "disabled"]
    assert events[0].records == (("suiteprojects.Customer", customer),)
    names = {int(row["id"]): row["name"] for row in sandbox.suiteprojects.rows("Customer")}
    assert names[customer] == "CUST-1 (edited)"
    now = {row["option_id"]: row for row in sandbox.precoro.options()}
    assert sorted((now[key]["name"].endswith("(edited)"), now[key]["enable"]) for key in options) == [
        (False, False),
        (True, True),
    ]


def test_nobody_edits_an_empty_target(sandbox: Sandbox) -> None:
    """Records that the pipeline does not own are never touched by the play either."""
    assert hand_edits(sandbox) == []
