"""Renames of tables, columns, stored values, settings, YAML keys and switches; docs/upgrade.md lists them."""

from types import MappingProxyType
from typing import NamedTuple

from orchestration.upgrade.yaml_names import Names

TABLES = MappingProxyType({
    "sync_pins": "sync_manual_links",
    "sync_holds": "sync_undo_holds",
    "sync_quirks": "sync_normalizations",
    "sync_picks": "sync_import_selection",
    "sync_addresses": "sync_record_urls",
    "netsuite_probes": "netsuite_capabilities",
})  # fmt: skip
OLD_STATE, NEW_STATE = "twin_", "target_"  # prefix of each workflow's table of target records

# by table; a name that ends with _ is the prefix of a table per workflow
COLUMNS = MappingProxyType({
    "sync_links": {"shown_hash": "target_hash"},
    "sync_import_selection": {"picked_by": "selected_by", "picked_at": "selected_at"},
    "sync_plans": {"seal": "checksum"},
    "netsuite_capabilities": {"probe": "capability", "asked_at": "checked_at"},
    "netsuite_fields": {"thing": "record_type", "told_at": "seen_at"},
    "netsuite_reads": {"thing": "record_type"},
    "tree_": {"has_namesake": "has_duplicate_name"},
})  # fmt: skip

# new columns, and those that warehouses of early 0.1 lack: type, and the value in the rows that are there
ADDED_COLUMNS = MappingProxyType(
    {
        "sync_plans": {
            "calls_left": ("bigint", "null"),
            "decided_by": ("varchar", "null"),
            "clock_origin": ("varchar", "null"),
            "clock_s": ("double", "null"),
            "undone_run": ("varchar", "null"),
            "requested_by": ("varchar", "null"),
            "position": ("bigint", "epoch_us(made_at)"),
        },
        "sync_runs": {
            "account": ("varchar", "null"),
            "calls_left": ("bigint", "null"),
            "deferred": ("bigint", "0"),
            "position": ("bigint", "epoch_us(coalesce(finished_at, started_at))"),
            "read_position": ("bigint", "epoch_us(started_at)"),
        },
        "sync_attempts": {
            "position": ("bigint", "epoch_us(seen_at)"),
            "parent_target_id": ("varchar", "null"),
            "existing_ids": ("varchar", "null"),
            "emptied": ("varchar", "null"),
            "replaced": ("varchar", "null"),
        },
        "sync_decisions": {"from_position": ("bigint", "epoch_us(from_at)")},
        "sync_links": {"value_hashes": ("varchar", "null"), "restored": ("varchar", "null")},
        "netsuite_reads": {
            "warnings": ("varchar[]", "null"),
            "reading": ("bigint", "null"),
            "began_after": ("bigint", "null"),
            "netsuite_at": ("timestamp", "null"),
            "verified": ("bigint", "null"),
            "unreported": ("bigint", "null"),
            "listed": ("boolean", "null"),
        },
    }
)


class Value(NamedTuple):
    """One stored value; a table that ends with _ is the prefix of a table per workflow."""

    table: str
    column: str
    old: str
    new: str


VALUES = (
    Value("sync_plans", "kind", "hints", "realtime"),
    Value("sync_plans", "state", "made", "ready"),
    Value("sync_attempts", "state", "untold", "unverifiable"),
    Value("sync_links", "matched_by", "hand", "manual"),
    Value("sync_links", "parent_target_id", "unsure", "uncertain"),
    Value("sync_import_selection", "selected_by", "everything", "all"),
    Value("netsuite_reads", "mode", "whole", "full_table"),
    Value("netsuite_reads", "mode", "again", "selected"),
    Value("plan_", "matched_by", "hand", "manual"),
    Value("plan_", "parent_target_id", "unsure", "uncertain"),
    Value("selection_", "selected_by", "everything", "all"),
)
UNDO = "undo"  # sync_plans.kind was `undo <run id>`; the run is in sync_plans.undone_run now

# keys of the JSON answers about columns in netsuite_capabilities
ANSWER_KEYS = MappingProxyType({
    "asked": "requested", "left_out": "missing", "instead": "expressions", "formats_told": "types_known",
})  # fmt: skip

VARIABLES = MappingProxyType({
    "MILLPOND_SEAL_KEY": "MILLPOND_ENCRYPTION_KEY",
    "MILLPOND_RELEASERS": "MILLPOND_APPROVERS",
    "MILLPOND_VANISHED_PERCENT": "MILLPOND_MAX_MISSING_PERCENT",
    "MILLPOND_PERSONAL": "MILLPOND_PERSONAL_DATA",
    "MILLPOND_KEEP_DAYS": "MILLPOND_KEEP_HISTORY_DAYS",
    "MILLPOND_UI_NAMES": "MILLPOND_UI_ALLOWED_HOSTS",
    "MILLPOND_WEBHOOK_NAMES": "MILLPOND_WEBHOOK_ALLOWED_HOSTS",
    "MILLPOND_WEBHOOK_MOST_BYTES": "MILLPOND_WEBHOOK_MAX_BYTES",
    "MILLPOND_ALERT_HELD": "MILLPOND_ALERT_RECORD_LIMIT",
    "MILLPOND_ALERT_LINK": "MILLPOND_ALERT_UI_URL",
    "MILLPOND_POND_CATALOG": "MILLPOND_WAREHOUSE_CATALOG",
    "MILLPOND_POND_DATA": "MILLPOND_WAREHOUSE_DATA",
    "MILLPOND_POND_SCHEMA": "MILLPOND_WAREHOUSE_SCHEMA",
    "MILLPOND_POND_S3_ENDPOINT": "MILLPOND_WAREHOUSE_S3_ENDPOINT",
    "MILLPOND_POND_S3_REGION": "MILLPOND_WAREHOUSE_S3_REGION",
    "MILLPOND_POND_S3_KEY": "MILLPOND_WAREHOUSE_S3_KEY",
    "MILLPOND_POND_S3_SECRET": "MILLPOND_WAREHOUSE_S3_SECRET",
})  # fmt: skip

