"""Manual links: a person decides which target record a source record is; for targets with data before the first run.

mart, target state, plan  ->  possible_matches()  ->  a person  ->  save_manual_link()  ->  sync_manual_links
"""

from dataclasses import dataclass
from datetime import datetime

import duckdb
import polars as pl

from assets.delivery.errors import SyncError
from assets.delivery.ledger.events import Event, Happened, key_of, record_event
from assets.delivery.ledger.links import read_links, read_manual_links
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.schemas import KEY, OURS
from assets.delivery.spec.workflow import Workflow
from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.delivery.target import Action
from resources.warehouse.tables import has_table, insert_row, quoted, read_frame

UNLINKED = (Action.AMBIGUOUS.value, Action.ADOPT.value, Action.CREATE.value)
COMMON = 10  # a value of more target records than this identifies none of them


def read_matches(con: duckdb.DuckDBPyConnection, workflow: Workflow) -> pl.DataFrame:
    """Return the possible matches of the newest plan, without those that a person has decided about since."""
    ensure_ledger(con)
    mart, state = (read_frame(con, f"select * from {quoted(each)}") for each in (workflow.mart, workflow.target_state))
    plan = read_frame(con, _NEWEST.format(plan=quoted(workflow.plan)), {"workflow": workflow.name})
    pairs = possible_matches(workflow.spec, mart, state, plan, read_links(con, workflow.name))
    decided = read_manual_links(con, workflow.name)
    taken = decided["manual_target_id"].drop_nulls().implode()
    return pairs.join(decided, on=KEY, how="anti").filter(~pl.col("target_id").is_in(taken))


_NEWEST = """
select * from {plan}
where plan_id = (select max_by(plan_id, position) from sync_plans where workflow = $workflow and kind = 'sync')
"""


def possible_matches(
    spec: WorkflowSpec, mart: pl.DataFrame, target_state: pl.DataFrame, plan: pl.DataFrame, links: pl.DataFrame
) -> pl.DataFrame:
    """Return the pairs of an unlinked source record and a target record that share an identifying value.

    Constants, value lists and look-ups identify nothing, nor do values that more than COMMON records have. Spaces
    around a value and letter case are ignored.

    Returns:
        source, source_id, action, reason, target_id (str), agree, differ (lists of fields); best matches first.
    """
    fields = identifying_fields(spec)
    confirmed = links.join(target_state, on="target_id", how="semi")
    sent = plan.filter(pl.col("action") != Action.AMBIGUOUS).join(confirmed, on=KEY, how="semi")
    unlinked = plan.filter(pl.col("action").is_in(UNLINKED)).join(sent, on=KEY, how="anti")
    unlinked = unlinked.select(*KEY, "action", "reason")
    planned = plan.filter(OURS & pl.col("target_id").is_not_null())["target_id"]
    linked = pl.concat([planned.cast(pl.String), confirmed["target_id"]]).implode()
    desired = _values(mart.join(unlinked, on=KEY, how="semi"), KEY, fields)
    current = _values(target_state.filter(~pl.col("target_id").is_in(linked)), ["target_id"], fields)
    identifying = current.filter(pl.len().over("field", "value") <= COMMON)
    pairs = desired.join(identifying, on=["field", "value"]).select(*KEY, "target_id").unique()
    compared = pairs.join(desired, on=KEY).join(current, on=["target_id", "field"], suffix="_current")
    equal = pl.col("value") == pl.col("value_current")
    matches = compared.group_by(*KEY, "target_id").agg(
        pl.col("field").filter(equal).sort().alias("agree"), pl.col("field").filter(~equal).sort().alias("differ")
    )
    return (
        matches.join(unlinked, on=KEY)
        .select(*KEY, "action", "reason", "target_id", "agree", "differ")
        .sort("action", *KEY, pl.col("agree").list.len(), "target_id", descending=[False, False, False, True, False])
    )


def identifying_fields(spec: WorkflowSpec) -> list[str]:
    """Return the fields that carry a value of the source record itself."""
    rows = [row for record in spec.records for row in record.rows]
    own = (row.field for row in rows if row.value is None and not (row.values or row.lookup or row.reference))
    return list(dict.fromkeys(own))


def _values(frame: pl.DataFrame, keys: list[str], fields: list[str]) -> pl.DataFrame:
    """Return one row per record and field that has a value, in lower case without surrounding spaces."""
    columns = [name for name in fields if name in frame.columns]
    plain = pl.col("value").str.strip_chars().str.to_lowercase().replace("", None)
    long = frame.unpivot(columns, index=keys, variable_name="field", value_name="value")
    return long.with_columns(plain).drop_nulls("value")


