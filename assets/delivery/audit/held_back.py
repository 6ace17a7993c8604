"""Group the records that are held back by their root cause: a child waits for its parent, and that perhaps for its own.

decisions of a plan or of the last runs, parents  ->  held_records()  ->  held_back()  ->  cause_text()

A contact of a customer that is not selected is blocked, and so is the project below a blocked project: what a person
can change is the decision at the end of the chain. Plans, the console and the command line show the same groups.
"""

from collections.abc import Mapping, Sequence

import duckdb
import polars as pl

from assets.delivery.send.outcomes import PARENT_MISSING
from assets.delivery.spec.workflow import Workflow
from assets.delivery.target import HELD, WRITING, Action
from assets.result_texts import counted, singular
from assets.warehouse.record_names import named_records
from resources.warehouse.tables import has_table, quoted, read_frame

HELD_RECORD_COMMENTS = {
    "workflow": "The workflow.",
    "source": "Staging table of the record, without its prefix.",
    "source_id": "NetSuite internal id.",
    "name": "Name of the record.",
    "action": "quarantined, blocked, ambiguous or failed.",
    "reason_code": "Code of the record's own reason.",
    "reason": "The record's own reason.",
    "since": "Time of the decision that still holds, UTC; null: this plan is the first to hold it back.",
    "root_workflow": "Workflow of the record at the end of the chain of parents.",
    "root_source": "Source of that record; the record itself if no parent holds it back.",
    "root_source_id": "NetSuite internal id of that record.",
    "root_name": "Name of that record.",
    "root_action": "Decision on that record.",
    "root_code": "Code of the reason of that decision: the root cause.",
    "root_reason": "That reason in words.",
}
HELD_BACK_COMMENTS = {
    "workflow": "The workflow.",
    "source": "Staging table of the records, without its prefix.",
    "action": "quarantined, blocked, ambiguous or failed.",
    "root_source": "Source of the records that hold them back; null: nothing but their own values.",
    "root_action": "Decision on those.",
    "root_code": "Code of the root cause.",
    "root_reason": "The root cause in words; of the first record, if the texts differ.",
    "records": "Number of records held back by this cause.",
    "since": "Time since when the oldest of them is held back, UTC; null: all are new.",
    "first_ids": "NetSuite ids of the first five.",
}
# the state of the record at the end of the chain, as its children see it
ROOT_STATES = {
    Action.SKIPPED: "is not selected",
    Action.QUARANTINED: "needs a correction",
    Action.AMBIGUOUS: "matches several records of the target",
    Action.FAILED: "has no confirmed outcome",
    Action.DEFERRED: "is deferred by the day's quota",
    Action.BLOCKED: "is not in the target",
    **dict.fromkeys(WRITING, "is sent first, by the same run"),
    Action.UNCHANGED: "is not active in the target",
}
FIRST_IDS = 5


def held_records(
    con: duckdb.DuckDBPyConnection, workflow: Workflow, workflows: Mapping[str, Workflow], plans: Mapping[str, str]
) -> pl.DataFrame:
    """Return each record that a workflow holds back, with the decision at the end of its chain of parents.

    Args:
        con: The warehouse.
        workflow: The workflow.
        workflows: All usable workflows by name: parents may be delivered by another one.
        plans: Plan id by workflow; of the others the decisions of their last runs count.

    Returns:
        HELD_RECORD_COMMENTS, by id.
    """
    serves = _serves(workflow, workflows)
    names = [name for name in dict.fromkeys(each for each, _, _ in serves) if _is_decided(con, name, plans)]
    if workflow.name not in names:
        return pl.DataFrame(schema=HELD_RECORD_SCHEMA)
    values: dict[str, object] = {"held": list(HELD), "blocked": Action.BLOCKED.value, "parent": PARENT_MISSING}
    values |= {f"workflow_{number}": name for number, name in enumerate(names)}
    values |= {f"plan_{number}": plans[name] for number, name in enumerate(names) if name in plans}
    values |= {
        "held_workflow": workflow.name,
        "serves": [{"workflow": a, "upstream": b, "place": c} for a, b, c in serves],
    }
    decided = " union all ".join(_decided(number, name, name in plans) for number, name in enumerate(names))
    query = _QUERY.format(decided=decided, named=named_records(con), since=_since(con))
    return read_frame(con, query, values).select(pl.col(name).cast(kind) for name, kind in HELD_RECORD_SCHEMA.items())


def held_back(records: pl.DataFrame) -> pl.DataFrame:
    """Group HELD_RECORD_COMMENTS by root cause; returns HELD_BACK_COMMENTS, the most records first."""
    own = (pl.col("root_source") == pl.col("source")) & (pl.col("root_source_id") == pl.col("source_id"))
    grouped = records.with_columns(pl.when(~own).then("root_source").alias("root_source")).group_by(
        "workflow", "source", "action", "root_source", "root_action", "root_code", maintain_order=True
    )
    causes = grouped.agg(
        pl.col("root_reason").first(),
        pl.len().alias("records"),
        pl.col("since").min(),
        pl.col("source_id").head(FIRST_IDS).alias("first_ids"),
    )
    ordered = causes.sort("records", "source", "action", "root_code", descending=[True, False, False, False])
    return ordered.select(*HELD_BACK_COMMENTS)


