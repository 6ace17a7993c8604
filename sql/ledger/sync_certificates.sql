/*
sync_certificates: What was proven of each workflow: the time through which NetSuite's changes are in the target.

grain   one row per workflow and computed certificate
key     workflow, certificate_id
reads   nothing
notes   Append-only. A certificate is computed when a run has read both sides and decided, before it sends, and by the
        nightly reconciliation. The newest one of a workflow counts; it may go back: a row is also written when a side
        cannot be read (lost), and when the ledger no longer knows the target (void). Evidence and exceptions are JSON
        without values of records.
*/
create table if not exists sync_certificates (
    workflow varchar,  -- workflow name
    certificate_id varchar,  -- certificate
    position bigint,  -- place in the ledger's sequence: a later row has a higher number, whatever the clocks showed
    state varchar,  -- computed; lost (a side could not be read) or void (after a restore or a new account), both without a time
    certified_at timestamp,  -- when it was computed, UTC
    run_id varchar,  -- run that computed it
    workflow_version varchar,  -- fingerprint of the workflow file
    verified_through timestamp,  -- NetSuite's time, UTC, up to which every change was read by value, decided, and read back as it should be; null: no such time
    source_through timestamp,  -- NetSuite's time, UTC, as of which the values of all its records were read; verified records are verified as of it
    verified_before timestamp,  -- latest verified_through of the certificates before it, UTC; null: none had one
    reason varchar,  -- why there is no later time, in words
    records bigint,  -- NetSuite records that the workflow decides on
    verified bigint,  -- records that were read back as they should be, or belong in no target and are not there
    held bigint,  -- records that a decision holds back or leaves as they are, with its reason in `exceptions`
    pending bigint,  -- records with changes that were not sent, or were not read back yet
    wrong bigint,  -- records that are not as they should be, without a decision that says so
    evidence varchar,  -- what was read, by which runs and with how many requests, as JSON
    exceptions varchar  -- what is not verified: what, why, records, examples, as JSON
)
