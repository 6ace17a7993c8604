"""Is NetSuite ready to be read? Sign-in, clock, time zone, limits, and table by table what the role may see.

examine(client, needs)  ->  Findings; a handful of calls, two a table, and no row's contents

A table that is missing, forbidden or switched off looks the same to NetSuite: "was not found" (netsuite.md §1.5 [L]).
A role with restrictions may see a table without its rows (netsuite.md §5.2 [C]).
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from resources.diagnostics import Finding, examined
from resources.errors import CredentialsError, RequestRejectedError
from resources.netsuite.client import NetSuiteClient
from resources.netsuite.errors import MissingTableError, UnexpectedError, UnknownColumnError

SYSTEM = "netsuite"
BEHIND_ALL = str(10**15)  # no id is as high: the query returns nothing and still tells whether it may be asked
BEFORE_ALL = str(-(10**9))
SKEW = timedelta(seconds=60)  # sign-in fails at five minutes
DELETED = "select d.recordid from deletedrecord d where d.recordid > ?"
UTC = "sys_extract_utc"


@dataclass(frozen=True)
class TableNeed:
    """One table that is read, and what of it.

    Attributes:
        table: NetSuite's name.
        columns: Our names of the columns.
        required: Those without which it is of no use.
        wanted_by: Custom fields that a workflow maps, each with the workflow's name.
        may_be_missing: The operator said so.
        must_have_rows: An account without any is none.
        page: SuiteQL of a page with some of the columns.
        extent: SuiteQL that counts the rows, as `n`.
        named: Our columns in which an identifier stands, such as one that NetSuite refused.
    """

    table: str
    columns: frozenset[str]
    required: frozenset[str]
    wanted_by: Mapping[str, str]
    may_be_missing: bool
    must_have_rows: bool
    page: Callable[[Collection[str]], str]
    extent: str
    named: Callable[[str], Collection[str]]


def examine(client: NetSuiteClient, needs: Sequence[TableNeed], *, lanes: int) -> Iterator[Finding]:
    """Everything, sign-in first; without sign-in nothing else is asked.

    Args:
        client: NetSuite.
        needs: The tables that are read.
        lanes: Calls side by side that the settings ask for.
    """
    signed_in = list(examined(SYSTEM, "sign-in", lambda: _clock(client)))
    yield from signed_in
    if any("apart" not in each.found for each in signed_in):
        return
    yield from examined(SYSTEM, "session time zone", lambda: _zone(client))
    yield from examined(SYSTEM, "concurrency", lambda: _limits(client, lanes))
    yield from examined(SYSTEM, "OneWorld", lambda: _one_world(client))
    yield from examined(SYSTEM, "metadata catalogue", lambda: _catalogue(client))
    for need in needs:
        yield from examined(SYSTEM, f"table {need.table}", lambda need=need: _table(client, need))  # type: ignore[misc]
    yield from examined(SYSTEM, "table deletedrecord", lambda: _deletions(client))


def _clock(client: NetSuiteClient) -> Iterator[Finding]:
    before = client.clock.now()
    server = client.server_time()
    after = client.clock.now()
    apart = max(server - after, before - server - timedelta(seconds=1), timedelta())
    found = f"signed in; NetSuite's clock and this machine's are {apart.total_seconds():.0f} s apart"
    mend = "set this machine's clock by a time server (NTP): at five minutes NetSuite refuses to sign in"
    yield Finding(SYSTEM, "sign-in", found, mend if apart > SKEW else "")


def _zone(client: NetSuiteClient) -> Iterator[Finding]:
    offset = client.session_zone_offset
    if offset is None:
        found = "NetSuite does not tell it; each run reads 25 hours twice"
        mend = "give the role the permission 'SuiteAnalytics Workbook', and set the integration user's time zone to GMT"
        yield Finding(SYSTEM, "session time zone", found, mend)
        return
    minutes = int(offset.total_seconds() // 60)
    found = f"UTC{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    advice = "" if minutes == 0 else "; GMT, in the integration user's preferences, knows no clock changes"
    yield Finding(SYSTEM, "session time zone", found + advice)


def _limits(client: NetSuiteClient, lanes: int) -> Iterator[Finding]:
    limits = client.governance_limits()
    if limits is None:
        yield Finding(SYSTEM, "concurrency", f"only an administrator may see the limits; up to {lanes} calls at once")
        return
    account, own = limits.get("accountConcurrencyLimit"), limits.get("integrationConcurrencyLimit")
    left = limits.get("accountUnallocatedConcurrencyLimit")
    found = f"the account has {account}, {left} of them unallocated, this integration's own share is {own or 'none'}"
    mend = ""
    if not own and left == 0:
        mend = "every slot is given to other integrations: give this one a share, Setup > Integration > Governance"
    elif isinstance(own, int) and lanes > own:
        mend = f"set NETSUITE_CONCURRENCY to {own} or less, or give this integration a larger share"
    elif not own and isinstance(account, int) and lanes >= account > 1:
        mend = f"set NETSUITE_CONCURRENCY to {account - 1} or less: the limit is shared with every other integration"
    yield Finding(SYSTEM, "concurrency", f"{found}; we use up to {lanes}", mend)


def _one_world(client: NetSuiteClient) -> Iterator[Finding]:
    """Told, not judged: whether an account without it is well, the tables' own findings say."""
    try:
        told = client.suiteql("select count(*) as n from subsidiary s where s.id > ?", [BEFORE_ALL])[0]
    except MissingTableError:
        yield Finding(SYSTEM, "OneWorld", "no, or the role may not see subsidiaries")
    else:
        yield Finding(SYSTEM, "OneWorld", f"yes, {told.get('n', '0')} subsidiaries")


