"""Records that a target's listing may leave out: asked for one by one before anything is made a second time.

sync_links, mart_, target_  ->  Target.ask  ->  target_<workflow>; what could not be asked now is not made now
"""

from collections.abc import Collection

import polars as pl

from assets.delivery.mart.transform import DELIVER
from assets.delivery.schemas import KEY
from assets.delivery.target import TARGET_STATE_COLUMNS, Action, Target
from resources.warehouse.tables import columns_of, insert_frame, quoted, read_frame
from resources.warehouse.warehouse import Warehouse

# A listing that shows a record of others that is off shows all that are off; ours may stand there since the last run.
# What hangs below a record that is not to be there is not created either, so nobody need ask for it.
_UNLISTED = """
with recursive
missing as (
    select link.target_id, mart.{key} as external_id, mart.parent_source, mart.parent_source_id, link.payload_hash
    from sync_links as link
    join {mart} as mart on mart.source = link.source and mart.source_id = link.source_id
    where link.workflow = ?
        and mart.disposition = ?
        and link.target_id not in (select target_id from {target_state} where target_id is not null)
        and mart.{key} not in (select external_id from {target_state} where external_id is not null)
        and not exists (
            select 1
            from {target_state} as target_state
            where not target_state.is_active and target_state.target_id not in (select target_id from sync_links where workflow = ?)
        )
),
above (target_id, parent_source, parent_source_id, disposition) as (
    select target_id, parent_source, parent_source_id, null::varchar from missing
    union
    select above.target_id, mart.parent_source, mart.parent_source_id, mart.disposition
    from above
    join {mart} as mart on mart.source = above.parent_source and mart.source_id = above.parent_source_id
)
select target_id, external_id
from missing
where target_id not in (select target_id from above where disposition <> ?)
order by payload_hash is not null, target_id
"""


def ask_unlisted(warehouse: Warehouse, workflow: str, target: Target) -> Collection[str]:
    """Bring what is there after all into the target state.

    Returns:
        The keys of records of which it could not be asked now; they must not be created.
    """
    if target.lists_all:
        return ()
    tables = {
        "mart": quoted(f"mart_{workflow}"),
        "target_state": quoted(f"target_{workflow}"),
        "key": quoted(target.key_field),
    }
    with warehouse.writer(transaction=False) as con:
        missing = read_frame(con, _UNLISTED.format(**tables), [workflow, DELIVER, workflow, DELIVER])
        # as the table has them: the file may have been edited since it was read
        fields = [name for name in columns_of(con, f"target_{workflow}") if name not in TARGET_STATE_COLUMNS]
    if missing.is_empty():
        return ()
    there, unasked = target.ask(dict(missing.select("target_id", "external_id").iter_rows()), fields)
    if there.height:
        with warehouse.writer() as con:
            insert_frame(con, f"target_{workflow}", there)
    return unasked


def withhold(plan: pl.DataFrame, unasked: Collection[str], known: pl.DataFrame) -> pl.DataFrame:
    """Leave out of a plan the creates of records that may be there already; each one says so.

    Args:
        plan: PLAN_COLUMNS.
        unasked: Target ids of which it is not known whether they are there.
        known: LINK_SCHEMA: which record they belong to.
    """
    held = known.filter(pl.col("target_id").is_in(list(unasked))).select(*KEY, pl.lit(value=True).alias("_held"))
    marked = plan.join(held, on=KEY, how="left", maintain_order="left")
    taken = (pl.col("_held") & (pl.col("action") == Action.CREATE)).fill_null(value=False)
    return marked.with_columns(
        pl.when(taken).then(pl.lit(Action.SKIPPED.value)).otherwise("action").alias("action"),
        pl.when(taken).then(pl.lit("not_asked")).otherwise("reason_code").alias("reason_code"),
        pl.when(taken)
        .then(pl.lit("it was there, and whether it still is could not be asked in this run; the next one goes on"))
        .otherwise("reason")
        .alias("reason"),
        pl.when(~taken).then("payload").alias("payload"),
        pl.when(taken).then(pl.col("changes").list.head(0)).otherwise("changes").alias("changes"),
    ).select(plan.columns)
