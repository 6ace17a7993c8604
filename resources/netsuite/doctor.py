"""Check that NetSuite can be read: sign-in, clock, time zone, limits, and for each table what the role may see.

diagnose_netsuite(client, needs)  ->  Findings; a few calls, two per table, and no row's contents

NetSuite reports a table that is missing, forbidden or disabled with the same "was not found" (netsuite.md §1.5 [L]).
A role with restrictions may see a table without its rows (netsuite.md §5.2 [C]).
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from resources.diagnostics import Finding, findings_of
from resources.errors import CredentialsError, RequestRejectedError
from resources.netsuite.client import NetSuiteClient
from resources.netsuite.errors import SYSTEM, MissingTableError
from resources.netsuite.rejected_columns import (
    AFTER_ALL,
    REJECTIONS,
    QueriedColumns,
    missing_if_rejected,
    rejected_columns,
)
from resources.scalars import as_whole

BEFORE_ALL = str(-(10**9))
MAX_SKEW = timedelta(seconds=60)  # sign-in fails at five minutes
DELETED = "select d.recordid from deletedrecord d where d.recordid > ?"
UTC = "sys_extract_utc"


@dataclass(frozen=True)
class TableNeed:
    """One table that Millpond reads.

    Attributes:
        table: NetSuite's name.
        key: The key column.
        columns: Our names of the columns.
        required: Columns without which the table is useless.
        mapped_by: Columns that a workflow maps, each with the workflow's name.
        requires_rows: Every account has rows of it.
        page: Returns the SuiteQL of a page with the key and some other columns.
        count: SuiteQL that counts the rows, as `n`.
        columns_with: Returns our columns that contain an identifier, such as one that NetSuite rejected.
    """

    table: str
    key: str
    columns: frozenset[str]
    required: frozenset[str]
    mapped_by: Mapping[str, str]
    is_optional: bool
    requires_rows: bool
    page: Callable[[Collection[str]], str]
    count: str
    columns_with: Callable[[str], Collection[str]]


def diagnose_netsuite(client: NetSuiteClient, needs: Sequence[TableNeed], *, concurrency: int) -> Iterator[Finding]:
    """Run all checks, sign-in first; without sign-in nothing else is called."""
    signed_in = list(findings_of(SYSTEM, "sign-in", lambda: _clock(client)))
    yield from signed_in
    if any("apart" not in each.found for each in signed_in):
        return
    yield from findings_of(SYSTEM, "session time zone", lambda: _zone(client))
    yield from findings_of(SYSTEM, "concurrency", lambda: _limits(client, concurrency))
    yield from findings_of(SYSTEM, "OneWorld", lambda: _one_world(client))
    yield from findings_of(SYSTEM, "metadata catalog", lambda: _catalog(client))
    for need in needs:
        yield from findings_of(SYSTEM, f"table {need.table}", lambda need=need: _table(client, need))  # type: ignore[misc]
    yield from findings_of(SYSTEM, "table deletedrecord", lambda: _deletions(client))


def _clock(client: NetSuiteClient) -> Iterator[Finding]:
    before = client.clock.now()
    server = client.server_time()
    after = client.clock.now()
    apart = max(server - after, before - server - timedelta(seconds=1), timedelta())
    found = f"signed in; NetSuite's clock and this machine's are {apart.total_seconds():.0f} s apart"
    fix = "synchronize this machine's clock (NTP): at five minutes NetSuite rejects the sign-in"
    yield Finding(SYSTEM, "sign-in", found, fix if apart > MAX_SKEW else "")


def _zone(client: NetSuiteClient) -> Iterator[Finding]:
    offset = client.session_zone_offset
    if offset is None:
        found = "unknown to this role; each run reads 25 hours again"
        fix = "give the role the permission 'SuiteAnalytics Workbook', and set the integration user's time zone to GMT"
        yield Finding(SYSTEM, "session time zone", found, fix)
        return
    minutes = int(offset.total_seconds() // 60)
    found = f"UTC{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    advice = "" if minutes == 0 else "; GMT, in the integration user's preferences, has no clock changes"
    yield Finding(SYSTEM, "session time zone", found + advice)


def _limits(client: NetSuiteClient, concurrency: int) -> Iterator[Finding]:
    limits = client.governance_limits()
    if limits is None:
        found = f"only an administrator may see the limits; up to {concurrency} parallel calls"
        yield Finding(SYSTEM, "concurrency", found)
        return
    account, own = (as_whole(limits.get(f"{name}ConcurrencyLimit")) for name in ("account", "integration"))
    free = as_whole(limits.get("accountUnallocatedConcurrencyLimit"))
    slots, unallocated = ("an unknown number of" if each is None else each for each in (account, free))
    ours = f"{own or 'none'} allocated to this integration"
    found = f"the account has {slots} slots, {unallocated} of them unallocated, {ours}"
    fix = ""
    if not own and free == 0:
        fix = (
            "all slots are allocated to other integrations: allocate some to this one, Setup > Integration > Governance"
        )
    elif own and concurrency > own:
        fix = f"set NETSUITE_CONCURRENCY to {own} or less, or allocate more slots to this integration"
    elif not own and account and concurrency >= account > 1:
        fix = f"set NETSUITE_CONCURRENCY to {account - 1} or less: the limit is shared with every other integration"
    yield Finding(SYSTEM, "concurrency", f"{found}; we use up to {concurrency}", fix)


def _one_world(client: NetSuiteClient) -> Iterator[Finding]:
    """Report it without a verdict: the tables' own findings say whether anything is missing."""
    try:
        with missing_if_rejected(client, "subsidiary"):
            row = client.row("select count(*) as n from subsidiary s where s.id > ?", [BEFORE_ALL])
    except MissingTableError:
        yield Finding(SYSTEM, "OneWorld", "no, or the role may not see subsidiaries")
    else:
        yield Finding(SYSTEM, "OneWorld", f"yes, {row.get('n', '0')} subsidiaries")


