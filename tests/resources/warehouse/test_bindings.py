"""Workflows that deliver to one account, as far as their sign-ins have named it."""

from datetime import datetime

import duckdb

from resources.warehouse.bindings import bind, of_same_account, read_binding

AT = datetime(2026, 11, 16)  # noqa: DTZ001 - the warehouse's timestamps are naive UTC
ACCOUNTS = {
    "acme": {"company": "acme", "host": "one.example"},
    "acme's": {"host": "one.example"},
    "other": {"company": "other", "host": "one.example"},
    "far": {"host": "two.example"},
}


def test_only_accounts_that_are_known_to_differ_are_two() -> None:
    """A sign-in that names less, or none yet, does not separate two workflows."""
    with duckdb.connect() as con:
        assert of_same_account(con, "'acme'", "'far'") == "true"
        for name, account in ACCOUNTS.items():
            bind(con, name, account, AT, "run")
        pairs = [(one, other) for one in (*ACCOUNTS, "new") for other in (*ACCOUNTS, "new")]
        rows = con.execute(
            f"select a, b from (select unnest($names) as a), (select unnest($names) as b)"
            f" where {of_same_account(con, 'a', 'b')}",
            {"names": [*ACCOUNTS, "new"]},
        ).fetchall()

    assert sorted(set(pairs) - set(rows)) == [
        ("acme", "far"),
        ("acme", "other"),
        ("acme's", "far"),
        ("far", "acme"),
        ("far", "acme's"),
        ("far", "other"),
        ("other", "acme"),
        ("other", "far"),
    ]


def test_an_account_gains_what_a_later_sign_in_names() -> None:
    """It keeps what it had."""
    with duckdb.connect() as con:
        for account in ({"host": "one.example"}, {"company": "acme"}, {"host": "two.example"}, {}):
            bind(con, "acme", account, AT, "run")
        assert read_binding(con, "acme") == {"host": "one.example", "company": "acme"}
