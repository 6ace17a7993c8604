"""Dates and time zones in SuiteQL, the greatest source of errors in NetSuite's API."""

import pytest

from resources.sandbox.netsuite.server import NetSuiteSandbox
from resources.sandbox.netsuite.suiteql.parser import scan
from resources.sandbox.netsuite.suiteql.translate import translate
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.sandbox import Sandbox
from tests.resources.sandbox.netsuite.api_client import ApiClient, SetSwitches, utc

STANDARD = "'YYYY-MM-DD HH24:MI:SS'"


def changed_at(account: NetSuiteSandbox, *moments: str) -> None:
    """Insert customers 1, 2 … that were last modified at these times (UTC)."""
    account.insert("customer", ({"lastmodifieddate": utc(each)} for each in moments))


def changed_since(client: ApiClient, literal: str) -> list[str]:
    """Return the ids of customers modified at or after a literal."""
    return client.column(
        f"SELECT id FROM customer WHERE lastmodifieddate >= TO_TIMESTAMP('{literal}', {STANDARD}) ORDER BY id ASC"
    )


def test_a_bare_date_loses_its_time_and_follows_the_users_preference(
    account: NetSuiteSandbox, client: ApiClient, switch: SetSwitches
) -> None:
    """A client that reads it loses records."""
    changed_at(account, "2026-03-02 05:04:05")
    query = "SELECT lastmodifieddate FROM customer"
    assert client.column(query) == ["3/1/2026"]

    for preference, expected in [
        ("DD.MM.YYYY", "01.03.2026"),
        ("D-Mon-YYYY", "1-Mar-2026"),
        ("D MONTH, YYYY", "1 March, 2026"),
    ]:
        switch(date_format=preference)
        assert client.column(query) == [expected]


def test_to_char_uses_the_sessions_time_zone(account: NetSuiteSandbox, client: ApiClient, switch: SetSwitches) -> None:
    """It is not UTC: summer and winter differ."""
    changed_at(account, "2026-01-02 03:04:05", "2026-07-02 03:04:05")
    query = f"SELECT TO_CHAR(lastmodifieddate, {STANDARD}) AS at FROM customer ORDER BY id ASC"
    assert client.column(query) == ["2026-01-01 19:04:05", "2026-07-01 20:04:05"]

    switch(session_zone="Europe/Stockholm")

    assert client.column(query) == ["2026-01-02 04:04:05", "2026-07-02 05:04:05"]


def test_sys_extract_utc_returns_utc(account: NetSuiteSandbox, client: ApiClient) -> None:
    """It is independent of the session's time zone."""
    changed_at(account, "2026-07-02 03:04:05")

    query = f"SELECT TO_CHAR(SYS_EXTRACT_UTC(lastmodifieddate), {STANDARD}) AS at FROM customer"

    assert client.column(query) == ["2026-07-02 03:04:05"]


def test_sys_extract_utc_may_fail_on_columns(account: NetSuiteSandbox, client: ApiClient, switch: SetSwitches) -> None:
    """Not verified in every account."""
    changed_at(account, "2026-07-02 03:04:05")
    switch(sys_extract_utc_works=False)

    assert (
        client.post("SELECT TO_CHAR(SYS_EXTRACT_UTC(lastmodifieddate), 'YYYY') AS y FROM customer").status_code == 400
    )


def test_hh_is_the_twelve_hour_clock(client: ApiClient) -> None:
    """The 24-hour clock is HH24."""
    moment = f"TO_TIMESTAMP('2026-07-02 15:04:05', {STANDARD})"

    assert client.value(f"TO_CHAR({moment}, 'YYYY-MM-DD HH:MI:SS')") == "2026-07-02 03:04:05"
    assert client.value(f"TO_CHAR({moment}, 'HH24:MI AM')") == "15:04 PM"
    assert client.post("SELECT TO_DATE('15:00', 'YYYY HH:MI') AS x FROM dual").status_code == 400


def test_literals_are_read_in_the_sessions_zone(
    account: NetSuiteSandbox, client: ApiClient, switch: SetSwitches
) -> None:
    """A literal in UTC would miss changes of several hours."""
    changed_at(account, "2026-07-02 06:59:59", "2026-07-02 07:00:00")
    assert changed_since(client, "2026-07-02 00:00:00") == ["2"]

    switch(session_zone="GMT")

    assert changed_since(client, "2026-07-02 07:00:00") == ["2"]


