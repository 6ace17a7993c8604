/*
contacts: NetSuite contacts.

grain   one row per contact internal id
key     id
reads   contact
notes   `company` may be a customer, a project, a vendor or a partner.
*/
select
    -- ids
    c.id,  -- internal id
    c.entityid,  -- display name
    c.externalid,  -- external id, set by another system
    c.company,  -- internal id of the entity it belongs to
    c.subsidiary,  -- internal id of the subsidiary
    c.contactrole,  -- internal id of the role
    -- descriptions
    c.salutation,
    c.firstname,
    c.middlename,
    c.lastname,
    c.title,  -- job title
    c.email,
    c.phone,
    c.mobilephone,
    c.fax,
    c.comments,
    -- booleans
    c.isinactive,  -- T if inactive
    -- timestamps (UTC)
    to_char(sys_extract_utc(c.datecreated), 'YYYY-MM-DD HH24:MI:SS') as datecreated,  -- created, UTC
    to_char(sys_extract_utc(c.lastmodifieddate), 'YYYY-MM-DD HH24:MI:SS') as lastmodifieddate  -- last changed, UTC
from contact c
where c.id > ?
order by c.id asc
