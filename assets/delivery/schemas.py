"""The frames that cross between the parts of the engine: their keys, columns and meaning."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from assets.delivery.target import TargetField

KEY = ["source", "source_id"]
UNSURE = "unsure"  # parent_target_id of a link whose record may have moved without our knowing
BY_HAND = "hand"  # how a record shows that a person linked
PARENT = "(parent)"  # how a moved parent shows among the changed fields

PLAN_COMMENTS = {
    "source": "Staging table that the record comes from, without its prefix.",
    "source_id": "NetSuite internal id.",
    "action": "create, adopt, update, deactivate, reactivate, unchanged, skipped, blocked, quarantined or ambiguous.",
    "reason_code": "Why, as a code.",
    "reason": "Why, in words.",
    "target_id": "Internal id of the target's record; null when there is none yet.",
    "matched_by": "How the target's record was recognised: external_id, link, hand, or the field that matched.",
    "parent_source": "Source of the parent record.",
    "parent_source_id": "NetSuite internal id of the parent record.",
    "parent_target_id": "Internal id of the parent's record in the target, when it is there already.",
    "level": "Depth in the workflow's tree; parents are sent first.",
    "changes": "What would change: field, before, after.",
    "payload": "The whole record as it shall be, as JSON.",
    "payload_hash": "Fingerprint of the mapped values.",
    "source_hash": "Fingerprint of the source columns that the mapping reads.",
}
PLAN_COLUMNS = list(PLAN_COMMENTS)

OURS = pl.col("matched_by").is_in(["external_id", "link"])
TOUCHED = pl.col("changes").list.eval(pl.element().struct.field("field"))
KNOWN_PARENT = pl.coalesce("target_state.parent_id", "linked_parent")

REFUSED = "the target refused it: {}"

LINK_SCHEMA = {
    "source": pl.String,
    "source_id": pl.String,
    "target_id": pl.String,
    "parent_target_id": pl.String,
    "payload_hash": pl.String,
    "workflow_version": pl.String,
    "shown_hash": pl.String,
}

PIN_SCHEMA = {"source": pl.String, "source_id": pl.String, "pinned_id": pl.String}

HOLD_SCHEMA = {
    "source": pl.String,
    "source_id": pl.String,
    "held_hash": pl.String,
    "held_disposition": pl.String,
    "held_version": pl.String,
    "undone_run": pl.String,
}

# where records of another workflow are: no target_id while they are not, and then why
PLACE_SCHEMA = dict.fromkeys(["source", "source_id", "target_id", "reason"], pl.String)

REFUSED_SCHEMA = {
    "source": pl.String,
    "source_id": pl.String,
    "refused_hash": pl.String,
    "refused_version": pl.String,
    "refused_request": pl.String,
    "refused_code": pl.String,
    "refused_reason": pl.String,
}


@dataclass(frozen=True)
class TargetShape:
    """What decide needs to know of a target."""

    key_field: str
    active_field: str
    fields: Mapping[str, TargetField]
