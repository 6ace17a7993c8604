"""Equality is claimed only of values that were read: each kind of gap is named, with its reason."""

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from shutil import copytree

import pytest

from assets.delivery.audit.reconcile import Reconciliation, reconcile
from assets.delivery.audit.verification import GONE, NEVER, NOT_SHOWN, UNREAD, UnverifiedRows
from assets.delivery.errors import MappingError
from assets.delivery.mart.build import make_mart
from assets.delivery.mart.current_state import read_target_state
from assets.delivery.run_context import RunContext
from assets.target_registry import TARGETS
from assets.warehouse.column_sources import derived_columns
from resources.sandbox.generator.seed import seed
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse
from sql import statement
from tests.assets.suiteprojects.account import Account, shipped

DAY_S = 86_400
CUSTOMERS, PROJECTS, CONTACTS = (f"suiteprojects__{name}" for name in ("customers", "projects", "contacts"))
ACTIVE = ("customer_department", "customers", "projects", "contacts")
LONG_AGO = "not read for 7 days"


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a small account was delivered once, hours after its last change."""
    folder = tmp_path_factory.mktemp("delivered")
    sandbox = Sandbox(folder / "sandbox")
    seed(sandbox, customers=12, seed=6)
    sandbox.clock.sleep(DAY_S)
    with opened(folder) as account:
        account.run()
    return folder


def opened(folder: Path) -> Account:
    """Return the account of a folder."""
    workflows = {each.name: each for each in (shipped(f"suiteprojects__{name}") for name in ACTIVE)}
    return Account(Sandbox(folder / "sandbox"), Warehouse(folder / "warehouse"), workflows)


@pytest.fixture
def account(delivered: Path, tmp_path: Path) -> Iterator[Account]:
    """A copy of the delivered account."""
    copytree(delivered, tmp_path / "copy")
    with opened(tmp_path / "copy") as account:
        account.runs = 1
        yield account


def now(account: Account) -> datetime:
    """Return NetSuite's time, as the warehouse has times."""
    return account.sandbox.clock.now().replace(tzinfo=None, microsecond=0)


def compare(account: Account, name: str = CUSTOMERS, days: float = 7) -> Reconciliation:
    """Read the target again and compare it with the mart."""
    workflow, kind = account.workflows[name], TARGETS[account.workflows[name].spec.target]
    target = kind.build(account.client, workflow.spec.options)
    make_mart(account.warehouse, workflow, read_system=partial(kind.records, account.client))
    read_target_state(RunContext(account.warehouse, workflow, target, "night", account.sandbox.clock))
    return reconcile(account.warehouse, workflow, key_field=kind.key_field, verify_days=days)


def checked_alone(account: Account, name: str) -> Reconciliation:
    """Compare what earlier runs made."""
    workflow = account.workflows[name]
    key_field = TARGETS[workflow.spec.target].key_field
    return reconcile(account.warehouse, workflow, key_field=key_field, verify_days=7)


def night(account: Account) -> None:
    """Let a day pass, and read NetSuite."""
    account.sandbox.clock.sleep(DAY_S)
    account.extract()


def exported(account: Account) -> int:
    """Return the id of an active customer in the target."""
    links = account.warehouse.read("select min(source_id) from sync_links where workflow = ?", [CUSTOMERS])
    return int(links.item())


@pytest.mark.long
def test_identical_is_said_with_the_time_of_the_oldest_reading(account: Account) -> None:
    """It is NetSuite's time before the first query of that reading."""
    first = account.warehouse.read("select min(netsuite_at) from netsuite_reads").item()

    found = compare(account)

    assert (found.is_identical, found.is_passed, found.verification.through) == (True, True, first)
    assert found.summary.startswith(f"identical, by values read through {first:%Y-%m-%d %H:%M:%S} UTC: ")
    assert "not verified" not in found.summary


@pytest.mark.long
def test_a_silent_change_is_never_called_identical_through_its_time(account: Account) -> None:
    """Before the night, equality is claimed through the time before the change; after it, the target has the value."""
    key = exported(account)
    account.sandbox.clock.sleep(7200)
    changed_at = now(account)
    account.sandbox.netsuite.update("customer", key, moves_date=False, entityid="Renamed silently")
    account.sandbox.clock.sleep(7200)
    account.extract()
    before = compare(account)
    account.sandbox.clock.sleep(DAY_S)
    account.run()
    after = compare(account)

    assert before.verification.through is not None
    assert before.verification.through < changed_at
    assert after.verification.through is not None
    assert after.verification.through > changed_at
    assert after.is_identical, after.summary
    assert account.records("Customer")[str(key)]["name"] == "Renamed silently"


def test_rows_that_were_not_read_for_too_long_are_not_verified(account: Account) -> None:
    """Nights without a reading: the value may have changed, and nothing is claimed."""
    with account.warehouse.writer() as con:
        con.execute("update sync_watermarks set reconciled_at = timestamp '2999-01-01'")
        con.execute(
            "update netsuite_reads set netsuite_at = netsuite_at - interval 9 days where record_type = 'customers'"
        )

    found = compare(account)

    assert not found.is_identical
    assert found.summary.startswith("compared; ")
    assert {(each.record_type, each.reason) for each in found.verification.rows} == {("customers", LONG_AGO)}
    assert f"rows of customers ({LONG_AGO})" in found.summary


