"""Truncated, empty, missing and HTML responses of each system: nothing is lost or duplicated."""

import pytest

from resources.http import PARSE_ATTEMPTS
from resources.sandbox.faults import Fault, FaultKind
from tests.orchestration.conftest import Home
from tests.orchestration.expected_targets import selected_customers, selected_options
from tests.orchestration.home_state import CUSTOMERS, OPTIONS, failures, has_no_duplicates, target_records, writes

pytestmark = pytest.mark.long

RETRIED = (FaultKind.NOT_APPLIED_500, FaultKind.APPLIED_500, FaultKind.LOST, FaultKind.CUT)
UNUSABLE = (FaultKind.TRUNCATED, FaultKind.HTML, FaultKind.EMPTY)


def plan(home: Home, system: str, *faults: Fault) -> None:
    """Plan faults of a system."""
    for each in faults:
        home.sandbox.faults.plan(system, each)


def is_complete(home: Home) -> bool:
    """Return whether every selected record is in its target, once."""
    found, sandbox = target_records(home), home.sandbox
    customers = {row["externalid"] for row in found[CUSTOMERS]}
    options = {row["external_id"] for row in found[OPTIONS]}
    expected = selected_customers(sandbox, set()).keys(), selected_options(sandbox).keys()
    return has_no_duplicates(home) and (customers, options) == expected


def recovers(home: Home) -> bool:
    """Return whether the next run without faults succeeds and completes both targets."""
    home.sandbox.faults.clear()
    return home.run().success and is_complete(home)


def test_reads_of_netsuite_are_retried(seeded: Home) -> None:
    """A lost or unusable response costs only time."""
    kinds = (*RETRIED, *UNUSABLE)
    plan(seeded, "netsuite", *(Fault(kind, pattern="suiteql", skip=3 * place) for place, kind in enumerate(kinds)))

    assert seeded.run().success
    assert is_complete(seeded)


def test_unusable_responses_of_netsuite_fail_only_their_tables(synced: Home) -> None:
    """They never count as a short table: the rows are kept, and the next run reads them."""
    tables = ("c.entitystatus", "from currency", "c.contactrole")  # columns: a query counts rows of several tables
    before = target_records(synced)
    faults = (Fault(kind, pattern=table, times=PARSE_ATTEMPTS) for kind, table in zip(UNUSABLE, tables, strict=True))
    plan(synced, "netsuite", *faults)

    failed = failures(synced.run())

    assert failed.keys() == {f"raw_netsuite__{name}" for name in ("customers", "currencies", "contacts")}
    assert all(
        "the response is not JSON" in text and "truncated, or a maintenance page" in text for text in failed.values()
    )
    assert target_records(synced) == before
    assert recovers(synced)


@pytest.mark.parametrize("kind", [FaultKind.LOST, FaultKind.TRUNCATED])
def test_no_customer_is_lost_or_duplicated_in_suiteprojects(seeded: Home, kind: FaultKind) -> None:
    """A read is retried; after a write without a usable response, the target is checked before retrying."""
    plan(seeded, "suiteprojects", Fault(kind, pattern="<Read"), Fault(kind, pattern="<Add"))

    result = seeded.run(CUSTOMERS)

    assert result.success, failures(result)
    assert has_no_duplicates(seeded)
    assert recovers(seeded)


def test_no_option_is_lost_or_duplicated_in_precoro(seeded: Home) -> None:
    """With every kind of fault, on one create after the other."""
    kinds = (*RETRIED, *UNUSABLE)
    plan(seeded, "precoro", *(Fault(kind, method="POST", skip=2 * number) for number, kind in enumerate(kinds)))

    seeded.run(OPTIONS)

    assert has_no_duplicates(seeded)
    assert recovers(seeded)


@pytest.mark.parametrize("kind", UNUSABLE)
def test_an_unusable_list_of_precoro_is_not_an_empty_one(synced: Home, kind: FaultKind) -> None:
    """With an empty target state, everything would be created again."""
    sent = writes(synced)
    plan(synced, "precoro", Fault(kind, method="GET", pattern="/options", times=PARSE_ATTEMPTS))

    failed = failures(synced.materialize(f"target_{OPTIONS}"))

    assert failed.keys() == {f"target_{OPTIONS}"}
    assert "precoro: list options: the response is not JSON" in failed[f"target_{OPTIONS}"]
    assert writes(synced) == sent
