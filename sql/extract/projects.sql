/*
projects: NetSuite projects (jobs).

grain   one row per job internal id
key     id
reads   job
notes   `companyname` is the project's name, `entityid` its number; `parent` is the customer or the parent project.
*/
select
    -- ids
    j.id,  -- internal id
    j.entityid,  -- display number or name
    j.externalid,  -- external id, set by another system
    j.customer,  -- internal id of the customer
    j.parent,  -- internal id of the customer or the parent project
    j.entitystatus,  -- key of the entity status
    j.currency,  -- internal id of the currency
    j.projectmanager,  -- internal id of the project manager
    j.jobtype,  -- internal id of the project type
    j.category,  -- internal id of the category
    -- descriptions
    j.altname,
    j.companyname,  -- project name
    j.comments,
    -- booleans
    j.isinactive,  -- T if inactive
    -- dates
    to_char(j.startdate, 'YYYY-MM-DD') as startdate,  -- first day
    to_char(j.enddate, 'YYYY-MM-DD') as enddate,  -- last day
    to_char(j.projectedenddate, 'YYYY-MM-DD') as projectedenddate,  -- projected last day
    -- timestamps (UTC)
    to_char(sys_extract_utc(j.datecreated), 'YYYY-MM-DD HH24:MI:SS') as datecreated,  -- created, UTC
    to_char(sys_extract_utc(j.lastmodifieddate), 'YYYY-MM-DD HH24:MI:SS') as lastmodifieddate  -- last changed, UTC
from job j
where j.id > ?
order by j.id asc
