/*
sync_events: What people decided, and what was done to the ledger itself.

grain   one row per decision or event
key     event_id
reads   nothing
notes   Append-only, written in the transaction of what it records. The tables that people's decisions are read from
        (sync_plans, sync_manual_links, sync_ignored, sync_shadow_periods,
        sync_import_selection, switches.json) are compared with it by `millpond ledger verify`.
*/
create table if not exists sync_events (
    event_id varchar,  -- event
    position bigint,  -- place in the ledger's sequence: a later row has a higher number, whatever the clocks showed
    event varchar,  -- approved, rejected, undo_planned, linked, unlinked, ignored, counted_again, switched, selected, deselected, shadow_started, shadow_stopped, accepted, confirmed_off; renamed, rebound, restored, pruned, forgotten, lifted, verified, acknowledged or restarted
    workflow varchar,  -- workflow name; blank: of the whole warehouse
    subject varchar,  -- plan, source and NetSuite id of the record, or finding; blank: of the whole workflow
    decided_by varchar,  -- name of the person; blank: no person decided
    decided_at timestamp,  -- when, UTC
    details varchar,  -- what exactly, as JSON without values of records
    note varchar  -- the person's reason
)
