"""Columns of the frames that the stages of the engine exchange, and their descriptions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from assets.delivery.target import TargetField

KEY = ["source", "source_id"]


class SourceKey(NamedTuple):
    """The key of a source record: the values of KEY."""

    source: str
    source_id: str


def keys_frame(keys: Iterable[SourceKey]) -> pl.DataFrame:
    """Return keys as a frame: KEY."""
    return pl.DataFrame(list(keys), schema=dict.fromkeys(KEY, pl.String), orient="row")


def is_among(records: Iterable[str], workflow: str = "") -> pl.Expr:
    """Return whether a row is one of these records: NetSuite ids, `source:id`, or `workflow:source:id`.

    Records of several kinds may have one id, and a run may send one record to several targets.
    """
    named = (pl.concat_str(columns, separator=":") for columns in (KEY[1:], KEY, [pl.lit(workflow), *KEY]))
    return pl.any_horizontal(each.is_in(list(records)) for each in named)


UNCERTAIN = "uncertain"  # parent_target_id of a link whose record may have moved in a send without a response
MANUAL = "manual"  # matched_by of records that a person linked
LOST_CREATE = "lost_create"  # matched_by of records that a create without a response may have made
MOVED_KEY = "moved_key"  # matched_by of records whose key, or another one, a person put on the wrong record
NEAR = "near_duplicate"  # matched_by of records that are nearly the same as others; also their reason code
PARENT = "(parent)"  # name of the parent among the changed fields

# dispositions; `block`: a value is unknown, because what it is looked up in was not read; `hold`: whether the record
# still exists is unknown, so that its target record stays as it is
DELIVER, RETIRE, SKIP, QUARANTINE, BLOCK, HOLD = "deliver", "retire", "skip", "quarantine", "block", "hold"

MISSING = "missing_without_note"  # reason code of a record that NetSuite no longer shows, without saying why
# reason codes of skipped records that are not reported although the target's record is active: `lifecycle.missing`
LEFT_SILENTLY = (MISSING, "flag_blank", "condition_blank")

FORGOTTEN = "forgotten"  # reason code of a record whose personal values were erased
# reason codes of a record whose target record is gone, and of one that the target no longer shows, without saying why
DELETED, NOT_SHOWN, NOT_ASKED = "deleted_in_target", "not_shown_in_target", "not_asked"
PARENT_MISSING = "parent_missing"  # reason code of a record that is not sent: its parent is not in the target

INPUT_HASH = "input_hash"
# Columns of every mart, before the target's own fields.
MART_COMMENTS = {
    "source": "Staging table of the record, without its prefix.",
    "source_id": "NetSuite internal id.",
    "disposition": "deliver, retire (deactivate the target's record, if any), hold, skip, quarantine or block.",
    "reason_code": "Code of the reason; null if the record is delivered.",
    "reason": "The reason in words.",
    "parent_source": "Source of the parent record.",
    "parent_source_id": "NetSuite internal id of the parent record.",
    "level": "Depth in the workflow's hierarchy; 1 has no parent, 0 is in or below a cycle.",
    "source_hash": "Fingerprint of the source columns that the mapping reads.",
    "payload_hash": "Fingerprint of the mapped values.",
    INPUT_HASH: "Fingerprint of what the row was made from: the staged record, workflow file, value lists and code.",
}
MART_COLUMNS = {name: pl.Int32 if name == "level" else pl.String for name in MART_COMMENTS}

PLAN_COMMENTS = {
    "source": "Staging table of the record, without its prefix.",
    "source_id": "NetSuite internal id.",
    "action": "create, adopt, update, deactivate, reactivate, unchanged, skipped, blocked, quarantined or ambiguous.",
    "reason_code": "Code of the reason.",
    "reason": "The reason in words.",
    "target_id": "Internal id of the target's record; null if there is none yet.",
    "matched_by": "How the target's record was recognized: external_id, link, manual, or the field that matched.",
    "parent_source": "Source of the parent record.",
    "parent_source_id": "NetSuite internal id of the parent record.",
    "parent_target_id": "Target id of the parent record; null if it does not exist yet.",
    "level": "Depth in the workflow's hierarchy; parents are sent first.",
    "changes": "The changes: field, before, after.",
    "payload": "The whole desired record, as JSON.",
    "payload_hash": "Fingerprint of the mapped values.",
    "source_hash": "Fingerprint of the source columns that the mapping reads.",
}
PLAN_COLUMNS = list(PLAN_COMMENTS)

OURS = pl.col("matched_by").is_in(["external_id", "link"])
TOUCHED = pl.col("changes").list.eval(pl.element().struct.field("field"))

# reason codes of an unchanged record whose mapped values are in the target; any other means that it is inactive there
AS_MAPPED = frozenset({"identical", "not_monitored", "kept_so", "drift_reported", "drift_adopted"})

# reason codes of a record that a workflow no longer selects, or that is not its own
LET_GO = frozenset(
    {"deleted", "inactive", "parent_inactive", "stage_lead", "stage_prospect", "stage_customer", "out_of_subsidiary"}
    | {"flag_not_set", "filtered_out", "not_picked", "no_match", "other_workflow", "cannot_deactivate"}
    | {DELETED, FORGOTTEN}
)

REJECTED_REASON = "the target rejected it: {}"

LINK_SCHEMA = dict.fromkeys(
    [
        *KEY,
        "target_id",
        "parent_target_id",
        "payload_hash",
        "workflow_version",
        "target_hash",
        "value_hashes",
        "restored",
    ],
    pl.String,
)
MANUAL_LINK_SCHEMA = dict.fromkeys([*KEY, "manual_target_id"], pl.String)
NEAR_SCHEMA = dict.fromkeys([*KEY, "near"], pl.String)
DELETED_SCHEMA = dict.fromkeys([*KEY, "deleted_code"], pl.String)
LOST_CREATE_SCHEMA = dict.fromkeys([*KEY, "lost_create"], pl.String)
UNDO_HOLD_SCHEMA = dict.fromkeys([*KEY, "hold_hash", "hold_disposition", "hold_version", "undone_run"], pl.String)
# records of upstream workflows: their target_id, or null and the reason; whether an undo switched them off
UPSTREAM_SCHEMA: Mapping[str, type[pl.DataType]] = {
    **dict.fromkeys([*KEY, "target_id", "reason"], pl.String),
    "is_undone": pl.Boolean,
}
REJECTED_SCHEMA = dict.fromkeys(
    [*KEY, *(f"rejected_{name}" for name in ("hash", "version", "request", "code", "reason"))], pl.String
)


@dataclass(frozen=True)
class TargetShape:
    """The properties of a target that a decision depends on."""

    key_field: str
    active_field: str
    fields: Mapping[str, TargetField]
