/*
sync_readings: When each mart was made and each target was read or written: the places of the versions in time.

grain   one row per workflow, side and making, reading or writing
key     workflow, side, position
reads   nothing
notes   Written in the transaction that keeps the versions of `hist_mart__<workflow>` and `hist_target__<workflow>`. The
        state at a time is that of the highest position whose read_at is not later: positions order versions, whatever
        the clocks showed. A record that a reading of everything does not return is gone, unless the listing may leave
        records out.
*/
create table if not exists sync_readings (
    workflow varchar,  -- workflow name
    side varchar,  -- mart or target
    kind varchar,  -- all (records), selected (records), written (by a delivery) or forgotten (another account)
    position bigint,  -- place in the ledger's sequence: a later row has a higher number, whatever the clocks showed
    began_position bigint,  -- place in that sequence when the reading began: what was written later may be missing in it
    read_at timestamp,  -- when, UTC, by the machine's clock
    run_id varchar,  -- Dagster run
    workflow_version varchar,  -- fingerprint of the workflow file
    fields varchar,  -- fields that were mapped or read, as JSON
    personal varchar,  -- those of them that may hold personal values, as JSON
    opened bigint,  -- versions that it opened
    closed bigint  -- versions that it ended
)
