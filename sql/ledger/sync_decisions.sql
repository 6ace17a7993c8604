/*
sync_decisions: What was decided for each source record, for as long as the decision held.

grain   one row per workflow, source record and spell
key     workflow, source, source_id, from_run
reads
notes   A spell begins with the run that first decided so and is open (to_run is null) until a run decides
        otherwise; growth is bounded by change, not by runs.
*/
create table if not exists sync_decisions (
    workflow varchar,
    source varchar,
    source_id varchar,
    action varchar,
    reason_code varchar,
    reason varchar,
    target_id varchar,
    workflow_version varchar,
    from_run varchar,
    from_at timestamp,
    to_run varchar,
    to_at timestamp
)