def test_without_readings_nothing_is_claimed(account: Account) -> None:
    """Rows of an earlier version have no number of a reading, and old readings are removed."""
    with account.warehouse.writer() as con:
        con.execute("alter table raw_netsuite__customers drop column _reading")
        con.execute("delete from netsuite_reads where record_type = 'addresses'")

    found = compare(account)

    assert (found.is_identical, found.verification.through) == (False, None)
    assert {(each.record_type, each.reason) for each in found.verification.rows} == {
        ("customers", NEVER),
        ("addresses", NEVER),
    }


def test_an_unread_table_is_named(account: Account) -> None:
    """A source without a watermark was never read."""
    with account.warehouse.writer() as con:
        con.execute("delete from sync_watermarks where source_table = 'customeraddressbook'")

    assert UnverifiedRows("addresses", UNREAD, 0) in compare(account).verification.rows


def test_with_verification_switched_off_that_is_the_reason(account: Account) -> None:
    """MILLPOND_VERIFY_DAYS=0: rows are verified as of their last reading, a day at most."""
    account.sandbox.clock.sleep(3 * DAY_S)
    with account.warehouse.writer() as con:
        con.execute("insert into netsuite_reads (reading, netsuite_at) values (1000, ?)", [now(account)])

    found = compare(account, days=0)

    assert not found.is_identical
    assert all("MILLPOND_VERIFY_DAYS=0" in each.reason for each in found.verification.rows)


@pytest.mark.long
def test_records_that_netsuite_no_longer_shows_are_not_verified(account: Account) -> None:
    """Without a deletion note they may still exist, with other values."""
    key = exported(account)
    with account.sandbox.netsuite.store.write() as connection:
        connection.execute("delete from customer where id = ?", (key,))
    night(account)

    rows = {each.reason: each for each in compare(account).verification.rows}

    assert rows[GONE].record_type == "customers"
    assert rows[GONE].examples == [str(key)]


@pytest.mark.parametrize(
    ("workflow", "hidden", "column"),
    [
        (CONTACTS, "contact.phone", "contacts.phone"),
        (CUSTOMERS, "customeraddressbookentityaddress.city", "customers.city"),
    ],
)
def test_a_mapped_column_that_is_no_longer_shown_fails_the_check(
    account: Account, workflow: str, hidden: str, column: str
) -> None:
    """Its last values would count as current; also a column that comes from another table. The mart is not made."""
    assert compare(account, workflow).verification.columns == {}
    account.sandbox.switches.set("netsuite", NetSuiteSwitches, hidden_columns=(hidden,))
    night(account)

    with pytest.raises(MappingError, match=f"{workflow}: NetSuite shows no {column.partition('.')[2]} of "):
        compare(account, workflow)
    found = checked_alone(account, workflow)

    assert found.verification.columns == {column: NOT_SHOWN}
    assert (found.is_identical, found.is_passed) == (False, False)
    assert f"column {column} ({NOT_SHOWN})" in found.summary


@pytest.mark.long
def test_a_mart_older_than_its_sources_is_not_compared_as_current(account: Account) -> None:
    """The check alone, started in the UI, compares what an earlier run made."""
    key = exported(account)
    account.sandbox.clock.sleep(3600)
    account.sandbox.netsuite.update("customer", key, entityid="Renamed")
    account.extract()

    found = checked_alone(account, CUSTOMERS)

    assert (found.is_identical, found.is_passed) == (False, False)
    assert f"mart_{CUSTOMERS} is older than its records or the workflow file" in found.summary


@pytest.mark.long
def test_a_merge_without_dates_moves_the_project_in_the_next_run(account: Account) -> None:
    """The loser's project is read again because its customer was deleted; no date has moved."""
    linked = account.warehouse.read("select source_id from sync_links where workflow = ?", [PROJECTS])["source_id"]
    job = next(row for row in account.sandbox.netsuite.rows("job") if str(row["id"]) in set(linked))
    project, loser = str(job["id"]), str(job["customer"])
    survivor = next(
        str(row["id"]) for row in account.sandbox.netsuite.rows("customer")
        if str(row["id"]) in account.records("Customer") and str(row["id"]) != loser
    )  # fmt: skip
    account.sandbox.clock.sleep(7200)
    account.sandbox.switches.set("netsuite", NetSuiteSwitches, merge_moves_dates=False)
    account.sandbox.netsuite.merge(int(loser), int(survivor))
    account.sandbox.clock.sleep(3600)
    account.run()

    assert account.records("Project")[project]["customerid"] == account.records("Customer")[survivor]["id"]
    assert compare(account, PROJECTS).unexplained == {}


# --- the columns that a hidden column affects ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "hidden", "affected"),
    [
        ("customers", {"fax"}, {"fax"}),
        ("customers", {"companyname"}, {"companyname", "company_name"}),
        ("customers", {"addr1"}, {"addr1", "address_line1", "billing_address_line1", "shipping_address_line1"}),
        ("customers", {"custentity_region"}, {"custentity_region"}),
        ("projects", {"altname"}, {"altname", "project_name"}),
        ("projects", {"parent"}, {"parent", "parent_project_id", "unshown_parent_id"}),
        (
            "customrecord_region",
            {"custrecord_code", "lastmodified"},
            {"custrecord_code", "lastmodified", "modified_at"},
        ),
    ],
)
def test_the_staging_columns_that_need_a_raw_column_are_found(
    warehouse: Warehouse, table: str, hidden: set[str], affected: set[str]
) -> None:
    """Through expressions over several lines, joins and renames; DuckDB parses the query."""
    with warehouse.writer(transaction=False) as con:
        assert derived_columns(con, statement("staging", f"stg_netsuite__{table}").text, hidden) == affected