def _catalog(client: NetSuiteClient) -> Iterator[Finding]:
    """Report it without a verdict: custom fields can be read without it."""
    fields = client.custom_fields("customer")
    if fields is None:
        found = "not visible: custom fields stay text, and their dates follow the integration user's date format"
        yield Finding(SYSTEM, "metadata catalog", f"{found}; set that preference to YYYY-MM-DD")
    else:
        own = sum(name.startswith(("cust", "cseg")) for name in fields)
        yield Finding(SYSTEM, "metadata catalog", f"it has the types of {own} custom fields of customers")


def _table(client: NetSuiteClient, need: TableNeed) -> Iterator[Finding]:
    check = f"table {need.table}"
    try:
        unknown = unknown_columns(client, need)
    except MissingTableError as error:
        if need.is_optional:
            yield Finding(SYSTEM, check, "was not found; it is optional")
        else:
            yield Finding(SYSTEM, check, "was not found", error.reason.partition(": ")[2])
        return
    times = set(need.columns_with(UTC))
    if times and times <= unknown:
        advice = "times are converted by the current offset; set the integration user's time zone to GMT"
        yield Finding(SYSTEM, check, f"SYS_EXTRACT_UTC does not work here: {advice}")
        unknown -= times
    missing = sorted(unknown & (need.required | need.mapped_by.keys()))
    if missing:
        names = [f"{name} (workflow {need.mapped_by[name]})" if name in need.mapped_by else name for name in missing]
        fix = "give the role access to them (to the field or its record type), or remove them from the workflow"
        yield Finding(SYSTEM, check, f"missing columns: {', '.join(names)}", fix)
    rows = as_whole(client.row(need.count, [BEFORE_ALL]).get("n")) or 0
    found = f"{rows:,} rows, {len(need.columns - unknown)} of {len(need.columns)} columns"
    if unknown - set(missing):
        found += f" (without {', '.join(sorted(unknown - set(missing)))})"
    if rows:
        yield Finding(SYSTEM, check, found)
        return
    fix = "remove the role's restrictions (by subsidiary, department …), or give it the permission to view"
    found = "no row is visible; a restricted role sees an empty table and no error"
    yield Finding(SYSTEM, check, found, fix if need.requires_rows else "")


def unknown_columns(client: NetSuiteClient, need: TableNeed) -> set[str]:
    """Return our columns that the account does not have.

    Raises:
        IntegrationError: The columns are not the cause, or the whole table was not found.
    """
    unknown: set[str] = set()
    while True:
        optional = sorted(need.columns - unknown - {need.key})
        try:
            client.suiteql(need.page(optional), [AFTER_ALL])
        except REJECTIONS as error:
            unknown.update(rejected_columns(client, QueriedColumns(optional, need.page, need.columns_with), error))
        else:
            return unknown


def _deletions(client: NetSuiteClient) -> Iterator[Finding]:
    check = "table deletedrecord"
    try:
        with missing_if_rejected(client, "deletedrecord"):
            client.suiteql(DELETED, [AFTER_ALL])
    except MissingTableError as error:
        found = "was not found: deletions are noticed by reconciliation only"
        yield Finding(SYSTEM, check, found, error.reason.partition(": ")[2])
    except CredentialsError:
        raise
    except RequestRejectedError as error:
        yield Finding(SYSTEM, check, error.reason, "give the role the permission 'Deleted Records'")
    else:
        yield Finding(SYSTEM, check, "deletions are visible")
