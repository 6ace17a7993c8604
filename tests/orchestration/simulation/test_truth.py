"""Certificates and final states are compared with what the stand-ins had; each comparison can fail."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from assets.delivery.ledger.certificates import Certificate, append
from assets.delivery.ledger.tables import ensure_ledger
from orchestration.simulation.certificate_truth import check_certificates
from orchestration.simulation.final_checks import check_claims, check_ledger, check_targets
from orchestration.simulation.simulation import Simulation
from orchestration.simulation.targets import TargetRecord
from orchestration.simulation.truth import ACTIVE, INACTIVE, OPEN, Version
from tests.orchestration.simulation.installation import PRECORO, prepared

NOON = datetime(2026, 11, 16, 12)  # noqa: DTZ001 - the warehouse's timestamps are naive UTC
HOUR = timedelta(hours=1)
KEY = (PRECORO, "customers", "1001")


def shown(name: str = "Acme", *, is_active: bool = True, key: str | None = "1001") -> dict[str, TargetRecord]:
    """Return the only record of the target."""
    raw = {"name": name, "enable": int(is_active), "externalId": key}
    return {"precoro Option 1": TargetRecord("precoro Option 1", key, name, is_active, None, raw)}


def version(number: int = 0, state: str = ACTIVE, **values: str | None) -> Version:
    """Return a requirement."""
    return Version(number, "1001", state, {"name": "Acme", "enable": "1", **values})


@pytest.fixture
def simulation(tmp_path: Path) -> Simulation:
    """A simulation with an empty ledger, and two observations an hour apart."""
    made = prepared(tmp_path)
    with made.world.warehouse.writer() as con:
        ensure_ledger(con)
    made.truth.moments = [NOON, NOON + HOUR]
    return made


def lies(simulation: Simulation, through: datetime, records: dict[str, TargetRecord]) -> int:
    """Return the number of lies of a certificate through a time."""
    with simulation.world.warehouse.writer() as con:
        append(con, Certificate(workflow=PRECORO, certified_at=NOON, run_id="night", verified_through=through))
    check_certificates(simulation.world, simulation.truth, simulation.verdicts, "night", records, "day 1")
    return simulation.verdicts.of("certificates").broken


def test_a_certificate_may_claim_what_the_target_shows(simulation: Simulation) -> None:
    """The version at its time, or a later one."""
    simulation.truth.versions[KEY] = [version(0), version(1, name="Acme 2")]

    assert lies(simulation, NOON, shown("Acme 2")) == 0
    assert simulation.verdicts.of("certificates").evidence["claims"] == 1


@pytest.mark.parametrize("through", [NOON + HOUR, NOON + 5 * HOUR])
def test_a_certificate_must_not_claim_an_older_version(simulation: Simulation, through: datetime) -> None:
    """The change was made before its time, and the target does not show it."""
    simulation.truth.versions[KEY] = [version(0), version(1, name="Acme 2")]

    assert lies(simulation, through, shown("Acme")) == 1


@pytest.mark.parametrize("records", [{}, shown(is_active=False), shown("other")])
def test_a_certificate_must_not_claim_a_record_that_is_not_so(
    simulation: Simulation, records: dict[str, TargetRecord]
) -> None:
    """Missing, inactive, with another value."""
    simulation.truth.versions[KEY] = [version()]

    assert lies(simulation, NOON, records) == 1


@pytest.mark.parametrize("was_read", [True, False])
def test_no_certificate_speaks_of_a_record_that_netsuite_never_showed(simulation: Simulation, was_read: bool) -> None:  # noqa: FBT001
    """Of one that it showed before, it does."""
    simulation.truth.versions[KEY] = [version()]
    with simulation.world.warehouse.writer() as con:
        append(con, Certificate(workflow=PRECORO, certified_at=NOON, run_id="night", verified_through=NOON))
        con.execute("create table raw_netsuite__customers as select ? as id", ["1001" if was_read else "2"])
    world, truth, verdicts = simulation.world, simulation.truth, simulation.verdicts

    check_certificates(world, truth, verdicts, "night", {}, "day 1", {("customers", "1001")})

    assert verdicts.of("certificates").broken == was_read


def test_a_certificate_without_a_time_claims_nothing(simulation: Simulation) -> None:
    """It is evidence for neither side."""
    simulation.truth.versions[KEY] = [version()]
    with simulation.world.warehouse.writer() as con:
        append(con, Certificate(workflow=PRECORO, certified_at=NOON, run_id="night", verified_through=None))
    check_certificates(simulation.world, simulation.truth, simulation.verdicts, "night", {}, "day 1")

    assert simulation.verdicts.of("certificates").checked == 0


def test_a_record_that_came_after_the_time_is_not_claimed(simulation: Simulation) -> None:
    """It was not there to be verified."""
    simulation.truth.versions[KEY] = [version(1)]

    assert lies(simulation, NOON, {}) == 0


@pytest.mark.parametrize(
    ("required", "records", "expected"),
    [
        (version(), shown(), {}),
        (version(), {}, {"present": 1}),
        (version(), shown(is_active=False), {"present": 1}),
        (version(), shown("other"), {"values": 1}),
        (version(state=INACTIVE), shown(), {"values": 1}),
        (version(state=INACTIVE), shown(is_active=False), {}),
        (version(state=INACTIVE), {}, {}),
        (version(state=OPEN), shown(), {}),
    ],
)
def test_the_end_is_compared_with_the_newest_requirement(
    simulation: Simulation, required: Version, records: dict[str, TargetRecord], expected: dict[str, int]
) -> None:
    """A selected record is there with every value; one that left is inactive; of the others nothing is required."""
    simulation.truth.versions[KEY] = [version(name="before"), required]
    check_targets(simulation.world, simulation.truth, simulation.verdicts, records)

    found = {each.name: each.broken for each in simulation.verdicts.all() if each.broken}
    assert found == {name: count for name, count in expected.items() if count}


def test_a_certificate_must_catch_up(simulation: Simulation) -> None:
    """A workflow that stays uncertified would be silent about everything."""
    with simulation.world.warehouse.writer() as con:
        append(con, Certificate(workflow=PRECORO, certified_at=NOON, verified_through=NOON))

    check_claims(simulation.world, simulation.verdicts, NOON)
    assert simulation.verdicts.of("catches_up").broken == 0
    check_claims(simulation.world, simulation.verdicts, NOON + HOUR)
    assert simulation.verdicts.of("catches_up").broken == 1


def test_an_intent_without_an_end_is_a_violation(simulation: Simulation) -> None:
    """It is not known if the record was written."""
    with simulation.world.warehouse.writer() as con:
        con.execute(
            "insert into sync_attempts (attempt_id, state, workflow, source, source_id)"
            " values ('1', 'intent', ?, ?, ?), ('2', 'intent', ?, ?, '2'), ('2', 'confirmed', ?, ?, '2')",
            [*KEY, *KEY[:2], *KEY[:2]],
        )
    check_ledger(simulation.world, simulation.verdicts)

    assert (simulation.verdicts.of("intents").broken, simulation.verdicts.of("intents").checked) == (1, 2)


def test_values_are_compared_as_the_stand_in_stores_them() -> None:
    """It shows false as a blank, a date with a time, and a country by its name."""
    raw = {"active": "", "start_date": "2026-11-02 00:00:00", "addr_country": "Sweden", "phone": ""}
    record = TargetRecord("suiteprojects Customer 1", "1", "a", is_active=False, parent=None, raw=raw)
    required = Version(
        0, "1", ACTIVE, {"active": "0", "start_date": "2026-11-02", "addr_country": "SE", "phone": None, "web": None}
    )

    assert not required.differences(record)
    assert Version(0, "1", ACTIVE, {"web": "x"}).differences(record) == {"web": ("x", None)}


def test_the_truth_is_read_past_lost_permissions(tmp_path: Path) -> None:
    """A record that the role does not see exists, and its values count."""
    simulation = prepared(tmp_path)
    simulation.world.fill()
    row = simulation.world.sandbox.netsuite.rows("customer")[0]
    simulation.weather._hide((f"customer.{row['id']}",), ())

    with simulation.weather.lifted():
        simulation.truth.observe()

    assert (PRECORO, "customers", str(row["id"])) in simulation.truth.versions
    assert simulation.world.sandbox.netsuite.load_switches().hidden_records == (f"customer.{row['id']}",)
