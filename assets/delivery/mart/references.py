"""Target ids of the records that other workflows deliver, and the records on which these have not decided yet.

sync_decisions, sync_links, target_<workflow> of another workflow  ->  read_references()  ->  value list, Unread
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import duckdb

from assets.delivery.ledger.decisions import target_ids_of
from assets.delivery.ledger.shadows import active_shadow
from assets.delivery.mart.unread import Unread
from assets.delivery.schemas import NOT_SHOWN
from assets.delivery.spec.sources import STAGING_PREFIX, key_column
from assets.delivery.target import Action
from resources.warehouse.tables import has_table, quoted

# records without a known outcome: sending did not get that far, or the target did not show what was confirmed or linked
_WITHOUT_OUTCOME = """
select source_id
from sync_decisions as known
left join sync_links as link using (workflow, source, source_id)
left join {target_state} as shown on shown.target_id = link.target_id
where
    known.workflow = ? and known.to_run is null and shown.target_id is null
    and (known.target_id is not null or known.action in ('{deferred}', '{failed}') or known.reason_code = '{hidden}')
"""
_UNDECIDED = """
select cast({key} as varchar)
from {staged}
where cast({key} as varchar) not in (select source_id from sync_decisions where workflow = ? and to_run is null)
"""


class References(NamedTuple):
    """NetSuite id to target id by workflow, and what is unknown of a workflow."""

    ids: Mapping[str, Mapping[str, str]]
    unread: Mapping[str, Unread]


def read_references(con: duckdb.DuckDBPyConnection, workflows: Iterable[str]) -> References:
    """Read what the records of these workflows have in the target."""
    names = sorted(workflows)
    unread = {name: found for name in names if (found := _unread(con, name))}
    return References({name: target_ids_of(con, name) for name in names}, unread)


def _unread(con: duckdb.DuckDBPyConnection, workflow: str) -> Unread | None:
    if active_shadow(con, workflow) and has_table(con, f"plan_{workflow}"):
        return None  # it decides nothing; its plan has the matches
    sources = _sources(con, workflow)
    if not sources:
        return Unread(f"{workflow} has not run")
    target_state = f"target_{workflow}"
    if not has_table(con, target_state):
        return Unread(f"{target_state} has not been read")
    states = {
        "deferred": Action.DEFERRED, "failed": Action.FAILED, "hidden": NOT_SHOWN, "target_state": quoted(target_state),
    }  # fmt: skip
    keys = _column(con, _WITHOUT_OUTCOME.format(**states), workflow)
    for source in sources:
        staged = STAGING_PREFIX + source
        if has_table(con, staged):
            query = _UNDECIDED.format(key=quoted(key_column(source)), staged=quoted(staged))
            keys += _column(con, query, workflow)
    return Unread(f"{workflow} has not delivered {sources[0]} {{}} yet", keys) if keys else None


def _sources(con: duckdb.DuckDBPyConnection, workflow: str) -> list[str]:
    if not has_table(con, "sync_decisions"):
        return []
    return _column(con, "select distinct source from sync_decisions where workflow = ? and to_run is null", workflow)


def _column(con: duckdb.DuckDBPyConnection, query: str, workflow: str) -> list[str]:
    return [str(row[0]) for row in con.execute(query, [workflow]).fetchall()]
