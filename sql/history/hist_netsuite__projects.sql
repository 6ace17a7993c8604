/*
hist_netsuite__projects: All versions of NetSuite projects and sub-projects.

grain   one row per NetSuite internal id and version
key     project_id, valid_from
reads   stg_netsuite__projects
notes   A version is valid from valid_from until valid_to (null: current). Both are times when NetSuite was read, UTC;
        nothing is known of the time before the first read. A save that changes no value opens no version.
*/
select * from stg_netsuite__projects
