"""A simulated day: its report lists exactly the changes in the tables."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from resources.clock import SharedClock
from resources.sandbox.generator.seed import seed
from resources.sandbox.sandbox import Sandbox
from resources.sandbox.simulation.day import DayReport, Event, manual_edits, simulate_day
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
    """Return every row that a day may change, by table and key."""
    return {table: {row[key]: row for row in sandbox.netsuite.rows(table)} for table, key in KEYS.items()}


@dataclass
class SimulatedDay:
    """A sandbox before and after a day."""

    sandbox: Sandbox
    before: dict[str, Rows]
    after: dict[str, Rows]
    report: DayReport

    def of(self, kind: str) -> Event:
        """Return the first event of a kind."""
        return next(event for event in self.report.events if event.kind == kind)

    def changed(self, table: str, key: int) -> set[str]:
        """Return the changed columns of a row."""
        old, new = self.before[table][key], self.after[table][key]
        return {name for name in new if old[name] != new[name]}


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> SimulatedDay:
    """600 customers, one day."""
    sandbox = Sandbox(tmp_path_factory.mktemp("day"))
    seed(sandbox, customers=600, seed=4)
    before = snapshot(sandbox)
    report = simulate_day(sandbox, seed=4)
    return SimulatedDay(sandbox, before, snapshot(sandbox), report)


def test_every_kind_of_edit_occurs(simulated: SimulatedDay) -> None:
    """A missing kind would leave its rule untested."""
    assert set(simulated.report.kinds) == {kind.__name__ for kind in Edits.KINDS}
    assert simulated.report.impossible == ()
    assert len(simulated.report.events) >= 12


def test_a_day_takes_24_hours_of_the_sandbox_clock(simulated: SimulatedDay) -> None:
    """Edits are spread over the day, so that a watermark falls between them."""
    report = simulated.report
    moments = [event.at for event in report.events]

    assert timedelta(days=1) <= report.ended - report.began < timedelta(days=1, minutes=1)
    assert moments == sorted(moments)
    assert moments[-1] - moments[0] > timedelta(hours=12)
    assert all(report.began <= moment <= report.ended for moment in moments)


def test_every_change_is_in_the_report(simulated: SimulatedDay) -> None:
    """Other tests compare the pipeline's plan with the report."""
    reported = {table: simulated.report.ids(table) for table in KEYS}
    new_owners = simulated.after["customer"].keys() - simulated.before["customer"].keys()
    deleted_owners = simulated.before["customer"].keys() - simulated.after["customer"].keys()

    for table, key in KEYS.items():
        old, new = simulated.before[table], simulated.after[table]
        changed = {number for number in old.keys() | new.keys() if old.get(number) != new.get(number)}
        for number in changed - reported[table]:
            row = new.get(number) or old[number]
            owner = row.get("entity") or row.get("recordowner")
            assert owner in new_owners | deleted_owners, f"{table} {row[key]} changed without an event"


@pytest.mark.parametrize(
    ("kind", "table", "columns"),
    [
        ("renamed", "customer", {"companyname", "altname", "entitytitle"}),
        ("email_changed", "customer", {"email"}),
        ("phone_changed", "customer", {"phone"}),
        ("address_changed", "customeraddressbookentityaddress", {"addr1"}),
        ("department_changed", "customer", {"custentity_department"}),
        ("lead_to_prospect", "customer", {"searchstage", "entitystatus"}),
        ("prospect_to_customer", "customer", {"searchstage", "entitystatus"}),
        ("inactivated", "customer", {"isinactive"}),
        ("reactivated", "customer", {"isinactive"}),
        ("export_ticked", "customer", {"custentity_oa_export_to_openair"}),
        ("export_unticked", "customer", {"custentity_oa_export_to_openair"}),
        ("saved_unchanged", "customer", set()),
        ("project_renamed", "job", {"companyname", "altname", "entitytitle"}),
        ("project_closed", "job", {"isinactive"}),
        ("contact_changed", "contact", {"phone"}),
    ],
)
def test_an_edit_changes_its_columns_and_the_modification_date(
    simulated: SimulatedDay, kind: str, table: str, columns: set[str]
) -> None:
    """Each event is one kind of change, so that a plan's reason can be checked."""
    event = simulated.of(kind)
    name, key = event.records[0]

    assert name == table
    assert simulated.changed(table, key) - {"entitystatus"} == (columns | STAMPS) - {"entitystatus"}
    moved = simulated.after[table][key]["lastmodifieddate"]
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
    simulated: SimulatedDay, kind: str, before: dict[str, Any], after: dict[str, Any]
) -> None:
    """An edit does what its name says."""
    _, key = simulated.of(kind).records[0]

    assert before.items() <= simulated.before["customer"][key].items()
    assert after.items() <= simulated.after["customer"][key].items()


