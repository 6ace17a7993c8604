/*
certificates: The certificates of each workflow: through which time NetSuite's changes are proven to be in the target.

grain   one row per workflow and computed certificate
key     workflow, certificate_id
reads   sync_certificates
notes   The current certificate of each workflow has is_current; `millpond certificate` prints it.
*/
create or replace view certificates as
select
    workflow,  -- the workflow
    verified_through,  -- NetSuite's time, UTC, up to which every change was read by value, decided, and read back as it should be; null: no such time
    verified_before,  -- latest such time of the certificates before it, UTC
    reason,  -- why there is no later time
    records,  -- NetSuite records that the workflow decides on
    verified,  -- records that were read back as they should be
    held,  -- records that a decision holds back or leaves as they are
    pending,  -- records with changes that were not sent, or were not read back yet
    wrong,  -- records that are not as they should be
    state,  -- computed; lost (a side could not be read) or void (after a restore or a new account)
    certified_at,  -- when it was computed, UTC
    run_id,  -- run that computed it
    workflow_version,  -- fingerprint of the workflow file
    row_number() over (partition by workflow order by position desc) = 1 as is_current,  -- the newest of the workflow
    exceptions,  -- what is not verified, as JSON
    evidence,  -- what was read, as JSON
    certificate_id  -- the certificate
from sync_certificates
order by workflow, position desc