def cause_texts(causes: pl.DataFrame) -> list[str]:
    """Return a sentence for each state of the parents, and for each cause of records that wait for none.

    `718 contacts blocked: their customer is not selected (the box is not checked: 512; leads are not …: 206)`
    """
    lines: list[tuple[int, str]] = []
    for keys, rows in causes.group_by("source", "action", "root_source", "root_action", maintain_order=True):
        source, action, root_source, root_action = map(_text, keys)
        if not root_source:
            lines += [
                (row["records"], f"{counted(row['records'], source)} {action}: {row['root_reason']}{_examples(row)}")
                for row in rows.iter_rows(named=True)
            ]
            continue
        records = int(rows["records"].sum())
        whose, state = "its" if records == 1 else "their", ROOT_STATES[Action(root_action)]
        reasons = "" if Action(root_action) in WRITING else f" ({_reasons(rows)})"
        text = f"{counted(records, source)} {action}: {whose} {singular(root_source)} {state}{reasons}"
        lines.append((records, text))
    return [text for _, text in sorted(lines, key=lambda line: -line[0])]


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _reasons(rows: pl.DataFrame) -> str:
    if rows.height == 1:
        return str(rows["root_reason"][0])
    return "; ".join(f"{reason}: {records:,}" for reason, records in rows.select("root_reason", "records").iter_rows())


def _examples(row: Mapping[str, object]) -> str:
    ids = row["first_ids"]
    shown = ", ".join(ids) if isinstance(ids, list) else ""
    return f" ({shown}{', …' if row['records'] > FIRST_IDS else ''})"  # type: ignore[operator]


def _serves(workflow: Workflow, workflows: Mapping[str, Workflow]) -> Sequence[tuple[str, str, int]]:
    """Return (workflow, one that delivers its parents, precedence), for the workflow and all above it."""
    found: dict[tuple[str, str], int] = {}
    pending, seen = [workflow], {workflow.name}
    while pending:
        each = pending.pop()
        for place, name in enumerate([each.name, *each.spec.upstream]):
            found[each.name, name] = place
            if name not in seen and name in workflows:
                seen.add(name)
                pending.append(workflows[name])
    return [(name, other, place) for (name, other), place in found.items()]


def _is_decided(con: duckdb.DuckDBPyConnection, workflow: str, plans: Mapping[str, str]) -> bool:
    """Return whether there is a decision of the workflow, and a place to look up the parents of its records."""
    return workflow in plans or (has_table(con, "sync_decisions") and has_table(con, f"mart_{workflow}"))


def _decided(number: int, workflow: str, is_planned: bool) -> str:  # noqa: FBT001
    """Return the query for a workflow's decisions, with the parent of each record."""
    columns = "source, source_id, action, reason_code, reason, parent_source, parent_source_id"
    if is_planned:
        table = quoted(f"plan_{workflow}")
        return f"select $workflow_{number} as workflow, {columns} from {table} where plan_id = $plan_{number}"
    mart = quoted(f"mart_{workflow}")
    return (
        "select known.workflow, source, source_id, known.action, known.reason_code, known.reason,"
        f" parent_source, parent_source_id from sync_decisions as known left join {mart} as mart"
        f" using (source, source_id) where known.workflow = $workflow_{number} and known.to_run is null"
    )


def _since(con: duckdb.DuckDBPyConnection) -> str:
    if has_table(con, "sync_decisions"):
        return (
            "select workflow, source, source_id, action, reason_code, from_at from sync_decisions where to_run is null"
        )
    return (
        "select '' as workflow, '' as source, '' as source_id, '' as action, '' as reason_code,"
        " null::timestamp as from_at limit 0"
    )


HELD_RECORD_SCHEMA = {name: pl.Datetime("us") if name == "since" else pl.String for name in HELD_RECORD_COMMENTS}
# `union` removes rows that were there before, so that a cycle of parents ends the search
_QUERY = """
with recursive
decided as ({decided}),
serves as (select unnest($serves, recursive := true)),
above as (
    select d.workflow, d.source, d.source_id, p.workflow as above_workflow, p.source as above_source,
        p.source_id as above_id
    from decided as d
    join serves as s on s.workflow = d.workflow
    join decided as p on p.workflow = s.upstream and p.source = d.parent_source and p.source_id = d.parent_source_id
    where d.action = $blocked and d.reason_code = $parent
    qualify row_number() over (partition by d.workflow, d.source, d.source_id order by s.place) = 1
),
held as (select * from decided where workflow = $held_workflow and action in $held),
chain as (
    select source, source_id, workflow as at_workflow, source as at_source, source_id as at_id from held
    union
    select chain.source, chain.source_id, above.above_workflow, above.above_source, above.above_id
    from chain
    join above on above.workflow = at_workflow and above.source = at_source and above.source_id = at_id
),
roots as (
    select chain.* from chain
    anti join above on above.workflow = at_workflow and above.source = at_source and above.source_id = at_id
),
named as ({named}),
since as ({since})
select
    held.workflow, held.source, held.source_id, own.name, held.action, held.reason_code, held.reason,
    since.from_at as since,
    coalesce(root.workflow, held.workflow) as root_workflow,
    coalesce(root.source, held.source) as root_source,
    coalesce(root.source_id, held.source_id) as root_source_id,
    root_named.name as root_name,
    coalesce(root.action, held.action) as root_action,
    case when root.source_id is null then held.reason_code else root.reason_code end as root_code,
    case when root.source_id is null then held.reason else root.reason end as root_reason
from held
left join roots on roots.source = held.source and roots.source_id = held.source_id
left join decided as root
    on root.workflow = at_workflow and root.source = at_source and root.source_id = at_id
left join named as own on own.source = held.source and own.source_id = held.source_id
left join named as root_named on root_named.source = root.source and root_named.source_id = root.source_id
left join since
    on since.workflow = $held_workflow and since.source = held.source and since.source_id = held.source_id
    and since.action = held.action and since.reason_code is not distinct from held.reason_code
order by held.source, try_cast(held.source_id as bigint), held.source_id
"""
