"""Group the records that are held back by their root cause: a child waits for its parent, and that perhaps for its own.

decisions of a plan or of the last runs, parents  ->  held_records()  ->  held_back()  ->  cause_text()

A contact of a customer that is not selected is blocked, and so is the project below a blocked project: what a person
can change is the decision at the end of the chain. Plans, the console and the command line show the same groups.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import duckdb
import polars as pl

from assets.delivery.audit.held_query import IDENTICAL, held_query, read_decided, serves_of
from assets.delivery.spec.workflow import Workflow
from assets.delivery.target import WRITING, Action
from assets.result_texts import counted, singular
from assets.warehouse.record_names import names_of
from resources.warehouse.masking import QUOTING
from resources.warehouse.tables import has_table, read_frame
from resources.warehouse.warehouse import Warehouse

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
    "ignored_until": "Last day on which a person ignores the record; null: no one does.",
    "ignored_by": "Who decided that.",
    "ignored_note": "The person's reason.",
}
HELD_BACK_COMMENTS = {
    "workflow": "The workflow.",
    "source": "Staging table of the records, without its prefix.",
    "action": "quarantined, blocked, ambiguous or failed.",
    "root_source": "Source of the records that hold them back; null: nothing but their own values.",
    "root_action": "Decision on those.",
    "root_code": "Code of the root cause.",
    "root_reason": "The root cause in words; of the first record, if the texts differ.",
    "reasons": "Each of these texts with its number of records (reason, records), the most frequent first.",
    "records": "Number of records held back by this cause.",
    "since": "Time since when the oldest of them is held back, UTC; null: all are new.",
    "first_ids": "NetSuite ids of the first five.",
}
_TYPES = {"since": pl.Datetime("us"), "ignored_until": pl.Date()}
HELD_RECORD_SCHEMA = pl.Schema({name: _TYPES.get(name, pl.String()) for name in HELD_RECORD_COMMENTS})
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
SHOWN_REASONS = 5  # texts that a sentence lists
CAUSE = ("workflow", "source", "action", "root_source", "root_action", "root_code")  # identifies a group of held_back


def held_records(
    con: duckdb.DuckDBPyConnection,
    holding: Sequence[Workflow],
    workflows: Mapping[str, Workflow],
    plans: Mapping[str, str],
    now: datetime,
    *,
    named: bool = True,
) -> pl.DataFrame:
    """Return each record that workflows hold back and that no one ignores, with the decision at the end of its chain.

    The others are in `held_and_ignored`.

    Args:
        con: The warehouse.
        holding: The workflows; their records are found together, which is faster than one after the other.
        workflows: All usable workflows by name: parents may be delivered by another one.
        plans: Plan id by workflow; of the others the decisions of their last runs count.
        now: The time of the ledger, UTC.
        named: Whether names are found, which takes longer.

    Returns:
        HELD_RECORD_COMMENTS, by workflow and id.
    """
    found = held_and_ignored(con, holding, workflows, plans, now, named=named)
    return found.filter(pl.col("ignored_until").is_null())


def held_and_ignored(
    con: duckdb.DuckDBPyConnection,
    holding: Sequence[Workflow],
    workflows: Mapping[str, Workflow],
    plans: Mapping[str, str],
    now: datetime,
    *,
    named: bool = True,
) -> pl.DataFrame:
    """Return each record that workflows hold back, also those that people ignore; see `held_records`.

    Without `named`, names are null: to find them for all records takes longer than for a page (`with_names`).
    """
    serves = serves_of(holding, workflows)
    decided = read_decided(con, dict.fromkeys(name for name, _, _ in serves), plans)
    names = [each.name for each in holding if each.name in decided.holding]
    if not names:
        return pl.DataFrame(schema=HELD_RECORD_SCHEMA)
    query, plan_ids = held_query(con, decided, names, serves)
    values = {
        **plan_ids,
        "serves": [{"workflow": name, "upstream": other, "place": place} for name, other, place in serves],
        "holding": names,
        "today": now.date(),
    }
    found = read_frame(con, query, values)
    typed = found.select(pl.col(name).cast(kind) for name, kind in HELD_RECORD_SCHEMA.items())
    return with_names(con, typed) if named else typed


def with_names(con: duckdb.DuckDBPyConnection, records: pl.DataFrame) -> pl.DataFrame:
    """Return some of HELD_RECORD_COMMENTS with the names of the records and of those at the end of their chains."""
    own, root = ["source", "source_id"], ["root_source", "root_source_id"]
    keys = {*records.select(own).iter_rows(), *records.select(root).iter_rows()}
    rows = [(*key, name) for key, name in names_of(con, keys).items()]
    names = pl.DataFrame(rows, schema=dict.fromkeys([*own, "name"], pl.String), orient="row")
    roots = names.rename(dict(zip(names.columns, [*root, "root_name"], strict=True)))
    found = records.drop("name", "root_name").join(names, on=own, how="left", maintain_order="left")
    return found.join(roots, on=root, how="left", maintain_order="left").select(records.columns)


def without_values(records: pl.DataFrame) -> pl.DataFrame:
    """Return HELD_RECORD_COMMENTS without names, and with the code for a reason that quotes a value of the record."""
    none, codes = pl.lit(None, dtype=pl.String), {"reason": "reason_code", "root_reason": "root_code"}
    quotes = {code: pl.col(code).str.starts_with("rejected") | pl.col(code).is_in(QUOTING) for code in codes.values()}
    return records.with_columns(
        *(none.alias(name) for name in ("name", "root_name")),
        *(pl.when(quotes[code]).then(code).otherwise(name).alias(name) for name, code in codes.items()),
    )


def held_back(records: pl.DataFrame) -> pl.DataFrame:
    """Group HELD_RECORD_COMMENTS by root cause; returns HELD_BACK_COMMENTS, the most records first."""
    own = (pl.col("root_source") == pl.col("source")) & (pl.col("root_source_id") == pl.col("source_id"))
    grouped = records.with_columns(pl.when(~own).then("root_source").alias("root_source")).group_by(
        *CAUSE, maintain_order=True
    )
    text = pl.coalesce("root_reason", "root_code", pl.lit(""))
    reason, count = text.unique(maintain_order=True).alias("reason"), text.unique_counts().alias("records")
    causes = grouped.agg(
        pl.col("root_reason").first(),
        pl.struct(reason, count).sort_by(count, descending=True, maintain_order=True).alias("reasons"),
        pl.len().alias("records"),
        pl.col("since").min(),
        pl.col("source_id").head(FIRST_IDS).alias("first_ids"),
    )
    ordered = causes.sort("records", "source", "action", "root_code", descending=[True, False, False, False])
    return ordered.select(*HELD_BACK_COMMENTS)


def of_cause(records: pl.DataFrame, key: Mapping[str, str]) -> pl.DataFrame:
    """Return the records with these columns CAUSE; a record that waits for none is its own root."""
    if records.is_empty():
        return records
    own = (pl.col("root_source") == pl.col("source")) & (pl.col("root_source_id") == pl.col("source_id"))
    rooted = records.with_columns(pl.when(~own).then("root_source").alias("root_source"))
    kept = [pl.col(name).fill_null("") == key.get(name, "") for name in CAUSE]
    return records.filter(rooted.select(pl.all_horizontal(kept)).to_series())


def cause_texts(causes: pl.DataFrame) -> list[str]:
    """Return a sentence for each state of the parents, and for each cause of records that wait for none.

    `718 contacts blocked: their customer is not selected (the box is not checked: 512; leads are not …: 206)`
    """
    lines: list[tuple[int, str]] = []
    causes = causes.with_columns((pl.col("root_code") == IDENTICAL).fill_null(value=False).alias("_is_there"))
    by = ("source", "action", "root_source", "root_action", "_is_there")
    for keys, rows in causes.group_by(*by, maintain_order=True):
        source, action, root_source, root_action = map(_text, keys[:-1])
        if not root_source:
            lines += [
                (row["records"], f"{counted(row['records'], source)} {action}: {reasons_text(row)}{_examples(row)}")
                for row in rows.iter_rows(named=True)
            ]
            continue
        records = int(rows["records"].sum())
        whose, state = "its" if records == 1 else "their", root_state(root_action, rows["root_code"][0])
        reasons = "" if Action(root_action) in WRITING or keys[-1] else f" ({reasons_text(*rows.to_dicts())})"
        text = f"{counted(records, source)} {action}: {whose} {singular(root_source)} {state}{reasons}"
        lines.append((records, text))
    return [text for _, text in sorted(lines, key=lambda line: -line[0])]


def root_state(action: str, code: str | None) -> str:
    """Return the state of the record at the end of the chain, as its children see it."""
    if action == Action.UNCHANGED and code == IDENTICAL:
        return "is in the target by now; the next run sends what waits for it"
    return ROOT_STATES[Action(action)]


def _text(value: object) -> str:
    return "" if value is None else str(value)


def reasons_text(*causes: Mapping[str, Any]) -> str:
    """Return the reasons of causes; of several texts the first ones, each with its number of records."""
    found = [(str(each["reason"]), int(each["records"])) for row in causes for each in row["reasons"]]
    if len(found) == 1:
        return found[0][0]
    found.sort(key=lambda each: -each[1])
    rest = sum(records for _, records in found[SHOWN_REASONS:])
    shown = [*found[:SHOWN_REASONS], *([("other reasons", rest)] if rest else [])]
    return "; ".join(f"{reason}: {records:,}" for reason, records in shown)


def _examples(row: Mapping[str, object]) -> str:
    ids = row["first_ids"]
    shown = ", ".join(ids) if isinstance(ids, list) else ""
    return f" ({shown}{', …' if row['records'] > FIRST_IDS else ''})"  # type: ignore[operator]


def cause_rows(
    warehouse: Warehouse, workflows: Mapping[str, Workflow], now: datetime, *, hides: bool
) -> list[dict[str, Any]]:
    """Return the causes of all workflows as a report lists them, the most records first; `hides` leaves values out.

    Returns:
        HELD_BACK_COMMENTS; `cause`: a sentence; `reasons`: as pairs.
    """
    with warehouse.writer(transaction=False) as con:
        if not has_table(con, "sync_decisions"):
            return []
        records = held_records(con, [*workflows.values()], workflows, {}, now, named=False)
    records = without_values(records) if hides else records
    rows = held_back(records).to_dicts()
    for row in rows:
        row["reasons"] = [(each["reason"], each["records"]) for each in row["reasons"]]
        row["cause"] = waits_for(row)
    return rows


def waits_for(row: Mapping[str, Any]) -> str:
    """Return what the records of a cause wait for: `their customer is not selected`; blank: for no other record."""
    if not row["root_source"]:
        return ""
    whose = "its" if row["records"] == 1 else "their"
    return f"{whose} {singular(row['root_source'])} {root_state(row['root_action'], row['root_code'])}"