@dataclass(frozen=True)
class ManualLink:
    """A person's decision that a source record is this target record, or, without a target id, none of them."""

    workflow: str
    source: str
    source_id: str
    target_id: str | None
    decided_by: str
    decided_at: datetime
    note: str = ""


def save_manual_link(con: duckdb.DuckDBPyConnection, link: ManualLink) -> None:
    """Store a manual link; the next plan follows it.

    Raises:
        SyncError: The target has no such record, the record belongs to another source record, or another target record
            carries the source record's key.
    """
    ensure_ledger(con)
    if link.target_id is not None:
        _check_exists(con, link)
        _check_free(con, link)
    if has_table(con, f"plan_{link.workflow}"):
        _check_key(con, link)
    _delete(con, link.workflow, link.source, link.source_id)
    insert_row(con, "sync_manual_links", {name: value or None for name, value in vars(link).items()})
    record_event(
        con,
        Event(
            event=Happened.LINKED, at=link.decided_at, workflow=link.workflow, by=link.decided_by, note=link.note,
            subject=key_of(link.source, link.source_id), details={"target_id": link.target_id or None},
        ),
    )  # fmt: skip


def delete_manual_link(
    con: duckdb.DuckDBPyConnection, workflow: str, source: str, source_id: str, decided_by: str, moment: datetime,
    note: str = "",
) -> bool:  # fmt: skip
    """Delete a manual link and return whether there was one."""
    ensure_ledger(con)
    if not _delete(con, workflow, source, source_id):
        return False
    subject = key_of(source, source_id)
    unlinked = Event(
        event=Happened.UNLINKED, at=moment, workflow=workflow, subject=subject, by=decided_by, note=note
    )  # fmt: skip
    record_event(con, unlinked)
    return True


def _delete(con: duckdb.DuckDBPyConnection, workflow: str, source: str, source_id: str) -> bool:
    deleted = con.execute(
        "delete from sync_manual_links where workflow = ? and source = ? and source_id = ?",
        [workflow, source, source_id],
    ).fetchall()
    return bool(deleted[0][0])


def _check_exists(con: duckdb.DuckDBPyConnection, link: ManualLink) -> None:
    target_state = quoted(f"target_{link.workflow}")
    if not con.execute(f"select 1 from {target_state} where target_id = ?", [link.target_id]).fetchall():
        raise SyncError(
            f"the target had no record {link.target_id} in the last run; use its internal id, which"
            f" `millpond match {link.workflow}` shows"
        )


def _check_free(con: duckdb.DuckDBPyConnection, link: ManualLink) -> None:
    """Raise if the target record is another source record's."""
    plan, key = quoted(f"plan_{link.workflow}"), [link.target_id, link.source, link.source_id]
    other = read_frame(
        con,
        "select source, source_id, true as manual from sync_manual_links where workflow = ? and target_id = ?"
        " and (source, source_id) <> (?, ?)"
        f" union all select source, source_id, false from {plan} where target_id = ? and (source, source_id) <> (?, ?)"
        " and matched_by in ('external_id', 'link')"
        " union all select source, source_id, false from sync_links where workflow = ? and target_id = ?"
        " and (source, source_id) <> (?, ?) order by manual desc limit 1",
        [link.workflow, *key, *key, link.workflow, *key],
    )
    if other.height:
        source, source_id, manual = other.row(0)
        unlink = f"`millpond unlink {source}:{source_id} --workflow {link.workflow}` removes that link"
        move = (
            f"if that is wrong, clear our key there, link {source} {source_id} to its own record or `new`, run the"
            " workflow, and link again"
        )
        raise SyncError(f"record {link.target_id} is linked to {source} {source_id}; {unlink if manual else move}")


def _check_key(con: duckdb.DuckDBPyConnection, link: ManualLink) -> None:
    """Raise if another target record carries the source record's key, which comes before a person's link."""
    plan, key = quoted(f"plan_{link.workflow}"), [link.source, link.source_id, link.target_id]
    keyed = con.execute(
        f"select target_id from {plan} where source = ? and source_id = ? and target_id is distinct from ?"
        " and matched_by = 'external_id'",
        key,
    ).fetchall()
    if link.target_id is not None:
        # a record that the last run created or adopted is not in its plan
        keyed = (
            keyed
            or con.execute(
                f"select link.target_id from sync_links as link join {quoted(f'target_{link.workflow}')} as there"
                " on there.target_id = link.target_id and there.external_id is not null where link.workflow = ?"
                " and link.source = ? and link.source_id = ? and link.target_id <> ?",
                [link.workflow, *key],
            ).fetchall()
        )
    if keyed:
        raise SyncError(
            f"the target's record {keyed[0][0]} already carries our key for {link.source} {link.source_id};"
            " clear the key there, run `millpond plan` and link again"
        )
