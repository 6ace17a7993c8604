"""Look up linked records that the target's listing does not show, so that none of them is created twice.

sync_links, mart_, target_  ->  find_unlisted()  ->  target_<workflow>; unverified records are not created in this run
target ids  ->  read_with_unlisted()  ->  the target as an undo, or an applied plan, finds it
"""

from collections.abc import Collection, Mapping, Sequence

import duckdb
import polars as pl

from assets.delivery.diff.validate import violations
from assets.delivery.ledger.sequence import last_position
from assets.delivery.ledger.sides import TARGET
from assets.delivery.ledger.version_readings import SELECTED, Reading
from assets.delivery.ledger.versions import keep_versions, mark_unseen
from assets.delivery.plan.exclude import Exclusion
from assets.delivery.run_context import RunContext
from assets.delivery.schemas import DELIVER, KEY, NOT_ASKED, PARENT, QUARANTINE, RETIRE
from assets.delivery.target import TARGET_STATE_COLUMNS, Action, Target
from resources.warehouse.tables import columns_of, insert_frame, literal, quoted, read_frame

# No listing proves that a record is gone: it may omit inactive or new records, or lose some that moved to another page.
# Records that the target would reject, and those below a parent that should not be in the target, are not created
# either, so they need no look-up. A record that should be inactive needs one if it was active when it was last
# confirmed: not being listed does not make it inactive.
_UNLISTED = """
with recursive
mart as (select * replace (if({rejected}, $quarantine, disposition) as disposition) from {mart}),
missing as (
    select
        link.target_id, mart.{key} as external_id, mart.disposition, mart.parent_source, mart.parent_source_id,
        link.payload_hash, coalesce(link.payload_hash, link.target_hash) is not null as was_active
    from sync_links as link
    join mart on mart.source = link.source and mart.source_id = link.source_id
    where link.workflow = $workflow
        and (mart.disposition = $deliver or (mart.disposition = $retire and was_active))
        and link.target_id not in (select target_id from {target_state} where target_id is not null)
        and mart.{key} not in (select external_id from {target_state} where external_id is not null)
),
above (target_id, parent_source, parent_source_id, disposition) as (
    select target_id, parent_source, parent_source_id, null::varchar from missing
    union
    select above.target_id, mart.parent_source, mart.parent_source_id, mart.disposition
    from above
    join mart on mart.source = above.parent_source and mart.source_id = above.parent_source_id
)
select target_id, external_id, disposition
from missing
where disposition = $retire or target_id not in (select target_id from above where disposition <> $deliver)
order by disposition = $retire, payload_hash is not null, target_id
"""


def find_unlisted(run: RunContext) -> Collection[str]:
    """Add linked records that exist although they are not listed to the target state.

    Returns:
        The target ids that could not be looked up in this run; their records must not be created or count as inactive.
    """
    target, name, state = run.target, run.workflow.name, run.workflow.target_state
    if target.lists_all and not target.lists_deleted:
        return ()
    values = {"workflow": name, "deliver": DELIVER, "retire": RETIRE, "quarantine": QUARANTINE}
    with run.warehouse.writer(transaction=False) as con:
        query = _UNLISTED.format(
            mart=quoted(run.workflow.mart),
            rejected=_rejected(run, columns_of(con, run.workflow.mart)),
            target_state=quoted(state),
            key=quoted(target.key_field),
        )
        missing = read_frame(con, query, values)
        # the table's fields: the file may have been edited since the target was read
        fields = [each for each in columns_of(con, state) if each not in TARGET_STATE_COLUMNS]
        began = last_position(con)
    keys = dict(missing.select("target_id", "external_id").iter_rows())
    found, unverified = target.read_unlisted(keys, fields) if keys else (None, ())
    with run.warehouse.writer() as con:
        if found is not None:
            insert_frame(con, state, found)
            _keep_looked_up(con, run, [*(keys.keys() - set(unverified))], began)
            active = found.filter("is_active")["target_id"]
            _end_look_ups(con, run, missing.filter(~pl.col("target_id").is_in([*active, *unverified])))
        mark_unseen(con, name, run.now)
    return unverified


def _rejected(run: RunContext, columns: Collection[str]) -> str:
    """Return SQL for the records of the mart that the target would reject, whatever it has now."""
    found = violations(run.target_shape, [each for each in run.workflow.spec.target_fields if each in columns])
    either = " or ".join(f"coalesce({each.when}, false)" for each in found if not each.kept_in)
    return f"disposition = {literal(DELIVER)} and ({either or 'false'})"


def _end_look_ups(con: duckdb.DuckDBPyConnection, run: RunContext, inactive: pl.DataFrame) -> None:
    """Remember that what should be inactive was just seen to be so, or to be gone: no later run looks it up again."""
    retired = inactive.filter(pl.col("disposition") == RETIRE)["target_id"].to_list()
    con.execute(
        "update sync_links set payload_hash = null, target_hash = null where workflow = ?"
        " and target_id in (select unnest(?::varchar[]))",
        [run.workflow.name, retired],
    )


def fields_to_read(target: Target, mapped: Sequence[str], changed: Collection[str]) -> list[str]:
    """Return the mapped fields, and those of a plan's changes that the file no longer maps but the target still has."""
    others = sorted(set(changed) - {*mapped, PARENT})
    accepted = target.accepted(others) if others else ()
    return [*mapped, *(name for name in others if name in accepted)]


def read_with_unlisted(
    target: Target, known: Mapping[str, str | None], fields: Sequence[str]
) -> tuple[pl.DataFrame, Collection[str]]:
    """Read a target, and by id those known records that its listing does not contain: it may omit inactive ones.

    Args:
        target: The target.
        known: Target id to our key in the record.
        fields: The fields to read.

    Returns:
        The records, and the known target ids that could not be looked up: whether they exist is not known.

    Raises:
        IntegrationError: The target cannot be read.
    """
    listed = target.read(fields)
    shown = {*listed["target_id"]}
    missing = {target_id: key for target_id, key in known.items() if target_id not in shown}
    if not missing or (target.lists_all and not target.lists_deleted):
        return listed, ()
    keys = {target_id: key for target_id, key in missing.items() if key}
    found, unread = target.read_unlisted(keys, fields)
    return pl.concat([listed, found.select(listed.columns)]), {*unread, *(missing.keys() - keys.keys())}


def _keep_looked_up(con: duckdb.DuckDBPyConnection, run: RunContext, target_ids: list[str], began: int) -> None:
    """Keep the versions of records that were looked up; those that do not exist end."""
    con.execute("create or replace temp table _looked_up as select unnest(?::varchar[]) as target_id", [target_ids])
    reading = Reading(
        workflow=run.workflow.name, kind=SELECTED, read_at=run.now, run_id=run.run_id,
        workflow_version=run.workflow.spec.version, began_position=began,
    )  # fmt: skip
    keep_versions(con, TARGET, reading, keys="_looked_up")


def unverified_creates(plan: pl.DataFrame, links: pl.DataFrame, unverified: Collection[str]) -> Exclusion:
    """Return the creates of records that may exist already.

    Args:
        plan: PLAN_COLUMNS.
        links: LINK_SCHEMA: the records to which the target ids belong.
        unverified: Target ids.
    """
    owners = links.filter(pl.col("target_id").is_in(list(unverified)))
    creates = plan.filter(pl.col("action") == Action.CREATE).join(owners, on=KEY, how="semi")
    reason = "may still exist in the target, but could not be checked in this run; the next run continues"
    return Exclusion(creates, NOT_ASKED, reason)
