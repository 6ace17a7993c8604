"""Compare each covered row with its entry, and each entry with its row.

covered rows, sync_chain  ->  check_rows()  ->  Findings: changed, removed and inserted rows; counts of all others
"""

import duckdb

from assets.delivery.chain.checkpoints import Checkpoint
from assets.delivery.chain.covered import CHAIN, ENDED, PRUNED, checked_query
from assets.delivery.chain.findings import CHANGED, INSERTED, REMOVED, Findings

_PROBLEMS = f"""
select case
        when number is null then '{INSERTED}'
        when not is_there then '{REMOVED}'
        when is_pruned then '{INSERTED}'
        else '{CHANGED}'
    end as what, number, kind, workflow, record, place, is_pruned,
    concat_ws(' ', coalesce(now, ''), coalesce(private_hash, ''), copy) as state
from _verified
where case
    when number is null then kind <> '{ENDED}' and place <= $through or copy > 1
    when is_pruned then is_there
    else not is_there or now is distinct from leaf or not is_left_as_signed
end
order by kind = 'event' desc, coalesce(number, 0) = 0, number, place
"""


def check_rows(con: duckdb.DuckDBPyConnection, found: Findings, last: Checkpoint) -> None:
    """Check that each covered row has its entry, and each entry its row."""
    con.execute(
        "create or replace temp table _verified as select number, kind, workflow, place, record, copy, is_there,"
        " is_pruned, leaf, now, private_hash, is_left_as_signed, erased_hashes is not null as is_erased"
        f" from ({checked_query(con)})"
    )
    through = int(last.facts.get("through", -1))
    rows = con.execute(_PROBLEMS, {"through": through}).fetchall()
    for *row, state in rows:
        found.add(row[0], _row_text(*row), row[1] or 0, state=state)
    counts = con.execute(
        "select kind, count(*) from _verified where number is not null and is_there and now = leaf group by kind"
    )
    found.rows = dict(sorted(counts.fetchall()))
    unsealed = f"number is null and copy = 1 and (kind = '{ENDED}' or place > {through})"
    query = (
        f"select count(*) filter ({unsealed}), count(*) filter (is_erased and is_there),"
        f" (select count(*) from {CHAIN} where kind = '{PRUNED}') from _verified"
    )
    found.unsealed, found.erased, found.pruned = con.execute(query).fetchall()[0]
    con.execute("drop table _verified")


def _row_text(what: str, number: int | None, kind: str, workflow: str, record: str, place: int, is_pruned: bool) -> str:  # noqa: FBT001
    names = {ENDED: f"the end of the decision on {record}", "decision": f"the decision on {record}"}
    row = " ".join(filter(None, (workflow, names.get(kind, f"{kind} {record}"), f"(position {place})")))
    if what == INSERTED:
        why = "retention had deleted it" if is_pruned else "the chain has no entry for it"
        return f"{row} was inserted: {why}"
    return f"{row} was {what} after it was signed as entry {number}"
