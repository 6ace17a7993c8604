"""Dates and time zones in SuiteQL: the largest trap of NetSuite's API."""

import pytest

from resources.sandbox.netsuite.server import NetSuiteSandbox
from resources.sandbox.netsuite.suiteql.statement import scan
from resources.sandbox.netsuite.suiteql.translate import compiled
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.sandbox import Sandbox
from tests.resources.sandbox.netsuite.caller import Caller, Switch, utc

STANDARD = "'YYYY-MM-DD HH24:MI:SS'"


def changed_at(account: NetSuiteSandbox, *moments: str) -> None:
    """Customers 1, 2 … that were last changed at these moments, UTC."""
    account.insert("customer", ({"lastmodifieddate": utc(each)} for each in moments))


def changed_since(caller: Caller, literal: str) -> list[str]:
    """Ids of customers that changed since a literal."""
    return caller.column(
        f"SELECT id FROM customer WHERE lastmodifieddate >= TO_TIMESTAMP('{literal}', {STANDARD}) ORDER BY id ASC"
    )


def test_a_bare_date_loses_its_time_and_follows_the_users_preference(
    account: NetSuiteSandbox, caller: Caller, switch: Switch
) -> None:
    """A client that reads it loses records."""
    changed_at(account, "2026-03-02 05:04:05")
    query = "SELECT lastmodifieddate FROM customer"
    assert caller.column(query) == ["3/1/2026"]

    for preference, expected in [
        ("DD.MM.YYYY", "01.03.2026"),
        ("D-Mon-YYYY", "1-Mar-2026"),
        ("D MONTH, YYYY", "1 March, 2026"),
    ]:
        switch(date_format=preference)
        assert caller.column(query) == [expected]


def test_to_char_shows_the_sessions_time_zone(account: NetSuiteSandbox, caller: Caller, switch: Switch) -> None:
    """Not UTC: summer and winter differ."""
    changed_at(account, "2026-01-02 03:04:05", "2026-07-02 03:04:05")
    query = f"SELECT TO_CHAR(lastmodifieddate, {STANDARD}) AS at FROM customer ORDER BY id ASC"
    assert caller.column(query) == ["2026-01-01 19:04:05", "2026-07-01 20:04:05"]

    switch(session_zone="Europe/Stockholm")

    assert caller.column(query) == ["2026-01-02 04:04:05", "2026-07-02 05:04:05"]


def test_sys_extract_utc_shows_utc(account: NetSuiteSandbox, caller: Caller) -> None:
    """The way out of the session's zone."""
    changed_at(account, "2026-07-02 03:04:05")

    query = f"SELECT TO_CHAR(SYS_EXTRACT_UTC(lastmodifieddate), {STANDARD}) AS at FROM customer"

    assert caller.column(query) == ["2026-07-02 03:04:05"]


def test_sys_extract_utc_may_fail_on_columns(account: NetSuiteSandbox, caller: Caller, switch: Switch) -> None:
    """Not verified in every account."""
    changed_at(account, "2026-07-02 03:04:05")
    switch(sys_extract_utc_works=False)

    assert (
        caller.post("SELECT TO_CHAR(SYS_EXTRACT_UTC(lastmodifieddate), 'YYYY') AS y FROM customer").status_code == 400
    )


def test_hh_is_the_twelve_hour_clock(caller: Caller) -> None:
    """HH24 is what everybody means."""
    moment = f"TO_TIMESTAMP('2026-07-02 15:04:05', {STANDARD})"

    assert caller.value(f"TO_CHAR({moment}, 'YYYY-MM-DD HH:MI:SS')") == "2026-07-02 03:04:05"
    assert caller.value(f"TO_CHAR({moment}, 'HH24:MI AM')") == "15:04 PM"
    assert caller.post("SELECT TO_DATE('15:00', 'YYYY HH:MI') AS x FROM dual").status_code == 400


def test_literals_are_read_in_the_sessions_zone(account: NetSuiteSandbox, caller: Caller, switch: Switch) -> None:
    """A literal in UTC would miss hours of changes."""
    changed_at(account, "2026-07-02 06:59:59", "2026-07-02 07:00:00")
    assert changed_since(caller, "2026-07-02 00:00:00") == ["2"]

    switch(session_zone="GMT")

    assert changed_since(caller, "2026-07-02 07:00:00") == ["2"]


@pytest.mark.parametrize(("reading", "expected"), [("standard", ["2"]), ("daylight", ["1", "2"])])
def test_the_repeated_hour_of_autumn_is_ambiguous(
    account: NetSuiteSandbox, caller: Caller, switch: Switch, reading: str, expected: list[str]
) -> None:
    """01:30 Pacific comes twice on 1 November: at 08:30 and at 09:30 UTC."""
    switch(ambiguous_hour=reading)
    changed_at(account, "2026-11-01 08:30:00", "2026-11-01 09:30:00")

    assert changed_since(caller, "2026-11-01 01:30:00") == expected


def test_both_moments_of_the_repeated_hour_look_alike(account: NetSuiteSandbox, caller: Caller) -> None:
    """Only SYS_EXTRACT_UTC tells them apart."""
    changed_at(account, "2026-11-01 08:30:00", "2026-11-01 09:30:00")

    shown = caller.column(f"SELECT TO_CHAR(lastmodifieddate, {STANDARD}) AS at FROM customer ORDER BY id ASC")

    assert shown == ["2026-11-01 01:30:00"] * 2