_LOOKUP = Names(keys={"several": "on_multiple"}, prefixes={"table": {OLD_STATE: NEW_STATE}}, recursive="then")
_FIELD = Names(keys={"otherwise": "on_unmapped", "links": "reference", "blank": "on_blank"}, inside={"lookup": _LOOKUP})
_SELECT = Names(keys={"membership": "subsidiary_scope"})
_RECORD = Names(inside={"select": _SELECT, "fields": _FIELD})
WORKFLOW = Names(
    keys={
        "monitored": "monitored_fields",
        "strict_mapping": "forbid_duplicate_fields",
        "record_link": "record_url",
        "plan_lifetime_h": "plan_lifetime_hours",
        "retry_refused_after_h": "retry_rejected_after_hours",
    },
    inside={
        "records": _RECORD,
        "select": _SELECT,
        "fields": _FIELD,
        "match": Names(keys={"other_id": "on_id_conflict", "stored_id": "id_field"}),
        "guards": Names(
            keys={"blank": "clear_values", "rekey": "key_change", "halved_source": "source_shrunk"},
            # 0.1 allowed the larger of both numbers, 0.2 allows no more than `rows`
            every=Names(keys={"rows": "floor"}),
        ),
        "imports": Names(values={"select": {"picked": "selected"}}),
    },
)
OLD_COMPONENT, NEW_COMPONENT = "assets.delivery.workflow.SyncWorkflow", "assets.components.SyncWorkflow"
WORKFLOW_FILE = Names(values={"type": {OLD_COMPONENT: NEW_COMPONENT}}, inside={"attributes": WORKFLOW})
GROUPS_FILE = Names(
    keys={"tidy": "maintenance"},
    inside={
        "groups": Names(
            every=Names(
                keys={"fresh_h": "freshness_hours"}, inside={"sensor": Names(keys={"every_s": "every_seconds"})}
            )
        )
    },
)

# `description` of shipped workflow files that 0.2 words differently; it is part of a workflow's fingerprint
_RECORDS = {
    "class": "classifications",
    "department": "departments",
    "location": "locations",
    "subsidiary": "subsidiaries",
}
SHIPPED_DESCRIPTIONS = MappingProxyType({
    "suiteprojects__contacts": "NetSuite contacts of the customers that are in SuiteProjects Pro, as contacts there.",
    **{
        f"suiteprojects__{kind}_{node}":
            f"NetSuite's {records} with their levels, as the hierarchy \"{kind.title()} {node.title()}\"."
        for kind in ("customer", "project") for node, records in _RECORDS.items()
    },
})  # fmt: skip

ALERT_CAUSES = MappingProxyType({
    "no word": "no error",
    "the run ended without a word: its process was killed or could not start":
        "the run ended without an error: its process was killed or could not start",
    "no answer told their fate": "no usable response",
})  # fmt: skip

# of the simulated systems, by system: name -> (new name, {old value: new value})
SANDBOX_SWITCHES: MappingProxyType[str, dict[str, tuple[str, dict[str, str]]]] = MappingProxyType({
    "netsuite": {
        "emptied_tables": ("empty_tables", {}),
        "half_page_tells": ("half_page_reports", {}),
        "foreign_slots": ("occupied_slots", {}),
        "foreign_every_s": ("occupied_every_s", {}),
        "foreign_for_s": ("occupied_for_s", {}),
    },
    "suiteprojects": {
        "several_objects_per_add": ("multiple_objects_per_add", {}),
        "several_matches": ("multiple_matches", {}),
        "template_shown": ("template_in_responses", {}),
        "echo_values": ("echo_values", {"kept": "stored"}),
    },
    "precoro": {
        "odd_per_page": ("invalid_per_page", {"refuse": "reject"}),
        "parent_in_answers": ("parent_in_responses", {}),
        "refused_status": ("validation_status", {}),
        "post_external_id": ("post_external_id", {"honour": "accept"}),
        "depend_add_twice": ("duplicate_dependency", {"take": "accept", "refuse": "reject"}),
        "refused_calls_count": ("rejected_calls_count", {}),
    },
})  # fmt: skip
REMOVED_SWITCHES = MappingProxyType({"netsuite": ("write_answer", "q_after", "lead_readable")})
FAULTS = MappingProxyType({"refused_500": "not_applied_500", "done_500": "applied_500"})

# Dagster: schedules and sensors keep whether they run under their name
INSTIGATORS = MappingProxyType({
    "tidy_schedule": "maintenance_schedule",
    "hints": "change_notifications",
    "hints_burst": "change_notifications_burst",
})  # fmt: skip
RUN_TAGS = MappingProxyType({
    "millpond/by": "millpond/launched_by",
    "millpond/because": "millpond/reason",
    "millpond/hints_up_to": "millpond/notifications_up_to",
    "millpond/all_ids": "millpond/reconcile",
})  # fmt: skip
