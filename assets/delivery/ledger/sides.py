"""The tables of which every version is kept: the mart, and the state of the target.

mart_<workflow>, target_<workflow>  ->  follow_columns()  ->  hist_mart__<workflow>, hist_target__<workflow>
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import duckdb

from assets.delivery.schemas import INPUT_HASH, MART_COMMENTS
from assets.delivery.target import TARGET_STATE_COMMENTS
from resources.warehouse.tables import columns_of, describe_table, quoted

_TIMES = {
    "valid_from": ("timestamp", "When this version was first read or made, UTC."),
    "valid_to": ("timestamp", "When it was first otherwise, UTC; null: current version."),
    "is_current": ("boolean", "Whether this is the current version."),
    "from_position": ("bigint", "Place in the ledger's sequence from which it applies, whatever the clocks showed."),
    "to_position": ("bigint", "Place from which it no longer applies; null: current version."),
    "version_hash": ("ubigint", "Fingerprint of its values, within one version of DuckDB."),
    "version_run": ("varchar", "Dagster run that first read, made or wrote it."),
}


@dataclass(frozen=True)
class Side:
    """A kind of table of which every version is kept.

    Attributes:
        name: mart or target.
        left_out: Columns that are not kept.
        quiet: Columns that are kept and, on their own, open no version.
        own: Columns of the versions: type and comment.
        text: What the table of versions holds.
    """

    name: str
    key: Sequence[str]
    left_out: Collection[str]
    quiet: Collection[str]
    own: Mapping[str, tuple[str, str]]
    comments: Mapping[str, str]
    text: str

    def table(self, workflow: str) -> str:
        """Return the name of the table of a workflow."""
        return f"{self.name}_{workflow}"

    def versions(self, workflow: str) -> str:
        """Return the name of the table of its versions."""
        return f"hist_{self.name}__{workflow}"


MART = Side(
    "mart",
    ("source", "source_id"),
    left_out=(INPUT_HASH,),
    quiet=("source_hash", "payload_hash"),
    own=MappingProxyType({
        **_TIMES,
        "version_cause": (
            "varchar", "What changed: netsuite, workflow_file, both, other or forgotten; null: a new record.",
        ),
    }),
    comments=MappingProxyType(MART_COMMENTS),
    text="All versions of the desired records: what the workflow wanted the target to have, and when.",
)  # fmt: skip
TARGET = Side(
    "target",
    ("target_id",),
    left_out=(),
    quiet=("updated_at",),
    own=MappingProxyType({
        **_TIMES,
        "version_attempt": ("varchar", "Attempt that wrote it; null: read, and no attempt of ours explains it."),
        "version_sent": ("varchar", "Fields that the attempt wrote, as JSON."),
        "is_after_restore": ("boolean", "Whether a run that a restore has lost may have written it."),
        "unseen_at": ("timestamp", "When a listing that may leave records out first did not show it, UTC."),
        "unseen_position": ("bigint", "Place of that listing in the ledger's sequence."),
    }),
    comments=MappingProxyType({
        **TARGET_STATE_COMMENTS,
        "parent_id": "Target id of the parent record; null at the top level, or if the target does not return it.",
    }),
    text="All versions of the target's records: what the target had, and when that was read.",
)  # fmt: skip


def follow_columns(con: duckdb.DuckDBPyConnection, side: Side, workflow: str) -> None:
    """Create the table of versions, or add the columns that the table has gained."""
    name, before = side.versions(workflow), columns_of(con, side.versions(workflow))
    columns = {each: kind for each, kind in columns_of(con, side.table(workflow)).items() if each not in side.left_out}
    wanted = {**columns, **{each: kind for each, (kind, _) in side.own.items()}}
    added = {each: kind for each, kind in wanted.items() if each not in before}
    if not before:
        con.execute(f"create table {quoted(name)} ({', '.join(f'{quoted(n)} {kind}' for n, kind in wanted.items())})")
    else:
        for column, kind in added.items():
            con.execute(f"alter table {quoted(name)} add column {quoted(column)} {kind}")
    if added:
        comments = {**side.comments, **{each: text for each, (_, text) in side.own.items()}}
        grain = f"Grain: one row per {' and '.join(side.key)} and version."
        texts = [(each, comments.get(each, f"{each} of the record.")) for each in added]
        describe_table(con, name, f"{side.text}\n\n{grain}", texts)