def test_the_start_up_probe_tells_the_sessions_offset(caller: Caller, sandbox: Sandbox) -> None:
    """Local and UTC now, in one row."""
    sandbox.clock.sleep((utc("2026-12-01 12:00:00") - sandbox.clock.now()).total_seconds())

    row = caller.rows(
        "SELECT TO_CHAR(CURRENT_TIMESTAMP, 'YYYY-MM-DD HH24:MI') AS local_now,"
        " TO_CHAR(SYS_EXTRACT_UTC(CURRENT_TIMESTAMP), 'YYYY-MM-DD HH24:MI') AS utc_now FROM DUAL"
    )[0]

    assert row == {"local_now": "2026-12-01 04:00", "utc_now": "2026-12-01 12:00"}


def test_sysdate_is_pacific_wherever_the_session_is(caller: Caller, switch: Switch, sandbox: Sandbox) -> None:
    """The server's time; CURRENT_DATE is the session's."""
    switch(session_zone="Europe/Stockholm")
    sandbox.clock.sleep((utc("2026-12-01 12:00:00") - sandbox.clock.now()).total_seconds())

    assert caller.value("TO_CHAR(SYSDATE, 'HH24:MI')") == "04:00"
    assert caller.value("TO_CHAR(CURRENT_DATE, 'HH24:MI')") == "13:00"


def test_deletions_are_shown_in_pacific_time(account: NetSuiteSandbox, caller: Caller, switch: Switch) -> None:
    """Whatever the session's zone."""
    switch(session_zone="Europe/Stockholm")
    query = f"SELECT TO_CHAR(deleteddate, {STANDARD}) AS at FROM deletedrecord"
    account.insert("deletedrecord", [{"recordid": 5, "type": "customer", "deleteddate": utc("2026-12-01 12:00:00")}])

    row = caller.rows(
        f"SELECT recordid, type, TO_CHAR(deleteddate, {STANDARD}) AS at FROM deletedrecord"
        f" WHERE deleteddate >= TO_DATE('2026-12-01 04:00:00', {STANDARD}) AND LOWER(type) = 'customer'"
    )

    assert row == [{"recordid": "5", "type": "customer", "at": "2026-12-01 04:00:00"}]
    switch(deleteddate_zone="GMT")
    assert caller.column(query) == ["2026-12-01 12:00:00"]


def test_dates_have_no_zone(account: NetSuiteSandbox, caller: Caller) -> None:
    """A start date is a day, not a moment."""
    account.insert("job", [{"startdate": "2026-05-01", "enddate": None}])

    assert caller.rows("SELECT startdate, TO_CHAR(startdate, 'YYYY-MM-DD') AS iso FROM job") == [
        {"startdate": "5/1/2026", "iso": "2026-05-01"}
    ]
    assert caller.column("SELECT id FROM job WHERE startdate = TO_DATE('01/05/2026', 'DD/MM/YYYY')") == ["1"]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("TO_CHAR(ADD_MONTHS(TO_DATE('2026-01-31','YYYY-MM-DD'), 1), 'YYYY-MM-DD')", "2026-02-28"),
        ("TO_CHAR(LAST_DAY(TO_DATE('2028-02-03','YYYY-MM-DD')), 'DD')", "29"),
        ("TO_CHAR(TO_DATE('2026-01-31','YYYY-MM-DD') + 1, 'YYYY-MM-DD')", "2026-02-01"),
        ("TO_CHAR(TO_DATE('2026-01-31','YYYY-MM-DD') - 0.5, 'YYYY-MM-DD HH24')", "2026-01-30 12"),
        ("TO_DATE('2026-01-31','YYYY-MM-DD') - TO_DATE('2026-01-01','YYYY-MM-DD')", "30"),
        ("MONTHS_BETWEEN(TO_DATE('2026-03-01','YYYY-MM-DD'), TO_DATE('2026-01-01','YYYY-MM-DD'))", "2"),
        ("TO_CHAR(TRUNC(TO_DATE('2026-03-17','YYYY-MM-DD'), 'MM'), 'DD')", "01"),
        ("EXTRACT(YEAR FROM TO_DATE('2026-03-17','YYYY-MM-DD'))", "2026"),
        ("TO_CHAR(TO_DATE('17-MAR-2026','DD-MON-YYYY'), 'YYYYMMDD')", "20260317"),
        ("TO_CHAR(TO_DATE('2026-03-17','YYYY-MM-DD'), 'Mon Q')", "Mar 1"),
        (
            "TO_CHAR(SYS_EXTRACT_UTC(TO_TIMESTAMP_TZ('2026-03-17 10:00 +02:00','YYYY-MM-DD HH24:MI TZH:TZM')), 'HH24')",
            "08",
        ),
        (
            "TO_CHAR(SYS_EXTRACT_UTC(FROM_TZ(TO_TIMESTAMP('2026-07-17','YYYY-MM-DD'), 'Europe/Stockholm')), 'DD HH24')",
            "16 22",
        ),
    ],
)
def test_date_functions_work_as_in_oracle(caller: Caller, expression: str, expected: str) -> None:
    """One expression, one value."""
    assert caller.value(expression) == expected


def test_the_index_on_lastmodifieddate_is_used(account: NetSuiteSandbox) -> None:
    """The literal is converted, never the column: a scan of a big table would make the stand-in a bottleneck."""
    scanned = scan(
        f"SELECT id FROM customer WHERE lastmodifieddate >= TO_TIMESTAMP('2026-01-01 00:00:00', {STANDARD})",
        [],
        NetSuiteSwitches(),
    )
    statement = compiled(scanned.text, 0, NetSuiteSwitches())

    with account._store.read() as connection:
        plan = connection.execute(f"explain query plan {statement.count_sql}", scanned.parameters).fetchall()

    assert "customer_lastmodifieddate (lastmodifieddate>?)" in plan[0]["detail"]