def test_a_merge_moves_projects_to_the_survivor(simulated: SimulatedDay) -> None:
    """The targets' data must move from the loser to the survivor."""
    records = simulated.of("merged").records
    loser, survivor = (key for table, key in records if table == "customer")
    jobs = [key for table, key in records if table == "job"]
    deleted = {row["recordid"]: row["type"] for row in simulated.sandbox.netsuite.rows("deletedrecord")}

    assert jobs
    assert loser not in simulated.after["customer"]
    assert deleted[loser] == "customer"
    assert all(simulated.before["job"][key]["customer"] == loser for key in jobs)
    assert all(simulated.after["job"][key]["customer"] == survivor for key in jobs)
    assert simulated.changed("customer", survivor) == {"comments", "lastmodifieddate"}


@pytest.mark.parametrize(
    ("kind", "table"), [("customer_deleted", "customer"), ("project_deleted", "job"), ("contact_deleted", "contact")]
)
def test_a_deletion_is_added_to_deletedrecord(simulated: SimulatedDay, kind: str, table: str) -> None:
    """The pipeline learns of deletions through deletedrecord only."""
    _, key = simulated.of(kind).records[0]
    deleted = {row["recordid"] for row in simulated.sandbox.netsuite.rows("deletedrecord")}

    assert key in simulated.before[table]
    assert key not in simulated.after[table]
    assert key in deleted


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
    simulated: SimulatedDay, kind: str, table: str, expected: dict[str, Any]
) -> None:
    """All entities share one range of ids, and ids are never reused."""
    event = simulated.of(kind)
    _, key = event.records[0]
    row = simulated.after[table][key]

    assert key > max(max(simulated.before[name]) for name in ("customer", "job", "contact"))
    assert expected.items() <= row.items()
    assert abs(row["datecreated"] - event.at) < timedelta(seconds=2)


def test_a_second_subsidiary_is_added(simulated: SimulatedDay) -> None:
    """The customer's own row stays unchanged, so extraction must poll the relationship."""
    (_, key), (_, owner) = simulated.of("subsidiary_added").records
    row = simulated.after["customersubsidiaryrelationship"][key]

    assert key not in simulated.before["customersubsidiaryrelationship"]
    assert (row["entity"], row["isprimarysub"]) == (owner, False)
    assert simulated.before["customer"][owner] == simulated.after["customer"][owner]


@pytest.mark.long
def test_a_larger_account_has_more_events(tmp_path: Path) -> None:
    """About 1 % of the customers change per day."""
    sandbox = Sandbox(tmp_path / "big")
    seed(sandbox, customers=5000, seed=1)

    assert len(simulate_day(sandbox, seed=1).events) == 50


def test_the_same_seeds_give_the_same_days(tmp_path: Path) -> None:
    """A failure can be reproduced by its seeds."""

    def simulate(folder: Path) -> list[list[tuple[str, tuple[tuple[str, int], ...]]]]:
        sandbox = Sandbox(folder)
        seed(sandbox, customers=200, seed=9)
        return [[(event.kind, event.records) for event in simulate_day(sandbox, number).events] for number in (1, 2, 3)]

    assert simulate(tmp_path / "first") == simulate(tmp_path / "second")


def test_a_tiny_sandbox_reports_impossible_edits(sandbox: Sandbox) -> None:
    """Three customers cannot be merged, converted and deleted at the same time."""
    seed(sandbox, customers=3)

    report = simulate_day(sandbox)

    assert report.impossible
    assert set(report.kinds) | set(report.impossible) == {kind.__name__ for kind in Edits.KINDS}


def test_on_the_machine_clock_all_edits_happen_now(sandbox: Sandbox) -> None:
    """Records of a served sandbox must not be dated in the future: clients sign with the machine's time."""
    seed(sandbox, customers=60)
    clock = sandbox.clock
    assert isinstance(clock, SharedClock)
    clock.follow_wall()

    report = simulate_day(sandbox)

    assert report.ended - report.began < timedelta(minutes=1)
    assert not clock.jumps


def test_manual_edits_change_synced_records(sandbox: Sandbox) -> None:
    """The drift: names in SuiteProjects Pro, a name and a status in Precoro."""
    customer = sandbox.suiteprojects.add("Customer", name="CUST-1", company="One", externalid="1001")
    options = [sandbox.precoro.add_option(f"Option {number}", external_id=str(number)) for number in (1001, 1002)]

    events = manual_edits(sandbox)

    assert [event.kind for event in events] == ["renamed", "renamed", "disabled"]
    assert events[0].records == (("suiteprojects.Customer", customer),)
    names = {int(row["id"]): row["name"] for row in sandbox.suiteprojects.rows("Customer")}
    assert names[customer] == "CUST-1 (edited)"
    now = {row["option_id"]: row for row in sandbox.precoro.options()}
    assert sorted((now[key]["name"].endswith("(edited)"), now[key]["enable"]) for key in options) == [
        (False, False),
        (True, True),
    ]


def test_manual_edits_leave_an_empty_target_empty(sandbox: Sandbox) -> None:
    """Records outside the pipeline are never edited either."""
    assert manual_edits(sandbox) == []
