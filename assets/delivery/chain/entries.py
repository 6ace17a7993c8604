"""Entries of the chain: hash rows into leaves, and leaves into links.

rows  ->  temporary table _entries  ->  append_entries()  ->  sync_chain
"""

import hashlib
import secrets
from collections.abc import Iterable

import duckdb
import polars as pl

from assets.delivery.chain.covered import CHAIN, LEAF, PRIVATE_HASH
from resources.warehouse.tables import insert_frame

BATCH = 50_000  # entries at once, to bound memory
SALT_BYTES = 16


def link_of(before: str, number: int, kind: str, leaf: str) -> str:
    """Return the link of an entry after another link; the first one follows a blank."""
    return hashlib.sha256(f"{before}\n{number}\n{kind}\n{leaf}".encode()).hexdigest()


def add_rows(con: duckdb.DuckDBPyConnection, query: str) -> None:
    """Make `_entries` of rows with the columns of `rows_query`, by their places, with a new salt for each."""
    order = (
        "order by place, case kind when 'event' then 0 when 'attempt' then 1 when 'decision' then 2 else 3 end, record"
    )
    con.execute(
        "create or replace temp table _rows as select row_number() over (" + order + ") as n, *, workflow as named"
        f" from (select * from ({query})"
        " qualify row_number() over (partition by kind, workflow, place, record) = 1)"
    )
    add_salts(con, (row[0] for row in con.execute("select n from _rows where not is_blank order by n").fetchall()))
    hashed = f"select _rows.*, _salts.salt, {PRIVATE_HASH} as private_hash, null as erased"
    con.execute(
        "create or replace temp table _entries as select n, kind, workflow, place, record,"
        f" {LEAF} as leaf, coalesce(salt, '') as salt, null::varchar[] as hashes"
        f" from ({hashed} from _rows left join _salts using (n))"
    )
    con.execute("drop table _rows")
    con.execute("drop table _salts")


def add_salts(con: duckdb.DuckDBPyConnection, numbers: Iterable[int]) -> None:
    """Make `_salts`: an unpredictable text for each number."""
    con.execute("create or replace temp table _salts (n bigint, salt varchar)")
    wanted = list(numbers)
    size, text = 2 * SALT_BYTES, secrets.token_hex(SALT_BYTES * len(wanted))
    salts = [text[size * place : size * (place + 1)] for place in range(len(wanted))]
    insert_frame(con, "_salts", pl.DataFrame({"n": wanted, "salt": salts}, schema={"n": pl.Int64, "salt": pl.String}))


def append_entries(con: duckdb.DuckDBPyConnection, number: int, head: str) -> tuple[int, str]:
    """Append `_entries`, in the order of `n`, after entry `number` with link `head`; return the new end.

    The table is dropped.
    """
    rows = con.execute("select n, kind, leaf from _entries order by n").fetchall()
    con.execute("create or replace temp table _links (n bigint, number bigint, link varchar)")
    for start in range(0, len(rows), BATCH):
        part, links = rows[start : start + BATCH], []
        for place, (_, kind, leaf) in enumerate(part, number + start + 1):
            head = link_of(head, place, kind, leaf)
            links.append(head)
        linked = pl.DataFrame({"n": [row[0] for row in part], "link": links}, {"n": pl.Int64, "link": pl.String})
        first = number + start + 1
        insert_frame(con, "_links", linked.with_columns(number=pl.int_range(first, first + len(part), dtype=pl.Int64)))
    con.execute(
        f"insert into {CHAIN} by name select number, kind, workflow, place, record, leaf, link, salt, hashes"
        " from _entries join _links using (n) order by number"
    )
    for name in ("_links", "_entries"):
        con.execute(f"drop table {name}")
    return number + len(rows), head