@pytest.mark.parametrize(("reading", "expected"), [("standard", ["2"]), ("daylight", ["1", "2"])])
def test_the_repeated_hour_of_autumn_is_ambiguous(
    account: NetSuiteSandbox, client: ApiClient, switch: SetSwitches, reading: str, expected: list[str]
) -> None:
    """01:30 Pacific occurs twice on November 1: at 08:30 and at 09:30 UTC."""
    switch(ambiguous_hour=reading)
    changed_at(account, "2026-11-01 08:30:00", "2026-11-01 09:30:00")

    assert changed_since(client, "2026-11-01 01:30:00") == expected


def test_both_times_of_the_repeated_hour_look_alike(account: NetSuiteSandbox, client: ApiClient) -> None:
    """Only SYS_EXTRACT_UTC distinguishes them."""
    changed_at(account, "2026-11-01 08:30:00", "2026-11-01 09:30:00")

    local = client.column(f"SELECT TO_CHAR(lastmodifieddate, {STANDARD}) AS at FROM customer ORDER BY id ASC")

    assert local == ["2026-11-01 01:30:00"] * 2


def test_the_sessions_offset_can_be_queried(client: ApiClient, sandbox: Sandbox) -> None:
    """Local time and UTC in one row."""
    sandbox.clock.sleep((utc("2026-12-01 12:00:00") - sandbox.clock.now()).total_seconds())

    row = client.rows(
        "SELECT TO_CHAR(CURRENT_TIMESTAMP, 'YYYY-MM-DD HH24:MI') AS local_now,"
        " TO_CHAR(SYS_EXTRACT_UTC(CURRENT_TIMESTAMP), 'YYYY-MM-DD HH24:MI') AS utc_now FROM DUAL"
    )[0]

    assert row == {"local_now": "2026-12-01 04:00", "utc_now": "2026-12-01 12:00"}


def test_sysdate_is_pacific_in_every_session(client: ApiClient, switch: SetSwitches, sandbox: Sandbox) -> None:
    """It is the server's time; CURRENT_DATE is the session's."""
    switch(session_zone="Europe/Stockholm")
    sandbox.clock.sleep((utc("2026-12-01 12:00:00") - sandbox.clock.now()).total_seconds())

    assert client.value("TO_CHAR(SYSDATE, 'HH24:MI')") == "04:00"
    assert client.value("TO_CHAR(CURRENT_DATE, 'HH24:MI')") == "13:00"


def test_deletions_are_in_pacific_time(account: NetSuiteSandbox, client: ApiClient, switch: SetSwitches) -> None:
    """Whatever the session's time zone."""
    switch(session_zone="Europe/Stockholm")
    query = f"SELECT TO_CHAR(deleteddate, {STANDARD}) AS at FROM deletedrecord"
    account.insert("deletedrecord", [{"recordid": 5, "type": "customer", "deleteddate": utc("2026-12-01 12:00:00")}])

    row = client.rows(
        f"SELECT recordid, type, TO_CHAR(deleteddate, {STANDARD}) AS at FROM deletedrecord"
        f" WHERE deleteddate >= TO_DATE('2026-12-01 04:00:00', {STANDARD}) AND LOWER(type) = 'customer'"
    )

    assert row == [{"recordid": "5", "type": "customer", "at": "2026-12-01 04:00:00"}]
    switch(deleteddate_zone="GMT")
    assert client.column(query) == ["2026-12-01 12:00:00"]


def test_dates_have_no_time_zone(account: NetSuiteSandbox, client: ApiClient) -> None:
    """A start date is a day, not an instant."""
    account.insert("job", [{"startdate": "2026-05-01", "enddate": None}])

    assert client.rows("SELECT startdate, TO_CHAR(startdate, 'YYYY-MM-DD') AS iso FROM job") == [
        {"startdate": "5/1/2026", "iso": "2026-05-01"}
    ]
    assert client.column("SELECT id FROM job WHERE startdate = TO_DATE('01/05/2026', 'DD/MM/YYYY')") == ["1"]


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
def test_date_functions_work_as_in_oracle(client: ApiClient, expression: str, expected: str) -> None:
    """Each expression has one value."""
    assert client.value(expression) == expected


def test_the_index_on_lastmodifieddate_is_used(account: NetSuiteSandbox) -> None:
    """The literal is converted, not the column: a scan of a large table would be a bottleneck."""
    scanned = scan(
        f"SELECT id FROM customer WHERE lastmodifieddate >= TO_TIMESTAMP('2026-01-01 00:00:00', {STANDARD})",
        [],
        NetSuiteSwitches(),
    )
    statement = translate(scanned.text, 0, NetSuiteSwitches())

    with account.store.read() as connection:
        plan = connection.execute(f"explain query plan {statement.count_sql}", scanned.parameters).fetchall()

    assert "customer_lastmodifieddate (lastmodifieddate>?)" in plan[0]["detail"]