def _catalogue(client: NetSuiteClient) -> Iterator[Finding]:
    """Told, not judged: custom fields can be read without it."""
    fields = client.custom_fields("customer")
    if fields is None:
        found = "not visible: custom fields stay text, and their dates come as the integration user prefers to see them"
        yield Finding(SYSTEM, "metadata catalogue", f"{found}; set that preference to YYYY-MM-DD")
    else:
        own = sum(name.startswith("cust") for name in fields)
        yield Finding(SYSTEM, "metadata catalogue", f"tells the types of {own} custom fields of customers")


def _table(client: NetSuiteClient, need: TableNeed) -> Iterator[Finding]:
    what = f"table {need.table}"
    try:
        unknown = _unknown_columns(client, need)
    except MissingTableError as error:
        mend = "" if need.may_be_missing else error.reason.partition(": ")[2]
        yield Finding(SYSTEM, what, "is not there; it is optional" if need.may_be_missing else "was not found", mend)
        return
    times = set(need.named(UTC))
    if times and times <= unknown:
        advice = "times are converted by the present offset; set the integration user's time zone to GMT"
        yield Finding(SYSTEM, what, f"SYS_EXTRACT_UTC does not work here: {advice}")
        unknown -= times
    lacking = sorted(unknown & (need.required | need.wanted_by.keys()))
    if lacking:
        users = [f"{name} (workflow {need.wanted_by[name]})" if name in need.wanted_by else name for name in lacking]
        mend = "let the role see them (the field's access, or its record type), or take them out of the workflow"
        yield Finding(SYSTEM, what, f"lacks {', '.join(users)}", mend)
    told = client.suiteql(need.extent, [BEFORE_ALL])[0]
    rows = int(told.get("n", "0"))
    found = f"{rows:,} rows, {len(need.columns - unknown)} of {len(need.columns)} columns"
    if unknown - set(lacking):
        found += f" (without {', '.join(sorted(unknown - set(lacking)))})"
    if rows:
        yield Finding(SYSTEM, what, found)
        return
    mend = "take the role's restrictions (by subsidiary, department …) away, or give it the permission to view"
    found = "no row is visible; a restricted role sees an empty table and no error"
    yield Finding(SYSTEM, what, found, mend if need.must_have_rows else "")


def _unknown_columns(client: NetSuiteClient, need: TableNeed) -> set[str]:
    """Our columns that the account does not know.

    Raises:
        MissingTableError: The whole table is not there.
    """
    unknown: set[str] = set()
    while True:
        asked = need.columns - unknown
        more: Collection[str]
        try:
            client.suiteql(need.page(asked), [BEHIND_ALL])
        except UnknownColumnError as error:
            more = asked & set(need.named(error.column))
            if not more:
                raise
            unknown.update(more)
        except (MissingTableError, CredentialsError):
            raise
        except (UnexpectedError, RequestRejectedError):  # names nothing: netsuite.md §1.5 [L], §10.10 [U]
            more = {name for name in asked if not client.accepts(need.page({name}), [BEHIND_ALL])}
            if not more:
                raise
            unknown.update(more)
        else:
            return unknown


def _deletions(client: NetSuiteClient) -> Iterator[Finding]:
    what = "table deletedrecord"
    try:
        client.suiteql(DELETED, [BEHIND_ALL])
    except MissingTableError as error:
        found = "was not found: deletions are noticed by reconciliation only"
        yield Finding(SYSTEM, what, found, error.reason.partition(": ")[2])
    except CredentialsError:
        raise
    except RequestRejectedError as error:
        yield Finding(SYSTEM, what, error.reason, "give the role the permission 'Deleted Records'")
    else:
        yield Finding(SYSTEM, what, "deletions are told")
